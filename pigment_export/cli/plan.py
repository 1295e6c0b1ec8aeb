"""`plan`: what a run would fetch, where it would land, and when it is due next; nothing is touched."""

import os
from collections.abc import Sequence
from datetime import datetime

import click

from pigment_export.catalog.exports import Export
from pigment_export.cli.crew import attended
from pigment_export.cli.output import OK, emit_json, emit_table
from pigment_export.cli.parts import app_of
from pigment_export.lake.paths import new_run_id
from pigment_export.runs.deployment import Runs
from pigment_export.runs.timetable import next_occurrences

A_NONCE = "x" * 16  # stands in a path where each run has its own


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--group", "groups", multiple=True, help="All enabled exports of a group; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(*, names: Sequence[str], groups: Sequence[str], as_json: bool) -> int:
    """Show what a run would fetch and where it would land, and touch nothing.

    Beside it stands when each export is due next.
    """
    app = app_of(os.environ)
    catalog = app.catalog(attended())
    chosen = catalog.select(names, groups)
    now = attended().retry(app.runs.now)
    due = next_occurrences(app.runs, catalog, now)
    told = [_told(app.runs, export, now, due[export.name]) for export in chosen]
    if as_json:
        emit_json(told)
        return OK
    titles = ("export", "kind", "id", "next due", "path")
    emit_table(titles, [[str(each[title] or "") for title in titles] for each in told])
    return OK


def _told(runs: Runs, export: Export, now: datetime, due: datetime | None) -> dict[str, object]:
    day = now.astimezone(export.zone or runs.time_zone).date()
    run_id = new_run_id(now, A_NONCE)
    destination = runs.layout.destination(export.name, snapshot_date=day, run_id=run_id, is_compressed=export.gzip)
    return {
        "export": export.name,
        "kind": str(export.kind),
        "id": export.id,
        "next due": due and f"{due.astimezone(export.zone or runs.time_zone):%Y-%m-%d %H:%M %Z}",
        "path": destination.path,
        "replaces": destination.replaces,
    }
