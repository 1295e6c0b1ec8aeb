"""The lake's files within one call: what may be done twice is retried here, once for all; every effect is progress.

Create, flush, describe and rename are one request each: who calls them looks at what is there before it tries again,
since no error tells whether the write took effect. So is delete: what it leaves, the sweep removes.
"""

from collections.abc import Mapping

from pigment_export.lake.interface import Files, PathInfo
from pigment_export.retry import Deadline


class CallFiles:
    """Files, bound to the deadline of one call; its methods are those of `Files`.

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
        return self._done(self._files.create(path))

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at a position, retried: the same bytes there twice are the same file."""
        self._deadline.retry(lambda: self._files.append(path, position, data))
        self._deadline.progressed()

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close what was appended, if the ETag still holds; one request."""
        return self._done(self._files.flush(path, size, etag, content_type=content_type))

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata, if the ETag still holds; one request."""
        return self._done(self._files.describe(path, metadata, etag))

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step; one request."""
        self._files.rename(source, destination, source_etag=source_etag, replacing=replacing)
        self._deadline.progressed()

    def make_folder(self, path: str) -> None:
        """Make a folder, retried."""
        self._deadline.retry(lambda: self._files.make_folder(path))

    def delete(self, path: str) -> None:
        """Remove a file; one request."""
        self._files.delete(path)

    def _done[T](self, answer: T) -> T:
        self._deadline.progressed()
        return answer
