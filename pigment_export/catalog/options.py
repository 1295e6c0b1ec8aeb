"""Pigment's export options, kind by kind, in Pigment's own names. Pure.

Source: Pigment's OpenAPI document (v1-external). Four options have defaults that suit a lake and are always sent: ISO
dates, a dot before decimals, UTF-8 without a BOM, semicolons. Other options are sent only if they are set.
"""
# ruff: noqa: N815 - the fields bear Pigment's own names

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

DEEPEST_FILTER = 50  # levels of And and Or: far more than a person writes, far fewer than a parser's stack
LARGEST_INTEGER = 2**63 - 1  # of Pigment's integers; and Python could not even write a number of any length as JSON
_UUID = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")


def _uuid_text(value: str) -> str:
    found = _UUID.fullmatch(value.strip().lower())
    if found is None:
        raise ValueError("not an id: Pigment's ids are UUIDs, such as 44444444-4444-4444-8444-444444444444")
    return "-".join(found.groups())


def _comparable(value: Any) -> Any:
    """Refuse what JSON cannot express, before each of the four allowed types reports its own error."""
    fits = math.isfinite(value) if isinstance(value, float) else isinstance(value, str | int)
    if not fits or (isinstance(value, int) and abs(value) > LARGEST_INTEGER):
        raise ValueError('a filter compares with text, a number, true or false; write a date as text: "2026-01-31"')
    return value


def _not_empty(value: Any) -> Any:
    """Check before the items are validated: pydantic's own minimum counts only the valid ones."""
    if value in ([], ()):
        raise ValueError("must not be empty")
    return value


def _bounded_depth(value: Any, levels: int = DEEPEST_FILTER) -> Any:
    """Refuse a filter that is nested too deep, before pydantic recurses into it."""
    if not levels:
        raise ValueError(f"filters can be nested {DEEPEST_FILTER} deep at most")
    for key in ("and", "or") if isinstance(value, dict) else ():
        for child in value[key] if isinstance(value.get(key), list | tuple) else ():
            _bounded_depth(child, levels - 1)
    return value


Id = Annotated[str, AfterValidator(_uuid_text), WithJsonSchema({"type": "string", "format": "uuid"})]
"""A UUID, as lower-case text with dashes."""
T = TypeVar("T")
Several = Annotated[tuple[T, ...], Field(strict=False)]  # TOML and JSON have lists, never tuples
AtLeastOne = Annotated[Several[T], BeforeValidator(_not_empty), Field(json_schema_extra={"minItems": 1})]
Text = Annotated[str, Field(min_length=1)]

type DateFormat = Literal["Iso8601", "Legacy"]  # `Legacy` differs by kind, `Iso8601` is 2054-01-21
type FieldDelimiter = Literal["Semicolon", "Comma"]
type DecimalSeparator = Literal["Dot", "Comma"]
type Encoding = Literal["Utf8WithoutBom", "Utf8WithBom"]

_SOURCES: Mapping[str, str] = {"DimensionField": "dimension", "ValueField": "metric"}

DELIMITERS: Mapping[FieldDelimiter, bytes] = {"Semicolon": b";", "Comma": b","}


def _untitled(schema: dict[str, Any]) -> None:
    """Drop the title of each field, which would only repeat its name."""
    for field in schema["properties"].values():
        field.pop("title", None)


class Model(BaseModel):
    """A frozen, strict model, described by its docstrings. Its validator is built on first use: most calls use few."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,
        use_attribute_docstrings=True,
        json_schema_extra=_untitled,
    )


class DimensionFilter(Model):
    """Keeps rows by the items of a dimension."""

    dimensionId: Id
    """The dimension."""
    modalityIds: AtLeastOne[Id]
    """The items to keep. To keep all, leave out the filter."""


class FilterCondition(Model):
    """A comparison."""

    type: Literal["LessThan", "LessThanOrEqual", "Equal", "NotEqual", "GreaterThan", "GreaterThanOrEqual", "IsNotBlank"]
    """How to compare."""
    value: Annotated[str | int | float | bool, BeforeValidator(_comparable)] | None = None
    """The value to compare with, of the metric's type. `IsNotBlank` takes none; every other type needs one."""

    @model_validator(mode="after")
    def _value_fits_type(self) -> Self:
        takes_value = self.type != "IsNotBlank"
        if takes_value != (self.value is not None):
            raise ValueError(
                f"{self.type} needs a value to compare with" if takes_value else "IsNotBlank takes no value"
            )
        return self


