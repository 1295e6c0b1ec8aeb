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
    Note.NO_FINAL_NEWLINE: "its last line has no newline",
    Note.EMPTY: "it has a header and no row",
    HEADER_CHANGED: "its header is not the last good file's",
    SHRINK_UNCHECKED: "`maximum_shrink` is set, and there was no earlier file to compare with",
    RELEASED: "a guard had held it, and a person released it",
    TWO_FILES: "its day has a file at another path, too: `EXPORT_PATH` or `gzip` was changed within the day",
}
"""Every note of a file or a receipt, and what it says."""

_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_PAGE = """# Records: every field

All records are JSON in the lake, UTF-8, written whole by one conditional request. A field that is not set is left out;
readers should pass over fields that they don't know. Instants are ISO 8601 with their offset, by the lake's clock.

This page is generated: `make schema`.

| record | where | written |
|---|---|---|
| `_latest.json` | `{{folder of the export}}/_latest.json` | after each published file; never goes back |
| receipt | `_runs/dt={{UTC day of the claim}}/{{run_id}}/receipts/{{name}}.json` | after a failed try, and at the end |
| result | `_runs/dt=…/{{run_id}}/result.json` | when every receipt is final; again if one got better |
| plan | `_runs/dt=…/{{run_id}}/run.json`, and the claim under `_runs/_keys/` | once, when the run is claimed |
| `_SUCCESS` | `_runs/dt=…/{{run_id}}/_SUCCESS` | last, when every export succeeded; one line of text |
| cancellation | `_runs/dt=…/{{run_id}}/cancel.json` | when a caller cancels the run |
| schedules | `_runs/_schedules/{{sha256 of the deployment}}.json` | when a schedule changes or a run of it starts |

## `_latest.json`

The newest good file of an export. Its schema: [latest.schema.json](latest.schema.json). `previous` has earlier files,
newest first, each with the same fields but `columns` and `previous`.

{latest}

## Metadata of a published file

The file itself says the same, as blob metadata: each name begins with `pigment_`, values are percent-encoded, and lists
are joined by commas. A rename keeps it; a copy made by other tools may not.

{file}

## Receipt

What one export of a run came to. Its metadata have the fields marked ●, so that one listing of a run's folder tells all
of its receipts.

{receipt}

## Result

{result}

`exports` has the fields marked ● above, and `name`.

## Plan

{plan}

Each of `exports`:

{planned}

Its metadata have {summary}; `exports` is their number there.

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
    listed = {field.alias or name: field for name, field in ReceiptSummary.model_fields.items()}
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
            ["| note | what it says |", "|---|---|", *(f"| `{note}` | {text} |" for note, text in NOTES.items())]
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
