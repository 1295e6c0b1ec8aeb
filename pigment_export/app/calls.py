"""The HTTP functions: admit the caller, process the call, and always answer.

The host checks function keys. Without them (`ANONYMOUS`), the app requires Entra in front of it and, on each call, the
principal that only Entra's layer can set; on a local host, any call is admitted.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pigment_export.app import following, health, http, package, start
from pigment_export.app.http import HttpAnswer
from pigment_export.app.parts import App
from pigment_export.app.requests import Query
from pigment_export.environment import auth_level_of, is_local_host, text_of
from pigment_export.errors import ExportError, shorten
from pigment_export.events import Event, log
from pigment_export.retry import ANSWER_SECONDS, Deadline

PRINCIPAL = "x-ms-client-principal-id"


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One call, with a method for each function.

    Attributes:
        build: makes the parts for a call; raises wrong settings each time.
        environ: the environment.
        headers: by name, in lower case.
        query: parameters of the address, by name.
        body: of the call.
    """

    build: Callable[[Deadline], App]
    environ: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""

    def start_run(self) -> HttpAnswer:
        """Answer `POST /api/runs`."""
        key = self.headers.get("idempotency-key")
        return self._answer(lambda app, by, _query: start.start_run(app, self.body, key, by))

    def run_status(self, run_id: str) -> HttpAnswer:
        """Answer `GET /api/runs/{runId}`."""
        return self._answer(lambda app, _by, _query: following.run_status(app, run_id))

    def cancel_run(self, run_id: str) -> HttpAnswer:
        """Answer `POST /api/runs/{runId}/cancel`."""
        return self._answer(lambda app, by, _query: following.cancel_run(app, run_id, by))

    def list_runs(self) -> HttpAnswer:
        """Answer `GET /api/runs`."""
        return self._answer(lambda app, _by, query: following.list_runs(app, query), "limit", "state")

    def health(self) -> HttpAnswer:
        """Answer `GET /api/health`: 200, or 503 if a check has failed."""

        def act(app: App, _asked_by: str, query: Query) -> HttpAnswer:
            package.import_everything()
            report = health.report(app, deep=query.deep)
            return http.json_answer(report, 200 if report.state == "up" else 503)

        return self._answer(act, "deep")

    def status(self, show: Callable[[App], HttpAnswer]) -> HttpAnswer:
        """Answer `GET /api/status`.

        Args:
            show: makes the status page; imported on use, so that no other call imports its library.
        """
        return self._answer(lambda app, _by, _query: show(app))

    def _answer(self, act: Callable[[App, str, Query], HttpAnswer], *parameters: str) -> HttpAnswer:
        """Answer an admitted caller; failures of the app itself are logged.

        Args:
            act: makes the answer from the parts, the caller and the query.
            *parameters: allowed in the query.
        """
        try:
            asked_by = admit(self.environ, self.headers)
            app = self.build(Deadline(ANSWER_SECONDS, patience_seconds=ANSWER_SECONDS / 2))
            return act(app, asked_by, Query.read(self.query, parameters))
        except ExportError as error:
            answer = http.error_answer(error)
            if answer.status >= http.SERVER_ERROR:
                log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger="http", **error.cause.to_fields())
            return answer


def admit(environ: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Admit a caller.

    Args:
        environ: the environment.
        headers: of the call, names in lower case.

    Returns:
        The caller, as far as it is known: a principal's object id, or the kind of key.

    Raises:
        PermanentError: the app's setup admits no call (503), or the call has no principal (401).
    """
    guarded = text_of(environ, "WEBSITE_AUTH_ENABLED").lower() == "true"
    principal = shorten(headers.get(PRINCIPAL, "")) if guarded else ""  # without Entra, any caller could set it
    level = auth_level_of(environ)
    if level == "ANONYMOUS" and not is_local_host(environ):
        if not guarded:
            raise http.ANONYMOUS_UNGUARDED.raised()
        if not principal:
            raise http.PRINCIPAL_MISSING.raised()
    return principal or ("local host" if is_local_host(environ) else f"{level.lower()} key")
