"""What the app needs of a lake. Every method is one request, and so a point where a kill may strike.

`azure.adls` implements it on ADLS Gen2, and the tests' fake in memory, held to the same contract tests. Paths are whole
paths within the file system, without a leading slash.

Errors, for every method:
    RetryableError: no answer, or one that may change (throttled, 5xx, roles that have not spread yet). A write may
        have taken effect all the same: no error's class tells.
    ConflictError: a condition did not hold.
    MissingError: what the request needs is not there.
    PermanentError, ConfigurationError: nothing that trying again would change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PathInfo:
    """What one look at a path told.

    Attributes:
        now: the lake's clock, from the `Date` of this answer; whole seconds, UTC.
        etag: the entity's tag as sent, quotes included; None where nothing is there.
        size: bytes.
        metadata: user metadata as stored, names in lower case.
    """

    now: datetime
    etag: str | None = None
    size: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """What one read of a record told: as `PathInfo`, with its bytes (empty where nothing is there)."""

    now: datetime
    etag: str | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class ListedBlob:
    """One row of a listing: its path, metadata, and when it was made and last written, by the lake's clock."""

    path: str
    metadata: Mapping[str, str]
    created_at: datetime
    written_at: datetime
    size: int


class Lake(Protocol):
    """Files, which are staged, completed and moved; and JSON records, each written whole and never half there."""

    def now(self) -> datetime:
        """The lake's clock."""

    # Files

    def look(self, path: str) -> PathInfo:
        """Read a path's properties; a path that is not there is an answer, not an error."""

    def create(self, path: str) -> str:
        """Create an empty file where nothing is; returns its ETag. ConflictError where something is."""

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at a position; the same bytes at the same position again are fine."""

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close what was appended, `size` bytes in all, if the ETag still holds; returns the new ETag."""

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata, if the ETag still holds; returns the new ETag."""

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step.

        Args:
            source: path of the file to move.
            destination: path to move it to.
            source_etag: the move happens only if the source still has this ETag.
            replacing: ETag of the file that may be replaced; None where nothing may be there.

        Raises:
            ConflictError: one of the conditions did not hold.
            MissingError: the source (`code` `lake_source_missing`) or the destination's parent
                (`lake_parent_missing`) is not there.
        """

    def make_folder(self, path: str) -> None:
        """Make a folder, its parents too; one that is there already is fine."""

    def read_range(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        """Read up to `length` bytes from an offset, if the ETag still holds; none at the file's end."""

    # Records

    def read(self, path: str) -> StoredRecord:
        """Read a record, up to a stated size; one that is not there is an answer, not an error."""

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        """Write a record over the one with the ETag `replacing`, or where nothing is; else ConflictError."""

    # Both

    def names(self, prefix: str) -> Sequence[str]:
        """List the paths under a prefix, folders too: the same requests as `list`, for a tenth of its CPU."""

    def list(self, prefix: str) -> Iterable[ListedBlob]:
        """List what lies under a prefix, with metadata; each page of the listing is one request."""

    def delete(self, path: str, etag: str | None = None) -> None:
        """Remove a path, with an ETag only if that still holds (else ConflictError); one that is gone is fine."""
