"""What a run is: decided once, when it is claimed, and the same ever after. Pure.

Work on a run takes everything from its plan, never from settings or the catalog as they are now: a deployment in the
middle of a run changes nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from pigment_export.catalog.exports import Export, from_json, to_json
from pigment_export.delivery.task import Task
from pigment_export.lake.paths import Destination, Layout, RunFolder, is_run_id
from pigment_export.lake.records import as_record, decode, encode, instant_in, read_record

LATE_SECONDS = 3600  # past the end of its day, a fetch may still replace: a run claimed shortly before midnight
EARLY_SECONDS = 3600  # a timer may fire before its occurrence; what is earlier than this has a wrong clock


@dataclass(frozen=True, slots=True)
class PlannedExport:
    """One export of a run, with where it goes."""

    export: Export
    destination: Destination


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a listing tells of a plan, by the metadata of its claim and of `run.json`; the fields are the plan's."""

    run_id: str
    deployment: str
    trigger: str
    asked_by: str
    snapshot_date: date
    expires_at: datetime
    exports: int

    def to_metadata(self) -> dict[str, str]:
        """As metadata."""
        dates = {"snapshot_date": self.snapshot_date.isoformat(), "expires_at": self.expires_at.isoformat()}
        return encode({**asdict(self), **dates})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """What the metadata of a claim or a `run.json` say; None where they are none's."""
        fields = decode(metadata)
        try:
            return cls(
                run_id=fields["run_id"],
                deployment=fields["deployment"],
                trigger=fields["trigger"],
                asked_by=fields["asked_by"],
                snapshot_date=date.fromisoformat(fields["snapshot_date"]),
                expires_at=instant_in(fields["expires_at"]),
                exports=int(fields["exports"]),
            )
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run exports, for which day, until when.

    Attributes:
        run_id: begins with the instant of the claim.
        folder: where its records lie.
        deployment: the app's own name.
        trigger: what claimed it: `schedule`, `http` or `cli`.
        asked_by: who asked: a principal's id, a schedule, a local user.
        request: what was asked for, as JSON: what a repeat of the claim must ask for, too.
        claimed_at: the lake's clock when it was claimed.
        snapshot_date: the `dt=` of its files.
        day_ends_at: the instant at which that day ends in the deployment's time zone.
        date_asked: whether the caller named the date.
        expires_at: nothing is fetched from then on.
        exports: what it exports, in order.
    """

    run_id: str
    folder: RunFolder
    deployment: str
    trigger: str
    asked_by: str
    request: Mapping[str, Any]
    claimed_at: datetime
    snapshot_date: date
    day_ends_at: datetime
    date_asked: bool
    expires_at: datetime
    exports: tuple[PlannedExport, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The exports' names, in order."""
        return tuple(planned.export.name for planned in self.exports)

    def planned(self, name: str) -> PlannedExport | None:
        """One export by its name; None where the run has none of that name."""
        return next((planned for planned in self.exports if planned.export.name == name), None)

    def task(self, planned: PlannedExport) -> Task:
        """What delivery needs of one export of this run.

        A date that was asked for has no grace after its end: the caller knows that it is past.
        """
        grace = timedelta(seconds=0 if self.date_asked else LATE_SECONDS)
        return Task(
            run_id=self.run_id,
            deployment=self.deployment,
            export=planned.export,
            destination=planned.destination,
            receipt_path=self.folder.receipt(planned.export.name),
            snapshot_date=self.snapshot_date,
            replaces_until=self.day_ends_at + grace,
            expires_at=self.expires_at,
        )

    def to_json(self) -> bytes:
        """As `run.json`, and as the claim."""
        fields = {
            "run_id": self.run_id,
            "folder": self.folder.path,
            "deployment": self.deployment,
            "trigger": self.trigger,
            "asked_by": self.asked_by,
            "request": self.request,
            "claimed_at": self.claimed_at.isoformat(),
            "snapshot_date": self.snapshot_date.isoformat(),
            "day_ends_at": self.day_ends_at.isoformat(),
            "date_asked": self.date_asked,
            "expires_at": self.expires_at.isoformat(),
            "exports": [
                {
                    "definition": to_json(planned.export),
                    "folder": planned.destination.folder,
                    "path": planned.destination.path,
                    "replaces": planned.destination.replaces,
                }
                for planned in self.exports
            ],
        }
        return as_record(fields)

    @property
    def summary(self) -> "PlanSummary":
        """What a listing tells of it."""
        return PlanSummary(
            self.run_id,
            self.deployment,
            self.trigger,
            self.asked_by,
            self.snapshot_date,
            self.expires_at,
            len(self.exports),
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is no plan.
        """
        try:
            fields = read_record(data)
            if not is_run_id(fields["run_id"]):
                raise ValueError(f"{fields['run_id']!r} is no run id")
            return cls(
                run_id=fields["run_id"],
                folder=RunFolder(fields["folder"]),
                deployment=fields["deployment"],
                trigger=fields["trigger"],
                asked_by=fields["asked_by"],
                request=fields["request"],
                claimed_at=instant_in(fields["claimed_at"]),
                snapshot_date=date.fromisoformat(fields["snapshot_date"]),
                day_ends_at=instant_in(fields["day_ends_at"]),
                date_asked=fields["date_asked"],
                expires_at=instant_in(fields["expires_at"]),
                exports=tuple(_planned(entry) for entry in fields["exports"]),
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"not a plan: {exc!r}") from exc


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
        request=request,
        claimed_at=claimed_at,
        snapshot_date=snapshot_date,
        day_ends_at=next_day.astimezone(UTC),
        date_asked=date_asked is not None,
        expires_at=claimed_at + timedelta(hours=hours),
        exports=tuple(
            PlannedExport(export, layout.destination(export.name, snapshot_date=snapshot_date, run_id=run_id))
            for export in exports
        ),
    )


def _day_of(now: datetime, occurrence: datetime | None, time_zone: ZoneInfo) -> date:
    """The present day, or that of an occurrence which fired a little early, as at midnight."""
    is_early = occurrence is not None and now < occurrence <= now + timedelta(seconds=EARLY_SECONDS)
    return (occurrence if occurrence is not None and is_early else now).astimezone(time_zone).date()


def _planned(entry: Mapping[str, Any]) -> PlannedExport:
    return PlannedExport(
        from_json(entry["definition"]),
        Destination(folder=entry["folder"], path=entry["path"], replaces=entry["replaces"]),
    )
