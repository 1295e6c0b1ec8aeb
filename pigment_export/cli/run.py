"""`run`, `retry`, `release`: runs that this process works on by itself, from their claim to their end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pigment_export.app.requests import read_day
from pigment_export.cli.board import Board
from pigment_export.cli.crew import Crew, Progressed
from pigment_export.cli.output import FAILED, INTERRUPTED, OK, emit_json, number, say
from pigment_export.cli.parts import app_now, attended
from pigment_export.cli.runs import receipts_table, run_named
from pigment_export.delivery.receipt import Receipt
from pigment_export.errors import Cause, ErrorRow, ExportError, PermanentError, Who
from pigment_export.runs.again import exports_to_retry, files_to_release
from pigment_export.runs.claim import Choose, claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.work import deliver_export, fail_exports

if TYPE_CHECKING:
    from pigment_export.app.parts import App
    from pigment_export.retry import Deadline

GOOD = ("succeeded", "superseded")
STOPPED = ErrorRow(
    "interrupted",
    PermanentError,
    "the run was interrupted by the person who had started it",
    Who.CALLER,
    "start a new run when you are ready",
).cause()

type Fields = Mapping[str, Any]


def run(*, names: Sequence[str], groups: Sequence[str], day: str | None, as_json: bool) -> int:
    """Run exports of the catalog into the lake."""
    app = app_now()
    try:
        day = None if day is None else str(read_day(day, app.settings.export_time_zone))
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--date") from exc
    asked = {"exports": sorted(names), "groups": sorted(groups), "date": day}
    return _work_off(app, asked, lambda: app.catalog(attended()).select(names, groups), as_json=as_json)


def retry(*, run: str | None, as_json: bool) -> int:
    """Run once more what failed or was held in a run that has ended."""
    app = app_now()
    run_id, theirs = _ended(app, run)
    asked = {"retry_of": run_id}
    return _work_off(app, asked, lambda: exports_to_retry(theirs, run_id, attended()), as_json=as_json)


def release(*, run: str, names: Sequence[str], as_json: bool) -> int:
    """Publish held files of a run."""
    app = app_now()
    run_id, theirs = _ended(app, run)
    asked = {"release_of": run_id, "exports": sorted(names)}
    return _work_off(app, asked, lambda: files_to_release(theirs, run_id, names, attended()), as_json=as_json)


def _ended(app: "App", run: str | None) -> tuple[str, Runs]:
    """The id of an earlier run, and the runs of its deployment."""
    plan = run_named(app, run).plan
    return plan.run_id, replace(app.runs, deployment=plan.deployment)


def _work_off(app: "App", asked: Fields, choose: Choose, *, as_json: bool) -> int:
    """Start a run, work on it until it ends, and tell what became of it.

    Args:
        app: the parts.
        asked: what is asked for, as its claim keeps it.
        choose: chooses the exports, or held files to release.
        as_json: whether to tell it as JSON.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: what was asked for is wrong; nothing was touched.
        ExportError: the lake cannot be used.
    """
    request = ClaimRequest(
        "cli",
        app.runs.new_nonce(),
        app.settings.deployment,
        {name: value for name, value in asked.items() if value},
        date_asked=date.fromisoformat(asked["date"]) if asked.get("date") else None,
    )
    plan = claim_run(app.runs, request, choose, attended()).plan
    say(f"run {plan.run_id}: {', '.join(plan.names)}")
    for day in _past_days(app, plan):
        say(f"note: Pigment has no past: a file of {day} gets what Pigment holds now")
    receipts: dict[str, Fields] = {}
    stopped = False
    with Board(plan.names) as board:
        crew = Crew(partial(_deliver, app, plan), board, again=True)
        try:
            for name, outcome in crew.work(plan.names):
                if isinstance(outcome, ExportError):
                    receipts |= _settled(app, plan, {name: outcome.cause})
                else:
                    receipts[name] = outcome.to_fields()
                board.end(name, _ending(receipts[name]))
        except KeyboardInterrupt:
            stopped = True
            say("interrupted: ending the run (Ctrl-C again leaves it open; it then expires by itself)")
            crew.stop()
            receipts |= _settled(app, plan, {name: STOPPED for name in plan.names if name not in receipts})
    ordered = [receipts[name] for name in plan.names if name in receipts]
    if as_json:
        told = {"run_id": plan.run_id, "snapshot_date": plan.snapshot_date, "records": plan.folder.path}
        emit_json({**told, "exports": ordered})
    else:
        receipts_table(ordered, "seconds")
    if stopped:
        return INTERRUPTED
    return OK if all(receipt["state"] in GOOD for receipt in ordered) else FAILED


def _past_days(app: "App", plan: Plan) -> list[date]:
    """The dates of its files that lie before the day on which it was started."""
    zones = {(planned.snapshot_date or plan.snapshot_date, planned.export.zone) for planned in plan.exports}
    here = app.runs.time_zone
    return sorted({day for day, zone in zones if day < plan.claimed_at.astimezone(zone or here).date()})


def _deliver(app: "App", plan: Plan, name: str, deadline: "Deadline", progress: Progressed) -> Receipt:
    """Bring one export to its final receipt, or leave a `retrying` one and raise."""
    planned = plan.planned(name)
    if planned is None:
        raise KeyError(name)
    return deliver_export(app.runs, plan, planned, deadline, progress)


def _settled(app: "App", plan: Plan, causes: Mapping[str, Cause]) -> dict[str, Fields]:
    """Settle exports that are not tried again, and end the run if they were the last.

    Where the lake itself cannot be used, they have no record there, and stay open until the run expires.
    """
    deadline = attended()
    try:
        receipts = fail_exports(app.runs, plan, causes, deadline)
        finish_run(app.runs.records, plan, deadline)
    except ExportError as error:
        say(
            f"the run stays open in the lake until it expires, since its end could not be written: {error.cause.reason}"
        )
        return {name: {"name": name, "state": "failed", **cause.to_fields()} for name, cause in causes.items()}
    return {name: receipt.to_fields() for name, receipt in receipts.items()}


def _ending(receipt: Fields) -> str:
    if receipt["state"] in GOOD:
        seconds = f"{float(receipt['seconds']):,.1f}" if receipt.get("seconds") is not None else ""
        return (
            f"{receipt['state']}, {number(receipt.get('rows'))} rows, {number(receipt.get('bytes'))} bytes, {seconds} s"
        )
    return f"{receipt['state']}: {receipt.get('reason', '')}\n  {receipt.get('who', '')}: {receipt.get('remedy', '')}"
