"""One export of one run: from a look at the destination to a receipt that agrees with it.

The destination is the truth and describes itself; the rename's condition is the only lock. A worker owns only its
staged file. `decide` says what to do next, purely, from what was seen; `Delivery` does it, and `Reconciler` makes the
records agree. Why each step is safe at every kill and in every interleaving: `docs/delivery.md`.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from pigment_export.catalog.exports import Export, delimiter_of
from pigment_export.delivery.decide import AskPigment, Fail, Keep, RecordFile, before_fetch
from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.guards import HEADER_CHANGED, MOST_NAMES, Verdict, judge
from pigment_export.delivery.publish import Publication
from pigment_export.delivery.receipt import Receipt
from pigment_export.delivery.reconcile import Reconciler, settled
from pigment_export.delivery.stage import StagedFile
from pigment_export.delivery.task import Task
from pigment_export.events import Event, log
from pigment_export.lake.call import CallFiles
from pigment_export.lake.interface import Lake
from pigment_export.retry import Deadline
from pigment_export.transfer.inspector import Inspection
from pigment_export.transfer.stream import Progress, Sink, Source, Transferred, transfer

type Fetch = Callable[[Export, Deadline], AbstractContextManager[Source]]


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What a try has fetched: its staged file, complete and proven, and what was there before Pigment was asked."""

    staged: StagedFile
    moved: Transferred
    there: Occupant


class Delivery:
    """One call's work on one export of one run.

    Args:
        lake: where file and records are.
        task: the export of the run.
        deadline: of this call.
        fetch: opens the body of an export; asked again for every try.
        new_nonce: 16 random hexadecimal digits.
        progress: told how far the transfer is.
    """

    def __init__(
        self,
        lake: Lake,
        task: Task,
        deadline: Deadline,
        *,
        fetch: Fetch,
        new_nonce: Callable[[], str],
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._lake = lake
        self._task = task
        self._deadline = deadline
        self._fetch = fetch
        self._new_nonce = new_nonce
        self._progress = progress
        self._reconciler = Reconciler(lake, task, deadline)

    def deliver(self) -> Receipt:
        """Bring the export to a final receipt.

        Returns:
            The receipt that stands, this call's or a better one.

        Raises:
            RetryableError: the export is not settled; a `retrying` receipt says why, where the lake takes it.
        """
        return settled(self._reconciler, self._deliver)

    def _deliver(self) -> Receipt:
        fetched = self._fetched()
        if isinstance(fetched, Receipt):
            return fetched
        with fetched.staged as staged:
            return self._publication(fetched).publish(staged)

    def _fetched(self) -> _Fetched | Receipt:
        """Fetch what is to be fetched; else the receipt that stands. Only Pigment's own refusals ask it again."""
        for attempt in self._deadline.attempts():
            with attempt, ExitStack() as stack:
                receipt, there = self._reconciler.receipt(), self._reconciler.look()
                match before_fetch(self._task, there, receipt):
                    case Keep(receipt):
                        return receipt
                    case RecordFile() as found:
                        return self._reconciler.record_found(found)
                    case Fail(cause):
                        return self._reconciler.record_failed(cause)
                    case AskPigment():
                        file = StagedFile(self._lake.files, self._task, self._deadline, self._new_nonce)
                        staged = stack.enter_context(file)
                        fetched = _Fetched(staged, self._transferred(staged), there)
                        stack.pop_all()  # from here on it is kept, whatever the lake refuses for a while
        return fetched

    def _transferred(self, sink: Sink) -> Transferred:
        export, asked_at = self._task.export, time.monotonic()
        with self._fetch(export, self._deadline) as source:
            return transfer(
                source,
                sink,
                delimiter=delimiter_of(export),
                gzip=export.gzip,
                progress=self._progress,
                asked_at=asked_at,
            )

    def _publication(self, fetched: _Fetched) -> Publication:
        """Ask the guards, and write into the staged file what it is."""
        moved, task = fetched.moved, self._task
        inspection = moved.inspection
        latest = self._reconciler.latest()
        verdict = judge(task.export, inspection, latest, fetched.there.file)
        self._tell(verdict, inspection, is_first=latest is None and fetched.there.file is None)
        mine = FileDescription(
            run_id=task.run_id,
            nonce=fetched.staged.nonce,
            fetched_at=fetched.there.now,
            snapshot_date=task.snapshot_date,
            deployment=task.deployment,
            rows=inspection.rows,
            number_of_columns=len(inspection.columns),
            **_sizes(moved, is_gzip=task.export.gzip),
            protocol=moved.protocol,
            evidence=moved.evidence,
            seconds=round(moved.seconds, 3),
            first_byte_seconds=round(moved.first_byte_seconds, 3),
            notes=(*map(str, inspection.notes), *verdict.notes),
        )
        fetched.staged.describe(mine)
        files = CallFiles(self._lake.files, self._deadline)
        return Publication(files, self._reconciler, task, self._deadline, mine, inspection.columns, verdict.objection)

    def _tell(self, verdict: Verdict, inspection: Inspection, *, is_first: bool) -> None:
        """Log what is no failure, and yet should be seen."""
        subject = {"run_id": self._task.run_id, "name": self._task.export.name, "owner": self._task.export.owner}
        if HEADER_CHANGED in verdict.notes:
            log(
                Event.HEADER_CHANGED,
                level=logging.WARNING,
                **subject,
                added=verdict.added[:MOST_NAMES],
                removed=verdict.removed[:MOST_NAMES],
                is_held=verdict.objection is not None,
            )
        if is_first and inspection.rows == 0:
            log(Event.FIRST_FILE_EMPTY, level=logging.WARNING, **subject, columns=inspection.columns[:MOST_NAMES])


def _sizes(moved: Transferred, *, is_gzip: bool) -> dict[str, Any]:
    """Return size and hash of the file, and of the CSV in it where that is another."""
    stored = {"bytes": moved.bytes, "sha256": moved.sha256}
    content = {"content_bytes": moved.content_bytes, "content_sha256": moved.content_sha256}
    return {**stored, **content} if is_gzip else stored
