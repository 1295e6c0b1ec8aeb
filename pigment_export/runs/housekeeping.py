"""Housekeeping, every hour: repair claims, end runs, sweep staged files and delete old records.

Each run is processed separately: an error is logged with the run's id, and the rest continues. A run without problems
needs none of this. All of it can be done twice, by several processes at once, or be cut off at any point.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from pigment_export.catalog.file import Catalog
from pigment_export.errors import Cause, ErrorRow, ExportError, PermanentError, Who
from pigment_export.events import Event, log
from pigment_export.retry import FUNCTION_TIMEOUT_SECONDS
from pigment_export.runs.claim import publish_plan
from pigment_export.runs.deployment import Runs, plan_in
from pigment_export.runs.finish import finish_run
from pigment_export.runs.follow import RunListing, listing_of
from pigment_export.runs.plan import Plan
from pigment_export.runs.survey import Survey
from pigment_export.runs.sweep import delete_claim, delete_run, sweep_folder, sweep_probes
from pigment_export.runs.timetable import freshness_of, latest_at, log_freshness, schedules_of
from pigment_export.runs.work import expire_run, messages_for

FUNCTION_TIMEOUT = timedelta(seconds=FUNCTION_TIMEOUT_SECONDS)  # a call can be busy this long without a sign of life

MISTAKE = ErrorRow(
    "mistake_in_the_app", PermanentError, Who.DEVELOPER, "report this error with the log events around it"
)


def housekeeping(
    runs: Runs, catalog: Callable[[], Catalog], *, freshness_hours: int, retention: timedelta
) -> list[str]:
    """Process all runs once. It never raises, because the host sends the messages only of a call that returns.

    Args:
        runs: of this deployment.
        catalog: reads the catalog, to log the freshness of its exports.
        freshness_hours: after an occurrence, within which an export must succeed.
        retention: how long records and held files are kept.

    Returns:
        Messages to send, for exports of runs without a sign of life.
    """
    messages: list[str] = []
    with _logged(None):
        now = runs.lake.now()
        survey = runs.deadline.retry(lambda: Survey(runs, now, retention).take())
        _Pass(runs, survey, messages).make(catalog, freshness_hours)
    return messages


@dataclass(slots=True)
class _Pass:
    """One pass, at one instant of the lake's clock."""

    runs: Runs
    survey: Survey
    messages: list[str]
    done: Counter[str] = field(default_factory=Counter)

    def make(self, catalog: Callable[[], Catalog], freshness_hours: int) -> None:
        self._heal_claims()
        self._settle_runs()
        with _logged(None):
            self._log_freshness(catalog(), freshness_hours)
        self._remove()
        self.done["left_for_next_time"] += not self.survey.is_whole
        told = {name: count for name, count in self.done.items() if count}
        log(Event.HOUSEKEEPING_PASSED, open_runs=len(self.survey.open), messages=len(self.messages), **told)

    # Repairing and ending

    def _heal_claims(self) -> None:
        """Copy the plans of claims whose triggers were cut off, then send their messages, or end expired runs."""
        for run_id, path in self._each(self.survey.unplanned.items()):
            with _logged(run_id):
                plan = plan_in(self.runs.lake.read(path), path)
                publish_plan(self.runs, plan)
                if self.survey.now < plan.expires_at:
                    receipts = listing_of(self.runs, plan).receipts
                    self.messages += messages_for(plan, plan.pending(receipts))
                else:
                    self._settle(plan, RunListing(plan.run_id, planned_at=self.survey.now))
                self.done["claims_healed"] += 1

    def _settle_runs(self) -> None:
        for seen in self._each(self.survey.open):
            with _logged(seen.run_id):
                plan = self.runs.plan_of(seen.run_id)
                if plan is not None and self.survey.is_mine(plan.summary):
                    self._settle(plan, seen)

    def _settle(self, plan: Plan, seen: RunListing) -> None:
        """End a run, send its messages again, or leave it to the workers that are busy with it."""
        pending = plan.pending(seen.receipts)
        if self.survey.now >= plan.expires_at + FUNCTION_TIMEOUT:  # before that, a last call may still be busy
            expire_run(self.runs, plan, seen.receipts)
            self.done["runs_ended"] += bool(pending)
        elif not pending:
            finish_run(self.runs.lake, plan)
        elif self.survey.now < plan.expires_at:
            signs = (seen.planned_at or plan.claimed_at, *seen.written_at.values())
            if max(signs) <= self.survey.now - FUNCTION_TIMEOUT:
                self.messages += messages_for(plan, pending)

    # Logging

    def _log_freshness(self, catalog: Catalog, hours: int) -> None:
        """Log for each enabled export whether it has succeeded in time."""
        schedules = schedules_of(self.runs)
        for export in self._each(export for export in catalog.exports if export.enabled):
            with _logged(None):
                at = self.survey.succeeded_at.get(export.name) or latest_at(self.runs, export.name)
                fresh = freshness_of(self.runs, schedules, export, succeeded_at=at, hours=hours, now=self.survey.now)
                log_freshness(export, fresh, at, self.survey.now)

    # Removing

    def _remove(self) -> None:
        survey = self.survey
        # If the listing was cut off, an unseen receipt may name a file in the folder.
        for folder in self._each(sorted(survey.folders) if survey.is_whole else ()):
            with _logged(None):
                self.done["files_swept"] += sweep_folder(survey, folder)
        with _logged(None):
            self.done["files_swept"] += sweep_probes(survey)
        for run_id in self._each(survey.old):
            with _logged(run_id):
                self.done["records_deleted"] += delete_run(self.runs, run_id)
        for run_id, path in self._each(survey.old_claims.items()):
            with _logged(run_id):
                self.done["records_deleted"] += delete_claim(self.runs, run_id, path)

    # Helpers

    def _each[T](self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items, as long as there is time."""
        for item in items:
            if self.runs.deadline.remaining_seconds <= 0:
                self.done["left_for_next_time"] += 1
                return
            yield item


@contextmanager
def _logged(run_id: str | None) -> Iterator[None]:
    """Log an error of a part of the pass, so that the rest continues."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - even a bug must not stop the pass for other runs
        cause = exc.cause if isinstance(exc, ExportError) else _mistake(exc)
        log(Event.HOUSEKEEPING_FAILED, level=logging.ERROR, run_id=run_id, **cause.to_fields())


def _mistake(exc: Exception) -> Cause:
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return MISTAKE.cause(f"{type(exc).__name__} at {where.filename}:{where.lineno}")
