"""Schedules: which exports have an occurrence that is due and has no run yet.

One small record per deployment has the instant at which each schedule was first seen, and its newest claimed
occurrence. Together with the catalog, it shows whether a tick of the timer has anything to do, without reading any run.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Self

from pydantic import AfterValidator

from pigment_export.cron import Cron, expression_in, zone_in
from pigment_export.lake.call import CallLake
from pigment_export.lake.records import Instant, Record

CHECKED_EVERY = timedelta(days=1)  # the catalog is validated at least this often, even if nothing is due
FORGOTTEN_AFTER = timedelta(hours=1)  # a schedule that returns within this time was not removed: an edit, a deployment


type Definition = tuple[str, str, str]
"""The definition of an export's schedule: the export's name, five cron fields, and their time zone."""


@lru_cache
def _newest(schedule: str, time_zone: str, now: datetime) -> datetime | None:
    """Return the newest occurrence; evaluated once for all exports with the same schedule."""
    return Cron(schedule, zone_in(time_zone)).newest(now)


class Entry(Record):
    """The schedule of an export, and its newest claimed occurrence."""

    name: str
    """The export's name."""
    schedule: Annotated[str, AfterValidator(expression_in)]
    """Five cron fields."""
    time_zone: Annotated[str, AfterValidator(lambda text: zone_in(text).key)]
    """Time zone of these fields."""
    since: Instant
    """When the app first saw this schedule. Earlier occurrences do not run."""
    claimed: Instant | None = None
    """Its newest occurrence that has a run."""
    gone_at: Instant | None = None
    """When it was removed, changed or disabled in the catalog."""

    @property
    def definition(self) -> Definition:
        """The export's schedule."""
        return self.name, self.schedule, self.time_zone

    def due(self, now: datetime) -> datetime | None:
        """Return its newest occurrence if that is due and has no run yet, otherwise None."""
        newest = _newest(self.schedule, self.time_zone, now)
        return newest if newest is not None and newest > max(self.since, self.claimed or self.since) else None


class ScheduleRecord(Record):
    """The record of a deployment's schedules."""

    catalog: str = ""
    """Fingerprint of the catalog and the settings that the schedules were read from."""
    checked_at: Instant | None = None
    """When that catalog was last validated."""
    schedules: tuple[Entry, ...] = ()
    """The schedules of all enabled exports that have one."""

    def due(self, now: datetime) -> dict[datetime, list[str]]:
        """Return the occurrences that are due, the oldest first, with the exports of each."""
        found: dict[datetime, list[str]] = {}
        for entry in self.schedules:
            if entry.gone_at is None and (occurrence := entry.due(now)) is not None:
                found.setdefault(occurrence, []).append(entry.name)
        return dict(sorted(found.items()))

    def since(self, definition: Definition) -> datetime | None:
        """Return when a definition was first seen, or None if it has not been yet."""
        return next((entry.since for entry in self.schedules if entry.definition == definition), None)

    def seeing(self, definitions: Iterable[Definition], catalog: str, now: datetime) -> Self:
        """Return the record after a valid catalog was seen.

        Args:
            definitions: the schedules of its enabled exports.
            catalog: its fingerprint.
            now: the lake's clock.
        """
        known = {
            entry.definition: entry
            for entry in self.schedules
            if entry.gone_at is None or now - entry.gone_at <= FORGOTTEN_AFTER
        }
        present = [
            known.pop((name, schedule, time_zone), Entry(name=name, schedule=schedule, time_zone=time_zone, since=now))
            for name, schedule, time_zone in definitions
        ]
        gone = [entry.model_copy(update={"gone_at": entry.gone_at or now}) for entry in known.values()]
        schedules = (*(entry.model_copy(update={"gone_at": None}) for entry in present), *gone)
        return self.model_copy(update={"catalog": catalog, "checked_at": now, "schedules": schedules})

    def claiming(self, claimed: Mapping[str, datetime]) -> Self:
        """Return the record after these occurrences, by export, were claimed. A newer claimed one is kept."""

        def after(entry: Entry) -> Entry:
            if entry.name not in claimed or entry.gone_at is not None:
                return entry
            return entry.model_copy(update={"claimed": max(claimed[entry.name], entry.claimed or entry.since)})

        return self.model_copy(update={"schedules": tuple(map(after, self.schedules))})


@dataclass(frozen=True, slots=True)
class Look:
    """What one tick sees.

    Attributes:
        now: the lake's clock.
        etag: the record's; None if there is none.
        record: its content.
        catalog: the catalog's bytes.
        fingerprint: of the catalog and the settings.
        problem: why the record could not be read and counts as empty, or None.
    """

    now: datetime
    etag: str | None
    record: ScheduleRecord
    catalog: bytes = field(repr=False)
    fingerprint: str
    problem: str | None = None

    @property
    def is_idle(self) -> bool:
        """Whether this tick has nothing to do: nothing is due, and the same catalog was validated within a day."""
        checked_at = self.record.checked_at
        return (
            self.record.catalog == self.fingerprint
            and checked_at is not None
            and abs(self.now - checked_at) < CHECKED_EVERY
            and not self.record.due(self.now)
        )


def look(lake: CallLake, path: str, read_catalog: Callable[[], bytes], *, schedule: str, time_zone: str) -> Look:
    """Read what a tick needs, with one request, and another for a catalog in the lake.

    Args:
        lake: within this call.
        path: of this deployment's record.
        read_catalog: reads the catalog's bytes.
        schedule: the deployment's own.
        time_zone: the deployment's own.

    Raises:
        ExportError: the lake or the catalog cannot be read.
    """
    read = lake.read(path)
    record, problem = ScheduleRecord(), None
    if read.etag is not None:
        try:
            record = ScheduleRecord.from_json(read.data)
        except ValueError as exc:
            problem = str(exc)
    catalog = read_catalog()
    fingerprint = hashlib.sha256(f"{schedule}\n{time_zone}\n".encode() + catalog).hexdigest()
    return Look(read.now, read.etag, record, catalog, fingerprint, problem)
