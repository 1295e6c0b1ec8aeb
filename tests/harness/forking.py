"""Processes of the app without the second that each takes to import its libraries: forked from one that has them.

A fork is a process like any other: it has its own environment and output, and dies of SIGKILL.
"""

import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pigment_export

ROOT = Path(__file__).parents[2]


class Forked:
    """One process. Only one is waited for at a time.

    Args:
        server: that forked it.
        arguments: for messages.
        pid: its id.
        folder: has its output.
    """

    def __init__(self, server: "ForkServer", arguments: list[str], pid: int, folder: Path) -> None:
        self._server, self._arguments, self._folder = server, arguments, folder
        self.pid = pid

    def kill(self) -> None:
        """Kill it as SIGKILL does, and wait for its end."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        status = self._server.ask(wait=self.pid)
        out, err = ((self._folder / f"{self.pid}.{stream}").read_text() for stream in ("out", "err"))
        return subprocess.CompletedProcess(self._arguments, status, out, err)


class ForkServer:
    """The process that is forked; a context manager.

    Args:
        folder: for the output of what it forks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "tests.harness.forking", str(folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            os.killpg(process.pid, signal.SIGKILL)  # with what a failed test has left behind

    def start(self, module: str, *arguments: str, environment: Mapping[str, str]) -> Forked:
        """Run a module as `python -m` does."""
        pid = self.ask(module=module, arguments=arguments, environment=dict(environment))
        return Forked(self, [module, *arguments], pid, self._folder)

    def ask(self, **request: Any) -> int:
        """Ask the server for something; returns its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve(folder: Path) -> dict[str, Any] | None:
    """Fork when asked to.

    Returns:
        In the child, what is to be run; None at the server's end.
    """
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                for number, stream in ((1, "out"), (2, "err")):
                    os.dup2(os.open(folder / f"{os.getpid()}.{stream}", os.O_CREAT | os.O_WRONLY), number)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                return request
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    return None


def main() -> None:
    """Import all of the app, then serve."""
    for found in pkgutil.walk_packages(pigment_export.__path__, "pigment_export."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    request = serve(Path(sys.argv[1]))
    if request:
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv[1:] = request["arguments"]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
