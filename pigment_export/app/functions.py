"""What each function of the app does, from plain values to plain values, one call each.

A trigger that cannot start a run fails loudly: `trigger_failed` is logged, and the error goes on to whoever asked.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pigment_export.app import access
from pigment_export.app.health import Health
from pigment_export.app.http import Answer, Api, Call, problem, told
from pigment_export.app.schemas import HealthQuery, HealthReport, NoQuery, read_query
from pigment_export.catalog.file import Catalog
from pigment_export.errors import ExportError
from pigment_export.events import Event, log
from pigment_export.retry import ANSWER_SECONDS, CALL_SECONDS, CLAIM_SECONDS, HOUSEKEEPING_SECONDS, Deadline
from pigment_export.runs.claim import claim_occurrence
from pigment_export.runs.deployment import Runs
from pigment_export.runs.housekeeping import housekeeping
from pigment_export.runs.messages import messages_for, process_message, record_poison
from pigment_export.settings import Settings


@dataclass(frozen=True, slots=True)
class App:
    """The parts that functions work with.

    Attributes:
        version: of the app.
        settings: of this deployment.
        runs: its runs.
        catalog: reads the catalog.
        api: its answers about runs.
        health: its checks.
    """

    version: str
    settings: Settings
    runs: Runs
    catalog: Callable[[Deadline], Catalog]
    api: Api
    health: Health


class Triggers:
    """The functions.

    Args:
        build: makes the parts, or finds them made; raises what is wrong with the settings, each time.
        environ: the environment.
        import_everything: imports what any call may need; ImportError where the package lacks it.
    """

    def __init__(
        self, build: Callable[[], App], environ: Mapping[str, str], import_everything: Callable[[], None]
    ) -> None:
        self._build = build
        self._environ = environ
        self._import_everything = import_everything

    def on_schedule(self, status: Mapping[str, Any]) -> list[str]:
        """Start the run of an occurrence, or heal it.

        Args:
            status: the timer's schedule status: its `Next` is the occurrence that fires; empty where there is none.

        Returns:
            The messages to send.

        Raises:
            ExportError: nothing was started; the host tries again.
        """
        deadline = Deadline(CLAIM_SECONDS)
        with _loudly("schedule"):
            app = self._build()
            claimed = claim_occurrence(
                app.runs,
                _occurrence_in(status),
                lambda: app.catalog(deadline).select(groups=app.settings.export_schedule_groups),
                deadline,
            )
        return messages_for(claimed.plan, claimed.pending)

    def housekeeping(self) -> list[str]:
        """Pass over all runs; see `runs.housekeeping`.

        Returns:
            The messages to send.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        deadline = Deadline(HOUSEKEEPING_SECONDS)
        with _loudly("housekeeping"):
            app = self._build()
        return housekeeping(
            app.runs,
            lambda: app.catalog(deadline),
            freshness_hours=app.settings.freshness_hours,
            retention=timedelta(days=app.settings.retention_days),
            deadline=deadline,
        )

    def export_one(self, text: str) -> None:
        """Process a message.

        Args:
            text: whatever it is.

        Raises:
            ExportError: the message should come again.
        """
        deadline = Deadline(CALL_SECONDS)
        with _loudly("queue"):
            app = self._build()
        process_message(app.runs, text, deadline)

    def record_poison(self, text: str) -> None:
        """Settle what a message names that the queue has given up.

        Args:
            text: whatever it is.

        Raises:
            ExportError: the message comes again.
        """
        deadline = Deadline(CALL_SECONDS)
        with _loudly("poison"):
            app = self._build()
        record_poison(app.runs, text, queue=f"{app.settings.export_queue}-poison", deadline=deadline)

    def start_run(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> tuple[Answer, list[str]]:
        """`POST /api/runs`: the answer, and the messages to send."""
        messages: list[str] = []

        def start(app: App, asked_by: str) -> Answer:
            read_query(NoQuery, query)
            answer, texts = app.api.start(Call(headers, body, asked_by), _answering())
            messages.extend(texts)
            return answer

        return self._answer(headers, start), messages

    def run_status(self, headers: Mapping[str, str], query: Mapping[str, str], run_id: str) -> Answer:
        """`GET /api/runs/{runId}`."""

        def follow(app: App, _asked_by: str) -> Answer:
            read_query(NoQuery, query)
            return app.api.follow(run_id, _answering())

        return self._answer(headers, follow)

    def list_runs(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer:
        """`GET /api/runs`."""

        def recent(app: App, _asked_by: str) -> Answer:
            read_query(NoQuery, query)
            return app.api.recent(_answering())

        return self._answer(headers, recent)

    def health(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Answer:
        """`GET /api/health`: 200, or 503 where a check has failed."""

        def look(app: App, _asked_by: str) -> Answer:
            deep = read_query(HealthQuery, query).deep
            self._import_everything()
            checks = app.health.checks(_answering()) if deep else ()
            state = "up" if all(check.ok for check in checks) else "failing"
            report = HealthReport(state=state, version=app.version, deployment=app.settings.deployment, checks=checks)
            return told(report, 200 if state == "up" else 503)

        return self._answer(headers, look)

    def _answer(self, headers: Mapping[str, str], act: Callable[[App, str], Answer]) -> Answer:
        """Answer a caller who is admitted; what is the app's own failure is logged, whichever call met it."""
        try:
            with _loudly("http"):
                asked_by = access.admit(self._environ, headers)
                return act(self._build(), asked_by)
        except ExportError as error:
            return problem(error)


def _answering() -> Deadline:
    return Deadline(ANSWER_SECONDS, patience_seconds=ANSWER_SECONDS / 2)


def _occurrence_in(status: Mapping[str, Any]) -> datetime | None:
    """The occurrence that fires; None where the host doesn't say."""
    try:
        instant = datetime.fromisoformat(status["Next"])
    except (KeyError, TypeError, ValueError):
        return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)


@contextmanager
def _loudly(trigger: str) -> Iterator[None]:
    """Log what keeps a trigger from its work, unless it is the caller's to mend."""
    try:
        yield
    except ExportError as error:
        if problem(error).status >= 500:  # noqa: PLR2004 - HTTP's own classes
            log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger=trigger, **error.cause.to_fields())
        raise
