"""Strict validation of request bodies. Pure.

Source: Pigment's OpenAPI document, v1-external: no unknown fields, enumerations are case-sensitive, every id is a UUID,
and null is valid where the document calls a field nullable.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

type Check = Callable[[Any, str], Iterator[str]]  # from a value and its place in the body to its problems


def _one_of(*allowed: str) -> Check:
    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, str) or value not in allowed:
            yield f"{where}: {value!r} is not one of {', '.join(allowed)}"

    return check


def is_uuid(value: Any) -> bool:
    """Return whether a value is the text of a UUID."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _uuid(value: Any, where: str) -> Iterator[str]:
    if not is_uuid(value):
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
        for name in required:
            if name not in value:
                yield f"{where}.{name}: missing"
        for name, item in value.items():
            inner = required.get(name) or optional.get(name)
            if inner is None:
                yield f"{where}.{name}: unknown"
            elif item is not None or name in required:
                yield from inner(item, f"{where}.{name}")

    return check


def _nullable(inner: Check) -> Check:
    return lambda value, where: inner(value, where) if value is not None else iter(())


_DIMENSION_FILTER = _object({"dimensionId": _uuid, "modalityIds": _each(_uuid)}, {})
_COMPARISONS = ("LessThan", "LessThanOrEqual", "Equal", "NotEqual", "GreaterThan", "GreaterThanOrEqual", "IsNotBlank")


def _condition(value: Any, where: str) -> Iterator[str]:
    yield from _object({"type": _one_of(*_COMPARISONS)}, {"value": _scalar})(value, where)
    if not isinstance(value, dict):
        return
    if (value.get("type") == "IsNotBlank") == ("value" in value) or value.get("value", "") is None:
        yield f"{where}: IsNotBlank must not have a value, and every other comparison needs one"


_VALUE_FILTER = _object({"metricId": _uuid, "condition": _condition}, {})


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


def _field(value: Any, where: str) -> Iterator[str]:
    types = _one_of("DimensionField", "ScenarioField", "ValueField")
    yield from _object({"type": types, "sourceId": _nullable(_uuid)}, {"displayName": _text})(value, where)
    if isinstance(value, dict) and (value.get("type") == "ScenarioField") == (value.get("sourceId") is not None):
        yield f"{where}: a ScenarioField must not have a sourceId, and every other field needs one"


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
    "table": _object({}, {**_METRIC, "metrics": _each(_uuid), "fields": _each(_field)}),
}


def problems_of(kind: str, body: Any) -> list[str]:
    """Return the problems of a request's body, by the OpenAPI document."""
    return list(_REQUESTS[kind](body, "body"))
