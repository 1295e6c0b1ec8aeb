"""`docs/records.md` has every field of every record, and `_latest.json` is as its schema says."""

import json

from jsonschema import Draft202012Validator, FormatChecker

from pigment_export.delivery.description import Latest
from pigment_export.transfer.inspector import Note
from scripts.make_records_page import NOTES, PAGE, SCHEMA, latest_schema, render
from tests.delivery.test_receipt import FILE


def test_the_page_and_the_schema_are_those_of_the_code() -> None:
    assert PAGE.read_text() == render(), "run `make schema`"
    assert json.loads(SCHEMA.read_text()) == latest_schema(), "run `make schema`"


def test_every_note_of_the_inspector_is_on_the_page() -> None:
    assert set(Note) <= set(NOTES)


def test_the_record_of_the_newest_file_is_as_its_schema_says() -> None:
    latest = Latest.of("p1", FILE, ("A",), Latest.of("p0", FILE, None))
    validator = Draft202012Validator(latest_schema(), format_checker=FormatChecker())
    assert list(validator.iter_errors(json.loads(latest.to_json()))) == []
    assert not validator.is_valid({"path": "p0"})
