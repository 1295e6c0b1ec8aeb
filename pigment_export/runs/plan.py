"""The plan of a run: decided once, when the run is claimed, and never changed. Pure.

Workers read everything from the plan, never from the current settings or catalog. A deployment in the middle of a run
therefore does not change the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from pigment_export.catalog.exports import Export, to_json
from pigment_export.delivery.receipt import ReceiptSummary
from pigment_export.delivery.task import HeldFile, Task
from pigment_export.lake.paths import Destination, RunFolder, is_run_id
from pigment_export.lake.records import Instant, Record

LATE_SECONDS = 3600  # after the end of its day a fetch may still replace, for a run claimed shortly before midnight


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A request for a run.

    Attributes:
        trigger: `schedule`, `http` or `cli`: each has its own keys.
        key: identifies the run: a repeated request has the same key.
        asked_by: who asks.
        request: the request as normalised JSON: a repeated request must have the same.
        occurrence: of the schedule; None for other triggers.
        date_asked: the snapshot date that the caller named.
    """

    trigger: str
    key: str
    asked_by: str
    request: Mapping[str, Any] = field(default_factory=dict)
    occurrence: datetime | None = None
    date_asked: date | None = None


def _run_id(text: str) -> str:
    if not is_run_id(text):
        raise ValueError(f"{text!r} is no run id")
    return text


def _folder(value: Any) -> Any:
    return RunFolder(value) if isinstance(value, str) else value


RunId = Annotated[str, AfterValidator(_run_id)]
Folder = Annotated[
    RunFolder,
    BeforeValidator(_folder),
    PlainSerializer(lambda folder: folder.path, return_type=str),
    WithJsonSchema({"type": "string"}),
]


class PlannedExport(Record):
    """One export of a run, and its destination."""

    export: Annotated[Export, PlainSerializer(to_json)] = Field(alias="definition")
    """The export as it was defined when the run was claimed."""
    folder: str
    """The export's own folder."""
    path: str
    """Path of its file."""
    replaces: bool
    """Whether a newer file may replace an existing one."""
    held: HeldFile | None = None
    """The held file that this run releases; missing if it fetches a new one."""
    snapshot_date: date | None = None
    """The day that its file stands for, if the export has its own time zone."""
    day_ends_at: Instant | None = None
    """When that day ends, if the export has its own time zone."""

    @property
    def destination(self) -> Destination:
        """Its destination."""
        return Destination(folder=self.folder, path=self.path, replaces=self.replaces)


class PlanSummary(Record):
    """The fields of a plan that the metadata of its claim and of `run.json` has, too."""

    run_id: RunId
    """The run's id; it begins with the instant of the claim."""
    deployment: str
    """The deployment that runs it."""
    trigger: str
    """What started it: `schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked for it."""
    snapshot_date: date
    """The day that its files stand for."""
    expires_at: Instant
    """When it expires: from then on, nothing is fetched for it."""
    exports: int
    """How many exports it has."""


class Plan(Record):
    """`run.json`, and the claim: what a run exports, for which day, and until when."""

    run_id: RunId
    """The run's id; it begins with the instant of the claim."""
    folder: Folder
    """Folder of its records."""
    deployment: str
    """The deployment that runs it."""
    trigger: str
    """What started it: `schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked for it."""
    request: dict[str, Any]
    """The request, normalised. A repeated request must be the same."""
    claimed_at: Instant
    """When it was claimed, by the lake's clock."""
    snapshot_date: date
    """The day that its files stand for."""
    day_ends_at: Instant
    """When that day ends, in the deployment's time zone."""
    date_asked: bool
    """Whether the caller named the date."""
    expires_at: Instant
    """When it expires: from then on, nothing is fetched for it."""
    exports: tuple[PlannedExport, ...]
    """Its exports, with their destinations."""

    @property
    def names(self) -> tuple[str, ...]:
        """The exports' names, in order."""
        return tuple(planned.export.name for planned in self.exports)

    def pending(self, receipts: Mapping[str, ReceiptSummary]) -> tuple[str, ...]:
        """Return the exports that have no final receipt, in order."""
        return tuple(name for name in self.names if name not in receipts or not receipts[name].state.final)

    def planned(self, name: str) -> PlannedExport | None:
        """Return an export by its name, or None if the run does not have it."""
        return next((planned for planned in self.exports if planned.export.name == name), None)

    def task(self, planned: PlannedExport) -> Task:
        """Return the task of one export of this run, for delivery.

        A requested date has no grace after its end: the caller knows that it is past. A held file was fetched for its
        own run, which may have begun shortly before the end.
        """
        grace = timedelta(seconds=0 if self.date_asked and planned.held is None else LATE_SECONDS)
        return Task(
            run_id=self.run_id,
            deployment=self.deployment,
            export=planned.export,
            destination=planned.destination,
            receipt_path=self.folder.receipt(planned.export.name),
            snapshot_date=planned.snapshot_date or self.snapshot_date,
            replaces_until=(planned.day_ends_at or self.day_ends_at) + grace,
            expires_at=self.expires_at,
        )

    @property
    def summary(self) -> PlanSummary:
        """Its summary."""
        fields = {name: getattr(self, name) for name in PlanSummary.model_fields}
        return PlanSummary(**{**fields, "exports": len(self.exports)})

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata of the record: the summary."""
        return self.summary.to_metadata()
