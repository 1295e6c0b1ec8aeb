"""One export of one run: from a look at the destination to a receipt that agrees with it.

The destination is the truth and describes itself; the rename's condition is the only lock. Nobody owns anything but
the file that he staged. `decisions` says what to do next, purely, from what was seen; `Delivery` does it, and
`Reconciler` makes the records agree. Why each step is safe at every kill and in every interleaving: `docs/delivery.md`.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from pigment_export.catalog.exports import Export, delimiter_of
from pigment_export.delivery.decide import Next, before_fetch, before_publish
from pigment_export.delivery.description import Description
from pigment_export.delivery.guards import Guards, objection
from pigment_export.delivery.receipt import Standing, State
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.delivery.stage import StagedFile
from pigment_export.delivery.task import Task
from pigment_export.errors import (
    Cause,
    ConfigurationError,
    ConflictError,
    ExportError,
    MissingError,
    PermanentError,
    RetryableError,
    Who,
)
from pigment_export.lake.interface import Found, Lake
from pigment_export.lake.paths import parent
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Progress, Source, transfer

type Fetch = Callable[[Export, Deadline], AbstractContextManager[Source]]


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
        self._files = lake.files
        self._fetch = fetch
        self._task = task
        self._deadline = deadline
        self._new_nonce = new_nonce
        self._progress = progress
        self._reconciler = Reconciler(lake, task, deadline)

    def deliver(self) -> Standing:
        """Bring the export to a final receipt.

        Returns:
            The receipt that stands, this call's or a better one.

        Raises:
            RetryableError: the patience of this call is used up; a `retrying` receipt says why.
            ExportError: the lake itself cannot be used.
        """
        attempt = 0
        while True:
            try:
                return self._try()
            except RetryableError as error:
                try:
                    self._deadline.pause(error, attempt)
                except RetryableError:
                    self._reconciler.record_retrying(error.cause)
                    raise
                attempt += 1

    def _try(self) -> Standing:
        standing = self._reconciler.standing()
        found = self._reconciler.look()
        decision = before_fetch(self._task, found, standing)
        if decision.next is Next.RECORD:
            return self._reconciler.record_found(State.SUCCEEDED, found)
        if decision.next is Next.END and standing is not None:
            return standing
        if decision.cause is not None:
            return self._reconciler.record_failed(decision.cause)
        destination = self._task.destination
        staged = StagedFile(self._files, destination, self._task.run_id, self._deadline, self._new_nonce)
        try:
            mine, columns, held = self._stage(staged, found)
        except (PermanentError, ConfigurationError) as error:
            staged.drop()
            return self._reconciler.record_failed(error.cause)
        except BaseException:
            staged.drop()
            raise
        try:
            return self._publish(staged, mine, columns, held)
        except BaseException:
            staged.drop()  # where it was renamed, nothing of that name is left to lose
            raise

    def _stage(self, staged: StagedFile, found: Found) -> tuple[Description, tuple[str, ...], Cause | None]:
        """Fetch into a staged file that describes itself; with the guards' objection, if they have one."""
        export = self._task.export
        asked_at = time.monotonic()
        with self._fetch(export, self._deadline) as source:
            moved = transfer(source, staged, delimiter=delimiter_of(export), progress=self._progress, asked_at=asked_at)
        inspection = moved.inspection
        latest = self._reconciler.latest()
        objected = objection(
            Guards(export.minimum_rows, export.maximum_shrink, export.columns),
            rows=inspection.rows,
            columns=inspection.columns,
            latest_rows=latest.file.rows if latest else None,
        )
        mine = Description(
            run_id=self._task.run_id,
            nonce=staged.nonce,
            fetched_at=found.now,
            snapshot_date=self._task.snapshot_date,
            deployment=self._task.deployment,
            rows=inspection.rows,
            columns=len(inspection.columns),
            bytes=inspection.bytes,
            sha256=inspection.sha256,
            protocol=moved.protocol,
            evidence=moved.evidence,
            seconds=round(moved.seconds, 3),
            first_byte_seconds=round(moved.first_byte_seconds, 3),
            notes=tuple(map(str, inspection.notes)),
        )
        staged.describe(mine)
        if objected is None:
            return mine, inspection.columns, None
        remedy = "look at the held file: release it if it is right; else mend Pigment or the key's access and run again"
        return mine, inspection.columns, Cause("held_by_guard", objected, Who.EXPORT_OWNER, remedy)

    def _publish(self, staged: StagedFile, mine: Description, columns: tuple[str, ...], held: Cause | None) -> Standing:
        destination = self._task.destination.path
        failed: list[tuple[str | None, ExportError]] = []  # the destination's ETag before each rename, and its error
        while True:
            found = self._reconciler.look()
            decision = before_publish(self._task, found, mine, is_held=held is not None)
            if decision.next is Next.HOLD and held is not None:
                return self._hold(staged, mine, columns, held)
            if decision.next is not Next.RENAME:
                staged.drop()
                if decision.cause is not None:
                    return self._reconciler.record_failed(decision.cause)
                state = State.SUCCEEDED if decision.next is Next.RECORD else State.SUPERSEDED
                return self._reconciler.record_found(state, found)
            if len(failed) > 1 and failed[-1][0] == failed[-2][0] == found.etag:
                raise RetryableError(failed[-1][1].cause)  # nothing changed in between, and still it failed twice
            try:
                self._move(staged, destination, replacing=found.etag)
            except MissingError as error:
                return self._source_gone(mine, error)
            except (ConflictError, RetryableError) as error:
                self._deadline.again(error, len(failed))
                failed.append((found.etag, error))
            else:
                return self._reconciler.record_file(State.SUCCEEDED, mine, columns)

    def _move(self, staged: StagedFile, destination: str, *, replacing: str | None) -> None:
        """Rename; make the destination's folder only if it is missing, so that a failed export leaves none."""
        try:
            self._files.rename(staged.path, destination, source_etag=staged.etag, replacing=replacing)
        except MissingError as error:
            if error.cause.code != "lake_parent_missing":
                raise
            self._deadline.retry(lambda: self._files.make_folder(parent(destination)))
            self._files.rename(staged.path, destination, source_etag=staged.etag, replacing=replacing)

    def _source_gone(self, mine: Description, error: MissingError) -> Standing:
        """The staged file is gone: moved by a rename whose answer was lost, or swept."""
        found = self._reconciler.look()
        decision = before_publish(self._task, found, mine, is_held=False)
        if decision.next is Next.RECORD:
            return self._reconciler.record_found(State.SUCCEEDED, found)
        if decision.next is Next.SUPERSEDED:
            return self._reconciler.record_found(State.SUPERSEDED, found)
        raise RetryableError(error.cause) from error

    def _hold(self, staged: StagedFile, mine: Description, columns: tuple[str, ...], held: Cause) -> Standing:
        path = self._task.destination.held(mine.run_id, mine.nonce)
        attempt = 0
        while True:
            try:
                self._move(staged, path, replacing=None)
                break
            except (ConflictError, MissingError, RetryableError) as error:
                found = self._deadline.retry(lambda: self._files.look(path))
                theirs = Description.from_metadata(found.metadata)
                if theirs is not None and theirs.nonce == mine.nonce:
                    break
                if isinstance(error, MissingError):
                    raise RetryableError(error.cause) from error
                self._deadline.again(error, attempt)
                attempt += 1
        return self._reconciler.record_held(path, mine, columns, held)
