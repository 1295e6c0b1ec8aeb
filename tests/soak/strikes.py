"""What strikes the app's processes, at a request to the lake or in the middle of a body."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Self

from emulators.host.host import Host
from emulators.lake.account import Held, Lake

PATIENCE_SECONDS = 240.0
LAST_REQUEST = 60  # to the lake, at which it may strike
LAST_OF_A_TICK = 10
IN_A_BODY = 0.25  # how often


class Strike:
    """Something that happens once, while the request or body at which it strikes stands still; a context manager.

    Args:
        lake: whose requests are counted.
        chance: chooses when.
        at_body: is given the function to call in the middle of the next body.
        last_request: the last one at which it may strike.
        strike: what happens; told whether it did.
    """

    def __init__(
        self,
        lake: Lake,
        chance: Random,
        at_body: Callable[[Callable[[], None]], None],
        strike: Callable[[], bool],
        *,
        last_request: int = LAST_REQUEST,
    ) -> None:
        self._over, self._strike = False, strike
        self._reached, self._release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.struck = False
        held = Held(before=chance.random() < 0.5, reached=self._reached, release=self._release)
        if last_request > LAST_OF_A_TICK and chance.random() < IN_A_BODY:
            at_body(self._stand_still)
        else:
            lake.faults.add("any", skip=chance.randint(0, last_request), times=1, then=held)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._reached.set()
        self._thread.join()

    def _stand_still(self) -> None:
        self._reached.set()
        self._release.wait(PATIENCE_SECONDS)

    def _work(self) -> None:
        self._reached.wait()
        if not self._over:
            self.struck = self._strike()
        self._release.set()


def kill(host: Host, ran: Callable[[str], None]) -> bool:
    """Kill a host's worker process with SIGKILL, and wait until another is there.

    Args:
        host: whose.
        ran: is told each function that ran in it.

    Returns:
        Whether there was one.
    """
    pid, running = host.worker_pid, list(host.running)
    if pid is None:
        return False
    for name in {call.function for call in running} or {"nothing"}:
        ran(name)
    os.kill(pid, signal.SIGKILL)
    ends = time.monotonic() + PATIENCE_SECONDS
    while host.worker_pid == pid and time.monotonic() < ends:
        time.sleep(0.005)
    return True


def deploy(host: Host, settings: dict[str, str]) -> bool:
    """Deploy over what runs: SIGTERM, soon SIGKILL, and another version begins.

    Args:
        host: whose.
        settings: of the new version, over those of the old one.

    Returns:
        Whether there was a worker to cut off.
    """
    pid = host.worker_pid
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    host.stop()
    host._settings |= settings
    host.start()
    return True
