"""Runs as callers and people are told of them, from what a listing of their records shows."""

from pigment_export.app.schemas import FailedExport, Run
from pigment_export.delivery.receipt import ReceiptSummary, State, count_states
from pigment_export.lake.paths import claimed_at
from pigment_export.runs.follow import RunListing
from pigment_export.runs.plan import PlanSummary

MOST_FAILED = 100  # in one answer: callers cap its size, and `result.json` has them all
MOST_FAILED_LISTED = 5  # for each run of a list


def run_view(
    summary: PlanSummary,
    listing: RunListing,
    base_url: str,
    *,
    most_failed: int = MOST_FAILED,
    result: str | None = None,
) -> Run:
    """Return a run as callers are told of it.

    Args:
        summary: of its plan.
        listing: what its records show.
        base_url: origin that `location` names.
        most_failed: how many exports are told that have not succeeded.
        result: path of its result, once it has ended.
    """
    receipts = listing.receipts
    bad = [failed_export(name, receipt, listing) for name, receipt in receipts.items() if not receipt.state.good]
    retrying = tuple(export for export in bad if export.state == State.RETRYING)
    failed = tuple(export for export in bad if export.state != State.RETRYING)
    has_ended = listing.state != "running"
    return Run(
        run_id=summary.run_id,
        state=listing.state,
        snapshot_date=summary.snapshot_date,
        trigger=summary.trigger,
        asked_by=summary.asked_by,
        claimed_at=claimed_at(summary.run_id),
        expires_at=summary.expires_at,
        ended_at=listing.ended_at,
        of=summary.exports,
        done=summary.exports if has_ended else sum(receipt.state.final for receipt in receipts.values()),
        counts=count_states(receipt.state for receipt in receipts.values()),
        location=f"{base_url}/api/runs/{summary.run_id}",
        retrying=retrying[:most_failed] or None,
        failed=failed[:most_failed] or None,
        result=result if has_ended else None,
    )


def failed_export(name: str, receipt: ReceiptSummary, listing: RunListing) -> FailedExport:
    """Return an export that has not succeeded, with everything that a person needs to act on it.

    Args:
        name: the export's.
        receipt: what it says.
        listing: of its run.
    """
    return FailedExport(
        name=name,
        state=receipt.state,
        code=receipt.code,
        reason=receipt.reason,
        who=receipt.who,
        remedy=receipt.remedy,
        owner=receipt.owner,
        path=receipt.path if receipt.state is State.HELD else None,
        started_at=receipt.started_at or claimed_at(listing.run_id),
        ended_at=receipt.ended_at if receipt.state.final else None,
    )
