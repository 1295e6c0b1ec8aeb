"""The interface of a lake. Every method is one request, and so a point at which the process can be killed.

`azure.adls` implements it on ADLS Gen2, and the tests' fake in memory; both pass the same contract tests. Paths are
complete paths within the file system, without a leading slash.

Errors, for every method:
    RetryableError: no answer, or one that may change (throttled, 5xx, roles not yet in effect). A write may have taken
        effect nevertheless; the error's class does not show it.
    ConflictError: a precondition failed.
    MissingError: a path that the request needs does not exist.
    PermanentError, ConfigurationError: a retry would not help.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PathInfo:
    """The result of a look at a path.

    Attributes:
        now: the lake's clock, from the `Date` of this answer; whole seconds, UTC.
        etag: as sent, quotes included; None if the path does not exist.
        size: bytes.
        metadata: user metadata as stored, names in lower case.
    """

    now: datetime
    etag: str | None = None
    size: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """The result of reading a record: like `PathInfo`, with its bytes (empty if it does not exist)."""

    now: datetime
    etag: str | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class ListedBlob:
    """One row of a listing: path, metadata, and when it was created and last written, by the lake's clock."""

    path: str
    metadata: Mapping[str, str]
    created_at: datetime
    written_at: datetime
    size: int


class Lake(Protocol):
    """Files, which are staged, completed and moved; and JSON records, each written completely in one step."""

    def now(self) -> datetime:
        """Return the lake's clock."""

    # Files

    def look(self, path: str) -> PathInfo:
        """Read a path's properties; a missing path is not an error."""

    def create(self, path: str) -> str:
        """Create an empty file, and return its ETag. ConflictError if the path exists."""

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Append bytes at a position; repeating the same bytes at the same position is allowed."""

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close the appended bytes, `size` in all, if the ETag still matches; return the new ETag."""

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata if the ETag still matches; return the new ETag."""

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step.

        Args:
            source: path of the file to move.
            destination: path to move it to.
            source_etag: the move happens only if the source still has this ETag.
            replacing: ETag of the file that may be replaced; None if there must be none.

        Raises:
            ConflictError: one of the preconditions failed.
            MissingError: the source (`code` `lake_source_missing`) or the destination's parent
                (`lake_parent_missing`) does not exist.
        """

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents; an existing folder is not an error."""

    def read_range(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        """Read up to `length` bytes from an offset if the ETag still matches; none at the end of the file."""

    # Records

    def read(self, path: str) -> StoredRecord:
        """Read a record, up to a size limit; a missing record is not an error."""

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        """Write a record over the one with the ETag `replacing`, or if there is none (None); else ConflictError."""

    # Both

    def names(self, prefix: str) -> Sequence[str]:
        """List the paths under a prefix, including folders: the requests of `list`, with a tenth of its CPU."""

    def list(self, prefix: str) -> Iterable[ListedBlob]:
        """List the blobs under a prefix, with metadata; each page of the listing is one request."""

    def delete(self, path: str, etag: str | None = None) -> None:
        """Delete a path; with an ETag, only if it still matches (else ConflictError). A missing path is fine."""
