"""`plan`, `runs`, `show`, `files`: preview a run, show earlier runs, and list the files of an export."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import click

from pigment_export.app.parts import App
from pigment_export.app.schemas import plain, run_view
from pigment_export.cli.output import emit, emit_json
from pigment_export.cli.parts import app_now
from pigment_export.cli.table import emit_state, emit_table, instant
from pigment_export.delivery.description import Latest
from pigment_export.lake.paths import latest, new_run_id
from pigment_export.runs.follow import listing_of, recent_runs
from pigment_export.runs.plan import Plan
from pigment_export.runs.timetable import next_occurrences

A_NONCE = "x" * 16  # in a path, in place of a run's own


def plan(*, names: Sequence[str], groups: Sequence[str], as_json: bool) -> None:
    """Show what a run would fetch, where it would write, and when it is due next."""
    app = app_now()
    catalog = app.catalog()
    chosen = catalog.select(names, groups)
    now = app.lake.now()
    due = next_occurrences(app.runs, catalog, now)
    told = []
    for export in chosen:
        zone, due_at = export.zone or app.runs.time_zone, due[export.name]
        destination = app.runs.layout.destination(
            export.name,
            snapshot_date=now.astimezone(zone).date(),
            run_id=new_run_id(now, A_NONCE),
            is_compressed=export.gzip,
        )
        told.append(
            {
                "export": export.name,
                "kind": str(export.kind),
                "id": export.id,
                "next due": due_at and f"{due_at.astimezone(zone):%Y-%m-%d %H:%M %Z}",
                "path": destination.path,
                "replaces": destination.replaces,
            }
        )
    if as_json:
        emit_json(told)
    else:
        emit_table(told, ("export", "kind", "id", "next due", "path"))


def runs(*, limit: int, state: str | None, deployment: str | None, as_json: bool) -> None:
    """List the runs of the last seven days, newest first."""
    app = app_now()
    of = replace(app.runs, deployment=deployment) if deployment else app.runs
    found = recent_runs(of, limit=limit, state=state, of_all=deployment is None)
    views = [(summary, run_view(summary, listing, app.base_url)) for summary, listing in found]
    if as_json:
        emit_json([{**plain(view), "deployment": summary.deployment} for summary, view in views])
        return
    rows = [
        view.model_dump() | {"done": f"{view.done} of {view.of}", "deployment": summary.deployment}
        for summary, view in views
    ]
    titles = ("run", "state", "done", "date", "began", "ended", "by", "deployment")
    named = {"run": "run_id", "date": "snapshot_date", "began": "claimed_at", "ended": "ended_at", "by": "trigger"}
    emit_table(rows, titles, empty="no run in the last seven days", **named)


def show(*, run: str | None, as_json: bool) -> None:
    """Show a run: the receipts of its exports, and what to do about failures."""
    app = app_now()
    plan = run_named(app, run)
    summary, listing = plan.summary, listing_of(app.runs, plan)
    view = run_view(summary, listing, app.base_url, result=plan.folder.result)
    receipts = [listing.receipts[name].to_fields() for name in plan.names if name in listing.receipts]
    if as_json:
        emit_json({**plain(view), "deployment": summary.deployment, "receipts": receipts})
        return
    by = summary.trigger if summary.asked_by == summary.deployment else f"{summary.trigger} by {summary.asked_by}"
    ended = f"ended {instant(view.ended_at)}" if view.ended_at else f"expires {instant(view.expires_at)}"
    emit_state(view.state, f"   {view.run_id} for {view.snapshot_date}, {view.done} of {view.of}")
    emit(f"{summary.deployment}, {by}, began {instant(view.claimed_at)}, {ended}\n\n")
    waiting = [{"name": name, "state": "waiting"} for name in plan.names if name not in listing.receipts]
    emit_table([*receipts, *waiting], ("export", "state", "rows", "bytes", "sha256", "path"), export="name")
    for each in receipts:
        if each.get("class"):
            owner = f" (owner: {each['owner']})" if each.get("owner") else ""
            emit(f"\n{each['name']}{owner}: {each.get('reason', '')} [{each['class']}]\n")
            emit(f"  {each.get('who', '')}: {each.get('remedy', '')}\n")


def files(*, name: str, as_json: bool) -> None:
    """List the last good files of an export."""
    app = app_now()
    record = app.lake.read(latest(app.runs.layout.folder(name)))
    newest = Latest.from_json(record.data) if record.etag else None
    entries = (newest, *newest.previous) if newest else ()
    if as_json:
        emit_json([entry.model_dump(mode="json", exclude={"previous"}, exclude_none=True) for entry in entries])
        return
    rows = [entry.model_dump() | {"age": _age(record.now, entry.fetched_at)} for entry in entries]
    titles = ("date", "rows", "bytes", "fetched", "age", "sha256", "path")
    emit_table(rows, titles, empty=f"no good file of {name} yet", date="snapshot_date", fetched="fetched_at")


def run_named(app: App, run: str | None) -> Plan:
    """Return the plan of a run of any deployment.

    Args:
        app: the parts.
        run: its id, or enough of its last characters to identify it; None for the newest.

    Raises:
        click.UsageError: no run matches, or more than one does.
    """
    plan = app.runs.plan_of(run) if run else None
    if plan is None:
        run = _recent_id(app, run or "")
        plan = app.runs.plan_of(run)
    if plan is None:
        raise click.UsageError(f"there is no run {run}")
    return plan


def _recent_id(app: App, end: str) -> str:
    found = [summary.run_id for summary, _ in recent_runs(app.runs, of_all=True)]
    matching = [run_id for run_id in found if run_id.endswith(end)] if end else found[:1]
    if len(matching) != 1:
        told = "more than one run ends" if matching else "no run of the last seven days ends"
        raise click.UsageError(f"{told} with {end!r}: see 'pigment-export runs'" if end else "there is no run yet")
    return matching[0]


def _age(now: datetime, then: datetime) -> str:
    hours = (now - then).total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.1f} h"  # noqa: PLR2004 - two days
