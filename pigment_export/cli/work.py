"""A run in this process alone, from its claim to its end."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pigment_export.app.parts import App
from pigment_export.cli.crew import Crew
from pigment_export.cli.output import FAILED, INTERRUPTED, OK, emit_json, number, say
from pigment_export.cli.parts import attended
from pigment_export.cli.table import emit_table
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.errors import Cause, ErrorRow, ExportError, PermanentError, Who
from pigment_export.retry import Deadline
from pigment_export.runs.claim import Choose, claim_run
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.work import deliver_export, fail_exports
from pigment_export.transfer.stream import Listen

STOPPED = ErrorRow(
    "interrupted",
    PermanentError,
    Who.CALLER,
    "start a new run when you are ready",
    what="the run was interrupted by the person who started it",
).cause()

type Fields = Mapping[str, Any]


def run_to_end(app: App, asked: Fields, choose: Choose, *, as_json: bool) -> int:
    """Start a run, work on it until it ends, and print the outcome.

    Args:
        app: the parts.
        asked: the request, as the claim stores it.
        choose: chooses the exports, or held files to release.
        as_json: whether to print JSON.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: the request is wrong. Nothing was changed.
        ExportError: the lake cannot be used.
    """
    kept = {name: value for name, value in asked.items() if value}
    day = date.fromisoformat(kept["date"]) if "date" in kept else None
    request = ClaimRequest("cli", app.runs.new_nonce(), app.settings.deployment, kept, date_asked=day)
    plan = claim_run(app.runs, request, choose).plan
    say(f"run {plan.run_id}: {', '.join(plan.names)}")
    for day in _past_days(app, plan):
        say(f"note: Pigment cannot export the past: the file for {day} gets today's data")

    def deliver(name: str, deadline: Deadline, progress: Listen) -> Receipt:
        (planned,) = (planned for planned in plan.exports if planned.export.name == name)
        return deliver_export(app.runs.within(deadline), plan, planned, progress)

    receipts: dict[str, Fields] = {}
    stopped = False
    crew = Crew(plan.names, deliver, again=True)
    with crew.board.live:
        try:
            for name, outcome in crew.work():
                if isinstance(outcome, ExportError):
                    receipts |= _settled(app, plan, {name: outcome.cause})
                else:
                    receipts[name] = outcome.to_fields()
                crew.board.end(name, _ending(receipts[name]))
        except KeyboardInterrupt:
            stopped = True
            say("interrupted: ending the run (press Ctrl-C again to leave it open until it expires)")
            crew.stop()
            receipts |= _settled(app, plan, {name: STOPPED for name in plan.names if name not in receipts})
    ordered = [receipts[name] for name in plan.names if name in receipts]
    if as_json:
        told = {"run_id": plan.run_id, "snapshot_date": plan.snapshot_date, "records": plan.folder.path}
        emit_json({**told, "exports": ordered})
    else:
        emit_table(ordered, ("export", "state", "rows", "bytes", "seconds", "path"), export="name")
    if stopped:
        return INTERRUPTED
    return OK if all(State(receipt["state"]).good for receipt in ordered) else FAILED


def _past_days(app: App, plan: Plan) -> list[date]:
    """Return the dates of its files that are before the day on which it was started."""
    zones = {(planned.snapshot_date or plan.snapshot_date, planned.export.zone) for planned in plan.exports}
    here = app.runs.time_zone
    return sorted({day for day, zone in zones if day < plan.claimed_at.astimezone(zone or here).date()})


def _settled(app: App, plan: Plan, causes: Mapping[str, Cause]) -> dict[str, Fields]:
    """Settle exports that are not retried, and end the run if they were the last.

    If the lake itself cannot be used, they have no record there, and stay open until the run expires.
    """
    try:
        receipts = fail_exports(app.runs.within(attended()), plan, causes)
    except ExportError as error:
        reason = error.cause.reason
        say(f"the run stays open in the lake until it expires, because its result could not be written: {reason}")
        return {name: {"name": name, "state": "failed", **cause.to_fields()} for name, cause in causes.items()}
    return {name: receipt.to_fields() for name, receipt in receipts.items()}


def _ending(receipt: Fields) -> str:
    if State(receipt["state"]).good:
        moved = f"{number(receipt.get('rows'))} rows, {number(receipt.get('bytes'))} bytes"
        return f"{receipt['state']}, {moved}, {number(receipt.get('seconds'), 1)} s"
    return f"{receipt['state']}: {receipt.get('reason', '')}\n  {receipt.get('who', '')}: {receipt.get('remedy', '')}"
