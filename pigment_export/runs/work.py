"""Work on the exports of a run: deliver one, or fail some without asking Pigment.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Callable, Mapping

from pigment_export.delivery.deliver import deliver
from pigment_export.delivery.receipt import Receipt
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.delivery.release import release
from pigment_export.errors import Cause
from pigment_export.retry import Deadline
from pigment_export.runs.cancel import cancellation_of, stopping
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import Plan, PlannedExport
from pigment_export.transfer.stream import Progress


def deliver_export(
    runs: Runs,
    plan: Plan,
    planned: PlannedExport,
    deadline: Deadline,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Receipt:
    """Bring one export of a run to a final receipt, then the run to its end if this was the last.

    It is fetched, or, in a run that releases, its held file is published; in a run that was cancelled it fails.

    Args:
        runs: of this deployment.
        plan: the run.
        planned: the export.
        deadline: of this call.
        progress: told how far the transfer is.

    Returns:
        The receipt that stands.
    """
    reconciler = _reconciler(runs, plan, planned, deadline)
    if cancellation := cancellation_of(runs, plan, deadline):
        receipt = fail_exports(runs, plan, {planned.export.name: cancellation.cause}, deadline)[planned.export.name]
    elif planned.held:
        receipt = release(reconciler, planned.held, runs.new_nonce)
    else:
        listener = stopping(runs, plan, deadline, progress)
        receipt = deliver(reconciler, fetch=runs.fetch, new_nonce=runs.new_nonce, progress=listener)
    finish_run(runs.records, plan, deadline)
    return receipt


def fail_exports(runs: Runs, plan: Plan, causes: Mapping[str, Cause], deadline: Deadline) -> dict[str, Receipt]:
    """Bring exports of a run to a final receipt without asking Pigment; each tells the reason of its last try, too.

    Args:
        runs: of this deployment.
        plan: the run.
        causes: why each fails, by its name; if the file of this run is there all the same, its receipt says succeeded.
        deadline: of this call.

    Returns:
        The receipts that stand, by name.
    """
    return {
        planned.export.name: _reconciler(runs, plan, planned, deadline).record_failed(
            causes[planned.export.name], is_abandoned=True
        )
        for planned in plan.exports
        if planned.export.name in causes
    }


def last_receipt(runs: Runs, plan: Plan, planned: PlannedExport, deadline: Deadline) -> Receipt | None:
    """Return the receipt of an export as it stands, or None if there is none that can be read."""
    return _reconciler(runs, plan, planned, deadline).receipt()


def _reconciler(runs: Runs, plan: Plan, planned: PlannedExport, deadline: Deadline) -> Reconciler:
    return Reconciler(runs.files, runs.records, plan.task(planned), deadline)
