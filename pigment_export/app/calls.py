"""What the HTTP functions do: admit the caller, do what is asked, and answer, whatever happens."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pigment_export.app import access, following, starting
from pigment_export.app.http import SERVER_ERROR, HttpAnswer, HttpRequest, error_answer, json_answer
from pigment_export.app.parts import App
from pigment_export.app.requests import Query
from pigment_export.errors import ExportError
from pigment_export.events import Event, log
from pigment_export.retry import ANSWER_SECONDS, Deadline
from pigment_export.runs.messages import messages_for


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One call, and what each function makes of it.

    Attributes:
        build: makes the parts, or finds them made; raises what is wrong with the settings, each time.
        environ: the environment.
        import_everything: imports what any call may need; ImportError where the package lacks it.
        status_page: makes the status page and its headers; imported on use, since no other call pays for its library.
        request: of the caller.
    """

    build: Callable[[], App]
    environ: Mapping[str, str]
    import_everything: Callable[[], None]
    status_page: Callable[[App, Deadline], tuple[str, Mapping[str, str]]]
    request: HttpRequest

    def start_run(self) -> tuple[HttpAnswer, list[str]]:
        """Answer `POST /api/runs`; returns the messages to send, too."""
        messages: list[str] = []

        def start(app: App, asked_by: str) -> HttpAnswer:
            Query.read(self.request.query, ())
            started = starting.start_run(app, self.request, asked_by, _answering())
            messages.extend(messages_for(started.claim.plan, started.claim.pending))
            return started.answer

        return self._answer(start), messages

    def run_status(self, run_id: str) -> HttpAnswer:
        """Answer `GET /api/runs/{runId}`."""

        def follow(app: App, _asked_by: str) -> HttpAnswer:
            Query.read(self.request.query, ())
            return following.run_status(app, run_id, _answering())

        return self._answer(follow)

    def cancel_run(self, run_id: str) -> HttpAnswer:
        """Answer `POST /api/runs/{runId}/cancel`."""

        def cancel(app: App, asked_by: str) -> HttpAnswer:
            Query.read(self.request.query, ())
            return following.cancel_run(app, run_id, asked_by, _answering())

        return self._answer(cancel)

    def list_runs(self) -> HttpAnswer:
        """Answer `GET /api/runs`."""
        return self._answer(lambda app, _: following.list_runs(app, self.request, _answering()))

    def health(self) -> HttpAnswer:
        """Answer `GET /api/health`: 200, or 503 where a check has failed."""

        def look(app: App, _asked_by: str) -> HttpAnswer:
            deep = Query.read(self.request.query, ("deep",)).deep
            self.import_everything()
            report = app.health.report(app.version, app.settings.deployment, _answering() if deep else None)
            return json_answer(report, 200 if report.state == "up" else 503)

        return self._answer(look)

    def status(self) -> HttpAnswer:
        """Answer `GET /api/status`: the status page."""

        def show(app: App, _asked_by: str) -> HttpAnswer:
            Query.read(self.request.query, ())
            page, headers = self.status_page(app, _answering())
            return HttpAnswer(200, page.encode(), headers, "text/html")

        return self._answer(show)

    def _answer(self, act: Callable[[App, str], HttpAnswer]) -> HttpAnswer:
        """Answer a caller who is admitted; what is the app's own failure is logged, whichever call met it.

        Args:
            act: makes the answer, of the parts and of who calls.
        """
        try:
            asked_by = access.admit(self.environ, self.request.headers)
            return act(self.build(), asked_by)
        except ExportError as error:
            answer = error_answer(error)
            if answer.status >= SERVER_ERROR:
                log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger="http", **error.cause.to_fields())
            return answer


def _answering() -> Deadline:
    return Deadline(ANSWER_SECONDS, patience_seconds=ANSWER_SECONDS / 2)
