"""`runs`, `show`, `files`: what became of runs, and the files of an export."""

import os
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pigment_export.app.views import run_view
from pigment_export.cli.crew import attended
from pigment_export.cli.output import OK, emit, emit_json, emit_state, emit_table, number
from pigment_export.cli.parts import app_of
from pigment_export.delivery.description import Latest
from pigment_export.lake.paths import latest
from pigment_export.runs.follow import RunProgress, progress_of, recent_runs

if TYPE_CHECKING:
    from pigment_export.app.parts import App

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_run = click.argument("run", metavar="[RUN]", required=False)


@click.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@click.option("--state", type=click.Choice(["running", "succeeded", "failed"]), help="Only those of this state.")
@click.option("--deployment", help="Only those of this app.  [default: of all that use this lake]")
@_json
def runs(*, limit: int, state: str | None, deployment: str | None, as_json: bool) -> int:
    """List the runs of the last seven days, the newest first."""
    app = app_of(os.environ)
    of = replace(app.runs, deployment=deployment) if deployment else app.runs
    found = recent_runs(of, attended(), limit=limit, state=state, of_all=deployment is None)
    views = [(summary, run_view(summary, listing, app.base_url)) for summary, listing in found]
    if as_json:
        emit_json([{**_plain(view), "deployment": summary.deployment} for summary, view in views])
        return OK
    rows = [
        [
            view.run_id,
            view.state,
            f"{view.done} of {view.of}",
            f"{view.snapshot_date}",
            _at(view.claimed_at),
            _at(view.ended_at),
            summary.trigger,
            summary.deployment,
        ]
        for summary, view in views
    ]
    titles = ("run", "state", "done", "date", "began", "ended", "by", "deployment")
    emit_table(titles, rows, empty="no run in the last seven days")
    return OK


@click.command()
@_run
@_json
def show(*, run: str | None, as_json: bool) -> int:
    """Show a run: the receipts of its exports, and what to do about failures.

    RUN is a run's id, or an end of it that no other has; without it, the newest.
    """
    app = app_of(os.environ)
    progress = run_named(app, run)
    summary, listing = progress.plan.summary, progress.listing
    view = run_view(summary, listing, app.base_url, result=progress.plan.folder.result)
    receipts = [listing.receipts[name].to_fields() for name in progress.plan.names if name in listing.receipts]
    if as_json:
        emit_json({**_plain(view), "deployment": summary.deployment, "receipts": receipts})
        return OK
    by = summary.trigger if summary.asked_by == summary.deployment else f"{summary.trigger} by {summary.asked_by}"
    asked = f"{summary.deployment}, {by}"
    ended = f"ended {_at(view.ended_at)}" if view.ended_at else f"expires {_at(view.expires_at)}"
    emit_state(view.state, f"   {view.run_id} for {view.snapshot_date}, {view.done} of {view.of}")
    emit(f"{asked}, began {_at(view.claimed_at)}, {ended}\n\n")
    waiting = [{"name": name, "state": "waiting"} for name in progress.plan.names if name not in listing.receipts]
    rows = [
        [
            each["name"],
            each["state"],
            number(each.get("rows")),
            number(each.get("bytes")),
            each.get("sha256", "")[:12],
            each.get("path", ""),
        ]
        for each in (*receipts, *waiting)
    ]
    emit_table(("export", "state", "rows", "bytes", "sha256", "path"), rows, right=("rows", "bytes"))
    for each in receipts:
        if each.get("class"):
            owner = f" (owner: {each['owner']})" if each.get("owner") else ""
            emit(f"\n{each['name']}{owner}: {each.get('reason', '')} [{each['class']}]\n")
            emit(f"  {each.get('who', '')}: {each.get('remedy', '')}\n")
    return OK


@click.command()
@click.argument("name")
@_json
def files(*, name: str, as_json: bool) -> int:
    """List the last good files of an export: rows, size, age, sha256, path."""
    app = app_of(os.environ)
    record = attended().retry(lambda: app.runs.records.read(latest(app.runs.layout.folder(name))))
    newest = Latest.from_json(record.data) if record.etag else None
    entries = (newest, *newest.previous) if newest else ()
    if as_json:
        emit_json([entry.model_dump(mode="json", exclude={"previous"}, exclude_none=True) for entry in entries])
        return OK
    rows = [
        [
            f"{entry.snapshot_date}",
            number(entry.rows),
            number(entry.bytes),
            _at(entry.fetched_at),
            _age(record.now, entry.fetched_at),
            entry.sha256[:12],
            entry.path,
        ]
        for entry in entries
    ]
    titles = ("date", "rows", "bytes", "fetched", "age", "sha256", "path")
    emit_table(titles, rows, right=("rows", "bytes"), empty=f"no good file of {name} yet")
    return OK


def run_named(app: "App", run: str | None) -> RunProgress:
    """Return how far a run is, whichever deployment's it is.

    Args:
        app: the parts.
        run: its id, or an end of it that no other has; None for the newest.

    Raises:
        click.UsageError: there is none of this name, or more than one.
    """
    run_id = run if run and app.runs.plan_of(run, attended()) else _recent_id(app, run or "")
    plan = app.runs.plan_of(run_id, attended())
    owner = replace(app.runs, deployment=plan.deployment) if plan else app.runs
    progress = progress_of(owner, run_id, attended())
    if progress is None:
        raise click.UsageError(f"there is no run {run_id}")
    return progress


def _recent_id(app: "App", end: str) -> str:
    found = [summary.run_id for summary, _ in recent_runs(app.runs, attended(), of_all=True)]
    matching = [run_id for run_id in found if run_id.endswith(end)] if end else found[:1]
    if len(matching) != 1:
        told = "more than one run ends" if matching else "no run of the last seven days ends"
        raise click.UsageError(f"{told} with {end!r}: see 'pigment-export runs'" if end else "there is no run yet")
    return matching[0]


def _plain(model: Any) -> dict[str, Any]:
    fields: dict[str, Any] = model.model_dump(mode="json", exclude_none=True, by_alias=True)
    return fields


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%SZ}" if instant else ""


def _age(now: datetime, then: datetime) -> str:
    hours = (now - then).total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.1f} h"  # noqa: PLR2004 - two days
