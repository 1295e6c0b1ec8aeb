"""Start a run that this process works on by itself: the command line is its own host."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pigment_export import wiring
from pigment_export.delivery.receipt import Receipt
from pigment_export.errors import Cause, Who
from pigment_export.retry import CALL_SECONDS, Deadline
from pigment_export.runs.claim import ClaimRequest, claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import Plan, PlannedExport
from pigment_export.runs.work import deliver_export, fail_exports
from pigment_export.transfer.stream import Progress

INTERRUPTED = Cause(
    "interrupted",
    "the run was interrupted by the person who had started it",
    Who.NOBODY,
    "start a new run when you are ready",
)


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that this process works on by itself."""

    runs: Runs
    plan: Plan

    def deliver(self, name: str, progress: Callable[[Progress], None]) -> Receipt:
        """Bring one export to its final receipt, or leave a `retrying` one and raise."""
        return deliver_export(self.runs, self.plan, self._planned(name), Deadline(CALL_SECONDS), progress)

    def interrupt(self, name: str) -> Receipt:
        """Settle one export that will not be tried again."""
        deadline = Deadline(CALL_SECONDS)
        receipt = fail_exports(self.runs, self.plan, {name: INTERRUPTED}, deadline)[name]
        finish_run(self.runs.records, self.plan, deadline)
        return receipt

    def _planned(self, name: str) -> PlannedExport:
        planned = self.plan.planned(name)
        if planned is None:
            raise KeyError(name)
        return planned


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
    app = wiring.app_of(environ)
    deadline = Deadline(CALL_SECONDS)
    request = {"exports": sorted(names), "groups": sorted(groups), "date": day and day.isoformat()}
    asked = ClaimRequest("cli", wiring.new_nonce(), app.settings.deployment, request, date_asked=day)
    claimed = claim_run(app.runs, asked, lambda: app.catalog(deadline).select(names, groups), deadline)
    return StartedRun(app.runs, claimed.plan)
