"""What the exports of a command are doing, while they do it: live on a terminal, line by line elsewhere."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from pigment_export.cli.output import clock, say, terminal
from pigment_export.transfer.stream import Progress

PLAIN_SECONDS = 10.0  # between two lines of progress where no terminal is redrawn


class Board:
    """Tells what is under way; its methods may be called on any thread.

    Args:
        names: of all exports, in order.
        now: seconds that never go back.

    Attributes:
        live: a context in which a terminal shows it; elsewhere it shows nothing.
    """

    def __init__(self, names: Sequence[str], *, now: Callable[[], float] = time.monotonic) -> None:
        self._names = tuple(names)
        self._now = now
        self._began = self._told = now()
        self._lock = threading.Lock()
        self._lines: dict[str, float | str] = {}  # what is told of an export, or since when Pigment is silent
        self._done = 0
        self._terminal = terminal()
        self.live: AbstractContextManager[object] = nullcontext()
        if self._terminal:
            from pigment_export.cli.table import drawn_live  # noqa: PLC0415 - rich is needed here alone

            self.live = drawn_live(self._terminal, lambda: self._shown(now()))

    def begin(self, name: str) -> None:
        """An export is being worked on."""
        with self._lock:
            self._lines[name] = self._now()

    def move(self, name: str, progress: Progress) -> None:
        """Its body comes in."""
        rate = progress.bytes / progress.seconds if progress.seconds else 0
        self._tell(name, f"{progress.bytes / 1e6:,.1f} MB, {progress.rows:,} rows, {rate / 1e6:,.1f} MB/s")

    def wait(self, name: str, what: str) -> None:
        """Something failed and is tried again: told at once, since it may take minutes."""
        self._tell(name, what)
        say(f"{name}: {what}")

    def rest(self, name: str, what: str, seconds: float) -> None:
        """Nothing is done for an export until later."""
        note = f"next try in {seconds / 60:.0f} min (Ctrl-C ends the run)"
        self._tell(name, note)
        say(f"{name}: {what}\n  {note}")

    def end(self, name: str, what: str) -> None:
        """An export is done: its line stays."""
        with self._lock:
            self._lines.pop(name, None)
            self._done += 1
            done = self._done
        of = f" ({done} of {len(self._names)}, {clock(self._now() - self._began)})" if len(self._names) > 1 else ""
        say(f"{name}: {what}{of}")

    def tick(self) -> None:
        """Tell where things are now and then, where nothing is redrawn."""
        now = self._now()
        if self._terminal is None and self._lines and now - self._told >= PLAIN_SECONDS:
            self._told = now
            rows, summary = self._shown(now)
            say(", ".join([*(f"{name}: {text}" for name, text in rows), *summary]))

    def _tell(self, name: str, text: str) -> None:
        with self._lock:
            if name in self._lines:
                self._lines[name] = text

    def _shown(self, now: float) -> tuple[list[tuple[str, str]], list[str]]:
        """What is under way, by name, and where there are several, how far all is."""
        with self._lock:
            rows = [
                (name, told if isinstance(told, str) else f"waiting for Pigment, {clock(now - told)}")
                for name, told in self._lines.items()
            ]
        if len(self._names) == 1:
            return rows, []
        waiting = len(self._names) - self._done - len(rows)
        summary = f"{self._done} of {len(self._names)} done, {clock(now - self._began)}"
        return rows, [summary + (f", {waiting} not begun" if waiting else "")]
