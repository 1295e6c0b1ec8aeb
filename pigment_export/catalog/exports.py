"""An export, and its kind. Pure."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pigment_export.catalog.options import (
    DELIMITERS,
    AtLeastOne,
    Id,
    ListOptions,
    MetricOptions,
    Several,
    TableOptions,
    ViewOptions,
    as_sent,
)
from pigment_export.cron import expression_in, zone_in

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,63}$"  # a safe path segment on every system
SECRET_PATTERN = r"^[0-9a-zA-Z-]{1,127}$"  # noqa: S105 - Key Vault's rule for the names of secrets
_ID_IN_ADDRESS = re.compile(r"viewId=([0-9a-f-]{36})|/(?:lists|metrics|tables)/([0-9a-f-]{36})", re.IGNORECASE)


class Kind(StrEnum):
    """What an export fetches: each kind has its own call and options."""

    LIST = "list"
    METRIC = "metric"
    TABLE = "table"
    VIEW = "view"


def _no_address(value: Any) -> Any:
    if isinstance(value, str) and "://" in value:
        found = [
            f"the view's is {view}" if view else f"the block's is {block}"
            for view, block in _ID_IN_ADDRESS.findall(value)
        ]
        where = (
            ", ".join(found) or "a view's stands behind 'viewId=', a block's behind '/lists/', '/metrics/', '/tables/'"
        )
        raise ValueError(f"this is an address; an id is a UUID in it: {where}")
    return value


def _zone_name(value: str) -> str:
    return zone_in(value).key


Columns = Annotated[
    Annotated[AtLeastOne[str], Tag("(names)")] | Annotated[Literal["unchanged"], Tag("(word)")],
    Discriminator(lambda value: "(word)" if isinstance(value, str) else "(names)"),
]


class CommonFields(BaseModel):
    """What every kind of export has."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """A safe path segment: lower-case letters, digits, `_`, `-`, a letter first; at most 64."""
    id: Annotated[Id, BeforeValidator(_no_address)]
    """The UUID of the block or view in Pigment. Open the view and copy the UUID after `viewId=` in the address bar."""
    application: Annotated[Id, BeforeValidator(_no_address)] | None = None
    """The UUID of its application in Pigment. It is not sent; `check` finds the export's name faster by it."""
    block: Annotated[Id, BeforeValidator(_no_address)] | None = None
    """The UUID of a view's block, for people. It is not sent."""
    enabled: bool = True
    """Whether its schedule and a run of all take it; one that is named explicitly runs all the same."""
    schedule: Annotated[str, AfterValidator(expression_in)] | None = None
    """When it runs, in place of `EXPORT_SCHEDULE`: five cron fields, in its time zone; `none`: only when called."""
    time_zone: Annotated[str, AfterValidator(_zone_name)] | None = None
    """Time zone of its schedule and of its file's date, in place of `EXPORT_TIME_ZONE`."""
    groups: Several[Annotated[str, Field(pattern=NAME_PATTERN)]] = ()
    """Labels; a call can run every export that carries one."""
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Who owns the export; named in receipts and alerts."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3300)] | None = None
    """How long to wait for the first byte of the body, in place of ten minutes."""
    freshness_hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = None
    """Hours after an occurrence (without a schedule: a success) until it is stale, in place of `FRESHNESS_HOURS`."""
    minimum_rows: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """A file with fewer rows is held, not published."""
    maximum_shrink: Annotated[float, Field(ge=0, le=1)] | None = None
    """The fraction of the latest file's rows that may vanish; a file that lost more is held."""
    columns: Columns | None = None
    """The header that is expected, column by column, or "unchanged" for the last good file's; another one is held."""
    ragged_rows: Literal["hold", "publish"] = "hold"
    """Whether a file whose rows have more or fewer fields than its header is held or published."""
    gzip: bool = False
    """Whether the file is stored compressed, as `.csv.gz`."""
    secret: Annotated[str, Field(pattern=SECRET_PATTERN)] | None = None
    """Name of the Key Vault secret with the key for this export: a key sees what its owner sees."""

    @property
    def zone(self) -> ZoneInfo | None:
        """Its own time zone; None where the deployment's holds."""
        return ZoneInfo(self.time_zone) if self.time_zone else None


class ListExport(CommonFields):
    """A list."""

    kind: Literal[Kind.LIST]
    """What it is."""
    options: ListOptions = ListOptions()
    """Pigment's options for a list."""


class MetricExport(CommonFields):
    """A metric."""

    kind: Literal[Kind.METRIC]
    """What it is."""
    options: MetricOptions = MetricOptions()
    """Pigment's options for a metric."""


class TableExport(CommonFields):
    """A table."""

    kind: Literal[Kind.TABLE]
    """What it is."""
    options: TableOptions = TableOptions()
    """Pigment's options for a table."""


class ViewExport(CommonFields):
    """A view."""

    kind: Literal[Kind.VIEW]
    """What it is."""
    options: ViewOptions = ViewOptions()
    """Pigment's options for a view."""


type Export = Annotated[ListExport | MetricExport | TableExport | ViewExport, Field(discriminator="kind")]

MODELS: Mapping[Kind, type[ListExport | MetricExport | TableExport | ViewExport]] = {
    Kind.LIST: ListExport,
    Kind.METRIC: MetricExport,
    Kind.TABLE: TableExport,
    Kind.VIEW: ViewExport,
}
_EXPORT: TypeAdapter[Export] = TypeAdapter(Export)


def to_json(export: Export) -> dict[str, Any]:
    """Return a definition as a plan keeps it: what was set, and Pigment's options as they are sent."""
    fields = export.model_dump(mode="json", exclude_none=True, exclude={"options"})
    return {**fields, "options": as_sent(export.options)}


def from_json(definition: Any) -> Export:
    """Read what `to_json` wrote.

    Raises:
        ValueError: it is no definition; pydantic's ValidationError is one.
    """
    return _EXPORT.validate_python(definition)


def delimiter_of(export: Export) -> bytes:
    """Return what stands between the fields of an export's CSV."""
    return DELIMITERS[export.options.fieldDelimiter]


class _Untitled(GenerateJsonSchema):
    """Without a title for each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: the name is enough."""
        del schema
        return False


def json_schema() -> dict[str, Any]:
    """Return the catalog's JSON Schema, for editors: a table of exports by their names."""
    schema = _EXPORT.json_schema(schema_generator=_Untitled)
    definitions = schema.pop("$defs")
    for model in MODELS.values():
        definition = definitions[model.__name__]
        del definition["properties"]["name"]  # in the file, it is the table's own
        definition["required"].remove("name")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The catalog of exports",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": schema,
        "$defs": definitions,
    }
