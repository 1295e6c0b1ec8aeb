"""The delivery of one export of one run: from a look at the destination to a receipt that agrees with it.

The destination is the truth and describes itself; the rename's condition is the only lock. A worker owns only its
staged file. `decide` chooses the next step, `deliver` does it, and `Reconciler` reconciles the records.
`docs/delivery.md` says why each step is safe at every kill and in every interleaving.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime

from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import FileDescription, Latest, Occupant
from pigment_export.delivery.guards import HEADER_CHANGED, MOST_NAMES, Verdict, judge
from pigment_export.delivery.publish import publish
from pigment_export.delivery.receipt import Receipt
from pigment_export.delivery.reconcile import Reconciler, settled
from pigment_export.delivery.stage import UnpublishedFile
from pigment_export.delivery.task import Task
from pigment_export.events import Event, log
from pigment_export.retry import Deadline
from pigment_export.transfer.inspector import Inspection
from pigment_export.transfer.stream import Listen, Source, Transferred, stopwatch, transfer

type Fetch = Callable[[Export, Deadline], AbstractContextManager[Source]]


def deliver(
    reconciler: Reconciler, *, fetch: Fetch, new_nonce: Callable[[], str], progress: Listen = lambda _: None
) -> Receipt:
    """Fetch an export, publish its file, and bring its receipt to a final state.

    Args:
        reconciler: of the export.
        fetch: opens the body of an export; called again for every attempt.
        new_nonce: returns 16 random hexadecimal digits.
        progress: called with the progress of the transfer.

    Returns:
        The current receipt: this call's, or a better one.

    Raises:
        RetryableError: the export has no final receipt; a `retrying` receipt says why, if the lake accepts it.
    """

    def fetched_and_published() -> Receipt:
        came = _fetched(reconciler, fetch, new_nonce, progress)
        if isinstance(came, Receipt):
            return came
        file, moved, there = came
        with file:
            verdict = _judged(reconciler.task, moved.inspection, reconciler.latest(), there.file)
            mine = _described(reconciler.task, moved, file.nonce, there.now, verdict.notes)
            file.describe(mine)
            return publish(reconciler, file, mine, moved.inspection.columns, objection=verdict.objection)

    return settled(reconciler, fetched_and_published)


def _fetched(
    reconciler: Reconciler, fetch: Fetch, new_nonce: Callable[[], str], progress: Listen
) -> tuple[UnpublishedFile, Transferred, Occupant] | Receipt:
    """Fetch the export, complete and proven; return the current receipt if there is nothing to fetch.

    Pigment is asked again only if Pigment itself was the reason. With the staged file, the result has what was at the
    destination before the request.
    """
    task, deadline = reconciler.task, reconciler.deadline
    for attempt in deadline.attempts():
        with attempt, ExitStack() as stack:
            begun = reconciler.begin()
            if isinstance(begun, Receipt):
                return begun
            there = begun
            file = stack.enter_context(UnpublishedFile(reconciler, new_nonce))
            elapsed = stopwatch()
            with fetch(task.export, deadline) as source:
                moved = transfer(source, file, gzip=task.export.gzip, progress=progress, elapsed=elapsed)
            stack.pop_all()  # from here on the file is kept while the lake is retried
    return file, moved, there


def _judged(task: Task, came: Inspection, latest: Latest | None, there: FileDescription | None) -> Verdict:
    """Ask the guards, and log what is not a failure but should be seen."""
    verdict = judge(task.export, came, latest, there)
    subject = {"run_id": task.run_id, "name": task.export.name, "owner": task.export.owner}
    if HEADER_CHANGED in verdict.notes:
        log(
            Event.HEADER_CHANGED,
            level=logging.WARNING,
            **subject,
            added=verdict.added[:MOST_NAMES],
            removed=verdict.removed[:MOST_NAMES],
            is_held=verdict.objection is not None,
        )
    if latest is None and there is None and came.rows == 0:
        log(Event.FIRST_FILE_EMPTY, level=logging.WARNING, **subject, columns=came.columns[:MOST_NAMES])
    return verdict


def _described(
    task: Task, moved: Transferred, nonce: str, fetched_at: datetime, notes: tuple[str, ...]
) -> FileDescription:
    """Return the description of the file."""
    content, is_gzip = moved.inspection, task.export.gzip
    return FileDescription(
        run_id=task.run_id,
        nonce=nonce,
        fetched_at=fetched_at,
        snapshot_date=task.snapshot_date,
        deployment=task.deployment,
        rows=content.rows,
        number_of_columns=len(content.columns),
        bytes=moved.bytes,
        sha256=moved.sha256,
        content_bytes=moved.content_bytes if is_gzip else None,
        content_sha256=moved.content_sha256 if is_gzip else None,
        protocol=moved.protocol,
        evidence=moved.evidence,
        seconds=round(moved.seconds, 3),
        first_byte_seconds=round(moved.first_byte_seconds, 3),
        notes=(*map(str, content.notes), *notes),
    )
