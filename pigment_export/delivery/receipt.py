"""What the records of a run say, which of two receipts is better, and what a run came to. Pure.

A `Receipt` says what one export of a run came to, a `Result` sums up a run's receipts. They follow the files, which
describe themselves, never the reverse.
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
    """Return how many there are of each state that occurs, in their order."""
    counts = Counter(states)
    return {str(state): counts[state] for state in State if counts[state]}


_RANK = {State.RETRYING: 0, State.FAILED: 1, State.HELD: 2, State.SUPERSEDED: 3, State.SUCCEEDED: 3}


class ReceiptSummary(Record):
    """What a listing tells of a receipt, by its metadata: enough to compare it, and to sum up a run."""

    name: str
    """The export's name."""
    state: State
    """`retrying` until it is final: `succeeded`, `superseded` (a newer file was there first), `held` or `failed`."""
    path: str = ""
    """The file: published, found there instead, held, or the one that was to be written."""
    folder: str = ""
    """The export's own folder, with its staged and held files."""
    owner: str | None = None
    """Owner of the export, as the catalog names them."""
    nonce: str | None = None
    """The try that fetched the file."""
    fetched_at: Instant | None = None
    """The lake's clock right before Pigment was asked."""
    started_at: Instant | None = None
    """When the last try began."""
    ended_at: Instant | None = None
    """When this receipt was written."""
    rows: int | None = None
    """Records after the header."""
    bytes: int | None = None
    """Size of the file."""
    sha256: str | None = None
    """SHA-256 of the file, hexadecimal."""
    code: str | None = Field(default=None, alias="class")
    """Class of the error: see errors.md."""
    reason: str | None = None
    """What was seen."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""

    @property
    def cause(self) -> Cause | None:
        """Why it did not succeed; None where it doesn't say."""
        if self.code is None:
            return None
        return Cause(self.code, self.reason or "", Who.read(self.who or ""), self.remedy or "")

    @property
    def held_file(self) -> HeldFile | None:
        """The file that a run may release; None where none is held."""
        if self.state is not State.HELD or self.fetched_at is None or self.bytes is None or self.sha256 is None:
            return None
        return HeldFile(self.path, self.fetched_at, self.bytes, self.sha256)

    def to_metadata(self) -> dict[str, str]:
        """Return what a listing should tell; the name stands in the path."""
        fields = self.to_fields()
        return encode({name: fields[name] for name in _LISTED if name in fields})

    @classmethod
    def listed(cls, name: str, metadata: Mapping[str, str]) -> "ReceiptSummary | None":
        """Read the metadata of a receipt's record; None where they are no receipt's."""
        return ReceiptSummary.from_metadata({**metadata, **encode({"name": name})})


_LISTED = [field.alias or name for name, field in ReceiptSummary.model_fields.items() if name != "name"]


class Receipt(ReceiptSummary):
    """What one export of a run came to."""

    run_id: str
    """The run."""
    snapshot_date: date
    """The day that was asked for."""
    deployment: str
    """Whose run it was."""
    seconds: float | None = None
    """From asking Pigment to the last byte in the lake."""
    first_byte_seconds: float | None = None
    """How many of them Pigment took before its first byte."""
    content_bytes: int | None = None
    """Size of the CSV; missing where the file is the CSV itself."""
    content_sha256: str | None = None
    """SHA-256 of the CSV, hexadecimal; missing where the file is the CSV itself."""
    protocol: str | None = None
    """Protocol of Pigment's answer."""
    evidence: str | None = None
    """What proved that the body was complete."""
    columns: tuple[str, ...] | None = None
    """The header's names; missing where they could not be read."""
    notes: Notes = ()
    """What was noticed and is no failure."""

    @classmethod
    def of(cls, task: Task, state: State, file: FileDescription | None, /, **fields: Any) -> Self:
        """Return a receipt of a task.

        Args:
            task: the export of the run. Run, day and deployment are the task's: the file may be another run's.
            state: what it came to.
            file: what its file says of itself; None where it has none.
            **fields: others than the task's and the file's.
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
    """What a run came to: known when every export has a final receipt."""

    run_id: str
    """The run."""
    deployment: str
    """Whose run it was."""
    snapshot_date: date
    """Its day."""
    state: State
    """`succeeded`, or `failed` where an export is held or failed."""
    counts: dict[str, int]
    """How many exports came to each state that occurs."""
    exports: tuple[ReceiptSummary, ...]
    """What the receipts say, in the plan's order."""

    @property
    def succeeded(self) -> bool:
        """Whether every export succeeded."""
        return self.state is State.SUCCEEDED

    def to_metadata(self) -> dict[str, str]:
        """Return what a listing should tell: how the run ended."""
        return encode({"state": self.state, **self.counts})


def result_of(
    run_id: str, deployment: str, snapshot_date: date, names: Sequence[str], receipts: Mapping[str, ReceiptSummary]
) -> Result | None:
    """Return what a run came to; None while a receipt is missing or not final."""
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
