"""Housekeeping, every hour: heal, end, sweep and delete what no other call would.

Each run by itself: what one raises is logged with its id, and the rest goes on. Nothing here is needed for a run that
goes well; all of it may be done twice, by several at once, or be cut off anywhere.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from pigment_export.catalog.exports import Export
from pigment_export.catalog.file import Catalog
from pigment_export.delivery.decide import expired
from pigment_export.delivery.description import Latest
from pigment_export.errors import Cause, ExportError, Who
from pigment_export.events import Event, log
from pigment_export.lake.paths import latest
from pigment_export.retry import FUNCTION_TIMEOUT_SECONDS, Deadline
from pigment_export.runs.claim import publish_plan
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run, pending_in
from pigment_export.runs.follow import RunListing
from pigment_export.runs.messages import messages_for
from pigment_export.runs.plan import Plan
from pigment_export.runs.schedule import ScheduleRecord
from pigment_export.runs.survey import Survey, is_mine, take_survey
from pigment_export.runs.sweep import delete_run, sweep_folder, sweep_probes
from pigment_export.runs.timetable import freshness_of, schedules_of
from pigment_export.runs.work import fail_exports

FUNCTION_TIMEOUT = timedelta(seconds=FUNCTION_TIMEOUT_SECONDS)  # for so long, a call may be busy and give no sign


def housekeeping(
    runs: Runs, catalog: Callable[[], Catalog], *, freshness_hours: int, retention: timedelta, deadline: Deadline
) -> list[str]:
    """Pass over all runs once. It returns normally, whatever has failed: only then are its messages sent.

    Args:
        runs: of this deployment.
        catalog: reads the catalog, whose exports' freshness is logged.
        freshness_hours: after an occurrence, by which an export must have succeeded.
        retention: how long records and held files are kept.
        deadline: of this pass.

    Returns:
        Messages to send, for exports of runs that show no life.
    """
    messages: list[str] = []
    with _logged(None):
        one = _Pass(runs, catalog, freshness_hours, retention, deadline, deadline.retry(runs.now), messages)
        one.make()
    return messages


@dataclass(slots=True)
class _Pass:
    """One pass, at one instant of the lake's clock."""

    runs: Runs
    catalog: Callable[[], Catalog]
    freshness_hours: int
    retention: timedelta
    deadline: Deadline
    now: datetime
    messages: list[str]
    done: Counter[str] = field(default_factory=Counter)

    def make(self) -> None:
        survey = self.deadline.retry(lambda: take_survey(self.runs, self.now, self.retention, self.deadline))
        self._heal_claims(survey)
        self._settle_runs(survey)
        with _logged(None):
            self._log_freshness(survey)
        self._remove(survey)
        self.done["left_for_next_time"] += not survey.is_whole
        told = {name: count for name, count in self.done.items() if count}
        log(Event.HOUSEKEEPING_PASSED, open_runs=len(survey.open), messages=len(self.messages), **told)

    # Healing and ending

    def _heal_claims(self, survey: Survey) -> None:
        for run_id, path in self._each(survey.unplanned.items()):
            with _logged(run_id):
                plan = self.runs.plan_in_claim(path, self.deadline)
                publish_plan(self.runs, plan, self.deadline)
                self.done["claims_healed"] += 1
                if self.now < plan.expires_at:
                    self.messages += messages_for(plan, pending_in(plan, self.runs.receipts(plan, self.deadline)))
                else:
                    self._settle(plan, RunListing(run_id, planned_at=self.now))

    def _settle_runs(self, survey: Survey) -> None:
        for seen in self._each(survey.open):
            with _logged(seen.run_id):
                plan = self.runs.plan_of(seen.run_id, self.deadline)
                if plan is not None and is_mine(self.runs, plan.summary, self.now):
                    self._settle(plan, seen)

    def _settle(self, plan: Plan, seen: RunListing) -> None:
        """Bring a run to its end, or on its way again, or leave it to those who are at work on it."""
        pending = pending_in(plan, seen.receipts)
        is_over = self.now >= plan.expires_at + FUNCTION_TIMEOUT  # before that, a last call may be at work
        if is_over or not pending:
            # Also what is final and not good: should its file be there after all, that is told.
            found = {name: seen.receipts.get(name) for name in plan.names} if is_over else {}
            bad = [name for name, receipt in found.items() if receipt is None or not receipt.state.good]
            fail_exports(self.runs, plan, dict.fromkeys(bad, expired(plan.expires_at)), self.deadline)
            finish_run(self.runs.records, plan, self.deadline)
            self.done["runs_ended"] += bool(pending)
        elif self.now < plan.expires_at and self._is_lifeless(seen):
            self.messages += messages_for(plan, pending)

    def _is_lifeless(self, seen: RunListing) -> bool:
        signs = [sign for sign in (seen.planned_at, seen.last_sign_at) if sign is not None]
        return all(sign <= self.now - FUNCTION_TIMEOUT for sign in signs)

    # Telling

    def _log_freshness(self, survey: Survey) -> None:
        """Log of each enabled export whether it is as new as its schedule says."""
        catalog = self.catalog()
        schedules = self.deadline.retry(partial(schedules_of, self.runs))
        for export in self._each(export for export in catalog.exports if export.enabled):
            with _logged(None):
                self._log_freshness_of(export, schedules, survey.succeeded_at.get(export.name))

    def _log_freshness_of(self, export: Export, schedules: ScheduleRecord, succeeded_at: datetime | None) -> None:
        at = succeeded_at or self._latest_at(export.name)
        fresh = freshness_of(self.runs, schedules, export, succeeded_at=at, hours=self.freshness_hours, now=self.now)
        log(
            Event.FRESHNESS,
            level=logging.WARNING if fresh.is_stale else logging.INFO,
            name=export.name,
            owner=export.owner,
            groups=list(export.groups),
            hours=None if at is None else round((self.now - at).total_seconds() / 3600, 2),
            due_at=fresh.due_at,
            freshness_hours=fresh.hours,
            stale=fresh.is_stale,
        )

    def _latest_at(self, name: str) -> datetime | None:
        """When an export was last fetched, by the record that outlives all receipts."""
        record = self.deadline.retry(lambda: self.runs.records.read(latest(self.runs.layout.folder(name))))
        try:
            return Latest.from_json(record.data).fetched_at
        except ValueError:
            return None

    # Removing

    def _remove(self, survey: Survey) -> None:
        records, layout, deadline = self.runs.records, self.runs.layout, self.deadline
        for folder in self._each(
            sorted(survey.folders) if survey.is_whole else ()
        ):  # else a receipt may name what it holds
            with _logged(None):
                self.done["files_swept"] += sweep_folder(
                    records, folder, now=self.now, retention=self.retention, named=survey.held, deadline=deadline
                )
        with _logged(None):
            self.done["files_swept"] += sweep_probes(records, layout, now=self.now, deadline=deadline)
        for run_id in self._each(survey.old):
            with _logged(run_id):
                self.done["records_deleted"] += delete_run(records, layout, run_id, deadline)
        for path in self._each(survey.old_claims):
            with _logged(None):
                deadline.retry(partial(records.delete, path))
                self.done["records_deleted"] += 1

    # Within

    def _each[T](self, items: Iterable[T]) -> Iterator[T]:
        """The items, as long as there is time."""
        for item in items:
            if self.deadline.remaining_seconds <= 0:
                self.done["left_for_next_time"] += 1
                return
            yield item


@contextmanager
def _logged(run_id: str | None) -> Iterator[None]:
    """Log what a part of the pass raises: the rest goes on."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - a mistake of ours, too, must not keep the pass from the other runs
        cause = exc.cause if isinstance(exc, ExportError) else _mistake(exc)
        log(Event.HOUSEKEEPING_FAILED, level=logging.ERROR, run_id=run_id, **cause.to_fields())


def _mistake(exc: Exception) -> Cause:
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return Cause(
        "mistake_in_the_app",
        f"{type(exc).__name__} at {where.filename}:{where.lineno}",
        Who.DEVELOPER,
        "report it, with the events around it",
    )
