"""Write `docs/records.md` and `docs/latest.schema.json` from the models that read and write the records.

From the project's folder: `python -m scripts.make_records_page`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pigment_export.delivery.description import FileDescription, Latest
from pigment_export.delivery.guards import HEADER_CHANGED, SHRINK_UNCHECKED
from pigment_export.delivery.receipt import Receipt, ReceiptSummary, Result
from pigment_export.delivery.reconcile import TWO_FILES
from pigment_export.delivery.release import RELEASED
from pigment_export.runs.cancel import Cancellation
from pigment_export.runs.plan import Plan, PlannedExport, PlanSummary
from pigment_export.runs.schedule import Entry, ScheduleRecord
from pigment_export.transfer.inspector import Note

PAGE = Path(__file__).parent.parent / "docs" / "records.md"
SCHEMA = PAGE.with_name("latest.schema.json")
NOTES = {
    Note.BOM: "the file begins with a byte order mark, which is kept",
    Note.NUL: "it has NUL bytes",
    Note.INVALID_UTF8: "it is not UTF-8 throughout",
    Note.UNCLEAR_COLUMNS: "a column has no name, or two have the same",
    Note.RAGGED_ROWS: "some rows have fewer fields than the header",
    Note.EXTRA_FIELDS: "some rows have more fields than the header",
    Note.LONE_CR: "some lines end in a carriage return without a line feed",
    Note.NO_FINAL_NEWLINE: "it does not end with a newline",
    Note.EMPTY: "it has a header but no rows",
    HEADER_CHANGED: "its header differs from the last good file's",
    SHRINK_UNCHECKED: "`maximum_shrink` is set, but there was no earlier file to compare with",
    RELEASED: "a guard held it, and a person released it",
    TWO_FILES: "its day also has a file at another path, because `EXPORT_PATH` or `gzip` changed during the day",
}
"""Every note of a file or a receipt, and what it means."""

_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_PAGE = """# Records: every field

All records are JSON files in the lake, in UTF-8. The app writes each one whole, with one conditional request. Fields
that are not set are left out. Readers should ignore fields that they do not know. Instants are ISO 8601 with an offset,
by the lake's clock.

`make schema` generates this page.

| record | where | written |
|---|---|---|
| `_latest.json` | `{{folder of the export}}/_latest.json` | after each published file; never returns to an older file |
| receipt | `_runs/dt={{UTC day of the claim}}/{{run_id}}/receipts/{{name}}.json` | after a failed attempt; at the end |
| result | `_runs/dt=…/{{run_id}}/result.json` | when every receipt is final; again if one is corrected |
| plan | `_runs/dt=…/{{run_id}}/run.json`, and the claim under `_runs/_keys/` | once, when the run is claimed |
| `_SUCCESS` | `_runs/dt=…/{{run_id}}/_SUCCESS` | last, if every export succeeded; one line of text |
| cancellation | `_runs/dt=…/{{run_id}}/cancel.json` | when a caller cancels the run |
| schedules | `_runs/_schedules/{{sha256 of the deployment}}.json` | when a schedule changes or a run of it starts |

## `_latest.json`

The newest good file of an export. The schema is [latest.schema.json](latest.schema.json). Each file in `previous` has
the same fields, except `columns` and `previous`.

{latest}

## Metadata of a published file

The file itself carries these fields as blob metadata. Each name begins with `pigment_`, values are percent-encoded, and
lists are joined by commas. A rename keeps the metadata; a copy with other tools may lose it.

{file}

## Receipt

The outcome of one export of a run. The fields marked ● are also in the blob metadata of the receipt, so that one
listing of a run's folder returns them for all receipts.

{receipt}

## Result

{result}

Each of `exports` has `name` and the fields marked ● above.

## Plan

{plan}

Each of `exports`:

{planned}

The blob metadata of the plan has {summary}. There, `exports` is the number of exports.

## Cancellation

{cancellation}

## Schedules

{schedules}

Each of `schedules`:

{entry}

## Notes

{notes}
"""


def table(model: type[Any], marked: Mapping[str, Any] | None = None) -> str:
    """Return the table of a model's fields.

    Args:
        model: the record.
        marked: names of the fields to mark.
    """
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    lines = ["| field | type | what it is |", "|---|---|---|"]
    for name, field in schema["properties"].items():
        mark = " ●" if marked and name in marked else ""
        lines.append(f"| `{name}`{mark} | {_type(field)} | {field.get('description', '')} |")
    return "\n".join(lines)


def render() -> str:
    """Return the page."""
    listed = {field.alias or name: field for name, field in ReceiptSummary.model_fields.items() if name != "name"}
    return _PAGE.format(
        latest=table(Latest),
        file=table(FileDescription),
        receipt=table(Receipt, listed),
        result=table(Result),
        plan=table(Plan),
        planned=table(PlannedExport),
        cancellation=table(Cancellation),
        schedules=table(ScheduleRecord),
        entry=table(Entry),
        summary=", ".join(f"`{name}`" for name in PlanSummary.model_fields),
        notes="\n".join(
            ["| note | what it means |", "|---|---|", *(f"| `{note}` | {text} |" for note, text in NOTES.items())]
        ),
    )


def latest_schema() -> dict[str, Any]:
    """Return the JSON Schema of `_latest.json`."""
    schema = Latest.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "The newest file of an export",
    }


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"] if each.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if field.get("items") else "list"
    if "$ref" in field:
        return {"State": "text"}.get(field["$ref"].rpartition("/")[2], "object")
    if "format" in field:
        return {"date-time": "instant", "date": "date"}.get(field["format"], "text")
    kind = str(field.get("type", "object"))
    return _WORDS.get(kind, kind)


def main() -> None:
    """Write the page and the schema."""
    PAGE.write_text(render())
    SCHEMA.write_text(json.dumps(latest_schema(), indent=1, ensure_ascii=False) + "\n")
    print(f"wrote {PAGE.name} and {SCHEMA.name}")


if __name__ == "__main__":
    main()
