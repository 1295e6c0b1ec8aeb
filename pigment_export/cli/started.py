"""A run that this process works on by itself: the command line is its own host."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pigment_export.cli.crew import Progressed, attended
from pigment_export.delivery.receipt import Receipt
from pigment_export.errors import Cause, ErrorRow, PermanentError, Who
from pigment_export.runs.claim import claim_run
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.work import deliver_export, fail_exports

if TYPE_CHECKING:
    from pigment_export.app.parts import App
    from pigment_export.catalog.exports import Export
    from pigment_export.retry import Deadline
    from pigment_export.runs.plan import Released

type Chosen = "Sequence[Export] | Released"

STOPPED = ErrorRow(
    "interrupted",
    PermanentError,
    "the run was interrupted by the person who had started it",
    Who.CALLER,
    "start a new run when you are ready",
).cause()


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that this process works on by itself."""

    app: "App"
    plan: Plan

    @property
    def past_days(self) -> list[date]:
        """The dates of its files that lie before the day on which it was started."""
        zone = self.app.runs.time_zone
        days = {
            (planned.snapshot_date or self.plan.snapshot_date, planned.export.zone or zone)
            for planned in self.plan.exports
        }
        return sorted({day for day, zone in days if day < self.plan.claimed_at.astimezone(zone).date()})

    def deliver(self, name: str, deadline: "Deadline", progress: Progressed) -> Receipt:
        """Bring one export to its final receipt, or leave a `retrying` one and raise."""
        planned = self.plan.planned(name)
        if planned is None:
            raise KeyError(name)
        return deliver_export(self.app.runs, self.plan, planned, deadline, progress)

    def settle(self, causes: Mapping[str, Cause]) -> dict[str, Receipt]:
        """Settle exports that will not be tried again, by name, and end the run if they were the last.

        Raises:
            ExportError: the lake cannot be used: they stay open until the run expires.
        """
        deadline = attended()
        receipts = fail_exports(self.app.runs, self.plan, causes, deadline)
        finish_run(self.app.runs.records, self.plan, deadline)
        return receipts


def start_run(app: "App", asked: Mapping[str, Any], choose: Callable[[], Chosen]) -> StartedRun:
    """Start a run on the configured lake.

    Args:
        app: the parts.
        asked: what is asked for, as its claim keeps it.
        choose: chooses the exports, or held files to release.

    Returns:
        The run, whose plan is in the lake.

    Raises:
        ConfigurationError: what was asked for is wrong; nothing was touched.
        ExportError: the lake cannot be used.
    """
    day = asked.get("date")
    request = ClaimRequest(
        "cli",
        app.runs.new_nonce(),
        app.settings.deployment,
        {name: value for name, value in asked.items() if value},
        date_asked=date.fromisoformat(day) if day else None,
    )
    return StartedRun(app, claim_run(app.runs, request, choose, attended()).plan)
