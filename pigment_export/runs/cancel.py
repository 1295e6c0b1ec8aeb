"""Cancellation of a run: a record in its folder, which its workers check before and during each export.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import logging

from pigment_export.errors import Cause, ConflictError, ErrorRow, PermanentError, Who
from pigment_export.events import Event, log
from pigment_export.lake.records import Instant, Record
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import RunListing, progress_of
from pigment_export.runs.plan import Plan
from pigment_export.transfer.stream import Listen, Progress

CHECK_SECONDS = 10.0  # between two checks during a download: a chunk takes less, and each check is a request

CANCELLED = ErrorRow(
    "cancelled",
    PermanentError,
    Who.CALLER,
    "start a new run, or retry this one (retry_of)",
    what="the run was cancelled",
)


class Cancellation(Record):
    """`cancel.json`: a run is to stop, and who cancelled it."""

    asked_by: str = "an unreadable cancel.json"
    """Who cancelled it."""
    asked_at: Instant | None = None
    """When, by the lake's clock."""

    @property
    def cause(self) -> Cause:
        """The cause in receipts."""
        return CANCELLED.cause(f"by {self.asked_by}" + (f" at {self.asked_at.isoformat()}" if self.asked_at else ""))


def cancel_run(runs: Runs, run_id: str, asked_by: str) -> tuple[Plan, RunListing] | None:
    """Cancel a run of this deployment; a run that has ended or is already cancelled does not change.

    Workers settle its exports as their messages come: most at once, those that wait for a retry at that retry.

    Returns:
        How far the run is; None if this deployment has no such run.

    Raises:
        PermanentError: its records are not in this app's format.
        ExportError: the lake cannot be used.
    """
    progress = progress_of(runs, run_id)
    if progress is None or progress[1].result is not None:
        return progress
    plan, _ = progress
    record = Cancellation(asked_by=asked_by, asked_at=runs.lake.now())
    try:
        runs.deadline.retry(lambda: runs.lake.write(plan.folder.cancel, record.to_json(), {}, replacing=None))
    except ConflictError:
        return progress  # already cancelled, possibly by this call, whose first answer was lost
    log(Event.RUN_CANCELLED, level=logging.WARNING, run_id=run_id, deployment=runs.deployment, asked_by=asked_by)
    return progress


def cancellation_of(runs: Runs, plan: Plan) -> Cancellation | None:
    """Return who has cancelled a run, or None."""
    found = runs.lake.read(plan.folder.cancel)
    return None if found.etag is None else Cancellation.found_in(found.data) or Cancellation()


def stopping(runs: Runs, plan: Plan, progress: Listen) -> Listen:
    """Return a listener that stops a transfer once its run is cancelled."""
    looked_at = runs.deadline.remaining_seconds

    def listen(reached: Progress) -> None:
        nonlocal looked_at
        progress(reached)
        if looked_at - runs.deadline.remaining_seconds < CHECK_SECONDS:
            return
        looked_at = runs.deadline.remaining_seconds
        if cancellation := cancellation_of(runs, plan):
            raise PermanentError(cancellation.cause)

    return listen
