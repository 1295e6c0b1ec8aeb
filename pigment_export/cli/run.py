"""`run`, `retry`, `release`: choose what a new run exports."""

from collections.abc import Sequence
from dataclasses import replace

import click

from pigment_export.app.parts import App
from pigment_export.app.requests import read_day
from pigment_export.cli.parts import app_now
from pigment_export.cli.runs import run_named
from pigment_export.cli.work import run_to_end
from pigment_export.runs.again import exports_to_retry, files_to_release
from pigment_export.runs.deployment import Runs


def run(*, names: Sequence[str], groups: Sequence[str], day: str | None, as_json: bool) -> int:
    """Run exports of the catalog into the lake."""
    app = app_now()
    try:
        day = None if day is None else str(read_day(day, app.settings.export_time_zone))
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--date") from exc
    asked = {"exports": sorted(names), "groups": sorted(groups), "date": day}
    return run_to_end(app, asked, lambda: app.catalog().select(names, groups), as_json=as_json)


def retry(*, run: str | None, as_json: bool) -> int:
    """Run again what failed or was held in a run that has ended."""
    app = app_now()
    run_id, theirs = _ended(app, run)
    asked = {"retry_of": run_id}
    return run_to_end(app, asked, lambda: exports_to_retry(theirs, run_id), as_json=as_json)


def release(*, run: str, names: Sequence[str], as_json: bool) -> int:
    """Publish held files of a run."""
    app = app_now()
    run_id, theirs = _ended(app, run)
    asked = {"release_of": run_id, "exports": sorted(names)}
    return run_to_end(app, asked, lambda: files_to_release(theirs, run_id, names), as_json=as_json)


def _ended(app: App, run: str | None) -> tuple[str, Runs]:
    """Return the id of an earlier run, and the runs of its deployment."""
    plan = run_named(app, run)
    return plan.run_id, replace(app.runs, deployment=plan.deployment)
