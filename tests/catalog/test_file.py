"""The catalog: every problem at once, in the words of the file."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from pigment_export.catalog.exports import OPTIONS, Export, Kind, from_json
from pigment_export.catalog.file import LARGEST_BYTES, Catalog, define, load
from pigment_export.catalog.source import read_bytes
from pigment_export.errors import Cause, ConfigurationError, MissingError, Who
from scripts.make_schema import document

ROOT = Path(__file__).parents[2]
ID = "22222222-2222-4222-8222-222222222222"
FILE = "exports.toml"


def problems_of(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(text if isinstance(text, bytes) else text.encode(), file=FILE)
    return list(caught.value.problems)


def catalog_of(*tables: str) -> Catalog:
    text = "".join(f'[{table}]\nkind = "view"\nid = "{ID}"\n' if "\n" not in table else table for table in tables)
    return load(text.encode(), file=FILE)


def told(body: str) -> str:
    """The one problem of one export named `a`."""
    (problem,) = problems_of(f"[a]\n{body}\n")
    assert problem.startswith(f"{FILE}: a")
    return problem.removeprefix(f"{FILE}: a")


GOOD = f'kind = "table"\nid = "{ID}"\n'
VALUE_FILTER = f'{{type = "Value", value = {{metricId = "{ID}", condition = {{type = "Equal", value = %s}}}}}}'


def test_exports_come_in_the_order_of_the_file() -> None:
    catalog = catalog_of("b", "a", "c")
    assert [export.name for export in catalog.exports] == ["b", "a", "c"]
    assert catalog.file == FILE


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_and_windows_line_ends_are_fine(newline: str, mark: str) -> None:
    text = mark + f"[a]\n{GOOD}".replace("\n", newline)
    assert load(text.encode(), file=FILE).exports[0].kind is Kind.TABLE


def test_every_problem_of_every_export_is_told_at_once() -> None:
    problems = problems_of("""
        top = 1
        [Revenue]
        kind = "metrik"
        id = 3
        minimum_row = 3
        [pnl]
        kind = "table"
        enabled = "true"
        [pnl.options.exportFilter]
        type = "And"
        and = [{type = "IsNotBlank"}, {type = "Or", or = []}]
    """)
    assert [problem.split(": ")[:2] for problem in problems] == [
        [FILE, "top"],
        [FILE, "Revenue.kind"],
        [FILE, "Revenue"],
        [FILE, "Revenue.id"],
        [FILE, "Revenue.minimum_row"],
        [FILE, "pnl.id"],
        [FILE, "pnl.enabled"],
        [FILE, "pnl.options.exportFilter.and[0].type"],
        [FILE, "pnl.options.exportFilter.and[1].or"],
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f'id = "{ID}"', ".kind: missing; allowed: list, metric, table, view"),
        (
            f'kind = "metrics"\nid = "{ID}"',
            ".kind: unknown (not 'metrics'); allowed: list, metric, table, view (did you mean 'metric'?)",
        ),
        (f'kind = ["view"]\nid = "{ID}"', ".kind: unknown; allowed: list, metric, table, view"),
        ('kind = "view"', ".id: missing. The UUID of the block or view in Pigment."),
        (f'{GOOD}name = "b"', ".name: unknown; the name of the table is the name of the export"),
        (f'{GOOD}owners = "x"', "(did you mean 'owner'?)"),
        (
            f"{GOOD}friendlyHeaders = true",
            "it is an option for Pigment: write it below 'options'; allowed: application, ",
        ),
        (
            f'{GOOD}options.listFilter = ["{ID}"]',
            ".options.listFilter: unknown; it is an option of another kind: list; allowed: dateFormat, ",
        ),
        (f'{GOOD}options.metric = "x"', ".options.metric: unknown; allowed: dateFormat"),
        (f'{GOOD}list = "x"', ".list: unknown; allowed: application"),
        (f'{GOOD}options.fieldDelimeter = "Comma"', "(did you mean 'fieldDelimiter'?)"),
        (f'{GOOD}options.dateFormat = "iso"', ".options.dateFormat: should be 'Iso8601' or 'Legacy' (not 'iso')"),
        (
            f'{GOOD}options.fields = [{{type = "ValueField", id = "{ID}", sourceId = "{ID}"}}]',
            ".options.fields[0].id: ",
        ),
        (
            f'{GOOD}options.filters = [{{dimension = "{ID}", dimensionId = "{ID}", modalityIds = ["{ID}"]}}]',
            "allowed: dimensionId, modalityIds (did you mean 'dimensionId'?)",
        ),
        (
            f"{GOOD}options.exportFilter = {VALUE_FILTER % '2026-01-31'}",
            ".options.exportFilter.value.condition.value: a filter compares with text, a number, true or false; ",
        ),
        (f"{GOOD}options.exportFilter = {VALUE_FILTER % ('0x' + 'f' * 9000)}", ".value: a filter compares"),
        (f"{GOOD}minimum_rows = 0x{'f' * 9000}", ".minimum_rows: should be less than 9223372036854775808"),
        (f'id = "{ID}"\nkind = 0x{"f" * 9000}', ".kind: unknown; allowed"),
        (f'{GOOD}options = "x"', ".options: must be a table, such as { … }"),
        (f'{GOOD}groups = "daily"', '.groups: must be a list, such as ["…"]'),
        (f'{GOOD}groups = ["Daily"]', ".groups[0]: a name has lower-case letters"),
        (f"{GOOD}columns = []", ".columns: must not be empty"),
        (f"{GOOD}columns = [1]", ".columns[0]: should be a valid string"),
        (f'{GOOD}columns = "changed"', ".columns: should be 'unchanged' (not 'changed')"),
        (f"{GOOD}maximum_shrink = 2", ".maximum_shrink: should be less than or equal to 1 (not 2)"),
        (f"{GOOD}maximum_shrink = nan", ".maximum_shrink: should be a finite number"),
        (
            f'{GOOD}schedule = "0 0 6 * * *"',
            ".schedule: five fields, without the seconds of NCRONTAB: write '0 6",
        ),
        (f'{GOOD}schedule = "daily"', ".schedule: a cron expression of five fields"),
        (
            f'{GOOD}time_zone = "Paris"',
            ".time_zone: the name of a time zone in the IANA database, such as Europe/Paris (not 'Paris')",
        ),
        (f'{GOOD}owner = "{"x" * 999}"', "x…')"),
    ],
)
def test_a_problem_names_its_field_and_what_is_allowed(body: str, expected: str) -> None:
    assert expected in told(body)


@pytest.mark.parametrize("name", ["Revenue", '"a b"', '"../x"', "1a", '""', f"a{'b' * 64}", '"a\\u0000"'])
def test_a_name_that_is_no_safe_path_segment_is_refused(name: str) -> None:
    (problem,) = problems_of(f"[{name}]\n{GOOD}")
    assert "and begins with a letter; at most 64 characters" in problem
    assert problem.isprintable()


def test_a_key_that_was_pasted_for_the_name_of_its_secret_is_not_repeated() -> None:
    problem = told(f'{GOOD}secret = "pigment_key.xyzzy"')
    assert "never the key itself" in problem
    assert "xyzzy" not in problem


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "no export"),
        ("# nothing\n", "no export"),
        ("[a]\nkind = \n", "line 2"),
        (f"[a]\n{GOOD}[a]\n{GOOD}", "'a'"),
        (f"[a]\n{GOOD}id = '{ID}'\n", "line 4"),
        (b"[a]\nkind = '\xff'\n", "not UTF-8 (at line 2)"),
        ("[a]\n".encode("utf-16"), "save it as UTF-8"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = " + "[" * 50_000, "not TOML"),
        (b"#" * (LARGEST_BYTES + 1), "larger"),
    ],
)
def test_what_is_no_catalog_is_told_in_one_line(text: str | bytes, hint: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(f"{FILE}: ")
    assert hint in problem


@pytest.fixture
def catalog() -> Catalog:
    return catalog_of(
        "first",
        f'[second]\nkind = "view"\nid = "{ID}"\ngroups = ["daily"]\n',
        f'[third]\nkind = "view"\nid = "{ID}"\ngroups = ["daily", "hourly"]\nenabled = false\n',
        f'[fourth]\nkind = "view"\nid = "{ID}"\ngroups = ["hourly"]\n',
    )


@pytest.mark.parametrize(
    ("names", "groups", "expected"),
    [
        ([], [], ["first", "second", "fourth"]),
        (["third"], [], ["third"]),
        (["fourth", "first"], [], ["first", "fourth"]),
        ([], ["daily"], ["second"]),
        ([], ["hourly", "daily"], ["second", "fourth"]),
        (["third", "second"], ["daily"], ["second", "third"]),
    ],
)
def test_groups_choose_what_is_enabled_and_names_choose_all_the_same(
    catalog: Catalog, names: list[str], groups: list[str], expected: list[str]
) -> None:
    assert [export.name for export in catalog.select(names, groups)] == expected


def test_all_that_is_wrong_with_a_choice_is_told_at_once(catalog: Catalog) -> None:
    with pytest.raises(ConfigurationError) as caught:
        catalog.select(["frist", "first", "first"], ["weekly"])
    assert caught.value.problems == (
        f"{FILE}: no export 'frist'; allowed: first, fourth, second, third (did you mean 'first'?)",
        "export 'first' is named twice",
        f"{FILE}: no group 'weekly'; allowed: daily, hourly",
    )


def test_nothing_to_export_is_a_problem() -> None:
    catalog = catalog_of(f'[a]\nkind = "view"\nid = "{ID}"\nenabled = false\ngroups = ["daily"]\n')
    for names, groups in (([], []), ([], ["daily"])):
        with pytest.raises(ConfigurationError, match="nothing to export"):
            catalog.select(names, groups)


def no_lake(path: str) -> bytes:
    raise AssertionError(path)


def test_a_catalog_is_read_from_the_apps_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"[a]\n{GOOD}")
    for path, folder in (("mine.toml", tmp_path), (str(tmp_path / "mine.toml"), Path("elsewhere"))):
        assert read_bytes(path, folder=folder, read_lake=no_lake) == f"[a]\n{GOOD}".encode()


def test_a_catalog_is_read_from_the_lake_by_its_path_there() -> None:
    asked = []

    def read_lake(path: str) -> bytes:
        asked.append(path)
        return f"[a]\n{GOOD}".encode()

    data = read_bytes("lake:config/exports.toml", folder=Path("elsewhere"), read_lake=read_lake)
    assert asked == ["config/exports.toml"]
    assert load(data, file="lake:config/exports.toml").exports[0].name == "a"


def test_a_catalog_that_is_not_there_is_a_problem_of_settings(tmp_path: Path) -> None:
    def missing(_path: str) -> bytes:
        raise MissingError(Cause("missing", "not there", Who.CATALOG, "put it there"))

    for where in ("exports.toml", ".", "lake:exports.toml"):
        with pytest.raises(ConfigurationError, match="EXPORTS_FILE") as caught:
            read_bytes(where, folder=tmp_path, read_lake=missing)
        assert caught.value.problems[0].startswith(f"{where}: cannot be read")


def test_a_catalog_of_any_size_is_read_only_so_far(tmp_path: Path) -> None:
    with (tmp_path / "huge.toml").open("wb") as file:
        file.truncate(2**40)  # no memory would hold it
    with pytest.raises(ConfigurationError, match="larger"):
        load(read_bytes("huge.toml", folder=tmp_path, read_lake=no_lake), file="huge.toml")


def test_an_export_can_be_defined_without_a_file() -> None:
    export = define("once", {"kind": "view", "id": ID}, where="request")
    assert export == from_json({"name": "once", "kind": "view", "id": ID})
    with pytest.raises(ConfigurationError, match=r"request: once\.id: missing"):
        define("once", {"kind": "view"}, where="request")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=6), st.just(ID)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
PATHS = [
    ("kind",),
    ("id",),
    ("groups",),
    ("columns",),
    ("secret",),
    ("options",),
    ("list",),
    ("options", "fields"),
    ("options", "table"),
    ("options", "exportFilter"),
    ("options", "exportFilter", "value"),
    ("options", "exportFilter", "and"),
    ("options", "exportFilter", "value", "condition", "value"),
]


@settings(max_examples=300, deadline=None)
@given(
    name=st.one_of(st.just("a"), st.text(st.characters(), max_size=70), st.integers()),
    kind=st.sampled_from(list(Kind)),
    values=st.dictionaries(st.sampled_from(PATHS), JSON, max_size=4),
    unknown=st.dictionaries(st.text(st.characters(), max_size=6), JSON, max_size=1),
)
def test_whatever_is_defined_is_an_export_or_a_list_of_problems(
    name: Any, kind: Kind, values: dict[tuple[str, ...], Any], unknown: dict[str, Any]
) -> None:
    fields: dict[str, Any] = {"kind": kind, "id": ID}
    for path, value in sorted(values.items()):
        inner = fields
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[path[-1]] = value
    problems: tuple[str, ...] = ()
    try:
        assert define(name, {**fields, **unknown}, where="request").name == name
    except ConfigurationError as error:
        problems = error.problems
    assert all(problem.startswith("request: ") and problem.encode() for problem in problems)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet='[]a."=\n#{}1', max_size=60).map(str.encode)))
def test_whatever_is_loaded_is_a_catalog_or_a_list_of_problems(data: bytes) -> None:
    assert all(problem.startswith(f"{FILE}: ") for problem in problems_of(data))


def test_the_shipped_catalog_has_one_enabled_export_of_each_kind() -> None:
    exports = load((ROOT / FILE).read_bytes(), file=FILE).select()
    assert {export.name: export.kind for export in exports} == {
        "countries": Kind.LIST,
        "revenue": Kind.METRIC,
        "pnl": Kind.TABLE,
        "pnl_view": Kind.VIEW,
    }


def test_the_schema_for_editors_is_the_one_that_the_models_make() -> None:
    written = json.loads((ROOT / "exports.schema.json").read_text())
    assert written == document(), "python -m scripts.make_schema writes it anew"
    assert (ROOT / FILE).read_text().startswith("#:schema ./exports.schema.json\n")


def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(document())
    return Draft202012Validator(document(), format_checker=FormatChecker())


def test_the_schema_takes_the_shipped_catalog() -> None:
    validator().validate(tomllib.loads((ROOT / FILE).read_text()))


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"kind": "cube", "id": ID},
        {"kind": "view", "id": "x"},
        {"kind": "view", "id": ID, "name": "a"},
        {"kind": "view", "id": ID, "options": {"encoding": "Utf8WithBom"}},
        {"kind": "view", "id": ID, "columns": []},
        {"kind": "table", "id": ID, "options": {"fields": [{"sourceId": ID}]}},
        {"kind": "table", "id": ID, "options": {"exportFilter": {"type": "And", "and": []}}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(table: dict[str, Any]) -> None:
    assert problems_of(tomlkit.dumps({"a": table}))
    assert not validator().is_valid({"a": table})
    assert not validator().is_valid({"Not a name": {"kind": "view", "id": ID}})


def test_every_field_and_option_stands_in_the_docs_with_what_it_is() -> None:
    docs = (ROOT / "docs" / "catalog.md").read_text()
    for kind, options in OPTIONS.items():
        for name, field in {**Export.model_fields, **options.model_fields}.items():
            if name not in ("name", "kind", "options"):
                assert f"| `{name}` | {field.description} |" in docs, kind


def test_every_example_in_the_docs_is_a_catalog() -> None:
    docs = (ROOT / "docs" / "catalog.md").read_text()
    examples = [part.partition("```")[0] for part in docs.split("```toml\n")[1:]]
    assert len(examples) > 1
    for example in examples:
        load(example.encode(), file="docs/catalog.md")
