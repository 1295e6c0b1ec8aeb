"""The schedule of each export, its own or the deployment's, and whether it has succeeded in time.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pigment_export.catalog.exports import Export
from pigment_export.catalog.file import Catalog
from pigment_export.cron import Cron
from pigment_export.delivery.description import Latest
from pigment_export.events import Event, log
from pigment_export.lake.paths import latest
from pigment_export.runs.deployment import Runs
from pigment_export.runs.schedule import Definition, ScheduleRecord


def definitions_of(runs: Runs, exports: Iterable[Export]) -> list[Definition]:
    """Return the schedules of exports; paused exports, and those that only callers start, have none."""
    crons = {export.name: cron_of(runs, export) for export in exports if export.enabled}
    return [_definition(name, cron) for name, cron in crons.items() if cron is not None]


def cron_of(runs: Runs, export: Export) -> Cron | None:
    """Return an export's schedule, its own or the deployment's; None if only callers start it."""
    return Cron.of(export.schedule or runs.schedule, export.zone or runs.time_zone)


def next_occurrences(runs: Runs, catalog: Catalog, now: datetime) -> Mapping[str, datetime | None]:
    """Return when each export of the catalog is due next, by name; None if it is paused or has no schedule."""
    crons = {export.name: cron_of(runs, export) if export.enabled else None for export in catalog.exports}
    return {name: cron.next(now) if cron else None for name, cron in crons.items()}


def schedules_of(runs: Runs) -> ScheduleRecord:
    """Return the record of the deployment's schedules, with one request; empty if missing or unreadable."""
    record = ScheduleRecord.found_in(runs.lake.read(runs.layout.schedules(runs.deployment)).data)
    return record or ScheduleRecord()  # the next tick logs this, and writes the record again


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether an export has succeeded in time.

    Attributes:
        hours: allowed after an occurrence.
        due_at: the newest occurrence whose hours are over; None if there is none.
        is_stale: whether the export has not succeeded since then.
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
        succeeded_at: when it last succeeded; None for never.
        hours: the deployment's, for exports without their own.
        now: the lake's clock.
    """
    grace = timedelta(hours=export.freshness_hours or hours)
    cron, due_at = cron_of(runs, export), None
    if cron is not None and export.enabled:
        since, newest = record.since(_definition(export.name, cron)), cron.newest(now - grace)
        due_at = newest if since is not None and newest is not None and newest > since else None
    stale = due_at is not None and (succeeded_at is None or succeeded_at < due_at)
    if cron is None and export.freshness_hours is not None:  # only callers start it
        stale = succeeded_at is None or now - succeeded_at > grace
    return Freshness(export.freshness_hours or hours, due_at, stale)


def latest_at(runs: Runs, name: str) -> datetime | None:
    """Return when an export was last fetched, from `_latest.json`, which outlives receipts; None if there is none."""
    newest = Latest.found_in(runs.lake.read(latest(runs.layout.folder(name))).data)
    return newest.fetched_at if newest else None


def log_freshness(export: Export, fresh: Freshness, succeeded_at: datetime | None, now: datetime) -> None:
    """Log whether an export is fresh."""
    log(
        Event.FRESHNESS,
        level=logging.WARNING if fresh.is_stale else logging.INFO,
        name=export.name,
        owner=export.owner,
        groups=list(export.groups),
        hours=None if succeeded_at is None else round((now - succeeded_at).total_seconds() / 3600, 2),
        due_at=fresh.due_at,
        freshness_hours=fresh.hours,
        stale=fresh.is_stale,
    )


def _definition(name: str, cron: Cron) -> Definition:
    return name, cron.expression, cron.time_zone.key
