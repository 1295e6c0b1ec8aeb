"""Python processes that start without importing their libraries, which takes a second: forked from one that has them.

A fork is a process like any other: it has its own environment, folder and streams, and SIGKILL kills it.
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TextIO

import pigment_export

ROOT = Path(__file__).parents[2]
_MESSAGE_BYTES = 128 * 1024
_CLOCK = ("FAKETIME", "LD_PRELOAD", "DONT_FAKE")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that every process of a test gets: the path to programs, and the clock of the test run.

    A process without `FAKETIME` uses its parent's clock for ten seconds, and the machine's clock from then on.
    """
    names = ("PATH", "HOME", "LANG", "SYSTEMROOT")
    return {name: text for name, text in environ.items() if name in names or name.startswith(_CLOCK)}


class Forked:
    """A process, with the part of `subprocess.Popen` that tests use; safe to use from several threads.

    Args:
        server: the server that forked it.
        command: for messages.
        pid: its id.
        output: the files for its stdout and stderr.
        stdout: its output, if that is read while it runs.
    """

    def __init__(
        self, server: "ForkServer", command: Sequence[str], pid: int, output: Sequence[Path], stdout: TextIO | None
    ) -> None:
        self._server, self._command, self._output = server, list(command), output
        self._end = os.pidfd_open(pid)
        weakref.finalize(self, os.close, self._end)
        self._lock = threading.Lock()
        self._status: int | None = None
        self.pid = pid
        self.stdout = stdout

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._end, signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its status.

        Raises:
            TimeoutExpired: it is still running.
        """
        ended = select.poll()
        ended.register(self._end, select.POLLIN)
        if not ended.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired(self._command, timeout or 0)
        with self._lock:
            if self._status is None:
                self._status = self._server.ask({"wait": self.pid})
        return self._status

    def finish(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end, and return its status and output."""
        status = self.wait()
        return subprocess.CompletedProcess(self._command, status, *(file.read_text() for file in self._output))


class ForkServer:
    """The process that forks the others; a context manager, safe to use from several threads.

    Args:
        folder: for the output of the forked processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._count = 0
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.harness.forking", str(theirs.fileno())]
        self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], process_group=0)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            os.killpg(process.pid, signal.SIGKILL)  # with any processes that a failed test has left behind
        self._link.close()

    def start(self, module: str, *arguments: str, environment: Mapping[str, str], folder: Path = ROOT) -> Forked:
        """Run a module as `python -m` does. Its output is read after its end."""
        with self._lock:
            self._count += 1
            output = [self._folder / f"{self._count}.{stream}" for stream in ("out", "err")]
        with open(os.devnull) as nothing, output[0].open("w") as out, output[1].open("w") as err:  # noqa: PTH123
            streams = {0: nothing.fileno(), 1: out.fileno(), 2: err.fileno()}
            command = ["-m", module, *arguments]
            return Forked(self, command, self._fork(command, environment, folder, streams), output, None)

    def start_worker(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], descriptor: int
    ) -> Forked:
        """Run the Functions worker, in place of `emulators.host.process.start_worker`."""
        reading, writing = os.pipe()
        with open(os.devnull) as nothing:  # noqa: PTH123
            streams = {0: nothing.fileno(), 1: writing, 2: writing, descriptor: descriptor}
            command = ["-P", *arguments]
            pid = self._fork(command, environ, folder, streams)
        os.close(writing)
        return Forked(self, command, pid, (), open(reading, errors="replace"))  # noqa: PTH123

    def _fork(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, streams: Mapping[int, int]
    ) -> int:
        request = {"command": command, "environment": dict(environment), "folder": str(folder), "as": list(streams)}
        return self.ask(request, list(streams.values()))

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> int:
        """Send a request to the server, and return its answer."""
        with self._lock:
            socket.send_fds(self._link, [json.dumps(request).encode()], descriptors)
            return int(self._link.recv(_MESSAGE_BYTES))


def serve(link: socket.socket) -> dict[str, Any] | None:
    """Fork on each request, until the link is closed.

    Returns:
        In a child, the request to run; in the server, None at its end.
    """
    while True:
        message, received, _, _ = socket.recv_fds(link, _MESSAGE_BYTES, 8)
        if not message:
            return None
        request: dict[str, Any] = json.loads(message)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                link.close()
                _arrange(request["as"], received)
                return request
        for descriptor in received:
            os.close(descriptor)
        link.send(str(answer).encode())


def _arrange(wanted: Sequence[int], received: Sequence[int]) -> None:
    """Give the received descriptors the wanted numbers."""
    above = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, max(wanted) + 1) for descriptor in received]
    for descriptor in received:
        os.close(descriptor)
    for number, descriptor in zip(wanted, above, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)


def main() -> None:
    """Import the whole app, then serve."""
    path = sys.path[1:]  # without the folder of this project
    importlib.import_module("azure_functions_runtime")
    for found in pkgutil.walk_packages(pigment_export.__path__, "pigment_export."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    gc.collect()
    gc.freeze()  # so that no fork collects, and copies, what all of them share
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request:
        try:
            run(request, path)
        except SystemExit as ending:
            if not isinstance(ending.code, int | None):
                raise  # the interpreter reports it
            leave(ending.code or 0)
        leave(0)


def run(request: Mapping[str, Any], path: Sequence[str]) -> None:
    """Become the requested process."""
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    how, program, *arguments = request["command"]
    sys.path[:] = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *path]
    sys.argv[:] = [program, *arguments]
    if how == "-m":
        sys.path.insert(0, request["folder"])
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(program, run_name="__main__")


def leave(status: int) -> None:
    """End as an interpreter does, but without destroying its modules: nine tenths of the work of a short process."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
