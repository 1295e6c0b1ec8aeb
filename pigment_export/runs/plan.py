"""What a run is: decided once, when it is claimed, and the same ever after. Pure.

Work on a run takes everything from its plan, never from settings or the catalog as they are now: a deployment in the
middle of a run changes nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from pigment_export.catalog.exports import Export, to_json
from pigment_export.delivery.task import HeldFile, Task
from pigment_export.lake.paths import Destination, Layout, RunFolder, is_run_id
from pigment_export.lake.records import Instant, Record

LATE_SECONDS = 3600  # past the end of its day, a fetch may still replace: a run claimed shortly before midnight
EARLY_SECONDS = 3600  # a timer may fire before its occurrence; what is earlier than this has a wrong clock


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


class PlannedExport(BaseModel):
    """One export of a run, with where it goes."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True)

    export: Annotated[Export, PlainSerializer(to_json)] = Field(alias="definition")
    """The export as it was defined when the run was claimed."""
    folder: str
    """The export's own folder."""
    path: str
    """Where its file goes."""
    replaces: bool
    """Whether a newer file may replace what is there."""
    held: HeldFile | None = None
    """The held file that this run releases; missing where it fetches."""

    @property
    def destination(self) -> Destination:
        """Where it goes."""
        return Destination(folder=self.folder, path=self.path, replaces=self.replaces)


class PlanSummary(Record):
    """What a listing tells of a plan, by the metadata of its claim and of `run.json`."""

    run_id: RunId
    """The run; begins with the instant of its claim."""
    deployment: str
    """Whose run it is."""
    trigger: str
    """What started it: `schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked for it."""
    snapshot_date: date
    """The day that its files stand for."""
    expires_at: Instant
    """From then on nothing is fetched for it."""
    exports: int
    """How many exports it has."""


class Plan(Record):
    """`run.json`, and the claim: what a run exports, for which day, until when."""

    run_id: RunId
    """The run; begins with the instant of its claim."""
    folder: Folder
    """Where its records lie."""
    deployment: str
    """Whose run it is."""
    trigger: str
    """What started it: `schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked for it."""
    request: dict[str, Any]
    """What was asked for, normalised: a repeat must ask for the same."""
    claimed_at: Instant
    """When it was claimed, by the lake's clock."""
    snapshot_date: date
    """The day that its files stand for."""
    day_ends_at: Instant
    """When that day ends, in the deployment's time zone."""
    date_asked: bool
    """Whether the caller named the date."""
    expires_at: Instant
    """From then on nothing is fetched for it."""
    exports: tuple[PlannedExport, ...]
    """What it exports, and where to."""

    @property
    def names(self) -> tuple[str, ...]:
        """The exports' names, in order."""
        return tuple(planned.export.name for planned in self.exports)

    def planned(self, name: str) -> PlannedExport | None:
        """One export by its name; None where the run has none of that name."""
        return next((planned for planned in self.exports if planned.export.name == name), None)

    def task(self, planned: PlannedExport) -> Task:
        """What delivery needs of one export of this run.

        A date that was asked for has no grace after its end: the caller knows that it is past. A held file was fetched
        for its own run, which may have begun shortly before the end.
        """
        grace = timedelta(seconds=0 if self.date_asked and planned.held is None else LATE_SECONDS)
        return Task(
            run_id=self.run_id,
            deployment=self.deployment,
            export=planned.export,
            destination=planned.destination,
            receipt_path=self.folder.receipt(planned.export.name),
            snapshot_date=self.snapshot_date,
            replaces_until=self.day_ends_at + grace,
            expires_at=self.expires_at,
            held=planned.held,
        )

    @property
    def summary(self) -> PlanSummary:
        """What a listing tells of it."""
        fields = {name: getattr(self, name) for name in PlanSummary.model_fields}
        return PlanSummary(**{**fields, "exports": len(self.exports)})

    def to_metadata(self) -> dict[str, str]:
        """Return what a listing should tell of it."""
        return self.summary.to_metadata()


def new_plan(
    exports: Sequence[Export],
    *,
    run_id: str,
    layout: Layout,
    deployment: str,
    trigger: str,
    asked_by: str,
    request: Mapping[str, Any],
    claimed_at: datetime,
    occurrence: datetime | None,
    date_asked: date | None,
    time_zone: ZoneInfo,
    hours: int,
) -> Plan:
    """Plan a run.

    Args:
        exports: what to export; validated, at least one.
        run_id: from `layout.new_run_id` with the same instant.
        layout: where things go now: the plan keeps it.
        deployment: the app's own name.
        trigger: `schedule`, `http` or `cli`.
        asked_by: who asked.
        request: what was asked for, as JSON.
        claimed_at: the lake's clock.
        occurrence: of the schedule; None for another trigger.
        date_asked: the date that the caller named; None for the day of the claim in `time_zone`.
        time_zone: decides a file's date.
        hours: until the run expires.

    Returns:
        The plan.

    Raises:
        ValueError: the date lies in the future.
    """
    if date_asked is not None and date_asked > (today := claimed_at.astimezone(time_zone).date()):
        raise ValueError(f"{date_asked} lies in the future: in {time_zone.key} it is {today}, and Pigment only has now")
    snapshot_date = date_asked or _day_of(claimed_at, occurrence, time_zone)
    next_day = datetime.combine(snapshot_date + timedelta(days=1), time.min, tzinfo=time_zone)
    return Plan(
        run_id=run_id,
        folder=layout.run(run_id),
        deployment=deployment,
        trigger=trigger,
        asked_by=asked_by,
        request=dict(request),
        claimed_at=claimed_at,
        snapshot_date=snapshot_date,
        day_ends_at=next_day.astimezone(UTC),
        date_asked=date_asked is not None,
        expires_at=claimed_at + timedelta(hours=hours),
        exports=tuple(_planned(export, layout, snapshot_date, run_id) for export in exports),
    )


def _planned(export: Export, layout: Layout, snapshot_date: date, run_id: str) -> PlannedExport:
    destination = layout.destination(export.name, snapshot_date=snapshot_date, run_id=run_id, is_compressed=export.gzip)
    return PlannedExport(export=export, **asdict(destination))


def _day_of(now: datetime, occurrence: datetime | None, time_zone: ZoneInfo) -> date:
    """The present day, or that of an occurrence which fired a little early, as at midnight."""
    is_early = occurrence is not None and now < occurrence <= now + timedelta(seconds=EARLY_SECONDS)
    return (occurrence if occurrence is not None and is_early else now).astimezone(time_zone).date()
