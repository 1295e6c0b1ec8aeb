"""What delivery does next, decided purely from what was seen. No request is made here.

The destination is the truth: whether a file is there, whose it is and when it was fetched decide everything. Newer
and older mean `fetched_at`; of two fetches of the same second, the first stays.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from pigment_export.delivery.description import Description
from pigment_export.delivery.receipt import Standing
from pigment_export.delivery.task import Task
from pigment_export.errors import Cause, Who
from pigment_export.lake.interface import Found


class Next(Enum):
    """What to do next."""

    FETCH = auto()  # ask Pigment
    RENAME = auto()  # publish what was staged
    HOLD = auto()  # keep it aside
    SUPERSEDED = auto()  # a newer file is there
    RECORD = auto()  # this run's file is there: make the records say so
    END = auto()  # the receipt is final: see whether the run has ended
    FAIL = auto()  # nothing of this run will be there


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next, and for `FAIL` why."""

    next: Next
    cause: Cause | None = None


def before_fetch(task: Task, found: Found, standing: Standing | None) -> Decision:
    """Decide from the destination and the receipt whether Pigment is to be asked.

    Args:
        task: the export of the run.
        found: what is at the destination now.
        standing: the receipt, if there is one.

    Returns:
        `RECORD`, `END`, `FAIL` or `FETCH`.
    """
    if is_ours(found, task):
        return Decision(Next.RECORD)
    if standing is not None and standing.state.final:
        return Decision(Next.END)
    if found.now >= task.expires_at:
        return Decision(Next.FAIL, expired(task.expires_at, standing.cause if standing else None))
    obstacle = _obstacle(task, found, fetched_at=found.now)
    return Decision(Next.FAIL, obstacle) if obstacle else Decision(Next.FETCH)


def before_publish(task: Task, found: Found, mine: Description, *, is_held: bool) -> Decision:
    """Decide from the destination whether a whole file takes its place.

    Args:
        task: the export of the run.
        found: what is at the destination now.
        mine: what the staged file says of itself.
        is_held: whether a guard spoke against it.

    Returns:
        `RECORD`, `FAIL`, `SUPERSEDED`, `HOLD` or `RENAME`.
    """
    if is_ours(found, task):
        return Decision(Next.RECORD)
    obstacle = _obstacle(task, found, fetched_at=mine.fetched_at)
    if obstacle:
        return Decision(Next.FAIL, obstacle)
    theirs = Description.from_metadata(found.metadata)
    if theirs is not None and theirs.fetched_at >= mine.fetched_at:
        return Decision(Next.SUPERSEDED)
    return Decision(Next.HOLD if is_held else Next.RENAME)


def is_ours(found: Found, task: Task) -> bool:
    """Whether the file that was found is this run's, whichever try of it."""
    theirs = Description.from_metadata(found.metadata)
    return theirs is not None and theirs.run_id == task.run_id


def _obstacle(task: Task, found: Found, *, fetched_at: datetime) -> Cause | None:
    """Why what is there may not be replaced; None where nothing is, or where it may."""
    if found.etag is None:
        return None
    path = task.destination.path
    if Description.from_metadata(found.metadata) is None:
        return Cause(
            "destination_not_ours",
            f"{path} was not written by this app, and is never replaced by it",
            Who.ADMINISTRATOR,
            "move it out of the way, or give the exports another EXPORT_PATH; then run the export again",
        )
    if task.may_replace(fetched_at):
        return None
    if not task.destination.replaces:
        return Cause(
            "destination_taken",
            f"{path} is another run's, and EXPORT_PATH keeps every snapshot",
            Who.ADMINISTRATOR,
            "run the export again, or put {run_id} into EXPORT_PATH: two runs began in the same second",
        )
    return Cause(
        "day_is_over",
        f"{path} stands for {task.snapshot_date}, which is over: what Pigment holds now may not replace it",
        Who.EXPORT_OWNER,
        "keep the file; to export what Pigment holds now, run without a date",
    )


def expired(expires_at: datetime, last: Cause | None) -> Cause:
    """Return why an export of an expired run failed, with the reason of its last try where there is one.

    Args:
        expires_at: when the run expired.
        last: why the last try failed, as the receipt says.
    """
    reason = f"the run expired at {expires_at.isoformat()} before this export succeeded"
    if last is None:
        return Cause(
            "run_expired", reason, Who.ADMINISTRATOR, "see what kept it (the events of this run), then run again"
        )
    return Cause(
        "run_expired", f"{reason}. The last try failed: {last.reason}", last.who, f"{last.remedy}; then run again"
    )
