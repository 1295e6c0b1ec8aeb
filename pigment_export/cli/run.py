"""`run`: start a run that this process works on by itself, since the command line is its own host."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import click

from pigment_export import wiring
from pigment_export.cli.board import Board
from pigment_export.cli.crew import Crew, attended
from pigment_export.cli.output import (
    FAILED,
    INTERRUPTED,
    OK,
    emit_json,
    emit_table,
    number,
    say,
    seconds,
)
from pigment_export.cli.parts import app_of
from pigment_export.delivery.receipt import Receipt
from pigment_export.errors import Cause, ExportError, Who
from pigment_export.retry import Deadline
from pigment_export.runs.claim import claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.work import deliver_export, fail_exports
from pigment_export.transfer.stream import Progress

STOPPED = Cause(
    "interrupted",
    "the run was interrupted by the person who had started it",
    Who.CALLER,
    "start a new run when you are ready",
)
GOOD = ("succeeded", "superseded")

type Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that this process works on by itself."""

    runs: Runs
    plan: Plan

    @property
    def is_of_the_past(self) -> bool:
        """Whether its files get a date before the day on which it was started."""
        return self.plan.snapshot_date < self.plan.claimed_at.astimezone(self.runs.time_zone).date()

    def deliver(self, name: str, deadline: Deadline, progress: Callable[[Progress], None]) -> Receipt:
        """Bring one export to its final receipt, or leave a `retrying` one and raise."""
        planned = self.plan.planned(name)
        if planned is None:
            raise KeyError(name)
        return deliver_export(self.runs, self.plan, planned, deadline, progress)

    def interrupt(self, names: Sequence[str]) -> dict[str, Receipt]:
        """Settle exports that will not be tried again, and end the run with them."""
        deadline = attended()
        receipts = fail_exports(self.runs, self.plan, dict.fromkeys(names, STOPPED), deadline)
        finish_run(self.runs.records, self.plan, deadline)
        return receipts


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--group", "groups", multiple=True, help="All enabled exports of a group; may be repeated.")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Snapshot date, not in the future; of a past one, a file that is missing is filled with what Pigment holds "
    "now.  [default: today in EXPORT_TIME_ZONE]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
def run(*, names: Sequence[str], groups: Sequence[str], day: Any, as_json: bool) -> int:
    """Run exports of the catalog into the lake: the named ones, or all that are enabled.

    What fails for now is tried again every five minutes until it succeeds, the run expires or you interrupt it.
    """
    return work_off(start_run(os.environ, names=names, groups=groups, day=day and day.date()), as_json=as_json)


def start_run(
    environ: Mapping[str, str], *, names: Sequence[str], groups: Sequence[str], day: date | None
) -> StartedRun:
    """Start a run of the catalog on the configured lake.

    Args:
        environ: the environment.
        names: exports; with no names and no groups, all that are enabled.
        groups: groups of exports.
        day: the snapshot date that was asked for.

    Returns:
        The run, whose plan is in the lake.

    Raises:
        ConfigurationError: settings, catalog or what was asked for are wrong; nothing was touched.
        ExportError: the lake cannot be used.
    """
    app = app_of(environ)
    deadline = attended()
    request = {"exports": sorted(names), "groups": sorted(groups), "date": day and day.isoformat()}
    asked = ClaimRequest("cli", wiring.new_nonce(), app.settings.deployment, request, date_asked=day)
    claimed = claim_run(app.runs, asked, lambda: app.catalog(deadline).select(names, groups), deadline)
    return StartedRun(app.runs, claimed.plan)


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
    if started.is_of_the_past:
        say(f"note: Pigment has no past: a file of {plan.snapshot_date} gets what Pigment holds now")
    receipts: dict[str, Fields] = {}
    with Board(plan.names) as board:
        crew = Crew(started.deliver, board, again=True)
        try:
            for name, outcome in crew.work(plan.names):
                receipts[name] = _receipt(name, outcome)
                board.end(name, _ending(receipts[name]))
        except KeyboardInterrupt:
            say("interrupted: ending the run (Ctrl-C again leaves it open; it then expires by itself)")
            crew.stop()
            left = [name for name in plan.names if name not in receipts]
            receipts |= {name: receipt.to_fields() for name, receipt in started.interrupt(left).items()}
            _tell(plan, receipts, as_json=as_json)
            return INTERRUPTED
    _tell(plan, receipts, as_json=as_json)
    return OK if all(receipt["state"] in GOOD for receipt in receipts.values()) else FAILED


def _receipt(name: str, outcome: Receipt | ExportError) -> Fields:
    """What an export came to; where the lake itself cannot be used, without a record there."""
    if isinstance(outcome, ExportError):
        return {"name": name, "state": "failed", **outcome.cause.to_fields()}
    return outcome.to_fields()


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
    emit_receipts(ordered)


def emit_receipts(receipts: Sequence[Fields]) -> None:
    """Write receipts as a table.

    Args:
        receipts: fields of each.
    """
    rows = [
        [
            receipt["name"],
            receipt["state"],
            number(receipt.get("rows")),
            number(receipt.get("bytes")),
            seconds(receipt.get("seconds")),
            receipt.get("path", ""),
        ]
        for receipt in receipts
    ]
    emit_table(("export", "state", "rows", "bytes", "seconds", "path"), rows, right=("rows", "bytes", "seconds"))
