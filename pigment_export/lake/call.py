"""The lake within one call: what may be done twice is retried here, once for all; every effect is progress.

Reads, appends, new folders and deletes may be repeated. Create, flush, describe, rename and write are one request each:
who calls them looks at what is there before it tries again, since no error tells whether the write took effect.
"""

from collections.abc import Mapping, Sequence

from pigment_export.lake.interface import Files, ListedBlob, PathInfo, Records, StoredRecord
from pigment_export.retry import Deadline


class CallFiles:
    """Files, bound to the deadline of one call.

    Args:
        files: the lake's files.
        deadline: of the call.
    """

    def __init__(self, files: Files, deadline: Deadline) -> None:
        self._files = files
        self._deadline = deadline

    def look(self, path: str) -> PathInfo:
        """Read a path's properties, retried."""
        return self._deadline.retry(lambda: self._files.look(path))

    def read(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        """Read up to `length` bytes from an offset, if the ETag still holds, retried."""
        return self._deadline.retry(lambda: self._files.read(path, length, etag, offset=offset))

    def create(self, path: str) -> str:
        """Create an empty file where nothing is; one request."""
        etag = self._files.create(path)
        self._deadline.progressed()
        return etag

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at a position, retried: the same bytes there twice are the same file."""
        self._deadline.retry(lambda: self._files.append(path, position, data))
        self._deadline.progressed()

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close what was appended, if the ETag still holds; one request."""
        flushed = self._files.flush(path, size, etag, content_type=content_type)
        self._deadline.progressed()
        return flushed

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata, if the ETag still holds; one request."""
        described = self._files.describe(path, metadata, etag)
        self._deadline.progressed()
        return described

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step; one request."""
        self._files.rename(source, destination, source_etag=source_etag, replacing=replacing)
        self._deadline.progressed()

    def make_folder(self, path: str) -> None:
        """Make a folder, retried."""
        self._deadline.retry(lambda: self._files.make_folder(path))

    def delete(self, path: str) -> None:
        """Remove a file, retried."""
        self._deadline.retry(lambda: self._files.delete(path))


class CallRecords:
    """Records, bound to the deadline of one call.

    Args:
        records: the lake's records.
        deadline: of the call.
    """

    def __init__(self, records: Records, deadline: Deadline) -> None:
        self._records = records
        self._deadline = deadline

    def read(self, path: str) -> StoredRecord:
        """Read a record, retried."""
        return self._deadline.retry(lambda: self._records.read(path))

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        """Write a record under its condition; one request."""
        self._records.write(path, data, metadata, replacing=replacing)
        self._deadline.progressed()

    def list(self, prefix: str) -> Sequence[ListedBlob]:
        """List what lies under a prefix, retried from its beginning."""
        return self._deadline.retry(lambda: list(self._records.list(prefix)))

    def delete(self, path: str) -> None:
        """Remove a record, retried."""
        self._deadline.retry(lambda: self._records.delete(path))
