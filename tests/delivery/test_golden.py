"""Lakes written before stay readable: records and metadata of each generation, read and written again."""

import json
from pathlib import Path
from typing import Any

import pytest

from pigment_export.delivery.description import FileDescription, Latest
from pigment_export.delivery.receipt import Receipt, ReceiptSummary, Result
from pigment_export.lake.records import Record
from pigment_export.runs.plan import Plan, PlanSummary

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir())
RECORDS: dict[str, type[Record]] = {
    "latest": Latest,
    "plan": Plan,
    "result": Result,
    **{f"receipt-{state}": Receipt for state in ("succeeded", "superseded", "held", "failed", "retrying")},
}
# What later versions write otherwise, by the last part of the field's name: (before, now).
NEW_DEFAULTS = {"ragged_rows": "hold", "gzip": False}
LATER_IN_LISTINGS = {"pigment_owner", "pigment_remedy", "pigment_started_at", "pigment_ended_at"}


def golden(version: str, name: str) -> Any:
    return json.loads((GOLDEN / version / f"{name}.json").read_text())


def plain(value: Any) -> Any:
    """Return a record as its reader sees it: a field that is null is not there, and notes are a list."""
    if isinstance(value, dict):
        fields = {name: plain(field) for name, field in value.items() if field is not None}
        fields = {name: field for name, field in fields.items() if NEW_DEFAULTS.get(name) != field}
        if isinstance(fields.get("notes"), str):
            fields["notes"] = [note for note in fields["notes"].split(",") if note]
        return fields
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_an_earlier_version_is_read_and_written_as_it_was(version: str, name: str) -> None:
    record = RECORDS[name].from_json((GOLDEN / version / f"{name}.json").read_bytes())
    assert plain(json.loads(record.to_json())) == plain(golden(version, name))
    assert RECORDS[name].from_json(record.to_json()) == record


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in RECORDS if name != "latest"])
def test_metadata_of_an_earlier_version_is_written_as_it_was(version: str, name: str) -> None:
    record = RECORDS[name].from_json((GOLDEN / version / f"{name}.json").read_bytes())
    before = golden(version, f"{name}.metadata")
    written = {
        key: value for key, value in record.to_metadata().items() if key in before or key not in LATER_IN_LISTINGS
    }
    assert written == before


@pytest.mark.parametrize("version", VERSIONS)
def test_metadata_of_an_earlier_version_are_read(version: str) -> None:
    file = FileDescription.from_metadata(golden(version, "file.metadata"))
    assert file is not None
    assert file.notes == ("bom", "no_final_newline")
    assert file.to_metadata() == golden(version, "file.metadata")
    plan = Plan.from_json((GOLDEN / version / "plan.json").read_bytes())
    assert PlanSummary.from_metadata(golden(version, "plan.metadata")) == plan.summary
    held = Receipt.from_json((GOLDEN / version / "receipt-held.json").read_bytes())
    listed = ReceiptSummary.listed("people", golden(version, "receipt-held.metadata"))
    assert listed is not None
    assert (listed.state, listed.rows, listed.fetched_at) == (held.state, held.rows, held.fetched_at)
    assert listed.cause is not None
    assert (listed.cause.code, listed.cause.who) == ("held_by_guard", held.cause and held.cause.who)
