"""Workers whose every request can be counted, failed, killed or interleaved: the harness of the delivery tests."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pigment_export.errors import Cause, ExportError, RetryableError, Who

OUTAGE = Cause("lake_unavailable", "the lake did not answer", Who.NOBODY, "wait")


class Killed(BaseException):
    """The process is gone: whatever it asks from now on never reaches the lake."""


type Around = Callable[[str, str, Callable[[], Any]], Any]


class Watched:
    """Files or records, each request of which goes through a function that may do anything about it.

    Args:
        target: the fake to ask in the end.
        around: gets the operation's name, its path and the call itself.
    """

    def __init__(self, target: object, around: Around) -> None:
        self._target = target
        self._around = around

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._target, name)

        def request(path: str, *args: Any, **kwargs: Any) -> Any:
            def call() -> Any:
                answer = method(path, *args, **kwargs)
                return list(answer) if name == "list" else answer

            return self._around(name, path, call)

        return request


class Striking:
    """Counts requests, and strikes at one of them.

    Args:
        at: the number of the request to strike, from 0; None for none.
        applied: whether the request takes effect all the same.
        kill: whether the process dies there; else only the answer is lost.
    """

    def __init__(self, at: int | None, *, applied: bool = False, kill: bool = False) -> None:
        self._at = at
        self._applied = applied
        self._kill = kill
        self._dead = False
        self.requests: list[tuple[str, str]] = []

    def __call__(self, operation: str, path: str, call: Callable[[], Any]) -> Any:
        if self._dead:
            raise Killed
        number = len(self.requests)
        self.requests.append((operation, path))
        if number != self._at:
            return call()
        if self._applied:
            with suppress(ExportError):  # whatever the answer would have been, it never arrives
                call()
        if self._kill:
            self._dead = True
            raise Killed
        raise RetryableError(OUTAGE, retry_after_seconds=0)


class Stepper:
    """A worker on a thread of its own that makes one request at a time, when it is told to.

    Args:
        work: gets the function to put around each request; what it returns or raises is kept.
    """

    def __init__(self, work: Callable[[Around], Any]) -> None:
        self._arrived = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        self._dead = False
        self.finished = False
        self.answer: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._arrived.acquire()

    def step(self) -> None:
        """Let it make one request; returns when it wants to make the next one, or has finished."""
        if not self.finished:
            self._go.release()
            self._arrived.acquire()

    def finish(self) -> None:
        """Let it make all the requests that it still wants."""
        while not self.finished:
            self.step()
        self._thread.join()

    def kill(self) -> None:
        """Let none of its requests through any more."""
        self._dead = True
        self.finish()

    def _run(self, work: Callable[[Around], Any]) -> None:
        try:
            self.answer = work(self._around)
        except BaseException as error:  # noqa: BLE001 - whatever ended it is the test's to judge
            self.error = error
        self.finished = True
        self._arrived.release()

    def _around(self, _operation: str, _path: str, call: Callable[[], Any]) -> Any:
        if not self._dead:
            self._arrived.release()
            self._go.acquire()
        if self._dead:
            raise Killed
        return call()
