"""A staged file: written where no reader looks, under a nonce that nobody shares, until it is published or dropped.

Each write recovers from a lost answer by looking at the one file that only this try can have written.
"""

from collections.abc import Callable

from pigment_export.delivery.description import Description
from pigment_export.errors import ConflictError, ExportError, MissingError, RetryableError
from pigment_export.events import Event, log
from pigment_export.lake.interface import Files
from pigment_export.lake.paths import Destination
from pigment_export.retry import Deadline


class StagedFile:
    """One try's file: a sink of `transfer`, then described, then renamed by whoever publishes it.

    Args:
        files: the lake.
        destination: whose folder it is staged in: it inherits that folder's default ACL as it is now.
        run_id: part of its name, with the nonce.
        deadline: of the call.
        new_nonce: 16 hexadecimal digits that nobody else has.
    """

    def __init__(
        self, files: Files, destination: Destination, run_id: str, deadline: Deadline, new_nonce: Callable[[], str]
    ) -> None:
        self._files = files
        self._destination = destination
        self._run_id = run_id
        self._deadline = deadline
        self._new_nonce = new_nonce
        self._made = False
        self.nonce = ""
        self.etag = ""

    @property
    def path(self) -> str:
        """Where it lies."""
        return self._destination.staged(self._run_id, self.nonce)

    def open(self) -> None:
        """Create the file; after a lost answer or a conflict under another nonce, so that it is surely ours."""
        attempt = 0
        while True:
            self.nonce = self._new_nonce()
            self._made = True  # as far as anyone can tell from here
            try:
                self.etag = self._files.create(self.path)
            except (ConflictError, RetryableError) as error:
                self.drop()
                self._deadline.pause(_retryable(error), attempt)
                attempt += 1
            else:
                return

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at a position, again if need be: the same bytes there twice are the same file."""
        try:
            self._deadline.retry(lambda: self._files.append(self.path, position, data))
        except (ConflictError, MissingError) as error:
            raise _retryable(error) from error

    def finish(self, size: int) -> None:
        """Commit all bytes in one flush; its position proves that none is missing."""
        attempt = 0
        while True:
            try:
                self.etag = self._files.flush(self.path, size, self.etag)
            except (ConflictError, RetryableError) as error:
                found = self._deadline.retry(lambda: self._files.look(self.path))
                if found.etag is not None and found.size == size:
                    self.etag = found.etag
                    return
                self._deadline.pause(_retryable(error), attempt)
                attempt += 1
            except MissingError as error:
                raise _retryable(error) from error
            else:
                return

    def describe(self, description: Description) -> None:
        """Write into the file's metadata what it is; the rename keeps them."""
        try:
            self.etag = self._files.describe(self.path, description.to_metadata(), self.etag)
        except (ConflictError, MissingError, RetryableError) as error:
            found = self._deadline.retry(lambda: self._files.look(self.path))
            theirs = Description.from_metadata(found.metadata)
            if found.etag is None or theirs is None or theirs.nonce != self.nonce:
                raise _retryable(error) from error
            self.etag = found.etag

    def drop(self) -> None:
        """Remove the file; one that cannot be removed is logged and left to the sweep."""
        if not self._made:
            return
        try:
            self._files.delete(self.path)
        except ExportError as error:
            log(Event.SWEEP_LEFT, path=self.path, reason=error.cause.reason)


def _retryable(error: ExportError) -> RetryableError:
    return error if isinstance(error, RetryableError) else RetryableError(error.cause)
