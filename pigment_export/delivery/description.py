"""What a published file says of itself, in its metadata and in `_latest.json`. Pure.

The service takes ASCII metadata without line breaks, and trims spaces: values are percent-encoded.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Self

from pigment_export.lake.records import as_record, decode, encode, instant_in, read_record

PREDECESSORS = 30  # that `_latest.json` remembers: a month of days


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of itself, in its metadata; a rename keeps it.

    Attributes:
        run_id: the run that fetched it.
        nonce: the try that fetched it.
        fetched_at: the lake's clock right before Pigment was asked: newer and older mean this.
        snapshot_date: the day it stands for.
        deployment: whose run it was.
        rows: records after the header.
        columns: how many.
        bytes: of the file.
        sha256: of the file, hexadecimal.
        protocol: what Pigment was spoken to in.
        evidence: what proved that the body was whole.
        seconds: from asking Pigment to the last byte in the lake.
        first_byte_seconds: how many of them Pigment took before its first byte; None in files of earlier versions.
        notes: what was noticed and is no failure.
    """

    run_id: str
    nonce: str
    fetched_at: datetime
    snapshot_date: date
    deployment: str
    rows: int
    columns: int
    bytes: int
    sha256: str
    protocol: str
    evidence: str
    seconds: float
    first_byte_seconds: float | None = None
    notes: tuple[str, ...] = ()

    def to_metadata(self) -> dict[str, str]:
        """As metadata: ASCII without line breaks, as the service demands."""
        return encode(self.to_fields())

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """What a file's metadata say; None where this app did not write the file, or somebody changed them."""
        try:
            return cls.from_fields(decode(metadata))
        except ValueError:
            return None

    def to_fields(self) -> dict[str, Any]:
        """As plain values, for metadata and records alike."""
        fields = asdict(self)
        fields["number_of_columns"] = fields.pop("columns")
        if self.first_byte_seconds is None:
            del fields["first_byte_seconds"]
        return {
            **fields,
            "fetched_at": self.fetched_at.isoformat(),
            "snapshot_date": self.snapshot_date.isoformat(),
            "notes": ",".join(self.notes),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `to_fields` wrote, numbers as text too.

        Raises:
            ValueError: a field is missing or malformed.
        """
        try:
            return cls(
                run_id=fields["run_id"],
                nonce=fields["nonce"],
                fetched_at=instant_in(fields["fetched_at"]),
                snapshot_date=date.fromisoformat(fields["snapshot_date"]),
                deployment=fields["deployment"],
                rows=int(fields["rows"]),
                columns=int(fields["number_of_columns"]),
                bytes=int(fields["bytes"]),
                sha256=fields["sha256"],
                protocol=fields["protocol"],
                evidence=fields["evidence"],
                seconds=float(fields["seconds"]),
                first_byte_seconds=float(fields["first_byte_seconds"]) if "first_byte_seconds" in fields else None,
                notes=tuple(filter(None, fields["notes"].split(","))),
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"not a description of a file: {exc!r}") from exc


@dataclass(frozen=True, slots=True)
class Latest:
    """`_latest.json`: the newest good file of an export, and those before it. It never goes back.

    Attributes:
        path: of the file.
        file: what it says of itself.
        columns: its header's names; None where they could not be read.
        previous: earlier files, newest first, as their entries were.
    """

    path: str
    file: Description
    columns: tuple[str, ...] | None
    previous: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read the record.

        Raises:
            ValueError: it is not such a record.
        """
        try:
            entry = read_record(data)
            columns = entry["columns"]
            return cls(
                path=entry["path"],
                file=Description.from_fields(entry),
                columns=None if columns is None else tuple(columns),
                previous=tuple(entry["previous"]),
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"not a record of the latest file: {exc!r}") from exc

    def to_json(self) -> bytes:
        """As the record."""
        return as_record({**self._entry(), "previous": list(self.previous)})

    def after(self, older: Self) -> Self:
        """This one, remembering an older one and its predecessors."""
        return replace(self, previous=(older._entry(), *older.previous)[:PREDECESSORS])

    def _entry(self) -> dict[str, Any]:
        return {"path": self.path, **self.file.to_fields(), "columns": self.columns}
