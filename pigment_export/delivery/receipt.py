"""The records of a run's outcome, and which of two receipts is better. Pure.

A `Receipt` records the outcome of one export of a run; a `Result` sums up the receipts of a run. They are corrected to
agree with the files, which carry their own descriptions; never the reverse.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from pigment_export.delivery.description import FileDescription, Notes
from pigment_export.delivery.task import HeldFile, Task
from pigment_export.errors import Cause, Who
from pigment_export.lake.records import Instant, Record, encode


class State(StrEnum):
    """The state of an export. All but the first are final."""

    RETRYING = "retrying"
    FAILED = "failed"
    HELD = "held"
    SUPERSEDED = "superseded"
    SUCCEEDED = "succeeded"

    @property
    def final(self) -> bool:
        """Whether no further attempt will be made."""
        return self is not State.RETRYING

    @property
    def good(self) -> bool:
        """Whether the day's file is this run's, or a newer one."""
        return self in (State.SUPERSEDED, State.SUCCEEDED)


def count_states(states: Iterable[State]) -> dict[str, int]:
    """Return how many exports are in each state that occurs, in the order of the states."""
    counts = Counter(states)
    return {str(state): counts[state] for state in State if counts[state]}


_RANK = {State.RETRYING: 0, State.FAILED: 1, State.HELD: 2, State.SUPERSEDED: 3, State.SUCCEEDED: 3}


class ReceiptSummary(Record):
    """The fields of a receipt that its metadata has, too: a listing is enough to compare receipts and sum up a run."""

    name: str
    """The export's name."""
    state: State
    """`retrying` until it is final: `succeeded`, `superseded` (a newer file was there first), `held` or `failed`."""
    path: str = ""
    """Path of the file: the one that was published, found there instead, held, or meant to be written."""
    folder: str = ""
    """The export's own folder, with its staged and held files."""
    owner: str | None = None
    """Owner of the export, as the catalog names them."""
    nonce: str | None = None
    """The attempt that fetched the file."""
    fetched_at: Instant | None = None
    """When Pigment was asked, by the lake's clock."""
    started_at: Instant | None = None
    """When the last attempt began."""
    ended_at: Instant | None = None
    """When this receipt was written."""
    rows: int | None = None
    """Number of records after the header."""
    bytes: int | None = None
    """Size of the file."""
    sha256: str | None = None
    """SHA-256 of the file, hexadecimal."""
    code: str | None = Field(default=None, alias="class")
    """Class of the error; errors.md lists them all."""
    reason: str | None = None
    """What happened."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""

    @property
    def cause(self) -> Cause | None:
        """Why it did not succeed, or None if the receipt has no reason."""
        if self.code is None:
            return None
        return Cause(self.code, self.reason or "", Who.read(self.who or ""), self.remedy or "")

    @property
    def held_file(self) -> HeldFile | None:
        """The file that a run can release, or None if none is held."""
        if self.state is not State.HELD or self.fetched_at is None or self.bytes is None or self.sha256 is None:
            return None
        return HeldFile(self.path, self.fetched_at, self.bytes, self.sha256)

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata of the record. The export's name is in the path instead."""
        fields = self.to_fields()
        return encode({name: fields[name] for name in _LISTED if name in fields})

    @classmethod
    def listed(cls, name: str, metadata: Mapping[str, str]) -> "ReceiptSummary | None":
        """Read the metadata of a receipt's record; None if it is not a receipt's."""
        return ReceiptSummary.from_metadata({**metadata, **encode({"name": name})})


_LISTED = [field.alias or name for name, field in ReceiptSummary.model_fields.items() if name != "name"]


class Receipt(ReceiptSummary):
    """The outcome of one export of a run."""

    run_id: str
    """The run."""
    snapshot_date: date
    """The day that the file stands for."""
    deployment: str
    """The deployment that ran it."""
    seconds: float | None = None
    """Time from the request to Pigment until the last byte was in the lake."""
    first_byte_seconds: float | None = None
    """Time until Pigment sent its first byte, part of `seconds`."""
    content_bytes: int | None = None
    """Size of the CSV in a compressed file; otherwise missing."""
    content_sha256: str | None = None
    """SHA-256 of the CSV in a compressed file, hexadecimal; otherwise missing."""
    protocol: str | None = None
    """Protocol of Pigment's answer."""
    evidence: str | None = None
    """What proved that the download was complete."""
    columns: tuple[str, ...] | None = None
    """Names of the columns; missing if they could not be read."""
    notes: Notes = ()
    """What was noticed without being a failure; see Notes."""

    @classmethod
    def of(cls, task: Task, state: State, file: FileDescription | None, /, **fields: Any) -> Self:
        """Return a receipt of a task.

        Args:
            task: the export of the run. Run, day and deployment are the task's: the file may be another run's.
            state: its state.
            file: the description of its file; None if it has none.
            **fields: fields that neither the task nor the file has.
        """
        own = file.model_dump(exclude={"run_id", "snapshot_date", "deployment"}) if file else {}
        return cls(
            run_id=task.run_id,
            name=task.export.name,
            state=state,
            snapshot_date=task.snapshot_date,
            deployment=task.deployment,
            folder=task.destination.folder,
            owner=task.export.owner,
            **{"path": task.destination.path, **own, **fields},
        )

    def to_event(self) -> dict[str, Any]:
        """Return the fields that log events carry."""
        return {name: value for name, value in self.to_fields().items() if name in EVENT_FIELDS}


_IN_RECORD_ONLY = {"snapshot_date", "content_bytes", "content_sha256"}
_IN_RECORD_ONLY |= {"protocol", "evidence", "columns", "notes", "folder"}
EVENT_FIELDS = [field.alias or name for name, field in Receipt.model_fields.items() if name not in _IN_RECORD_ONLY]


def is_better(mine: ReceiptSummary, theirs: ReceiptSummary) -> bool:
    """Return whether a receipt may replace another: by state, then by the later fetch; never the reverse.

    `superseded` never replaces a receipt of its own rank: it only says that another run's file is newer.
    """
    if _RANK[mine.state] != _RANK[theirs.state]:
        return _RANK[mine.state] > _RANK[theirs.state]
    if mine.state is State.SUPERSEDED or mine.fetched_at is None or theirs.fetched_at is None:
        return False
    return mine.fetched_at > theirs.fetched_at


class Result(Record):
    """The outcome of a run, written when every export has a final receipt."""

    run_id: str
    """The run."""
    deployment: str
    """The deployment that ran it."""
    snapshot_date: date
    """The day that its files stand for."""
    state: State
    """`succeeded`, or `failed` if an export failed or is held."""
    counts: dict[str, int]
    """How many exports are in each state that occurs."""
    exports: tuple[ReceiptSummary, ...]
    """The receipts of its exports, in the order of the plan."""

    @property
    def succeeded(self) -> bool:
        """Whether every export succeeded."""
        return self.state is State.SUCCEEDED

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata of the record: how the run ended."""
        return encode({"state": self.state, **self.counts})


def result_of(
    run_id: str, deployment: str, snapshot_date: date, names: Sequence[str], receipts: Mapping[str, ReceiptSummary]
) -> Result | None:
    """Return the outcome of a run, or None while a receipt is missing or not final."""
    final = tuple(receipts[name] for name in names if name in receipts and receipts[name].state.final)
    if len(final) < len(names):
        return None
    state = State.SUCCEEDED if all(receipt.state.good for receipt in final) else State.FAILED
    return Result(
        run_id=run_id,
        deployment=deployment,
        snapshot_date=snapshot_date,
        state=state,
        counts=count_states(receipt.state for receipt in final),
        exports=final,
    )
