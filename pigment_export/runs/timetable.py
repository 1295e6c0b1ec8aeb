"""Which schedule each export goes by, its own or the deployment's, and what that means for it. Pure."""

from collections.abc import Iterable, Mapping
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


def _definition(export: Export, cron: Cron) -> Definition:
    return Definition(name=export.name, schedule=cron.expression, time_zone=cron.time_zone.key)
