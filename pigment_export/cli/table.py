"""Tables that fit the terminal, lines that begin with a coloured state, and live progress."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pigment_export.cli.output import emit

type Row = Mapping[str, object]

REDRAWS_A_SECOND = 4
SHOWN_DIGITS = 12  # of a sha256
_GAP = "  "
_NUMBERS = ("rows", "bytes", "seconds")  # columns that are aligned to the right
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


def emit_state(state: str, text: str) -> None:
    """Write a line that begins with a coloured state. Further lines of the text are indented below it.

    Args:
        state: one word.
        text: the text after it.
    """
    first, *rest = text.splitlines()
    line = Text.assemble((f"{state:<7}", _STYLES.get(state, "")), first)
    _emit([line, *(Text(f"{'':<7}{more}") for more in rest)], _console())


def emit_table(rows: Sequence[Row], titles: Sequence[str], *, empty: str = "nothing", **named: str) -> None:
    """Write rows as a table that fits the terminal.

    If the terminal is too narrow, the last column goes below the others. If it is still too narrow, each cell goes on a
    line of its own.

    Args:
        rows: the fields of each row; only those with a title are shown.
        titles: of the columns.
        empty: the text to print if there are no rows.
        **named: fields whose column has another title, by title.
    """
    if not rows:
        emit(f"{empty}\n")
        return
    cells = [[_text(title, row.get(named.get(title, title))) for title in titles] for row in rows]
    console = _console()
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    room = console.width if console.is_terminal else sys.maxsize

    def line(row: Sequence[str]) -> Text:
        parts = [Text.assemble(_styled(cell)) for cell in row]
        for part, title, width in zip(parts, titles, widths, strict=False):
            part.align("right" if title in _NUMBERS else "left", width)
        joined = Text(_GAP).join(parts)
        joined.rstrip()
        return joined

    if sum(widths) + len(_GAP) * (len(widths) - 1) <= room:
        lines = [line(titles), *map(line, cells)]
    elif sum(widths[:-1]) + len(_GAP) * (len(widths) - 2) <= room:
        lines = [line(titles[:-1])]
        for row in cells:
            lines += [line(row[:-1]), *([Text(f"{_GAP}{row[-1]}")] if row[-1] else [])]
    else:
        lines = []
        for first, *row in cells:
            lines.append(Text(first, style="bold"))
            told = zip(titles[1:], row, strict=True)
            lines += [Text.assemble(f"{_GAP}{title}: ", _styled(cell)) for title, cell in told if cell]
    lines[0].stylize("bold")
    _emit(lines, console)


def _styled(cell: str) -> tuple[str, str]:
    return cell, _STYLES.get(cell, "")


def _text(title: str, value: object) -> str:
    match value:
        case None:
            return ""
        case str() if title == "sha256":
            return value[:SHOWN_DIGITS]
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case datetime():
            return instant(value)
        case _:
            return str(value)


def instant(value: datetime) -> str:
    """Return an instant in UTC, to the second."""
    return f"{value:%Y-%m-%d %H:%M:%SZ}"


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def _emit(lines: Sequence[Text], console: Console) -> None:
    with console.capture() as captured:
        console.print(Text("\n").join(lines))
    emit(captured.get())


def drawn_live(console: Console, shown: Callable[[], tuple[list[tuple[str, str]], list[str]]]) -> Live:
    """Return a context in which a terminal shows the progress.

    Args:
        console: the terminal.
        shown: returns the names with the text for each, and the lines of the summary.
    """

    def draw() -> Group:
        rows, summary = shown()
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, text in rows:
            table.add_row(Text(name), Text(text))
        return Group(table, *(Text(line, style="dim") for line in summary))

    return Live(
        get_renderable=draw,
        console=console,
        refresh_per_second=REDRAWS_A_SECOND,
        transient=True,
        redirect_stdout=False,
    )
