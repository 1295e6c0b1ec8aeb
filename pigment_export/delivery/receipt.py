"""What the records of a run say, which of two receipts is better, and what a run came to. Pure.

A `Receipt` says what one export of a run came to, a `Result` sums up a run's receipts. They follow the files, which
describe themselves, never the reverse.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self
from urllib.parse import quote

from pigment_export.delivery.description import Description
from pigment_export.errors import Cause, Who
from pigment_export.lake.records import as_record, decode, encode, instant_in, read_record

REASON_BYTES = 1024  # of a reason, percent-encoded, in a receipt's metadata: all of it must stay below 8 KiB


class State(StrEnum):
    """What an export came to. Final but for the first."""

    RETRYING = "retrying"
    FAILED = "failed"
    HELD = "held"
    SUPERSEDED = "superseded"
    SUCCEEDED = "succeeded"

    @property
    def final(self) -> bool:
        """Whether nothing more will be tried."""
        return self is not State.RETRYING

    @property
    def good(self) -> bool:
        """Whether the day's file is this run's, or a newer one."""
        return self in (State.SUPERSEDED, State.SUCCEEDED)


def count_states(states: Iterable[State]) -> dict[str, int]:
    """How many there are of each state that occurs, in their order."""
    counts = Counter(states)
    return {str(state): counts[state] for state in State if counts[state]}


_RANK = {State.RETRYING: 0, State.FAILED: 1, State.HELD: 2, State.SUPERSEDED: 3, State.SUCCEEDED: 3}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one export of a run came to.

    Attributes:
        run_id: the run.
        name: the export.
        state: what it came to.
        snapshot_date: the day that was asked for.
        deployment: whose run it was.
        owner: of the export, for alerts.
        path: the file: published, found there instead, held, or that would have been written.
        folder: the export's own, with its staged and held files.
        file: what that file says of itself; None where there is none of this app's.
        columns: the header's names; None where they could not be read.
        cause: why it did not succeed.
        notes: what a reader of the receipt should know, beside the file's own.
    """

    run_id: str
    name: str
    state: State
    snapshot_date: date
    deployment: str
    path: str
    folder: str
    owner: str | None = None
    file: Description | None = None
    columns: tuple[str, ...] | None = None
    cause: Cause | None = None
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The fields that log events, results and metadata carry."""
        file, cause = self.file, self.cause
        fields = {
            "name": self.name,
            "state": str(self.state),
            "path": self.path,
            "owner": self.owner,
            "deployment": self.deployment,
            "seconds": file and file.seconds,
            "first_byte_seconds": file and file.first_byte_seconds,
            "nonce": file and file.nonce,
            "fetched_at": file and file.fetched_at.isoformat(),
            "rows": file and file.rows,
            "bytes": file and file.bytes,
            "sha256": file and file.sha256,
            **(cause.to_fields() if cause else {}),
        }
        return {name: value for name, value in fields.items() if value is not None}

    def to_json(self) -> bytes:
        """As the record, with everything."""
        file = self.file
        return as_record(
            {
                "run_id": self.run_id,
                **self.summary(),
                "folder": self.folder,
                "snapshot_date": self.snapshot_date.isoformat(),
                "protocol": file and file.protocol,
                "evidence": file and file.evidence,
                "columns": self.columns,
                "notes": [*(file.notes if file else ()), *self.notes],
            }
        )

    def to_metadata(self) -> dict[str, str]:
        """As the record's metadata: a listing alone tells what a run came to."""
        summary = self.summary()
        if "reason" in summary:
            summary["reason"] = _cut(summary["reason"], REASON_BYTES)
        listed = {name: value for name, value in summary.items() if name not in _IN_RECORD_ONLY}
        return encode({**listed, "folder": self.folder})


