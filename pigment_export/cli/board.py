"""The progress of a command's exports: live on a terminal, line by line elsewhere."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from pigment_export.cli.output import clock, say, terminal
from pigment_export.transfer.stream import Progress

PLAIN_SECONDS = 10.0  # between two lines of progress, if there is no terminal to redraw


class Board:
    """Shows what is in progress. Its methods can be called on any thread.

    Args:
        names: of all exports, in order.
        now: seconds that never go back.

    Attributes:
        live: a context in which a terminal shows the progress; elsewhere it shows nothing.
    """

    def __init__(self, names: Sequence[str], *, now: Callable[[], float] = time.monotonic) -> None:
        self._names = tuple(names)
        self._now = now
        self._began = self._told = now()
        self._lock = threading.Lock()
        self._lines: dict[str, float | str] = {}  # the text for an export, or since when it waits for Pigment
        self._done = 0
        self._terminal = terminal()
        self.live: AbstractContextManager[object] = nullcontext()
        if self._terminal:
            from pigment_export.cli.table import drawn_live  # noqa: PLC0415 - only live progress needs rich

            self.live = drawn_live(self._terminal, lambda: self._shown(now()))

    def begin(self, name: str) -> None:
        """Show that an export has started."""
        with self._lock:
            self._lines[name] = self._now()

    def move(self, name: str, progress: Progress) -> None:
        """Show how far its download is."""
        rate = progress.bytes / progress.seconds if progress.seconds else 0
        self._tell(name, f"{progress.bytes / 1e6:,.1f} MB, {progress.rows:,} rows, {rate / 1e6:,.1f} MB/s")

    def wait(self, name: str, what: str) -> None:
        """Show at once that something is retried, because it may take minutes."""
        self._tell(name, what)
        say(f"{name}: {what}")

    def rest(self, name: str, what: str, seconds: float) -> None:
        """Show that an export waits for its next attempt."""
        note = f"next attempt in {seconds / 60:.0f} min (Ctrl-C ends the run)"
        self._tell(name, note)
        say(f"{name}: {what}\n  {note}")

    def end(self, name: str, what: str) -> None:
        """Print how an export ended."""
        with self._lock:
            self._lines.pop(name, None)
            self._done += 1
            done = self._done
        of = f" ({done} of {len(self._names)}, {clock(self._now() - self._began)})" if len(self._names) > 1 else ""
        say(f"{name}: {what}{of}")

    def tick(self) -> None:
        """Print the progress every few seconds, if there is no terminal to redraw."""
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
        """Return the exports in progress, by name, and a summary if there are several."""
        with self._lock:
            rows = [
                (name, told if isinstance(told, str) else f"waiting for Pigment, {clock(now - told)}")
                for name, told in self._lines.items()
            ]
        if len(self._names) == 1:
            return rows, []
        waiting = len(self._names) - self._done - len(rows)
        summary = f"{self._done} of {len(self._names)} done, {clock(now - self._began)}"
        return rows, [summary + (f", {waiting} not started" if waiting else "")]
