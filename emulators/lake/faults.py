"""Faults of the lake stand-in on demand, and the record of its calls: what crash tests hold on to."""

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
        operation: its name, such as `create`, `append`, `put_blob`; `unknown` for what is not done here.
        path: inside the file system; a rename's is its destination.
        source: a rename's source path, else empty.
        query: decoded, by name.
        headers: by lower-case name, without Authorization.
        status: what was answered, or would have been where the reply was lost; 0 where it was dropped.
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
    """An error answer instead of an effect."""

    status: int
    code: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class LostReply:
    """The effect takes place; the connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection closes after the request was read, with neither effect nor answer."""


@dataclass(frozen=True, slots=True)
class Held:
    """The request waits before or after its effect: `reached` is set, then `release` awaited."""

    before: bool
    reached: threading.Event
    release: threading.Event


@dataclass(frozen=True, slots=True)
class Delay:
    """The request waits so long before its effect."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is not the lake's, with 200 and none of its headers, instead of an effect."""

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
    """The faults that wait for their request; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._held: list[Held] = []
        self.stopping = threading.Event()

    def add(
        self, operation: str, path: str | None = None, *, skip: int = 0, times: int | None = 1, then: Fault
    ) -> None:
        """Let something happen to requests to come; of several rules that fit, the first added acts.

        Args:
            operation: the operation's name; `any` for all.
            path: a regular expression, searched in the path inside the file system.
            skip: so many fitting requests pass first.
            times: so many are then hit; None for all.
            then: what happens to them.
        """
        pattern = None if path is None else re.compile(path)
        with self._lock:
            self._rules.append(_Rule(operation, pattern, skip, times, then))

    @property
    def waiting(self) -> list[Fault]:
        """What has not happened yet; what happens to all comers is not among it."""
        with self._lock:
            return [rule.then for rule in self._rules for _ in range(rule.times or 0)]

    def clear(self) -> None:
        """Forget all rules, and let go what is held."""
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
        """Return what is to happen to this request."""
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
        """Stand still until the fault is released, the rules are cleared or the lake stops."""
        with self._lock:
            self._held.append(fault)
            if self.stopping.is_set():
                return
        fault.reached.set()
        fault.release.wait()
