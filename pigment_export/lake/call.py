"""The lake within one call: repeatable requests are retried here; every effect counts as progress.

Create, flush, describe and rename are one request each. Their callers look at the path before they retry, because an
error does not show whether the request took effect. A write of a record looks for itself, once. Delete is one request,
too: the sweep removes what it leaves behind, and retries its own deletes, because a missing path is fine.
"""

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime

from pigment_export.errors import RetryableError
from pigment_export.lake.interface import Lake, ListedBlob, PathInfo, StoredRecord
from pigment_export.retry import Deadline


class CallLake:
    """A lake, bound to the deadline of one call; its methods are those of `Lake`.

    Attributes:
        once: the lake itself, without retries.
        deadline: of the call.
    """

    def __init__(self, lake: Lake, deadline: Deadline) -> None:
        self.once = lake
        self.deadline = deadline

    def now(self) -> datetime:
        """Return the lake's clock, retried."""
        return self.deadline.retry(self.once.now)

    def look(self, path: str) -> PathInfo:
        """Read a path's properties, retried."""
        return self.deadline.retry(lambda: self.once.look(path))

    def create(self, path: str) -> str:
        """Create an empty file if the path does not exist; one request."""
        return self._done(self.once.create(path))

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Append bytes at a position, retried: the same bytes at the same position do not change the file."""
        self.deadline.retry(lambda: self.once.append(path, position, data))
        self.deadline.progressed()

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close the appended bytes if the ETag still matches; one request."""
        return self._done(self.once.flush(path, size, etag, content_type=content_type))

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata if the ETag still matches; one request."""
        return self._done(self.once.describe(path, metadata, etag))

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step; one request."""
        self.once.rename(source, destination, source_etag=source_etag, replacing=replacing)
        self.deadline.progressed()

    def make_folder(self, path: str) -> None:
        """Create a folder, retried."""
        self.deadline.retry(lambda: self.once.make_folder(path))

    def read_range(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        """Read up to `length` bytes from an offset if the ETag still matches, retried."""
        return self.deadline.retry(lambda: self.once.read_range(path, length, etag, offset=offset))

    def read(self, path: str) -> StoredRecord:
        """Read a record, retried."""
        return self.deadline.retry(lambda: self.once.read(path))

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        """Write a record over the one with the ETag `replacing`, or only if there is none (None).

        One request. If it gets no answer, one more reads the record: the write succeeded if these very bytes are there.
        Callers log an event for each record that they write, and alerts depend on these events.
        """
        try:
            self.once.write(path, data, metadata, replacing=replacing)
        except RetryableError:
            if self.once.read(path).data != data:
                raise
        self.deadline.progressed()

    def names(self, prefix: str) -> Sequence[str]:
        """List the paths under a prefix, retried."""
        return self.deadline.retry(lambda: self.once.names(prefix))

    def list(self, prefix: str) -> builtins.list[ListedBlob]:
        """List all blobs under a prefix, retried."""
        return self.deadline.retry(lambda: [*self.once.list(prefix)])

    def delete(self, path: str, etag: str | None = None) -> None:
        """Delete a path; one request."""
        self.once.delete(path, etag)

    def _done[T](self, answer: T) -> T:
        self.deadline.progressed()
        return answer
