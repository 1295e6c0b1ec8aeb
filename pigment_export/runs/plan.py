"""What a run is: decided once, when it is claimed, and the same ever after. Pure.

Work on a run takes everything from its plan, never from settings or the catalog as they are now: a deployment in the
middle of a run changes nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from pigment_export.catalog.exports import Export, to_json
from pigment_export.delivery.task import HeldFile, Task
from pigment_export.lake.paths import Destination, Layout, RunFolder, is_run_id
from pigment_export.lake.records import Instant, Record

LATE_SECONDS = 3600  # past the end of its day, a fetch may still replace: a run claimed shortly before midnight


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What asks for a run.

    Attributes:
        trigger: `schedule`, `http` or `cli`: each has keys of its own.
        key: what makes it one and the same run when it is asked for again.
        asked_by: who asks.
        request: what is asked for, as JSON, normalised: a repeat must ask for the same.
        occurrence: of the schedule.
        date_asked: the snapshot date that the caller named.
    """

    trigger: str
    key: str
    asked_by: str
    request: Mapping[str, Any] = field(default_factory=dict)
    occurrence: datetime | None = None
    date_asked: date | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a deployment says of all its runs.

    Attributes:
        deployment: the app's own name.
        layout: where things go.
        time_zone: decides a file's date, where the export has none of its own.
        hours: until a run expires.
    """

    deployment: str
    layout: Layout
    time_zone: ZoneInfo
    hours: int


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
    snapshot_date: date | None = None
    """The day that its file stands for, where its own time zone has another than the run's."""
    day_ends_at: Instant | None = None
    """When its day ends, where its own time zone says so."""

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
            snapshot_date=planned.snapshot_date or self.snapshot_date,
            replaces_until=(planned.day_ends_at or self.day_ends_at) + grace,
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


@dataclass(frozen=True, slots=True)
class Released:
    """What a run that releases takes over: the plan of the run that fetched, and its held files by export."""

    origin: Plan
    held: Mapping[str, HeldFile]


def released_plan(
    released: Released, request: ClaimRequest, terms: Terms, *, run_id: str, claimed_at: datetime
) -> Plan:
    """Plan a run that publishes held files where and for the day for which they were fetched.

    Args:
        released: what it takes over.
        request: what asks for it.
        terms: of the deployment as it is now.
        run_id: from `paths.new_run_id` with the same instant.
        claimed_at: the lake's clock.
    """
    origin = released.origin
    plan = new_plan([], request, terms, run_id=run_id, claimed_at=claimed_at)
    return plan.model_copy(
        update={
            "snapshot_date": origin.snapshot_date,
            "day_ends_at": origin.day_ends_at,
            "date_asked": origin.date_asked,
            "exports": tuple(
                planned.model_copy(update={"held": released.held[planned.export.name]})
                for planned in origin.exports
                if planned.export.name in released.held
            ),
        }
    )


def new_plan(
    exports: Sequence[Export], request: ClaimRequest, terms: Terms, *, run_id: str, claimed_at: datetime
) -> Plan:
    """Plan a run.

    Args:
        exports: what to export; validated, at least one.
        request: what asks for it.
        terms: of the deployment as it is now: the plan keeps them.
        run_id: from `paths.new_run_id` with the same instant.
        claimed_at: the lake's clock.

    Returns:
        The plan.

    Raises:
        ValueError: the date lies in the future.
    """
    day = _day_for(request, claimed_at, terms.time_zone)
    return Plan(
        run_id=run_id,
        folder=terms.layout.run(run_id),
        deployment=terms.deployment,
        trigger=request.trigger,
        asked_by=request.asked_by,
        request=dict(request.request),
        claimed_at=claimed_at,
        snapshot_date=day,
        day_ends_at=_end_of(day, terms.time_zone),
        date_asked=request.date_asked is not None,
        expires_at=claimed_at + timedelta(hours=terms.hours),
        exports=tuple(_plan_export(export, request, terms, run_id, claimed_at) for export in exports),
    )


def _plan_export(
    export: Export, request: ClaimRequest, terms: Terms, run_id: str, claimed_at: datetime
) -> PlannedExport:
    day = _day_for(request, claimed_at, export.zone or terms.time_zone)
    destination = terms.layout.destination(export.name, snapshot_date=day, run_id=run_id, is_compressed=export.gzip)
    own = {"snapshot_date": day, "day_ends_at": _end_of(day, export.zone)} if export.zone else {}
    return PlannedExport(export=export, **asdict(destination), **own)


def date_problems(asked: date | None, now: datetime, zone: ZoneInfo) -> list[str]:
    """Return what is wrong with a date that was asked for.

    Args:
        asked: the date; None for none.
        now: the lake's clock.
        zone: the deployment's time zone.
    """
    today = now.astimezone(zone).date()
    if asked is None or asked <= today:
        return []
    return [f"date: {asked} lies in the future: in {zone.key} it is {today}, and Pigment only has now"]


def _day_for(request: ClaimRequest, now: datetime, zone: ZoneInfo) -> date:
    """The date that was asked for; the occurrence's day, while that lasts; else today."""
    today = now.astimezone(zone).date()
    if request.date_asked is not None:
        if problems := date_problems(request.date_asked, now, zone):
            raise ValueError(problems[0])
        return request.date_asked
    day = request.occurrence.astimezone(zone).date() if request.occurrence else today
    return day if now < _end_of(day, zone) else today


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