class ValueFilter(Model):
    """Keeps rows by the value of a metric."""

    metricId: Id
    """The metric."""
    condition: FilterCondition
    """The condition that its value must meet."""


class ExportFilter(Model):
    """A filter, or a combination of filters. Set the field that `type` names, and no other."""

    type: Literal["And", "Or", "Dimension", "Value"]
    """Which of the other fields is set."""
    and_: AtLeastOne["ExportFilter"] | None = Field(None, alias="and")
    """Filters that a row must all pass."""
    or_: AtLeastOne["ExportFilter"] | None = Field(None, alias="or")
    """Filters of which a row must pass at least one."""
    dimension: DimensionFilter | None = None
    """A filter by the items of a dimension."""
    value: ValueFilter | None = None
    """A filter by the value of a metric."""

    @model_validator(mode="after")
    def _field_fits_type(self) -> Self:
        fields = {"And": self.and_, "Or": self.or_, "Dimension": self.dimension, "Value": self.value}
        if [name for name, value in fields.items() if value is not None] != [self.type]:
            raise ValueError(f"type {self.type} needs the field {self.type.lower()!r}, and no other")
        return self


class PropertyFilter(Model):
    """Keeps rows of a list by the items of one of its properties."""

    propertyTechnicalName: Text
    """The property."""
    modalityIds: Several[Id]
    """The items to keep."""


class ExportField(Model):
    """A column of a table's export."""

    type: Literal["DimensionField", "ScenarioField", "ValueField"]
    """What the column holds."""
    sourceId: Id | None = None
    """Id of the dimension, or of the metric (in the live application, not a snapshot). A `ScenarioField` has none."""
    displayName: str | None = None
    """Another name for the column in the header."""

    @model_validator(mode="after")
    def _source_fits_type(self) -> Self:
        source = _SOURCES.get(self.type)
        if source and not self.sourceId:
            raise ValueError(f"a {self.type} needs a sourceId: the id of its {source}")
        if self.sourceId and not source:
            raise ValueError(f"a {self.type} has no sourceId")
        return self

    @model_serializer(mode="wrap")
    def _always_with_source(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Include `sourceId` even if it is null: Pigment requires it."""
        return {"sourceId": self.sourceId, **serialize(self)}


class ViewOptions(Model):
    """A view's options."""

    dateFormat: DateFormat = "Iso8601"
    """Format of dates: `Iso8601` (2054-01-21), or `Legacy`, Pigment's older formats, which differ by kind."""
    fieldDelimiter: FieldDelimiter = "Semicolon"
    """The character between fields."""


class _BlockOptions(ViewOptions):
    decimalSeparator: DecimalSeparator = "Dot"
    """The character before decimals."""
    encoding: Encoding = "Utf8WithoutBom"
    """UTF-8 with or without a byte order mark at the beginning of the file."""
    friendlyHeaders: bool | None = None
    """Whether the header has friendly names instead of technical names."""


class ListOptions(_BlockOptions):
    """A list's options."""

    propertyTechnicalNames: Several[Text] | None = None
    """Technical names of the properties to export, in this order. Default: all."""
    listFilter: Several[Id] | None = None
    """Ids of the list's items to keep."""
    propertyFilters: Several[PropertyFilter] | None = None
    """Filters that keep items by their properties."""


class MetricOptions(_BlockOptions):
    """A metric's options."""

    scenarios: Several[Id] | None = None
    """Scenarios to export. Default: only the default scenario, without a column for it."""
    exportFilter: Annotated[ExportFilter, BeforeValidator(_bounded_depth)] | None = None
    """Rows to keep: filters on dimensions and on metrics' values, combined with And and Or."""
    filters: Several[DimensionFilter] | None = None
    """Deprecated by Pigment in favour of `exportFilter`. If both are set, a row must pass both."""


class TableOptions(MetricOptions):
    """A table's options: a metric's, and which metrics and columns."""

    metrics: Several[Id] | None = None
    """Which of the table's metrics to export."""
    fields: Several[ExportField] | None = None
    """The columns, in this order. Default: one for each dimension and each metric."""
