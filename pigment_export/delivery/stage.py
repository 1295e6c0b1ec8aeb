"""Files that readers do not see: staged by one attempt, or held for a person to decide, until they are moved.

After a lost answer, each write looks at the file, which only this attempt can have written.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.errors import ConflictError, ExportError, MissingError, RetryableError
from pigment_export.events import Event, log
from pigment_export.lake.paths import parent


@contextmanager
def _staging() -> Iterator[None]:
    """Raise an error that outlasted the call's waits as a plain `ExportError`, so that the download is not repeated."""
    try:
        yield
    except (ConflictError, MissingError, RetryableError) as error:
        raise ExportError(error.cause) from error


class UnpublishedFile:
    """A file that readers do not see. Staged, it is a sink of `transfer`; once complete, it is described, then moved.

    Leaving the block drops the staged file, unless it was moved.

    Args:
        reconciler: of the export. The file is staged in the export's folder: it inherits that folder's default ACL.
        new_nonce: returns 16 random hexadecimal digits.
        path: of a held file; a staged file gets a new one.
        etag: of that file, as last seen.
    """

    def __init__(self, reconciler: Reconciler, new_nonce: Callable[[], str], *, path: str = "", etag: str = "") -> None:
        self._lake = reconciler.lake
        self._task = reconciler.task
        self._deadline = reconciler.deadline
        self._new_nonce = new_nonce
        self._is_staged = False  # and exists, as far as this call knows
        self.path = path
        self.etag = etag
        self.nonce = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def open(self) -> None:
        """Create the file; after a lost answer or a conflict, under another nonce, so that it is surely ours."""
        with _staging():
            for attempt in self._deadline.attempts(ConflictError):
                with attempt:
                    self._drop()
                    self.nonce = self._new_nonce()
                    self.path = self._task.destination.staged(self._task.run_id, self.nonce)
                    self._is_staged = True
                    self.etag = self._lake.create(self.path)

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Append bytes at a position, with retries: the same bytes at the same position do not change the file."""
        with _staging():
            self._lake.append(self.path, position, data)

    def finish(self, size: int) -> None:
        """Commit all bytes in one flush; its position proves that none are missing."""
        content_type = "application/gzip" if self._task.export.gzip else "text/csv"  # a rename keeps it
        with _staging():
            for attempt in self._deadline.attempts(ConflictError):
                with attempt:
                    try:
                        self.etag = self._lake.flush(self.path, size, self.etag, content_type=content_type)
                    except (ConflictError, RetryableError):
                        found = self._lake.look(self.path)
                        if found.etag is None or found.size != size:
                            raise
                        self.etag = found.etag  # the answer was lost, not the flush

    def describe(self, description: FileDescription) -> None:
        """Write the description into the file's metadata; a rename keeps it.

        Raises:
            ConflictError: another writer has changed the file.
            MissingError: it no longer exists.
            RetryableError: patience or time is used up.
        """
        for attempt in self._deadline.attempts():
            with attempt:
                try:
                    self.etag = self._lake.describe(self.path, description.to_metadata(), self.etag)
                except (ConflictError, MissingError, RetryableError):
                    there = Occupant.of(self._lake.look(self.path))
                    if there.etag is None or there.file is None or there.file.nonce != description.nonce:
                        raise
                    self.etag = there.etag  # the answer was lost, not the write

    def move(self, destination: str, *, replacing: str | None) -> None:
        """Rename the file; create the destination's folder only if it is missing, so that a failed export leaves none.

        Args:
            destination: new path.
            replacing: ETag of the file that may be replaced; None if there must be none.

        Raises:
            ConflictError: the file or the destination has changed.
            MissingError: the file no longer exists.
            RetryableError: there was no answer, or one that may change; the rename may have taken effect.
        """
        try:
            self._lake.rename(self.path, destination, source_etag=self.etag, replacing=replacing)
        except MissingError as error:
            if error.cause.code != "lake_parent_missing":
                raise
            self._lake.make_folder(parent(destination))
            self._lake.rename(self.path, destination, source_etag=self.etag, replacing=replacing)
        self._is_staged = False

    def _drop(self) -> None:
        """Delete the file; if that fails, log it and leave the file to the sweep."""
        if not self._is_staged:
            return
        self._is_staged = False
        try:
            self._lake.delete(self.path)
        except ExportError as error:
            log(Event.SWEEP_LEFT, path=self.path, reason=error.cause.reason)
