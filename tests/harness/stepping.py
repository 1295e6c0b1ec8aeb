"""Workers, each request of which can be counted, failed, killed or interleaved: the harness of the delivery tests."""

import inspect
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pigment_export.errors import Cause, ExportError, RetryableError, Who
from tests.harness.fakes import ANYTHING

OUTAGE = Cause("lake_unavailable", "the lake did not answer", Who.NO_ACTION, "wait")


class Killed(BaseException):
    """The process was killed: no further request reaches the lake."""


@dataclass(frozen=True, slots=True)
class Step:
    """One of the requests of a worker.

    Attributes:
        operation: its operation, such as `rename`.
        path: a part of its path.
        nth: number among such requests, from 1.
    """

    operation: str
    path: str = ""
    nth: int = 1

    def is_reached(self, requests: Sequence[tuple[str, str]]) -> bool:
        """Return whether the last of these requests is this one."""
        if not requests or not self._takes(requests[-1]):
            return False
        return sum(map(self._takes, requests)) == self.nth

    def _takes(self, request: tuple[str, str]) -> bool:
        return request[0] == self.operation and self.path in request[1]


def at(operation: str, path: str = "", nth: int = 1) -> Step:
    """Return the nth request of an operation on a path that contains a text."""
    return Step(operation, path, nth)


type Around = Callable[[str, str, Callable[..., Any]], Any]
type Changed = Callable[[Around], Around]


def unchanged(around: Around) -> Around:
    """Change no request."""
    return around


def without(condition: str, operation: str, part: str) -> Changed:
    """Remove a condition from some requests.

    Args:
        condition: its parameter, such as `replacing`.
        operation: of the requests.
        part: a part of their paths.
    """

    def changed(around: Around) -> Around:
        def request(asked: str, path: str, call: Callable[..., Any]) -> Any:
            if asked != operation or part not in path:
                return around(asked, path, call)
            return around(asked, path, lambda: call(without=condition))

        return request

    return changed


class Watched:
    """A lake, each request of which goes through a function that can change, drop or fail it.

    Args:
        target: the fake that answers in the end.
        around: gets the operation's name, its path and the call itself.
    """

    def __init__(self, target: object, around: Around) -> None:
        self._target = target
        self._around = around

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._target, name)

        def request(*args: Any, **kwargs: Any) -> Any:
            def call(*, without: str = "") -> Any:
                if without:
                    bound = inspect.signature(method).bind(*args, **kwargs)
                    bound.arguments[without] = ANYTHING
                    return method(*bound.args, **bound.kwargs)
                answer = method(*args, **kwargs)
                return list(answer) if name == "list" else answer

            return self._around(name, args[0] if args else "", call)

        return request


class Striking:
    """A counter of requests that fails one of them.

    Args:
        at: the request to fail: a named one, or its number from 0 in tests that fail each request in turn.
        applied: whether the request takes effect all the same.
        kill: whether the process is killed there; otherwise only the answer is lost.
    """

    def __init__(self, at: Step | int | None, *, applied: bool = False, kill: bool = False) -> None:
        self._at = at
        self._applied = applied
        self._kill = kill
        self._dead = False
        self.requests: list[tuple[str, str]] = []

    def __call__(self, operation: str, path: str, call: Callable[[], Any]) -> Any:
        if self._dead:
            raise Killed
        self.requests.append((operation, path))
        if not self._is_struck():
            return call()
        if self._applied:
            with suppress(ExportError):  # its answer, even an error, never arrives
                call()
        if self._kill:
            self._dead = True
            raise Killed
        raise RetryableError(OUTAGE, retry_after_seconds=0)

    def _is_struck(self) -> bool:
        if isinstance(self._at, Step):
            return self._at.is_reached(self.requests)
        return len(self.requests) - 1 == self._at


class Late:
    """A request without an answer, which takes effect later, just before another one.

    Args:
        at: the request.
        before: the other request, of the same worker.
    """

    def __init__(self, at: Step, *, before: Step) -> None:
        self._at = at
        self._before = before
        self._requests: list[tuple[str, str]] = []
        self._sent: Callable[[], Any] | None = None

    def __call__(self, operation: str, path: str, call: Callable[[], Any]) -> Any:
        self._requests.append((operation, path))
        if self._sent and self._before.is_reached(self._requests):
            with suppress(ExportError):  # its answer never arrives
                self._sent()
        if self._at.is_reached(self._requests):
            self._sent = call
            raise RetryableError(OUTAGE, retry_after_seconds=0)
        return call()


class Stepper:
    """A worker on its own thread that makes one request at a time, on command.

    Args:
        work: gets the function to put around each request; its result or error is kept.
    """

    def __init__(self, work: Callable[[Around], Any]) -> None:
        self._arrived = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        self._dead = False
        self._requests: list[tuple[str, str]] = []  # the last one waits for `step`
        self.finished = False
        self.answer: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._arrived.acquire()

    @property
    def next_path(self) -> str:
        """Path of the request that the next `step` makes; empty if it has finished."""
        return "" if self.finished else self._requests[-1][1]

    def step(self) -> None:
        """Let it make one request; return when it is about to make the next one, or has finished."""
        if not self.finished:
            self._go.release()
            self._arrived.acquire()

    def is_at(self, step: Step) -> bool:
        """Return whether the next `step` makes this request."""
        return not self.finished and step.is_reached(self._requests)

    def reach(self, step: Step) -> None:
        """Let it make requests until this one is next.

        Args:
            step: the request that the next `step` then makes.

        Raises:
            AssertionError: it finished before.
        """
        while not self.is_at(step):
            assert not self.finished, f"it never came to {step}"
            self.step()

    def finish(self) -> None:
        """Let it make all its remaining requests."""
        while not self.finished:
            self.step()
        self._thread.join()

    def kill(self) -> None:
        """Stop it: no further request gets through."""
        self._dead = True
        self.finish()

    def _run(self, work: Callable[[Around], Any]) -> None:
        try:
            self.answer = work(self._around)
        except BaseException as error:  # noqa: BLE001 - the test judges any error
            self.error = error
        self.finished = True
        self._arrived.release()

    def _around(self, operation: str, path: str, call: Callable[[], Any]) -> Any:
        if not self._dead:
            self._requests.append((operation, path))
            self._arrived.release()
            self._go.acquire()
        if self._dead:
            raise Killed
        return call()


def in_step(ahead: int, first: Stepper, second: Stepper, seen: Callable[[], None] = lambda: None) -> None:
    """Let two workers take turns with their requests, until both have finished.

    Args:
        ahead: number of requests that the first one makes before the second one starts.
        first: a worker.
        second: another.
        seen: called after each turn.
    """
    for _ in range(ahead):
        first.step()
    while not (first.finished and second.finished):
        second.step()
        first.step()
        seen()
