"""Reconciliation of the records of one export of one run, receipt and `_latest.json`, with its destination.

Every worker does this: the one that published, one that finds the file already there, `record_poison`, the hourly
housekeeping. Each record is read first and written on condition that it has not changed; a better record stays.
"""

import logging
import zlib
from collections.abc import Callable
from datetime import datetime

from pigment_export.delivery.decide import Proceed, RecordFile, Reject, abandoned, before_fetch
from pigment_export.delivery.description import FileDescription, Latest, Occupant
from pigment_export.delivery.receipt import Receipt, State, is_better
from pigment_export.delivery.task import Task
from pigment_export.errors import (
    Cause,
    ConfigurationError,
    ConflictError,
    ExportError,
    MissingError,
    PermanentError,
    RetryableError,
)
from pigment_export.events import Event, log
from pigment_export.lake.call import CallLake
from pigment_export.lake.interface import Lake, StoredRecord
from pigment_export.transfer.inspector import HEADER_BYTES, Inspector

GZIP_MAGIC, _GZIP = b"\x1f\x8b", 31  # first bytes of a compressed file, and zlib's value for its format
TWO_FILES = "two_files"  # a receipt's note: the day also has a file at another path


class Reconciler:
    """The records of one export of one run.

    Args:
        lake: the lake, within this call.
        task: the export of the run.
    """

    def __init__(self, lake: CallLake, task: Task) -> None:
        self.lake = lake
        self.deadline = lake.deadline
        self.task = task
        self._destination = task.destination
        self._first_look: Occupant | None = None

    def look(self) -> Occupant:
        """Return what is at the destination now; the first look marks the beginning of this call's work."""
        there = Occupant.of(self.lake.look(self._destination.path))
        self._first_look = self._first_look or there
        return there

    def receipt(self) -> Receipt | None:
        """Return the receipt, if there is one."""
        return Receipt.found_in(self.lake.read(self.task.receipt_path).data)

    def begin(self, fetched_at: datetime | None = None) -> Receipt | Occupant:
        """Reconcile the records if there is nothing to fetch.

        Args:
            fetched_at: of a file to release; None to ask Pigment now.

        Returns:
            The current receipt; or what is at the destination, if there is a file to fetch or to release.
        """
        receipt, there = self.receipt(), self.look()
        match before_fetch(self.task, there, receipt, fetched_at=fetched_at):
            case Receipt() as final:
                return final
            case RecordFile() as found:
                return self.record_found(found)
            case Reject(_, cause):
                return self.record_failed(cause)
            case Proceed():
                return there

    def latest(self) -> Latest | None:
        """Return the record of the newest good file, if there is one."""
        return Latest.found_in(self.lake.read(self._destination.latest).data)

    def record_failed(self, cause: Cause, *, is_abandoned: bool = False) -> Receipt:
        """Write that the export failed, unless this run's file is there or a final receipt says otherwise.

        Args:
            cause: why it failed.
            is_abandoned: whether it could have been retried; the receipt then has the reason of its last attempt, too.

        Returns:
            The current receipt.
        """
        for attempt in self.deadline.attempts(ConflictError):
            with attempt:
                record = self.lake.read(self.task.receipt_path)
                before = Receipt.found_in(record.data)
                if found := RecordFile.of(self.task, self.look()):
                    return self.record_found(found)
                if before is not None and before.state.final:
                    return before
                why = abandoned(cause, before.cause if before else None) if is_abandoned else cause
                receipt = Receipt.of(self.task, State.FAILED, None, **why.to_fields())
                written = self._put_receipt(receipt, record, before)
        return written

    def record_found(self, found: RecordFile) -> Receipt:
        """Record a file of this app at the destination: this run's, or a newer one.

        Returns:
            The current receipt.
        """
        return self.record_file(found.state, found.file, self.columns_at(self._destination.path, found.etag))

    def record_file(self, state: State, file: FileDescription, columns: tuple[str, ...] | None) -> Receipt:
        """Move `_latest.json` forward to a file at the destination, then write the receipt.

        Args:
            state: `SUCCEEDED` or `SUPERSEDED`.
            file: its description.
            columns: names in its header; None if they could not be read.

        Returns:
            The current receipt.
        """
        notes = (*file.notes, *self._move_latest(file, columns))
        return self._write_receipt(Receipt.of(self.task, state, file, columns=columns, notes=notes))

    def record_held(self, path: str, file: FileDescription, columns: tuple[str, ...] | None, cause: Cause) -> Receipt:
        """Write that the file is held.

        Args:
            path: its path.
            file: its description.
            columns: names in its header.
            cause: which guard rejected it, and why.

        Returns:
            The current receipt.
        """
        fields = {"path": path, "columns": columns, **cause.to_fields()}
        return self._write_receipt(Receipt.of(self.task, State.HELD, file, **fields))

    def record_retrying(self, cause: Cause) -> None:
        """Write why the last attempt failed, unless the receipt is final. Not retried: the error is raised anyway."""
        receipt = Receipt.of(self.task, State.RETRYING, None, **cause.to_fields())
        log(Event.EXPORT_RETRYING, level=logging.WARNING, **receipt.to_event())
        try:
            record = self.lake.once.read(self.task.receipt_path)
            before = Receipt.found_in(record.data)
            if before is None or not before.state.final:
                self._put(receipt, record, self.lake.once)
        except ExportError:
            return

    def _write_receipt(self, receipt: Receipt) -> Receipt:
        for attempt in self.deadline.attempts(ConflictError):
            with attempt:
                record = self.lake.read(self.task.receipt_path)
                before = Receipt.found_in(record.data)
                if before is not None and not is_better(receipt, before):
                    return before
                written = self._put_receipt(receipt, record, before)
        return written

    def _put_receipt(self, receipt: Receipt, over: StoredRecord, before: Receipt | None) -> Receipt:
        receipt = self._put(receipt, over, self.lake)
        level = logging.INFO if receipt.state.good else logging.ERROR
        corrected = {"corrects": str(before.state)} if before is not None and before.state.final else {}
        groups = list(self.task.export.groups)  # for the routing of alerts
        log(Event.EXPORT_ENDED, level=level, groups=groups, **receipt.to_event(), **corrected)
        return receipt

    def _put(self, receipt: Receipt, over: StoredRecord, lake: Lake) -> Receipt:
        """Write a receipt with the start and end of the work on it, by the lake's clock."""
        started_at = self._first_look.now if self._first_look else None
        receipt = receipt.model_copy(update={"started_at": started_at, "ended_at": over.now})
        lake.write(self.task.receipt_path, receipt.to_json(), receipt.to_metadata(), replacing=over.etag)
        return receipt

    def _move_latest(self, file: FileDescription, columns: tuple[str, ...] | None) -> tuple[str, ...]:
        """Move `_latest.json` forward, and return notes for the receipt."""
        for attempt in self.deadline.attempts(ConflictError):
            with attempt:
                record = self.lake.read(self._destination.latest)
                before = Latest.found_in(record.data)
                if before is not None and before.fetched_at >= file.fetched_at:
                    return ()
                latest = Latest.of(self._destination.path, file, columns, before)
                self.lake.write(self._destination.latest, latest.to_json(), {}, replacing=record.etag)
        if before is None or before.path == latest.path or before.snapshot_date != latest.snapshot_date:
            return ()
        if not self._destination.replaces:
            return ()
        log(
            Event.DAY_HAS_TWO_FILES,
            level=logging.WARNING,
            run_id=self.task.run_id,
            name=self.task.export.name,
            snapshot_date=str(latest.snapshot_date),
            path=latest.path,
            other_path=before.path,
        )
        return (TWO_FILES,)

    def columns_at(self, path: str, etag: str) -> tuple[str, ...] | None:
        """Return the header of a file that another call wrote; None if the file with this ETag has been replaced."""
        try:
            head = self.lake.read_range(path, HEADER_BYTES, etag)
        except (ConflictError, MissingError):
            return None
        if head.startswith(GZIP_MAGIC):
            try:
                head = zlib.decompressobj(_GZIP).decompress(head, HEADER_BYTES)
            except zlib.error:
                return None
        inspector = Inspector(self.task.export.delimiter)
        inspector.update(head)
        return inspector.finish().columns


def settled(reconciler: Reconciler, deliver: Callable[[], Receipt]) -> Receipt:
    """Run a delivery, and record the reason in a receipt if it fails.

    Returns:
        The current receipt.

    Raises:
        RetryableError: the export has no final receipt; a `retrying` receipt says why, if the lake accepts it.
    """
    try:
        try:
            return deliver()
        except (PermanentError, ConfigurationError) as error:
            return reconciler.record_failed(error.cause)
    except ExportError as error:
        reconciler.record_retrying(error.cause)
        if isinstance(error, RetryableError):
            raise
        raise RetryableError(error.cause) from error  # the reason cannot be recorded either: a later call may succeed
    except BaseException as stopped:
        # If a wait is interrupted, the context of the exception is the error that caused the wait: record that.
        if not isinstance(stopped, Exception) and isinstance(stopped.__context__, ExportError):
            reconciler.record_retrying(stopped.__context__.cause)
        raise
