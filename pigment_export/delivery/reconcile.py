"""Making the records of one export of one run agree with its destination: receipt and `_latest.json`.

Anybody may pass and do this: the worker that published, one that finds the file already there, a poison message, the
hourly `tend`. Each record is read first and written on condition that it has not changed; a better one is left alone.
"""

import logging

from pigment_export.catalog.exports import delimiter_of
from pigment_export.delivery.decide import is_ours
from pigment_export.delivery.description import Description, Latest
from pigment_export.delivery.receipt import Receipt, Standing, State, is_better
from pigment_export.delivery.task import Task
from pigment_export.errors import Cause, ConflictError, MissingError, RetryableError
from pigment_export.events import Event, log
from pigment_export.lake.interface import Found, Lake, Record
from pigment_export.retry import Deadline
from pigment_export.transfer.inspector import HEADER_BYTES, Inspector

TWO_FILES = "two_files"  # the note on a receipt whose day has a file at another path, too


class Reconciler:
    """The records of one export of one run.

    Args:
        lake: where file and records are.
        task: the export of the run.
        deadline: of this call.
    """

    def __init__(self, lake: Lake, task: Task, deadline: Deadline) -> None:
        self._files = lake.files
        self._records = lake.records
        self._task = task
        self._destination = task.destination
        self._deadline = deadline

    def look(self) -> Found:
        """What is at the destination now."""
        return self._deadline.retry(lambda: self._files.look(self._destination.path))

    def standing(self) -> Standing | None:
        """The receipt, if there is one."""
        return Standing.from_json(self._read(self._task.receipt_path).data)

    def latest(self) -> Latest | None:
        """The newest good file of the export, if a record tells it."""
        return _latest_in(self._read(self._destination.latest))

    def record_failed(self, cause: Cause) -> Standing:
        """Write that the export failed, unless this run's file is there or a final receipt says otherwise.

        Args:
            cause: why it failed.

        Returns:
            The receipt that stands.
        """
        attempt = 0
        while True:
            record = self._read(self._task.receipt_path)
            standing = Standing.from_json(record.data)
            found = self.look()
            if is_ours(found, self._task):
                return self.record_found(State.SUCCEEDED, found)
            if standing is not None and standing.state.final:
                return standing
            receipt = self._receipt(State.FAILED, self._destination.path, cause=cause)
            try:
                self._put_receipt(receipt, record)
            except (ConflictError, RetryableError) as error:
                self._deadline.again(error, attempt)
                attempt += 1
            else:
                return Standing.of(receipt)

    def record_found(self, state: State, found: Found) -> Standing:
        """Record a file of this app that is at the destination: this run's, or a newer one.

        Args:
            state: `SUCCEEDED` or `SUPERSEDED`.
            found: what is at the destination.

        Returns:
            The receipt that stands.
        """
        file = Description.from_metadata(found.metadata)
        if file is None or found.etag is None:
            raise ValueError(f"{self._destination.path} does not describe itself")
        return self.record_file(state, file, self._columns_at(self._destination.path, found.etag))

    def record_file(self, state: State, file: Description, columns: tuple[str, ...] | None) -> Standing:
        """Move `_latest.json` forward to a file at the destination, then write the receipt.

        Args:
            state: `SUCCEEDED` or `SUPERSEDED`.
            file: what the file says of itself.
            columns: its header's names; None where they could not be read.

        Returns:
            The receipt that stands.
        """
        notes = self._move_latest(Latest(self._destination.path, file, columns))
        return self._write_receipt(self._receipt(state, self._destination.path, file, columns, notes=notes))

    def record_held(self, path: str, file: Description, columns: tuple[str, ...], cause: Cause) -> Standing:
        """Write that the file is held.

        Args:
            path: where it lies.
            file: what it says of itself.
            columns: its header's names.
            cause: which guard spoke against it, and why.

        Returns:
            The receipt that stands.
        """
        return self._write_receipt(self._receipt(State.HELD, path, file, columns, cause=cause))

    def record_retrying(self, cause: Cause) -> None:
        """Write why the last try failed, over nothing or the like; a lake that is out keeps nobody from trying again.

        Args:
            cause: why it failed.
        """
        receipt = self._receipt(State.RETRYING, self._destination.path, cause=cause)
        log(Event.EXPORT_RETRYING, level=logging.WARNING, run_id=self._task.run_id, **receipt.summary())
        try:
            record = self._records.read(self._task.receipt_path)
            standing = Standing.from_json(record.data)
            if standing is None or not standing.state.final:
                self._records.write(
                    self._task.receipt_path, receipt.to_json(), receipt.to_metadata(), replacing=record.etag
                )
        except (ConflictError, RetryableError):
            return

    def _write_receipt(self, receipt: Receipt) -> Standing:
        attempt = 0
        while True:
            record = self._read(self._task.receipt_path)
            standing = Standing.from_json(record.data)
            if standing is not None and not is_better(Standing.of(receipt), standing):
                return standing
            try:
                self._put_receipt(receipt, record)
            except (ConflictError, RetryableError) as error:
                self._deadline.again(error, attempt)
                attempt += 1
            else:
                return Standing.of(receipt)

    def _put_receipt(self, receipt: Receipt, over: Record) -> None:
        self._records.write(self._task.receipt_path, receipt.to_json(), receipt.to_metadata(), replacing=over.etag)
        level = logging.INFO if receipt.state.good else logging.ERROR
        log(Event.EXPORT_ENDED, level=level, run_id=self._task.run_id, **receipt.summary())

    def _move_latest(self, mine: Latest) -> tuple[str, ...]:
        """Move `_latest.json` forward; what a receipt should note of it."""
        attempt = 0
        while True:
            record = self._read(self._destination.latest)
            theirs = _latest_in(record)
            if theirs is not None and theirs.file.fetched_at >= mine.file.fetched_at:
                return ()
            written = mine if theirs is None else mine.after(theirs)
            try:
                self._records.write(self._destination.latest, written.to_json(), {}, replacing=record.etag)
            except (ConflictError, RetryableError) as error:
                self._deadline.again(error, attempt)
                attempt += 1
            else:
                return self._note_two_files(mine, theirs)

    def _note_two_files(self, mine: Latest, theirs: Latest | None) -> tuple[str, ...]:
        if (
            theirs is None
            or not self._destination.replaces
            or theirs.path == mine.path
            or theirs.file.snapshot_date != mine.file.snapshot_date
        ):
            return ()
        log(
            Event.DAY_HAS_TWO_FILES,
            level=logging.WARNING,
            run_id=self._task.run_id,
            name=self._task.export.name,
            snapshot_date=str(mine.file.snapshot_date),
            path=mine.path,
            other_path=theirs.path,
        )
        return (TWO_FILES,)

    def _columns_at(self, path: str, etag: str) -> tuple[str, ...] | None:
        """The header of a file that somebody else's try wrote; None where it has been replaced meanwhile."""
        try:
            head = self._deadline.retry(lambda: self._files.read(path, HEADER_BYTES, etag))
        except (ConflictError, MissingError):
            return None
        inspector = Inspector(delimiter_of(self._task.export))
        inspector.update(head)
        return inspector.finish().columns

    def _receipt(
        self,
        state: State,
        path: str,
        file: Description | None = None,
        columns: tuple[str, ...] | None = None,
        *,
        cause: Cause | None = None,
        notes: tuple[str, ...] = (),
    ) -> Receipt:
        return Receipt(
            run_id=self._task.run_id,
            name=self._task.export.name,
            state=state,
            snapshot_date=self._task.snapshot_date,
            deployment=self._task.deployment,
            path=path,
            folder=self._destination.folder,
            owner=self._task.export.owner,
            file=file,
            columns=columns,
            cause=cause,
            notes=notes,
        )

    def _read(self, path: str) -> Record:
        return self._deadline.retry(lambda: self._records.read(path))


def _latest_in(record: Record) -> Latest | None:
    """The newest good file; None where no record is, or one that nobody can read: it is written anew."""
    try:
        return Latest.from_json(record.data)
    except ValueError:
        return None
