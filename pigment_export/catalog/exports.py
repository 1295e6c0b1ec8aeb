"""An export, its kind, and what Pigment lists that an export can name. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainValidator, Tag, ValidationInfo

from pigment_export.catalog.options import (
    DELIMITERS,
    AtLeastOne,
    Id,
    ListOptions,
    MetricOptions,
    Model,
    Several,
    TableOptions,
    ViewOptions,
)
from pigment_export.cron import expression_in, zone_in

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,63}$"  # a safe path segment on every system
SECRET_PATTERN = r"^[0-9a-zA-Z-]{1,127}$"  # noqa: S105 - Key Vault's rule for the names of secrets
_ID_IN_ADDRESS = re.compile(r"(viewId=|/(?:lists|metrics|tables)/)([0-9a-f-]{36})", re.IGNORECASE)


class Kind(StrEnum):
    """What an export fetches. Each kind has its own call and options."""

    LIST = "list"
    METRIC = "metric"
    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Listed:
    """An application in Pigment, a block (a list, a metric or a table), or a view of one.

    Attributes:
        id: its UUID.
        name: its name for people.
        type: Pigment's own term: `DimensionList`, `TransactionList`, `Metric` or `Table` for a block, `Public` or
            `Personal` for a view; `Application`.
        kind: kind of an export of it; None for an application, and for a type that this app does not support.
        application: name of the application that it belongs to, or is.
        application_id: that application's id.
        block: id of a view's block, if known.
    """

    id: str
    name: str
    type: str
    kind: Kind | None
    application: str
    application_id: str
    block: str | None = None


def _no_address(value: Any) -> Any:
    if isinstance(value, str) and "://" in value:
        found = _ID_IN_ADDRESS.findall(value)
        ids = [f"the {'block' if before.startswith('/') else 'view'}'s is {found_id}" for before, found_id in found]
        where = ", ".join(ids) or "a view's follows 'viewId=', a block's follows '/lists/', '/metrics/' or '/tables/'"
        raise ValueError(f"this is an address, not an id: an id is a UUID in it: {where}")
    return value


def _zone_name(value: str) -> str:
    return zone_in(value).key


PastedId = Annotated[Id, BeforeValidator(_no_address)]
Columns = Annotated[
    Annotated[AtLeastOne[str], Tag("(names)")] | Annotated[Literal["unchanged"], Tag("(word)")],
    Discriminator(lambda value: "(word)" if isinstance(value, str) else "(names)"),
]
OPTIONS: Mapping[Kind, type[ViewOptions]] = {
    Kind.LIST: ListOptions,
    Kind.METRIC: MetricOptions,
    Kind.TABLE: TableOptions,
    Kind.VIEW: ViewOptions,
}


def _of_its_kind(value: Any, info: ValidationInfo) -> ViewOptions:
    """Read the options of the export's kind; if the kind is wrong, that alone is reported."""
    kind = info.data.get("kind")
    return OPTIONS[kind].model_validate(value) if kind else ViewOptions()


class Export(Model):
    """An export."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """A safe path segment: lower-case letters, digits, `_`, `-`, a letter first; at most 64."""
    id: PastedId
    """The UUID of the block or view in Pigment. Open the view and copy the UUID after `viewId=` in the address bar."""
    application: PastedId | None = None
    """The UUID of its application in Pigment. Not sent to Pigment; it makes `check` faster."""
    block: PastedId | None = None
    """The UUID of a view's block, for your information. Not sent to Pigment."""
    enabled: bool = True
    """Whether the schedule and runs of all exports include it. A call that names it runs it either way."""
    schedule: Annotated[str, AfterValidator(expression_in)] | None = None
    """When it runs, instead of `EXPORT_SCHEDULE`: five cron fields in its time zone, or `none` if only calls run it."""
    time_zone: Annotated[str, AfterValidator(_zone_name)] | None = None
    """Time zone of its schedule and of its file's date, instead of `EXPORT_TIME_ZONE`."""
    groups: Several[Annotated[str, Field(pattern=NAME_PATTERN)]] = ()
    """Labels; a call can run every export that carries one."""
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Who owns the export. Receipts and alerts name the owner."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3300)] | None = None
    """How long to wait for the first byte of Pigment's answer, instead of ten minutes."""
    freshness_hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = None
    """Hours after an occurrence (without a schedule: its last success) until it is stale; see `FRESHNESS_HOURS`."""
    minimum_rows: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """A file with fewer rows is held instead of published."""
    maximum_shrink: Annotated[float, Field(ge=0, le=1)] | None = None
    """Largest fraction of rows that a file can lose, compared with the last good one. If it lost more, it is held."""
    columns: Columns | None = None
    """The expected columns, or "unchanged" for those of the last good file. A file with another header is held."""
    ragged_rows: Literal["hold", "publish"] = "hold"
    """What to do if rows have more or fewer fields than the header, or end in CR only: `hold` or `publish` the file."""
    gzip: bool = False
    """Whether to store the file compressed, as `.csv.gz`."""
    secret: Annotated[str, Field(pattern=SECRET_PATTERN)] | None = None
    """Name of the Key Vault secret with the key for this export, instead of `PIGMENT_KEY_SECRET`."""
    kind: Annotated[Kind, Field(strict=False)]
    """What it exports."""
    options: Annotated[ViewOptions, PlainValidator(_of_its_kind)] = Field({}, validate_default=True)
    """Options for Pigment, in Pigment's own names."""

    @property
    def zone(self) -> ZoneInfo | None:
        """Its own time zone, or None if the deployment's applies."""
        return ZoneInfo(self.time_zone) if self.time_zone else None

    @property
    def delimiter(self) -> bytes:
        """The delimiter between the fields of its CSV."""
        return DELIMITERS[self.options.fieldDelimiter]


def to_json(export: Export) -> dict[str, Any]:
    """Return a definition as plans store it: the fields that were set, and the options as Pigment receives them."""
    return export.model_dump(mode="json", by_alias=True, exclude_none=True, serialize_as_any=True)


def from_json(definition: Any) -> Export:
    """Read what `to_json` wrote.

    Raises:
        ValueError: it is not a definition (pydantic's ValidationError is a ValueError).
    """
    return Export.model_validate(definition)
