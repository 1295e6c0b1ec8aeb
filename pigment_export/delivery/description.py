"""What a published file says of itself, in its metadata and in `_latest.json`. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator

from pigment_export.lake.interface import PathInfo
from pigment_export.lake.records import Instant, Record

PREDECESSORS = 30  # that `_latest.json` remembers: a month of days


def _split(notes: Any) -> Any:
    """Metadata, and records of earlier versions, have the notes in one text."""
    return tuple(filter(None, notes.split(","))) if isinstance(notes, str) else notes


Notes = Annotated[tuple[str, ...], BeforeValidator(_split)]


class FileDescription(Record):
    """What a file says of itself in its metadata; a rename keeps it."""

    run_id: str
    """The run that fetched it."""
    nonce: str
    """The try that fetched it."""
    fetched_at: Instant
    """The lake's clock right before Pigment was asked. Newer and older mean this."""
    snapshot_date: date
    """The day that it stands for."""
    deployment: str
    """Whose run it was."""
    rows: int
    """Records after the header."""
    number_of_columns: int
    """Columns of the header."""
    bytes: int
    """Size of the file."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""
    content_bytes: int | None = None
    """Size of the CSV; missing where the file is the CSV itself."""
    content_sha256: str | None = None
    """SHA-256 of the CSV, hexadecimal; missing where the file is the CSV itself."""
    protocol: str
    """Protocol of Pigment's answer."""
    evidence: str
    """What proved that the body was complete."""
    seconds: float
    """From asking Pigment to the last byte in the lake."""
    first_byte_seconds: float | None = None
    """How many of them Pigment took before its first byte; missing in files of earlier versions."""
    notes: Notes = ()
    """What was noticed and is no failure."""


class LatestEntry(FileDescription):
    """One file in `_latest.json`."""

    path: str
    """The file, from the file system's root."""
    columns: tuple[str, ...] | None = None
    """The header's names; missing where they could not be read, and in `previous`."""


class Latest(LatestEntry):
    """`_latest.json`: the newest good file of an export, and those before it. It never goes back."""

    previous: tuple[LatestEntry, ...] = ()
    """Earlier files, newest first; at most thirty."""

    @classmethod
    def of(cls, path: str, file: FileDescription, columns: tuple[str, ...] | None, older: Self | None = None) -> Self:
        """Return the record for a file.

        Args:
            path: where it is.
            file: what it says of itself.
            columns: its header's names; None where they could not be read.
            older: the record so far; None where there is none.
        """
        # Without their headers: thirty that are as long as headers may be would be no record any more.
        previous = (LatestEntry(**older.model_dump(exclude={"columns"})), *older.previous) if older else ()
        return cls(**file.model_dump(), path=path, columns=columns, previous=previous[:PREDECESSORS])


@dataclass(frozen=True, slots=True)
class Occupant:
    """What is at a path: nothing, a file that describes itself, or one that this app did not write.

    Attributes:
        now: the lake's clock, by the same answer.
        etag: of what is there; None where nothing is.
        file: what it says of itself; None where it doesn't.
    """

    now: datetime
    etag: str | None = None
    file: FileDescription | None = None

    @classmethod
    def of(cls, info: PathInfo) -> Self:
        """Return what a look at a path found."""
        return cls(info.now, info.etag, FileDescription.from_metadata(info.metadata))

    def is_of(self, run_id: str) -> bool:
        """Return whether it is a file of this run, whichever try of it."""
        return self.file is not None and self.file.run_id == run_id
