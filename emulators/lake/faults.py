"""Faults of the lake stand-in on demand, and the record of its calls."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One request that reached the lake.

    Attributes:
        number: in the order of arrival, from 1.
        service: `dfs` or `blob`.
        operation: its name, such as `create`, `append`, `put_blob`; `unknown` if it is not supported.
        path: inside the file system; for a rename, the destination.
        source: the source path of a rename, otherwise empty.
        query: decoded, by name.
        headers: by lower-case name, without Authorization.
        status: of the answer, also of a lost one; 0 for a dropped request.
    """

    number: int
    service: str
    operation: str
    file_system: str
    path: str
    source: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The request has no effect and gets an error answer."""

    status: int
    code: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class LostReply:
    """The request has its effect; the connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection closes after the request was read, with neither effect nor answer."""


@dataclass(frozen=True, slots=True)
class Held:
    """The request waits before or after its effect: it sets `reached`, then waits for `release`."""

    before: bool
    reached: threading.Event
    release: threading.Event


@dataclass(frozen=True, slots=True)
class Delay:
    """The request waits before its effect."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Page:
    """The request has no effect and gets a page with 200, without any of the lake's own headers."""

    body: bytes = b"<!DOCTYPE html><html><body>Sign in</body></html>"


Fault = Answer | LostReply | Dropped | Held | Delay | Page


@dataclass(slots=True)
class _Rule:
    operation: str
    path: re.Pattern[str] | None
    skip: int
    times: int | None
    then: Fault


class Faults:
    """The faults for requests to come; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._held: list[Held] = []
        self.stopping = threading.Event()

    def add(
        self, operation: str, path: str | None = None, *, skip: int = 0, times: int | None = 1, then: Fault
    ) -> None:
        """Add a fault for requests to come; if several match a request, the first one applies.

        Args:
            operation: its name; `any` for all.
            path: regular expression, searched in the path inside the file system.
            skip: number of matching requests to leave alone first.
            times: number of requests to affect after that; None for all.
            then: the fault.
        """
        pattern = None if path is None else re.compile(path)
        with self._lock:
            self._rules.append(_Rule(operation, pattern, skip, times, then))

    @property
    def waiting(self) -> list[Fault]:
        """The faults that are still to come, once per request; without those for all requests."""
        with self._lock:
            return [rule.then for rule in self._rules for _ in range(rule.times or 0)]

    def clear(self) -> None:
        """Remove all faults, and release all held requests."""
        with self._lock:
            self._rules.clear()
            held, self._held = self._held, []
        for fault in held:
            fault.release.set()

    def stop(self) -> None:
        """End every wait, so that the server can end."""
        self.stopping.set()
        self.clear()

    def take(self, operation: str, path: str) -> Fault | None:
        """Return the fault for this request, if there is one."""
        with self._lock:
            for rule in self._rules:
                if rule.operation not in {operation, "any"}:
                    continue
                if rule.path is not None and not rule.path.search(path):
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                    if not rule.times:
                        self._rules.remove(rule)
                return rule.then
        return None

    def hold(self, fault: Held) -> None:
        """Wait until the fault is released, the faults are cleared or the lake stops."""
        with self._lock:
            self._held.append(fault)
            if self.stopping.is_set():
                return
        fault.reached.set()
        fault.release.wait()
