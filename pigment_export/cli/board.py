"""What the exports of a command are doing, while they do it: live on a terminal, line by line elsewhere."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pigment_export.cli.output import clock, say, stderr
from pigment_export.retry import Retry
from pigment_export.transfer.stream import Progress

PLAIN_SECONDS = 10.0  # between two lines of progress where no terminal is redrawn
REDRAWS_A_SECOND = 4


@dataclass(slots=True)
class _Line:
    """One export that is being worked on."""

    since: float
    progress: Progress | None = None
    note: str | None = None

    def text(self, now: float) -> str:
        if self.note is not None:
            return self.note
        if self.progress is None:
            return f"waiting for Pigment, {clock(now - self.since)}"
        moved, seconds = self.progress.bytes, self.progress.seconds
        rate = moved / seconds if seconds else 0
        return f"{moved / 1e6:,.1f} MB, {self.progress.rows:,} rows, {rate / 1e6:,.1f} MB/s"


class Board:
    """Tells what is under way; its methods may be called on any thread.

    Args:
        names: of all exports, in order.
        now: seconds that never go back.
    """

    def __init__(self, names: Sequence[str], *, now: Callable[[], float] = time.monotonic) -> None:
        self._names = tuple(names)
        self._now = now
        self._began = self._told = now()
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._done = 0
        console = stderr()
        live = console.is_terminal and not console.is_dumb_terminal
        self._live = (
            Live(
                get_renderable=self._drawn,
                console=console,
                refresh_per_second=REDRAWS_A_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            if live
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, name: str) -> None:
        """An export is being worked on."""
        with self._lock:
            self._lines[name] = _Line(self._now())

    def move(self, name: str, progress: Progress) -> None:
        """Its body comes in."""
        with self._lock:
            if name in self._lines:
                self._lines[name].progress, self._lines[name].note = progress, None

    def wait(self, name: str, retry: Retry) -> None:
        """Something failed and is tried again: told at once, since it may take minutes."""
        note = f"{retry.cause.reason}; attempt {retry.attempt} in {retry.wait_seconds:.0f} s"
        with self._lock:
            if name in self._lines:
                self._lines[name].note = note
        say(f"{name}: {note}")

    def rest(self, name: str, what: str, seconds: float) -> None:
        """Nothing is done for an export until later."""
        with self._lock:
            self._lines[name] = _Line(self._now(), note=f"next try in {seconds / 60:.0f} min (Ctrl-C ends the run)")
        say(f"{name}: {what}\n  next try in {seconds / 60:.0f} min (Ctrl-C ends the run)")

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
        if self._live is None and self._lines and now - self._told >= PLAIN_SECONDS:
            self._told = now
            rows, summary = self._shown(now)
            say(", ".join([*(f"{name}: {text}" for name, text in rows), *summary]))

    def _shown(self, now: float) -> tuple[list[tuple[str, str]], list[str]]:
        """What is under way, by name, and where there are several, how far all is."""
        with self._lock:
            rows = [(name, line.text(now)) for name, line in self._lines.items()]
        if len(self._names) == 1:
            return rows, []
        waiting = len(self._names) - self._done - len(rows)
        summary = f"{self._done} of {len(self._names)} done, {clock(now - self._began)}"
        return rows, [summary + (f", {waiting} not begun" if waiting else "")]

    def _drawn(self) -> RenderableType:
        rows, summary = self._shown(self._now())
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, text in rows:
            table.add_row(Text(name), Text(text))
        return Group(table, *(Text(line, style="dim") for line in summary))
