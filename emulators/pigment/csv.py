"""The CSV of a block, by a request's options: generated rows, the same every time. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulators.pigment.model import Block, Column

ROWS_AT_ONCE = 20_000  # about half a megabyte, made once and repeated
_SCENARIO = Column("Scenario", "scenario")


def unknown_to(block: Block, options: Mapping[str, Any]) -> list[str]:
    """Return the ids and names in the options that the block does not have."""
    sources = {column.source for column in block.columns.values()} - {""}
    asked = [
        *(options.get("metrics") or ()),
        *(field["sourceId"] for field in options.get("fields") or () if field["sourceId"]),
    ]
    names = options.get("propertyTechnicalNames") or ()
    return [source for source in asked if source.lower() not in sources] + [
        name for name in names if name not in block.columns
    ]


def csv(block: Block, options: Mapping[str, Any], *, legacy_dates: bool) -> Iterator[bytes]:
    """Yield the CSV of a block in pieces. Filters do not select rows.

    Args:
        block: to export.
        options: Pigment's, already validated.
        legacy_dates: whether dates are in the legacy format if the options have no `dateFormat`.
    """
    form = _Form(
        delimiter="," if options.get("fieldDelimiter") == "Comma" else ";",
        decimal="," if options.get("decimalSeparator") == "Comma" else ".",
        dates=options.get("dateFormat") or ("Legacy" if legacy_dates else "Iso8601"),
        is_list=block.type.endswith("List"),
    )
    columns = _columns(block, options)
    if options.get("encoding") == "Utf8WithBom":
        yield b"\xef\xbb\xbf"
    yield form.line([header for header, _ in columns]).encode()
    for scenario in options.get("scenarios") or [""]:
        name = f"Scenario {scenario[:8]}" if scenario else "Default"
        lines = [
            form.line([name if cell == _SCENARIO.cell else form.cell(cell, row) for _, cell in columns]).encode()
            for row in range(min(ROWS_AT_ONCE, block.rows))
        ]
        piece = b"".join(lines)
        for _ in range(block.rows // ROWS_AT_ONCE):
            yield piece
        if rest := b"".join(lines[: block.rows % ROWS_AT_ONCE]):
            yield rest


def _columns(block: Block, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the header and the kind of cell of each requested column, in order."""

    def header(name: str, column: Column) -> str:
        return column.friendly if options.get("friendlyHeaders") else name

    if fields := options.get("fields"):
        by_source = {column.source: (name, column) for name, column in block.columns.items()}
        found = [by_source.get((field["sourceId"] or "").lower(), ("Scenario", _SCENARIO)) for field in fields]
        return [
            (field.get("displayName") or header(name, column), column.cell)
            for field, (name, column) in zip(fields, found, strict=True)
        ]
    metrics = {metric.lower() for metric in options.get("metrics") or ()}
    names = options.get("propertyTechnicalNames") or [
        name
        for name, column in block.columns.items()
        if not metrics or column.cell != "decimal" or column.source in metrics
    ]
    first = [(_SCENARIO.friendly, _SCENARIO.cell)] if options.get("scenarios") else []
    return first + [(header(name, block.columns[name]), block.columns[name].cell) for name in names]


@dataclass(frozen=True, slots=True)
class _Form:
    """The format of cells and lines."""

    delimiter: str
    decimal: str
    dates: str
    is_list: bool

    def line(self, fields: list[str]) -> str:
        return self.delimiter.join(map(self._quoted, fields)) + "\n"

    def cell(self, kind: str, row: int) -> str:
        match kind:
            case "country":
                return ("France", "Deutschland", "España", "United Kingdom", 'the "Republic"; of X')[row % 5]
            case "month":
                return f"{('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun')[row % 6]} {20 + row % 7}"
            case "date":
                return self._date(row % 28 + 1, row % 12 + 1)
            case "decimal":
                return f"{row * 7919 % 100000 / 3:.14g}".replace(".", self.decimal)
            case "number":
                return str(row + 1)
            case _:
                return f"text {row}"

    def _date(self, day: int, month: int) -> str:
        if self.dates == "Iso8601":
            return f"2026-{month:02}-{day:02}"
        return f"{month:02}/{day:02}/2026" + ("" if self.is_list else " 00:00:00 +00:00")

    def _quoted(self, text: str) -> str:
        if any(special in text for special in (self.delimiter, '"', "\n")):
            return '"' + text.replace('"', '""') + '"'
        return text
