"""A small built-in model of applications, blocks and views, and the CSV of each. Pure.

Rows are made up, the same every time; a block's size is a switch, so that a body of any size can be had.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ROWS_AT_ONCE = 5000
APPLICATION = "00000000-0000-4000-8000-000000000001"
COUNTRIES = "11111111-1111-4111-8111-111111111111"
ORDERS = "11111111-1111-4111-8111-111111111112"
REVENUE = "22222222-2222-4222-8222-222222222222"
PNL = "33333333-3333-4333-8333-333333333333"
BOARD = "33333333-3333-4333-8333-333333333334"
PNL_VIEW = "44444444-4444-4444-8444-444444444444"
BIG_VIEW = "44444444-4444-4444-8444-444444444413"
BOARD_VIEW = "44444444-4444-4444-8444-444444444422"
MINE_VIEW = "44444444-4444-4444-8444-444444444445"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass
class Block:
    """A block: its columns by technical and by friendly name, and what a cell of each holds."""

    id: str
    name: str
    type: str
    columns: dict[str, tuple[str, str]]  # technical name: (friendly name, kind of cell)
    rows: int = 1000
    application: str = APPLICATION


@dataclass(frozen=True)
class View:
    """A view of a block; `status` is what its export answers where it is no 200."""

    id: str
    name: str
    block: str
    type: str = "Public"
    status: int = 200


_DIMENSIONS = {"Country": ("Country", "country"), "Month": ("Month", "month")}


@dataclass
class Model:
    """What the stand-in holds; a test may change rows and columns between calls."""

    applications: dict[str, str] = field(default_factory=lambda: {APPLICATION: "Finance"})
    blocks: dict[str, Block] = field(
        default_factory=lambda: {
            block.id: block
            for block in (
                Block(
                    COUNTRIES,
                    "Country",
                    "DimensionList",
                    {"name": ("Name", "country"), "region": ("Region", "text"), "opened": ("Opened on", "date")},
                    rows=40,
                ),
                Block(
                    ORDERS,
                    "Orders",
                    "TransactionList",
                    {"order": ("Order", "number"), "country": ("Country", "country"), "day": ("Day", "date")},
                ),
                Block(REVENUE, "Revenue", "Metric", {**_DIMENSIONS, "revenue": ("Revenue", "decimal")}),
                Block(
                    PNL,
                    "P&L",
                    "Table",
                    {**_DIMENSIONS, "cost": ("Cost", "decimal"), "revenue": ("Revenue", "decimal")},
                ),
                Block(BOARD, "Board", "Board", {}),
            )
        }
    )
    views: dict[str, View] = field(
        default_factory=lambda: {
            view.id: view
            for view in (
                View(PNL_VIEW, "P&L by country", PNL),
                View(BIG_VIEW, "P&L in full", PNL, status=413),
                View(BOARD_VIEW, "The board", BOARD, status=422),
                View(MINE_VIEW, "My P&L", PNL, type="Personal"),
            )
        }
    )


def csv(block: Block, options: Mapping[str, Any], *, legacy_dates: bool) -> Iterator[bytes]:
    """The CSV of a block, in pieces, as the options want it.

    Args:
        block: what is exported.
        options: Pigment's, checked.
        legacy_dates: what dates look like where `dateFormat` is not given.
    """
    form = _Form(
        delimiter="," if options.get("fieldDelimiter") == "Comma" else ";",
        decimal="," if options.get("decimalSeparator") == "Comma" else ".",
        dates=options.get("dateFormat") or ("Legacy" if legacy_dates else "Iso8601"),
        is_list=block.type.endswith("List"),
    )
    names = list(options.get("propertyTechnicalNames") or block.columns)
    technical = form.is_list and not options.get("friendlyHeaders")
    headers = [name if technical else block.columns[name][0] for name in names]
    if options.get("scenarios"):
        headers.insert(0, "Scenario")
    for number, fields in enumerate(options.get("fields") or ()):
        if number < len(headers) and fields.get("displayName"):
            headers[number] = fields["displayName"]
    if options.get("encoding") == "Utf8WithBom":
        yield b"\xef\xbb\xbf"
    yield form.line(headers).encode()
    kinds = [block.columns[name][1] for name in names]
    for scenario in options.get("scenarios") or [None]:
        first = [f"scenario {scenario[:8]}"] if scenario else []
        lines = [
            form.line(first + [form.cell(kind, row) for kind in kinds]).encode()
            for row in range(min(ROWS_AT_ONCE, block.rows))
        ]
        piece = b"".join(lines)
        for _ in range(block.rows // ROWS_AT_ONCE):
            yield piece
        if rest := b"".join(lines[: block.rows % ROWS_AT_ONCE]):
            yield rest


@dataclass(frozen=True, slots=True)
class _Form:
    """How cells and lines are written."""

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


type Check = Any  # a function of (value, where) that yields problems


def _one_of(*allowed: str) -> Check:
    def check(value: Any, where: str) -> Iterator[str]:
        if value not in allowed:
            yield f"{where}: {value!r} is not one of {', '.join(allowed)}"

    return check


def _uuid(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        yield f"{where}: {value!r} is not a UUID"


def _text(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{where}: not a text"


def _boolean(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{where}: not a boolean"


def _scalar(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str | int | float | bool):
        yield f"{where}: not a text, number or boolean"


def _each(inner: Check) -> Check:
    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where}: not an array"
            return
        for number, item in enumerate(value):
            yield from inner(item, f"{where}[{number}]")

    return check


def _object(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where}: not an object"
            return
        for name in required.keys() - value.keys():
            yield f"{where}.{name}: missing"
        for name, item in value.items():
            inner = required.get(name) or optional.get(name)
            if inner is None:
                yield f"{where}.{name}: unknown"
            elif item is not None or name in required:
                yield from inner(item, f"{where}.{name}")

    return check


_DIMENSION_FILTER = _object({"dimensionId": _uuid, "modalityIds": _each(_uuid)}, {})
_COMPARISONS = ("LessThan", "LessThanOrEqual", "Equal", "NotEqual", "GreaterThan", "GreaterThanOrEqual", "IsNotBlank")
_CONDITION = _object({"type": _one_of(*_COMPARISONS)}, {"value": _scalar})
_VALUE_FILTER = _object({"metricId": _uuid, "condition": _CONDITION}, {})


def _filter(value: Any, where: str) -> Iterator[str]:
    yield from _object(
        {"type": _one_of("And", "Or", "Dimension", "Value")},
        {"and": _each(_filter), "or": _each(_filter), "dimension": _DIMENSION_FILTER, "value": _VALUE_FILTER},
    )(value, where)
    if isinstance(value, dict) and isinstance(value.get("type"), str) and value.get(value["type"].lower()) is None:
        yield f"{where}: the field of type {value['type']} is missing"


_COMMON = {
    "friendlyHeaders": _boolean,
    "dateFormat": _one_of("Legacy", "Iso8601"),
    "fieldDelimiter": _one_of("Semicolon", "Comma"),
    "decimalSeparator": _one_of("Comma", "Dot"),
    "encoding": _one_of("Utf8WithBom", "Utf8WithoutBom"),
}
_METRIC = {
    **_COMMON,
    "scenarios": _each(_uuid),
    "filters": _each(_DIMENSION_FILTER),
    "exportFilter": _filter,
}
_FIELD = _object(
    {"type": _one_of("DimensionField", "ScenarioField", "ValueField")}, {"sourceId": _uuid, "displayName": _text}
)
_REQUESTS = {
    "list": _object(
        {},
        {
            **_COMMON,
            "propertyTechnicalNames": _each(_text),
            "listFilter": _each(_uuid),
            "propertyFilters": _each(_object({"propertyTechnicalName": _text, "modalityIds": _each(_uuid)}, {})),
        },
    ),
    "metric": _object({}, _METRIC),
    "table": _object({}, {**_METRIC, "metrics": _each(_uuid), "fields": _each(_FIELD)}),
}


def problems_of(kind: str, body: Any) -> list[str]:
    """What is wrong with a request's body, by the OpenAPI document."""
    return list(_REQUESTS[kind](body, "body"))
