"""The host's side of a worker process: start it, send it calls, hear from it, kill it."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).parents[2] / "scripts" / "worker.py"
_END_SECONDS = 5.0  # an idle worker ends at once; what can't is killed

Plain = tuple[str, Any]
"""A value as it crosses the pipe: its kind, as the worker library names it, and builtins."""


def start_worker(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str], descriptor: int
) -> subprocess.Popen[str]:
    """Start the worker's program; it inherits one descriptor, which Windows has no way for."""
    if sys.platform == "win32":
        sys.exit("the stand-in of the Functions host needs Linux or macOS; on Windows, run it in WSL")
    return subprocess.Popen(
        # -P: the program's own folder must not stand in for the app's modules.
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[descriptor],
        process_group=0,  # a terminal's Ctrl-C is the host's to act on
        text=True,
        errors="replace",
    )


class WorkerProcess:
    """One worker process, from its start to its end.

    Args:
        folder: the function app.
        environ: the process's whole environment, but for where the app is.
        prelude: a program that the process runs before it indexes the app.
        heard: is given each message of the worker, in order, on a thread of its own.
        printed: is given each line that the process prints, on another.
        ended: is called once, after the last message, when the process is gone; with its exit status.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        prelude: Path | None = None,
        heard: Callable[[tuple[Any, ...]], None],
        printed: Callable[[str], None],
        ended: Callable[[int], None],
    ) -> None:
        self._connection, theirs = Pipe()
        arguments = [str(_PROGRAM), str(folder), str(theirs.fileno()), *([str(prelude)] if prelude else [])]
        environ = dict(environ) | {"AzureWebJobsScriptRoot": str(folder)}
        self._process = start_worker(arguments, folder, environ, theirs.fileno())
        theirs.close()
        self._heard, self._printed, self._ended = heard, printed, ended
        self._threads = [threading.Thread(target=self._listen), threading.Thread(target=self._read_output)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, call: Mapping[str, Any]) -> None:
        """Send one call. Where the process is gone, its end is told by `ended`."""
        with contextlib.suppress(OSError):
            self._connection.send(call)

    def kill(self) -> None:
        """Kill the process as SIGKILL does: at once, whatever it is doing."""
        self._process.kill()

    def stop(self, *, at_once: bool) -> None:
        """End the process and wait for it; returns when all its messages were heard.

        Args:
            at_once: don't let it come to its own end.
        """
        if at_once:
            self.kill()
        else:
            with contextlib.suppress(OSError):
                self._connection.send(None)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        with self._connection:
            for message in self._messages():
                self._heard(message)
        self._ended(self._process.wait())

    def _messages(self) -> Iterator[tuple[Any, ...]]:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                return  # also where a process was killed while it wrote: half a message is none
            yield message

    def _read_output(self) -> None:
        output = self._process.stdout
        if output is None:
            raise AssertionError("the output is a pipe")
        with output:
            for line in output:
                self._printed(line.rstrip("\n"))
