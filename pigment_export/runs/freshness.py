"""Log of an export whether its last good file is as new as its schedule says.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import logging
from datetime import datetime

from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import Latest
from pigment_export.events import Event, log
from pigment_export.lake.paths import latest
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs
from pigment_export.runs.schedule import ScheduleRecord
from pigment_export.runs.timetable import freshness_of


def latest_at(runs: Runs, name: str, deadline: Deadline) -> datetime | None:
    """Return when an export was last fetched, by the record that outlives all receipts; None if there is none."""
    record = deadline.retry(lambda: runs.records.read(latest(runs.layout.folder(name))))
    newest = Latest.found_in(record.data)
    return newest.fetched_at if newest else None


def log_freshness(
    runs: Runs, export: Export, schedules: ScheduleRecord, succeeded_at: datetime | None, *, hours: int, now: datetime
) -> None:
    """Log whether an export is fresh.

    Args:
        runs: of this deployment.
        export: an enabled one.
        schedules: since when each schedule counts.
        succeeded_at: when its last good file was fetched; None: never.
        hours: after an occurrence, by which it must have succeeded.
        now: the lake's clock.
    """
    fresh = freshness_of(runs, schedules, export, succeeded_at=succeeded_at, hours=hours, now=now)
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