_IN_RECORD_ONLY = ("name", "owner", "deployment", "seconds", "first_byte_seconds", "remedy")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a listing tells of a receipt: enough to compare it, and to sum up a run."""

    state: State
    fetched_at: datetime | None
    fields: Mapping[str, Any]

    @property
    def cause(self) -> Cause | None:
        """Why it did not succeed, as the receipt says; None where it doesn't."""
        said = {name: str(self.fields.get(name, "")) for name in ("class", "reason", "who", "remedy")}
        if not said["class"]:
            return None
        who = next((who for who in Who if who == said["who"]), Who.NOBODY)
        return Cause(said["class"], said["reason"], who, said["remedy"])

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        """What a listing will tell of a receipt."""
        return cls(receipt.state, receipt.file.fetched_at if receipt.file else None, json.loads(receipt.to_json()))

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """What the metadata of a receipt's record say; None where they are no receipt's."""
        return cls._from_fields(decode(metadata))

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """What a receipt's record says; None where it is none."""
        try:
            return cls._from_fields(read_record(data))
        except ValueError:
            return None

    @classmethod
    def _from_fields(cls, fields: Mapping[str, Any]) -> Self | None:
        try:
            fetched_at = instant_in(fields["fetched_at"]) if "fetched_at" in fields else None
            return cls(State(fields["state"]), fetched_at, fields)
        except (KeyError, TypeError, ValueError):
            return None


def is_better(mine: Standing, theirs: Standing) -> bool:
    """Whether a receipt may replace another: by state, then by the later fetch; never the reverse.

    `superseded` never replaces a receipt of its own rank: it only says that somebody else's file is newer.
    """
    if _RANK[mine.state] != _RANK[theirs.state]:
        return _RANK[mine.state] > _RANK[theirs.state]
    if mine.state is State.SUPERSEDED:
        return False
    if mine.fetched_at is None or theirs.fetched_at is None:
        return False
    return mine.fetched_at > theirs.fetched_at


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to: known when every export has a final receipt.

    Attributes:
        run_id: the run.
        deployment: whose it was.
        snapshot_date: its day.
        exports: per export what its receipt says in a listing, in the plan's order.
    """

    run_id: str
    deployment: str
    snapshot_date: date
    exports: tuple[Mapping[str, str], ...]

    @property
    def succeeded(self) -> bool:
        """Whether every export succeeded."""
        return all(State(export["state"]).good for export in self.exports)

    @property
    def counts(self) -> dict[str, int]:
        """How many exports came to each state that occurs."""
        return count_states(State(export["state"]) for export in self.exports)

    def to_metadata(self) -> dict[str, str]:
        """As the record's metadata: a listing alone tells how runs ended."""
        return encode({"state": self._state, **self.counts})

    @property
    def _state(self) -> str:
        return str(State.SUCCEEDED if self.succeeded else State.FAILED)

    def to_json(self) -> bytes:
        """As the record."""
        return as_record(
            {
                "run_id": self.run_id,
                "deployment": self.deployment,
                "snapshot_date": self.snapshot_date.isoformat(),
                "state": self._state,
                "counts": self.counts,
                "exports": [_numbers(export) for export in self.exports],
            }
        )


def result_fields(data: bytes) -> dict[str, Any]:
    """Read what `Result.to_json` wrote.

    Raises:
        ValueError: it is no result.
    """
    try:
        fields = dict(read_record(data))
        state, counts = State(fields["state"]), dict(fields["counts"])
        exports = [{**export, "name": export["name"], "state": State(export["state"])} for export in fields["exports"]]
    except (KeyError, TypeError) as exc:
        raise ValueError(f"not a result: {exc!r}") from exc
    return {**fields, "state": state, "counts": counts, "exports": exports}


def result_of(
    run_id: str, deployment: str, snapshot_date: date, names: Sequence[str], standings: Mapping[str, Standing]
) -> Result | None:
    """What a run came to, from a listing of its receipts; None while one is missing or not final."""
    found = [(name, standings.get(name)) for name in names]
    rows = [{"name": name, **standing.fields} for name, standing in found if standing and standing.state.final]
    return Result(run_id, deployment, snapshot_date, tuple(rows)) if len(rows) == len(names) else None


def _numbers(fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: int(value) if name in ("rows", "bytes") else value for name, value in fields.items()}


def _cut(text: str, limit_bytes: int) -> str:
    """The longest beginning of a text that stays within a limit once percent-encoded."""
    while len(quote(text)) > limit_bytes:
        text = text[: max(0, len(text) - (len(quote(text)) - limit_bytes + 2) // 3)]
    return text
