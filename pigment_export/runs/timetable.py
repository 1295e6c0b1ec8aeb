"""Which schedule each export goes by, its own or the deployment's, and what that means for it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pigment_export.catalog.exports import Export
from pigment_export.catalog.file import Catalog
from pigment_export.cron import Cron
from pigment_export.runs.deployment import Runs
from pigment_export.runs.schedule import Definition, ScheduleRecord


def definitions_of(runs: Runs, exports: Iterable[Export]) -> list[Definition]:
    """Return the schedules of exports; those that only callers start have none."""
    crons = [(export, cron_of(runs, export)) for export in exports if export.enabled]
    return [_definition(export, cron) for export, cron in crons if cron is not None]


def cron_of(runs: Runs, export: Export) -> Cron | None:
    """Return an export's schedule, its own or the deployment's; None if only callers start it."""
    return Cron.of(export.schedule or runs.schedule, export.zone or runs.time_zone)


def next_occurrences(runs: Runs, catalog: Catalog, now: datetime) -> Mapping[str, datetime | None]:
    """Return when each export of the catalog is due next, by name; None for what is paused or has no schedule.

    Args:
        runs: of this deployment.
        catalog: its exports.
        now: the lake's clock.
    """
    crons = {export.name: cron_of(runs, export) if export.enabled else None for export in catalog.exports}
    return {name: cron.next(now) if cron else None for name, cron in crons.items()}


def overdue_since(
    runs: Runs, record: ScheduleRecord, export: Export, *, now: datetime, grace: timedelta
) -> datetime | None:
    """Return the newest occurrence by which an export has to have succeeded by now, or None if there is none.

    Args:
        runs: of this deployment.
        record: of its schedules.
        export: of its catalog.
        now: the lake's clock.
        grace: how long after an occurrence the export has time.
    """
    cron = cron_of(runs, export) if export.enabled else None
    if cron is None:
        return None
    since = record.since(_definition(export, cron))
    newest = cron.newest(now - grace)
    return newest if since is not None and newest is not None and newest > since else None


def schedules_of(runs: Runs) -> ScheduleRecord:
    """Return the record of the deployment's schedules, by one request; one that is missing or unreadable is empty.

    Args:
        runs: of this deployment.
    """
    record = ScheduleRecord.found_in(runs.records.read(runs.layout.schedules(runs.deployment)).data)
    return record or ScheduleRecord()  # the next tick tells of it, and writes it anew


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether an export has succeeded in time.

    Attributes:
        hours: it has after an occurrence of its schedule.
        due_at: the newest occurrence by which it has to have succeeded by now; None where there is none.
        is_stale: whether it has not.
    """

    hours: int
    due_at: datetime | None
    is_stale: bool


def freshness_of(
    runs: Runs, record: ScheduleRecord, export: Export, *, succeeded_at: datetime | None, hours: int, now: datetime
) -> Freshness:
    """Return whether an export has succeeded in time.

    Args:
        runs: of this deployment.
        record: of its schedules.
        export: of its catalog.
        succeeded_at: when it was last fetched with success; None for never.
        hours: the deployment's, for an export without its own.
        now: the lake's clock.
    """
    hours = export.freshness_hours or hours
    due_at = overdue_since(runs, record, export, now=now, grace=timedelta(hours=hours))
    stale = due_at is not None and (succeeded_at is None or succeeded_at < due_at)
    if cron_of(runs, export) is None and export.freshness_hours is not None:  # only callers start it
        stale = succeeded_at is None or now - succeeded_at > timedelta(hours=hours)
    return Freshness(hours, due_at, stale)


def _definition(export: Export, cron: Cron) -> Definition:
    return Definition(name=export.name, schedule=cron.expression, time_zone=cron.time_zone.key)
