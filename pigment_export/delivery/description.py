"""The description of a published file, in its metadata and in `_latest.json`. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator

from pigment_export.lake.interface import PathInfo
from pigment_export.lake.records import Instant, Record

PREDECESSORS = 30  # kept in `_latest.json`: a month of days


def _split(notes: Any) -> Any:
    """Split notes that are one text, as in metadata and in records of earlier versions."""
    return tuple(filter(None, notes.split(","))) if isinstance(notes, str) else notes


Notes = Annotated[tuple[str, ...], BeforeValidator(_split)]


class FileDescription(Record):
    """The description of a file in its metadata. A rename keeps it."""

    run_id: str
    """The run that fetched it."""
    nonce: str
    """The attempt that fetched it."""
    fetched_at: Instant
    """When Pigment was asked, by the lake's clock. A newer file is one with a later `fetched_at`."""
    snapshot_date: date
    """The day that the file stands for."""
    deployment: str
    """The deployment that ran it."""
    rows: int
    """Number of records after the header."""
    number_of_columns: int
    """Number of columns in the header."""
    bytes: int
    """Size of the file."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""
    content_bytes: int | None = None
    """Size of the CSV in a compressed file; otherwise missing."""
    content_sha256: str | None = None
    """SHA-256 of the CSV in a compressed file, hexadecimal; otherwise missing."""
    protocol: str
    """Protocol of Pigment's answer."""
    evidence: str
    """What proved that the download was complete."""
    seconds: float
    """Time from the request to Pigment until the last byte was in the lake."""
    first_byte_seconds: float | None = None
    """Time until Pigment sent its first byte, part of `seconds`; missing in files of earlier versions."""
    notes: Notes = ()
    """What was noticed without being a failure; see Notes."""


class LatestEntry(FileDescription):
    """One file in `_latest.json`."""

    path: str
    """The file's path, from the file system's root."""
    columns: tuple[str, ...] | None = None
    """Names of the columns; missing if they could not be read, and in `previous`."""


class Latest(LatestEntry):
    """`_latest.json`: the newest good file of an export, and those before it. It never returns to an older file."""

    previous: tuple[LatestEntry, ...] = ()
    """Earlier files, the newest first; at most thirty."""

    @classmethod
    def of(cls, path: str, file: FileDescription, columns: tuple[str, ...] | None, older: Self | None = None) -> Self:
        """Return the record for a file.

        Args:
            path: of the file.
            file: its description.
            columns: names in its header; None if they could not be read.
            older: the record so far; None if there is none.
        """
        # Without their headers: thirty of the longest headers would be too large for a record.
        previous = (LatestEntry(**older.model_dump(exclude={"columns"})), *older.previous) if older else ()
        return cls(**file.model_dump(), path=path, columns=columns, previous=previous[:PREDECESSORS])


@dataclass(frozen=True, slots=True)
class Occupant:
    """What is at a path: nothing, a file that describes itself, or one that this app did not write.

    Attributes:
        now: the lake's clock, from the same answer.
        etag: of the file; None if there is none.
        file: its description; None if it has none.
    """

    now: datetime
    etag: str | None = None
    file: FileDescription | None = None

    @classmethod
    def of(cls, info: PathInfo) -> Self:
        """Return the result of a look at a path."""
        return cls(info.now, info.etag, FileDescription.from_metadata(info.metadata))

    def is_of(self, run_id: str) -> bool:
        """Return whether it is a file of this run, from any attempt."""
        return self.file is not None and self.file.run_id == run_id
