"""Exports, their options, and the requests that ask Pigment for them."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pigment_export.catalog.exports import OPTIONS as OPTION_MODELS
from pigment_export.catalog.exports import Export, Kind, from_json, to_json
from pigment_export.catalog.options import DEEPEST_FILTER
from pigment_export.pigment.api import ExportRequest, request_of

ID = "22222222-2222-4222-8222-222222222222"
OTHER_ID = "abcdefab-0000-4000-8000-00000000000f"
DEFAULTS = {"dateFormat": "Iso8601", "fieldDelimiter": "Semicolon"}
BLOCK_DEFAULTS = {**DEFAULTS, "decimalSeparator": "Dot", "encoding": "Utf8WithoutBom"}
BLOCKS = [Kind.LIST, Kind.METRIC, Kind.TABLE]


def define(kind: str, options: Any = None, /, **fields: Any) -> Any:
    return from_json({"name": "revenue", "kind": kind, "id": ID, "options": options or {}, **fields})


def told(kind: str, options: Any = None, /, **fields: Any) -> str:
    """What a definition is refused with."""
    with pytest.raises(ValidationError) as caught:
        define(kind, options, **fields)
    return str(caught.value)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_is_asked_for_by_the_v1_call_with_what_the_lake_wants(kind: Kind) -> None:
    asked = request_of(define(kind))
    assert asked == ExportRequest("POST", f"/api/v1/export/{kind}/{ID}", f"{kind} {ID}", kind, BLOCK_DEFAULTS)


def test_a_view_is_asked_for_by_the_unversioned_call_which_alone_takes_a_date_format() -> None:
    asked = request_of(define("view"))
    path = f"/api/export/view/{ID}?dateFormat=Iso8601&fieldDelimiter=Semicolon"
    assert asked == ExportRequest("GET", path, f"view {ID}", Kind.VIEW)


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_default_can_be_overridden(kind: Kind) -> None:
    options = {
        "dateFormat": "Legacy",
        "fieldDelimiter": "Comma",
        "decimalSeparator": "Comma",
        "encoding": "Utf8WithBom",
    }
    assert request_of(define(kind, options)).body == options


def test_a_view_takes_its_two_options() -> None:
    request = request_of(define("view", {"dateFormat": "Legacy", "fieldDelimiter": "Comma"}))
    assert request.path.endswith("?dateFormat=Legacy&fieldDelimiter=Comma")


@pytest.mark.parametrize(
    ("options", "delimiter"), [({}, b";"), ({"fieldDelimiter": "Semicolon"}, b";"), ({"fieldDelimiter": "Comma"}, b",")]
)
def test_the_delimiter_is_the_one_that_was_asked_for(options: dict[str, str], delimiter: bytes) -> None:
    assert define("view", options).delimiter == delimiter
    assert define("list", options).delimiter == delimiter


EVERY_OPTION: dict[str, dict[str, Any]] = {
    "list": {
        "propertyTechnicalNames": ["Name", "Region"],
        "listFilter": [ID],
        "propertyFilters": [{"propertyTechnicalName": "Region", "modalityIds": [ID, OTHER_ID]}],
        "friendlyHeaders": True,
    },
    "metric": {
        "scenarios": [ID],
        "filters": [{"dimensionId": ID, "modalityIds": [OTHER_ID]}],
        "exportFilter": {
            "type": "And",
            "and": [
                {"type": "Dimension", "dimension": {"dimensionId": ID, "modalityIds": [OTHER_ID]}},
                {
                    "type": "Or",
                    "or": [
                        {"type": "Value", "value": {"metricId": ID, "condition": {"type": "IsNotBlank"}}},
                        {"type": "Value", "value": {"metricId": ID, "condition": {"type": "LessThan", "value": 1.5}}},
                    ],
                },
            ],
        },
        "friendlyHeaders": False,
    },
    "table": {
        "metrics": [ID],
        "scenarios": [],
        "fields": [
            {"sourceId": ID, "type": "ValueField", "displayName": "Revenue"},
            {"sourceId": OTHER_ID, "type": "DimensionField"},
            {"sourceId": None, "type": "ScenarioField"},
        ],
    },
}


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_option_is_sent_as_it_was_written_and_nothing_else(kind: Kind) -> None:
    assert request_of(define(kind, EVERY_OPTION[kind])).body == BLOCK_DEFAULTS | EVERY_OPTION[kind]


@pytest.mark.parametrize("kind", [Kind.METRIC, Kind.TABLE])
def test_a_null_is_as_good_as_nothing(kind: Kind) -> None:
    options = {"scenarios": None, "exportFilter": None, "friendlyHeaders": None}
    assert request_of(define(kind, options)).body == BLOCK_DEFAULTS


def test_a_scenario_field_is_sent_with_its_null_source_though_toml_has_no_null() -> None:
    body = request_of(define("table", {"fields": [{"type": "ScenarioField"}]})).body
    assert body is not None
    assert body["fields"] == [{"sourceId": None, "type": "ScenarioField"}]


@pytest.mark.parametrize(
    "text", ["ABCDEFAB-0000-4000-8000-00000000000F", "abcdefab00004000800000000000000f", f" {OTHER_ID}"]
)
def test_ids_become_lower_case_text_with_dashes(text: str) -> None:
    assert define("view", id=text).id == OTHER_ID
    assert define("list", {"listFilter": [text]}).options.listFilter == (OTHER_ID,)


@pytest.mark.parametrize(
    "text", ["", "revenue", ID[:-1], ID + "0", f"{{{ID}}}", "\uff12" * 32, "1_" * 16, ID.replace("-", "--")]
)
def test_what_is_no_uuid_is_no_id(text: str) -> None:
    assert "UUIDs" in told("view", id=text)


def test_an_address_in_place_of_an_id_is_answered_with_the_ids_in_it() -> None:
    address = f"https://pigment.app/application/{ID}/tables/{OTHER_ID}?displayMode=Grid&viewId={ID.replace('2', '4')}"
    answer = told("view", id=address)
    assert "the block's is abcdefab-0000-4000-8000-00000000000f" in answer
    assert "the view's is 44444444-4444-4444-8444-444444444444" in answer
    assert "follows 'viewId='" in told("view", id="https://pigment.app/")


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ({"type": "Equal"}, "Equal needs a value"),
        ({"type": "GreaterThan", "value": None}, "GreaterThan needs a value"),
        ({"type": "IsNotBlank", "value": 1}, "takes no value"),
        ({"type": "Like", "value": 1}, "'IsNotBlank'"),
        ({"type": "Equal", "value": [1]}, "compares with text"),
        ({"type": "Equal", "value": {}}, "compares with text"),
        ({"type": "Equal", "value": float("nan")}, "compares with text"),
        ({"type": "Equal", "value": float("inf")}, "compares with text"),
        ({"type": "Equal", "value": 2**63}, "compares with text"),
    ],
)
def test_a_condition_has_the_value_that_its_type_needs(condition: dict[str, Any], hint: str) -> None:
    filtered = {"type": "Value", "value": {"metricId": ID, "condition": condition}}
    assert hint in told("metric", {"exportFilter": filtered})


@pytest.mark.parametrize("value", ["x", "", 0, -1, 1.5, True, False])
def test_a_value_keeps_its_type(value: object) -> None:
    condition = {"type": "NotEqual", "value": value}
    body = request_of(
        define("metric", {"exportFilter": {"type": "Value", "value": {"metricId": ID, "condition": condition}}})
    ).body
    assert body is not None
    sent = body["exportFilter"]["value"]["condition"]["value"]
    assert (type(sent), sent) == (type(value), value)


_VALUE = {"metricId": ID, "condition": {"type": "IsNotBlank"}}
_DIMENSION = {"dimensionId": ID, "modalityIds": [ID]}


@pytest.mark.parametrize(
    ("filtered", "hint"),
    [
        ({"type": "And"}, "needs the field 'and'"),
        ({"type": "And", "or": [{"type": "Value", "value": _VALUE}]}, "needs the field 'and', and no other"),
        ({"type": "Value", "value": _VALUE, "dimension": _DIMENSION}, "needs the field 'value', and no other"),
        ({"type": "Dimension", "value": _VALUE}, "needs the field 'dimension'"),
        ({"type": "Or", "or": []}, "must not be empty"),
        ({"type": "Dimension", "dimension": {"dimensionId": ID, "modalityIds": []}}, "must not be empty"),
        ({"and": []}, "type"),
        ("And", "dictionary"),
    ],
)
def test_a_filter_has_the_field_of_its_type_and_no_other(filtered: Any, hint: str) -> None:
    assert hint in told("table", {"exportFilter": filtered})


def nested(levels: int) -> dict[str, Any]:
    filtered: dict[str, Any] = {"type": "Value", "value": _VALUE}
    for _ in range(levels - 1):
        filtered = {"type": "Or", "or": [filtered]}
    return filtered


def test_a_filter_may_be_nested_only_so_deep() -> None:
    assert define("metric", {"exportFilter": nested(DEEPEST_FILTER)})
    assert f"nested {DEEPEST_FILTER} deep" in told("metric", {"exportFilter": nested(DEEPEST_FILTER + 1)})
    assert f"nested {DEEPEST_FILTER} deep" in told("metric", {"exportFilter": nested(50_000)})


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ({"type": "ValueField"}, "the id of its metric"),
        ({"type": "DimensionField", "sourceId": None}, "the id of its dimension"),
        ({"type": "ScenarioField", "sourceId": ID}, "has no sourceId"),
        ({"type": "Value", "sourceId": ID}, "'ValueField'"),
    ],
)
def test_a_field_has_the_source_that_its_type_needs(field: dict[str, Any], hint: str) -> None:
    assert hint in told("table", {"fields": [field]})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("view", {"encoding": "Utf8WithBom"}),
        ("list", {"scenarios": [ID]}),
        ("metric", {"fields": []}),
        ("table", {"listFilter": [ID]}),
        ("list", {"friendlyHeaders": "true"}),
        ("list", {"friendlyHeaders": 1}),
        ("list", {"listFilter": ID}),
        ("list", {"propertyTechnicalNames": [""]}),
        ("metric", {"dateFormat": "iso8601"}),
        ("metric", {"dateFormat": []}),
        ("view", {"fieldDelimiter": None}),
        ("view", []),
    ],
)
def test_options_of_another_kind_or_type_are_refused(kind: str, options: Any) -> None:
    with pytest.raises(ValidationError):
        from_json({"name": "a", "kind": kind, "id": ID, "options": options})


@pytest.mark.parametrize("name", ["a", "revenue_2026-plan", "a" * 64])
def test_good_names(name: str) -> None:
    assert define("view", name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a b", "a/b", "..", "ä", "a\n", "a" * 65, 3, None])
def test_bad_names_are_refused(name: object) -> None:
    told("view", name=name)


@pytest.mark.parametrize(
    "fields",
    [
        {"enabled": "true"},
        {"enabled": 1},
        {"groups": "daily"},
        {"groups": ["Daily"]},
        {"owner": ""},
        {"timeout_seconds": 0},
        {"timeout_seconds": 1.5},
        {"freshness_hours": 0},
        {"minimum_rows": -1},
        {"minimum_rows": True},
        {"maximum_shrink": 1.01},
        {"maximum_shrink": -0.1},
        {"maximum_shrink": float("nan")},
        {"columns": []},
        {"columns": [1]},
        {"columns": "changed"},
        {"ragged_rows": True},
        {"secret": "a_b"},
        {"secret": "a" * 128},
        {"secret": ""},
        {"kind": "cube"},
        {"kind": []},
        {"colour": "blue"},
    ],
)
def test_fields_of_another_type_or_range_are_refused(fields: dict[str, Any]) -> None:
    told("view", **fields)


def test_a_definition_is_frozen() -> None:
    export = define("view")
    with pytest.raises(ValidationError):
        export.name = "other"
    with pytest.raises(ValidationError):
        export.options.dateFormat = "Legacy"


def test_the_first_exports_of_a_process_may_be_read_by_many_threads_at_once() -> None:
    """A model builds its validator when it is first used."""
    program = (
        "import sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from pigment_export.catalog.exports import from_json\n"
        "sys.setswitchinterval(1e-5)\n"
        f"told = {{'name': 'a', 'kind': 'table', 'id': '{ID}'}}\n"
        "with ThreadPoolExecutor(16) as pool:\n"
        "    found = list(pool.map(from_json, [told] * 64))\n"
        "assert all(export == found[0] for export in found)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


IDS = st.uuids().map(str)
NAMES = st.from_regex(re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII), fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def some(items: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(items, min_size=least, max_size=3)


DIMENSION_FILTERS = st.fixed_dictionaries({"dimensionId": IDS, "modalityIds": some(IDS, 1)})
VALUES = st.one_of(
    TEXTS, st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
CONDITIONS = st.one_of(
    st.just({"type": "IsNotBlank"}),
    st.fixed_dictionaries({"type": st.sampled_from(["LessThan", "Equal", "GreaterThanOrEqual"]), "value": VALUES}),
)
FILTERS = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("Dimension"), "dimension": DIMENSION_FILTERS}),
        st.fixed_dictionaries(
            {"type": st.just("Value"), "value": st.fixed_dictionaries({"metricId": IDS, "condition": CONDITIONS})}
        ),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("And"), "and": some(inner, 1)}),
        st.fixed_dictionaries({"type": st.just("Or"), "or": some(inner, 1)}),
    ),
    max_leaves=6,
)
VIEW_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "dateFormat": st.sampled_from(["Legacy", "Iso8601"]),
    "fieldDelimiter": st.sampled_from(["Semicolon", "Comma"]),
}
BLOCK_OPTIONS = {
    **VIEW_OPTIONS,
    "decimalSeparator": st.sampled_from(["Dot", "Comma"]),
    "encoding": st.sampled_from(["Utf8WithBom", "Utf8WithoutBom"]),
    "friendlyHeaders": st.booleans(),
}
METRIC_OPTIONS = {**BLOCK_OPTIONS, "scenarios": some(IDS), "exportFilter": FILTERS, "filters": some(DIMENSION_FILTERS)}
OPTIONS = {
    "list": {
        **BLOCK_OPTIONS,
        "propertyTechnicalNames": some(TEXTS),
        "listFilter": some(IDS),
        "propertyFilters": some(
            st.fixed_dictionaries({"propertyTechnicalName": TEXTS, "modalityIds": some(IDS)}),
        ),
    },
    "metric": METRIC_OPTIONS,
    "table": {
        **METRIC_OPTIONS,
        "metrics": some(IDS),
        "fields": some(
            st.one_of(
                st.just({"type": "ScenarioField"}),
                st.fixed_dictionaries(
                    {"type": st.sampled_from(["ValueField", "DimensionField"]), "sourceId": IDS},
                    optional={"displayName": TEXTS},
                ),
            )
        ),
    },
    "view": VIEW_OPTIONS,
}
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "application": IDS,
    "block": IDS,
    "enabled": st.booleans(),
    "schedule": st.sampled_from(["0 6 * * *", "*/15 8-18 * * MON-FRI", "none"]),
    "time_zone": st.sampled_from(["UTC", "Europe/Paris", "America/Argentina/Ushuaia"]),
    "groups": some(NAMES),
    "owner": TEXTS,
    "timeout_seconds": st.integers(1, 3300),
    "freshness_hours": st.integers(1, 1000),
    "minimum_rows": st.integers(0, 10**9),
    "maximum_shrink": st.floats(0, 1),
    "columns": some(TEXTS, 1) | st.just("unchanged"),
    "gzip": st.booleans(),
    "ragged_rows": st.sampled_from(["hold", "publish"]),
    "secret": st.from_regex(re.compile(r"[0-9a-zA-Z-]{1,127}", re.ASCII), fullmatch=True),
}
DEFINITIONS = st.sampled_from(list(Kind)).flatmap(
    lambda kind: st.fixed_dictionaries(
        {"name": NAMES, "kind": st.just(str(kind)), "id": IDS},
        optional={**FIELDS, "options": st.fixed_dictionaries({}, optional=OPTIONS[kind])},
    )
)


def test_the_strategies_know_every_field_and_option() -> None:
    assert set(Export.model_fields) == {"name", "kind", "id", "options", *FIELDS}
    for kind, options in OPTION_MODELS.items():
        assert set(options.model_fields) == set(OPTIONS[kind])


@settings(max_examples=150, deadline=None)
@given(definition=DEFINITIONS)
def test_a_definition_survives_its_plan_and_sends_what_was_written(definition: dict[str, Any]) -> None:
    export = from_json(definition)
    assert from_json(json.loads(json.dumps(to_json(export), allow_nan=False))) == export
    request = request_of(export)
    written = definition.get("options", {})
    if export.kind is Kind.VIEW:
        assert all(f"{option}={value}" in request.path for option, value in written.items())
    else:
        assert request.body is not None
        fields = [{"sourceId": None, **field} for field in written.get("fields", [])]
        assert request.body == BLOCK_DEFAULTS | written | ({"fields": fields} if "fields" in written else {})


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), IDS, st.sampled_from(list(Kind))
    ),
    lambda inner: st.one_of(
        some(inner),
        st.dictionaries(
            st.one_of(st.text(max_size=6), st.sampled_from([*FIELDS, *OPTIONS["table"], "type", "and", "options"])),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(definition=DEFINITIONS, field=st.sampled_from(["kind", "id", "options", "name", *FIELDS]), value=JSON)
def test_whatever_stands_in_a_field_is_taken_and_survives_or_is_refused(
    definition: dict[str, Any], field: str, value: Any
) -> None:
    try:
        export = from_json({**definition, field: value})
    except ValidationError:
        return
    assert from_json(json.loads(json.dumps(to_json(export), allow_nan=False))) == export
