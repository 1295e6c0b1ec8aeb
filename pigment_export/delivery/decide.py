"""The decisions of a delivery: its next step, from what was seen. Pure: no request is made here.

The destination is the truth: everything depends on whether a file is there, which run wrote it, and when it was
fetched. Newer and older refer to `fetched_at`; of two fetches in the same second, the first stays. Each decision has
the data that its execution needs.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.task import Task
from pigment_export.errors import Cause, ErrorRow, PermanentError, RetryableError, Who
from pigment_export.retry import FUNCTION_TIMEOUT_SECONDS

LONGEST_CALL = timedelta(seconds=FUNCTION_TIMEOUT_SECONDS)  # from the look before a fetch until its file is published

# fmt: off
# A table: the head of each row stands on one line.
NOT_OURS = ErrorRow("destination_not_ours", PermanentError, Who.ADMINISTRATOR,
    "move the file away, or change EXPORT_PATH; then run the export again")
TAKEN = ErrorRow("destination_taken", PermanentError, Who.ADMINISTRATOR,
    "run the export again, or put {run_id} into EXPORT_PATH: two runs started in the same second")
DAY_IS_OVER = ErrorRow("day_is_over", PermanentError, Who.EXPORT_OWNER,
    "keep the file; to export Pigment's current data, run without a date")
EXPIRED = ErrorRow("run_expired", PermanentError, Who.ADMINISTRATOR,
    "check this run's events for what delayed it, then start a new run")
OUTLIVED = ErrorRow("call_outlived", RetryableError, Who.NO_ACTION,
    "if it happens often, keep the machine awake during a run")
# fmt: on


@dataclass(frozen=True, slots=True)
class Reject:
    """Publish nothing.

    Attributes:
        state: `FAILED`; `HELD`: the file is kept aside for a person to decide; or `RETRYING`: the file is dropped, and
            a later call fetches it again.
        cause: why.
    """

    state: State
    cause: Cause


@dataclass(frozen=True, slots=True)
class RecordFile:
    """Record the file at the destination: this run's, or a newer one that supersedes it.

    Attributes:
        state: `SUCCEEDED` or `SUPERSEDED`.
        file: its description.
        etag: its ETag.
    """

    state: State
    file: FileDescription
    etag: str

    @classmethod
    def of(cls, task: Task, there: Occupant) -> Self | None:
        """Return the decision if this run's file is at the destination, otherwise None."""
        if there.file is None or there.etag is None or not there.is_of(task.run_id):
            return None
        return cls(State.SUCCEEDED, there.file, there.etag)


@dataclass(frozen=True, slots=True)
class Proceed:
    """Continue: ask Pigment or, with a complete file, rename it to its destination.

    Attributes:
        replacing: ETag of the file at the destination; None if there is none.
    """

    replacing: str | None


type Decision = RecordFile | Reject | Proceed


def before_fetch(
    task: Task, there: Occupant, receipt: Receipt | None, *, fetched_at: datetime | None = None
) -> Decision | Receipt:
    """Decide whether to ask Pigment; a final receipt stays.

    Args:
        task: the export of the run.
        there: what is at the destination now.
        receipt: the export's, if there is one.
        fetched_at: of a file to release; None to ask Pigment now.
    """
    if ours := RecordFile.of(task, there):
        return ours
    if receipt is not None and receipt.state.final:
        return receipt
    if there.now >= task.expires_at:
        return Reject(State.FAILED, abandoned(expired(task.expires_at), receipt.cause if receipt else None))
    if obstacle := _obstacle(task, there, fetched_at or there.now):
        return Reject(State.FAILED, obstacle)
    return Proceed(there.etag)


def before_publish(
    task: Task, there: Occupant, mine: FileDescription, objection: Cause | None, *, is_fresh: bool = True
) -> Decision:
    """Decide whether to publish a complete file.

    Args:
        task: the export of the run.
        there: what is at the destination now.
        mine: description of the staged or held file.
        objection: why a guard rejects it, if one does.
        is_fresh: whether this call fetched it; False for a released file.
    """
    if ours := RecordFile.of(task, there):
        return ours
    if is_fresh and there.now - mine.fetched_at > LONGEST_CALL:
        # Monotonic clocks stop while a machine sleeps: later data would be published with the earlier `fetched_at`.
        reason = f"the app asked Pigment at {mine.fetched_at.isoformat()}, and by the lake's clock it is now "
        cause = OUTLIVED.cause(f"{reason}{there.now.isoformat()}: the machine slept in between")
        return Reject(State.RETRYING, cause)
    if obstacle := _obstacle(task, there, mine.fetched_at):
        return Reject(State.FAILED, obstacle)
    if there.file is not None and there.etag is not None and there.file.fetched_at >= mine.fetched_at:
        return RecordFile(State.SUPERSEDED, there.file, there.etag)
    return Reject(State.HELD, objection) if objection else Proceed(there.etag)


def _obstacle(task: Task, there: Occupant, fetched_at: datetime) -> Cause | None:
    """Return why the existing file must not be replaced; None if it may be, or there is none."""
    if there.etag is None:
        return None
    path = task.destination.path
    if there.file is None:
        return NOT_OURS.cause(f"this app did not write {path}, and never replaces such a file")
    if task.may_replace(fetched_at):
        return None
    if not task.destination.replaces:
        return TAKEN.cause(f"another run wrote {path}, and EXPORT_PATH keeps every snapshot")
    return DAY_IS_OVER.cause(
        f"{path} is the file of {task.snapshot_date}, which is over: Pigment's current data must not replace it"
    )


def expired(expires_at: datetime) -> Cause:
    """Return why an export of an expired run failed."""
    return EXPIRED.cause(f"the run expired at {expires_at.isoformat()} before this export succeeded")


def abandoned(cause: Cause, last: Cause | None) -> Cause:
    """Return why an export that is not retried failed, with the reason of its last attempt.

    Args:
        cause: why it is not retried.
        last: why the last attempt failed, from the `retrying` receipt; None if there is none.
    """
    if last is None:
        return cause
    reason = f"{cause.reason}. The last attempt failed: {last.reason} [{last.code}]"
    who = cause.who if last.who is Who.NO_ACTION else last.who
    return replace(cause, reason=reason, who=who, remedy=f"{last.remedy}; then run the export again")
