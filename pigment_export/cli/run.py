"""`run`: a run that this process works on by itself, from its claim to its end."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from pigment_export.app.requests import read_day
from pigment_export.cli.board import Board
from pigment_export.cli.crew import Crew, attended
from pigment_export.cli.output import FAILED, INTERRUPTED, OK, emit_json, emit_table, number, say, seconds
from pigment_export.cli.parts import app_of
from pigment_export.cli.started import STOPPED, StartedRun, start_run
from pigment_export.errors import Cause, ExportError
from pigment_export.runs.plan import Plan

GOOD = ("succeeded", "superseded")

type Fields = Mapping[str, Any]


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--group", "groups", multiple=True, help="All enabled exports of a group; may be repeated.")
@click.option(
    "--date",
    "day",
    metavar="DATE",
    help="Snapshot date, or a timestamp on that day, not in the future; of a past one, a file that is missing is "
    "filled with what Pigment holds now.  [default: today in EXPORT_TIME_ZONE]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
def run(*, names: Sequence[str], groups: Sequence[str], day: str | None, as_json: bool) -> int:
    """Run exports of the catalog into the lake: the named ones, or all that are enabled.

    What fails for now is tried again every five minutes until it succeeds, the run expires or you interrupt it.
    """
    app = app_of(os.environ)
    try:
        date = None if day is None else str(read_day(day, app.settings.export_time_zone))
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--date") from exc
    asked = {"exports": sorted(names), "groups": sorted(groups), "date": date}
    started = start_run(app, asked, lambda: app.catalog(attended()).select(names, groups))
    return work_off(started, as_json=as_json)


def work_off(started: StartedRun, *, as_json: bool) -> int:
    """Work on a run until it ends, and tell what became of it.

    Args:
        started: the run.
        as_json: whether to print it as JSON.

    Returns:
        The exit code.
    """
    plan = started.plan
    say(f"run {plan.run_id}: {', '.join(plan.names)}")
    for day in started.past_days:
        say(f"note: Pigment has no past: a file of {day} gets what Pigment holds now")
    receipts: dict[str, Fields] = {}
    with Board(plan.names) as board:
        crew = Crew(started.deliver, board, again=True)
        try:
            for name, outcome in crew.work(plan.names):
                if isinstance(outcome, ExportError):
                    receipts |= _settled(started, {name: outcome.cause})
                else:
                    receipts[name] = outcome.to_fields()
                board.end(name, _ending(receipts[name]))
        except KeyboardInterrupt:
            say("interrupted: ending the run (Ctrl-C again leaves it open; it then expires by itself)")
            crew.stop()
            receipts |= _settled(started, {name: STOPPED for name in plan.names if name not in receipts})
            _tell(plan, receipts, as_json=as_json)
            return INTERRUPTED
    _tell(plan, receipts, as_json=as_json)
    return OK if all(receipt["state"] in GOOD for receipt in receipts.values()) else FAILED


def _settled(started: StartedRun, causes: Mapping[str, Cause]) -> dict[str, Fields]:
    """What exports came to that are not tried again; where the lake itself cannot be used, without a record there."""
    try:
        return {name: receipt.to_fields() for name, receipt in started.settle(causes).items()}
    except ExportError as error:
        say(
            f"the run stays open in the lake until it expires, since its end could not be written: {error.cause.reason}"
        )
        return {name: {"name": name, "state": "failed", **cause.to_fields()} for name, cause in causes.items()}


def _ending(receipt: Fields) -> str:
    if receipt["state"] in GOOD:
        moved = f"{number(receipt.get('rows'))} rows, {number(receipt.get('bytes'))} bytes"
        return f"{receipt['state']}, {moved}, {seconds(receipt.get('seconds'))} s"
    return f"{receipt['state']}: {receipt.get('reason', '')}\n  {receipt.get('who', '')}: {receipt.get('remedy', '')}"


def _tell(plan: Plan, receipts: Mapping[str, Fields], *, as_json: bool) -> None:
    ordered = [receipts[name] for name in plan.names if name in receipts]
    if as_json:
        emit_json(
            {
                "run_id": plan.run_id,
                "snapshot_date": plan.snapshot_date.isoformat(),
                "records": plan.folder.path,
                "exports": ordered,
            }
        )
        return
    rows = [
        [
            receipt["name"],
            receipt["state"],
            number(receipt.get("rows")),
            number(receipt.get("bytes")),
            seconds(receipt.get("seconds")),
            receipt.get("path", ""),
        ]
        for receipt in ordered
    ]
    emit_table(("export", "state", "rows", "bytes", "seconds", "path"), rows, right=("rows", "bytes", "seconds"))
