"""What a person or a script sees: results on stdout, all else on stderr, each readable at any width.

On a terminal there is colour (unless `NO_COLOR` is set) and a table that fits; where output is piped, plain lines of
any length. A reader that stops reading (`| head`) is no error; a stdout that takes nothing (a full disk) is one.
"""

import json
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from pigment_export.errors import ConfigurationError, ExportError
from pigment_export.retry import Retry

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
_GAP = "  "
_STYLES = {
    "succeeded": "green",
    "superseded": "cyan",
    "running": "cyan",
    "retrying": "yellow",
    "held": "yellow",
    "failed": "red",
    "ok": "green",
    "wrong": "red",
    "on time": "green",
    "late": "yellow",
    "failing": "red",
}


class _Unbreakable:
    """Stderr whose reader may go away, and whose disk may fill: neither ends what is being told of.

    Args:
        stream: the real one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Keep a broken stderr from ending a run, and a character that a code page lacks from ending a result."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr is not None:
        sys.stderr = _Unbreakable(sys.stderr)


@cache
def stderr() -> Console:
    """The one console for progress and problems: lines that it prints stand above what is drawn live."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell a person something that is no result."""
    stderr().print(text)


def explain(error: ExportError) -> str:
    """An error in a person's words: what was seen, and who does what about it."""
    if isinstance(error, ConfigurationError):
        return str(error)  # each problem says what is allowed
    return f"{error.cause.reason} [{error.cause.code}]\n  {error.cause.who}: {error.cause.remedy}"


def emit(text: str) -> None:
    """Write a result.

    Raises:
        OSError: stdout takes it no more; a reader that has stopped reading is fine.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as exc:
        _forget_stdout()
        raise OSError(f"the result could not be written to stdout: {exc.strerror or exc}") from exc


def _forget_stdout() -> None:
    """Lead stdout nowhere: else Python complains of it once more when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit_state(state: str, text: str) -> None:
    """Write a line that begins with a state in its colour; further lines of the text are set below it.

    Args:
        state: one word.
        text: what is said of it.
    """
    first, *rest = text.splitlines()
    line = Text(f"{state:<7}", style=_STYLES.get(state, ""))
    line.append(first, style="default")
    console = _console()
    with console.capture() as captured:
        console.print(Text("\n").join([line, *(Text(f"{'':<7}{more}") for more in rest)]))
    emit(captured.get())


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def emit_json(value: Any) -> None:
    """Write a result as JSON, in ASCII: right in every code page."""
    emit(json.dumps(value, indent=1, default=str) + "\n")


def emit_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = (), empty: str = "nothing"
) -> None:
    """Write rows as a table that fits the terminal.

    Where it is too narrow the last column stands below the others; where that is not enough either, each cell has a
    line of its own.

    Args:
        titles: of the columns.
        rows: their cells.
        right: titles of the columns that are set to the right.
        empty: what to say where there are no rows.
    """
    if not rows:
        emit(f"{empty}\n")
        return
    console = _console()
    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    room = console.width if console.is_terminal else sys.maxsize
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= room:
        lines = [_line(row, titles, widths, right) for row in (titles, *rows)]
    elif sum(widths[:-1]) + len(_GAP) * (len(widths) - 2) <= room:
        lines = [_line(titles[:-1], titles, widths, right)]
        for row in rows:
            lines += [_line(row[:-1], titles, widths, right), *([Text(f"{_GAP}{row[-1]}")] if row[-1] else [])]
    else:
        lines = [line for row in rows for line in _record(titles, row)]
    if cell_len(lines[0].plain) and lines[0].plain.startswith(titles[0]):
        lines[0].stylize("bold")
    with console.capture() as captured:
        console.print(Text("\n").join(lines))
    emit(captured.get())


def _line(cells: Sequence[str], titles: Sequence[str], widths: Sequence[int], right: Collection[str]) -> Text:
    line = Text()
    for at, (cell, title, width) in enumerate(zip(cells, titles, widths, strict=False)):
        space = " " * (width - cell_len(cell))
        line.append(_GAP if at else "")
        line.append(space if title in right else "")
        line.append(cell, style=_STYLES.get(cell, ""))
        line.append("" if title in right else space)
    line.rstrip()
    return line


def _record(titles: Sequence[str], row: Sequence[str]) -> list[Text]:
    lines = [Text(row[0], style="bold")]
    for title, cell in zip(titles[1:], row[1:], strict=True):
        if cell:
            line = Text(f"{_GAP}{title}: ")
            line.append(cell, style=_STYLES.get(cell, ""))
            lines.append(line)
    return lines


def number(value: Any) -> str:
    """A count with its thousands, or nothing."""
    return f"{int(value):,}" if value is not None else ""


def seconds(value: Any) -> str:
    """Seconds with one decimal, or nothing."""
    return f"{float(value):,.1f}" if value is not None else ""


def retrying(retry: Retry) -> str:
    """What failed, and when it is tried again."""
    return f"{retry.cause.reason}; attempt {retry.attempt} in {retry.wait_seconds:.0f} s"


def clock(elapsed_seconds: float) -> str:
    """A span as a stop watch shows it: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(elapsed_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
