"""The host's side of a worker process: start it, send it calls, receive its messages, kill it."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).parents[2] / "scripts" / "worker.py"
_END_SECONDS = 5.0  # an idle worker ends at once; after this time it is killed

Plain = tuple[str, Any]
"""A value on the pipe: the worker library's name for its kind, and the value, made of builtins."""


def start_worker(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str], descriptor: int
) -> subprocess.Popen[str]:
    """Start the worker's program; it inherits one descriptor, which Windows has no way for."""
    if sys.platform == "win32":
        sys.exit("the stand-in of the Functions host needs Linux or macOS; on Windows, run it in WSL")
    return subprocess.Popen(
        # -P: modules in the program's own folder must not shadow the app's.
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[descriptor],
        process_group=0,  # only the host gets a terminal's Ctrl-C
        text=True,
        errors="replace",
    )


class WorkerProcess:
    """One worker process, from its start to its end.

    Args:
        folder: the function app.
        environ: the process's whole environment, except for the app's folder, which is added.
        prelude: a program that the process runs before it indexes the app.
        heard: called with each message of the worker, in order, on one thread.
        printed: called with each line that the process prints, on another thread.
        ended: called once, after the last message and the end of the process, with its exit status.
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
        """Send one call. If the process is gone, do nothing: `ended` reports it."""
        with contextlib.suppress(OSError):
            self._connection.send(call)

    def kill(self) -> None:
        """Kill the process at once, with SIGKILL."""
        self._process.kill()

    def stop(self, *, at_once: bool) -> None:
        """End the process and wait for it; return when all its messages were handled.

        Args:
            at_once: kill it instead of asking it to end.
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
                return  # also after half a message, if the process was killed while it wrote
            yield message

    def _read_output(self) -> None:
        output = self._process.stdout
        if output is None:
            raise AssertionError("the output is a pipe")
        with output:
            for line in output:
                self._printed(line.rstrip("\n"))
