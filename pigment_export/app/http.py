"""HTTP answers, and errors as problem+json (RFC 9457).

The statuses are chosen for Data Factory and Logic Apps: after 202 they poll again, 200 is success, and 409 is final:
they do not retry it.
"""

import http
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pigment_export.app.schemas import Problem, plain
from pigment_export.catalog.options import Model
from pigment_export.errors import ConfigurationError, ErrorRow, ExportError, PermanentError, RetryableError, Who

POLL_SECONDS = 20  # between two polls of a run
RETRY_SECONDS = 30  # before a retry after Azure did not answer
MOST_PROBLEMS = 50  # per answer: enough for a person, while a request can have any number
PROBLEM = "application/problem+json"
SERVER_ERROR = 500

# The status of an error by its code, if its class does not determine it.
STATUSES = {
    "malformed": 400,
    "request": 422,
    "selection": 422,
    "date_in_future": 422,
    "key_used_otherwise": 422,
    "inline_forbidden": 403,
    "run_not_ended": 409,
    "run_expired_unplanned": 409,
    "run_unknown": 404,
    "principal_missing": 401,
    "anonymous_unguarded": 503,
}

# Errors that only callers get.
# fmt: off
# A table: the head of each row stands on one line.
ANONYMOUS_UNGUARDED = ErrorRow("anonymous_unguarded", PermanentError, Who.ADMINISTRATOR,
    "enable authentication for the site (callers.clientId), or set HTTP_AUTH_LEVEL to FUNCTION",
    what="HTTP_AUTH_LEVEL is ANONYMOUS, but Entra authentication is not enabled for this site")
PRINCIPAL_MISSING = ErrorRow("principal_missing", PermanentError, Who.CALLER,
    "call with an Entra token",
    what="the call has no principal")
INLINE_FORBIDDEN = ErrorRow("inline_forbidden", PermanentError, Who.ADMINISTRATOR,
    "add the export to the catalog, or set ALLOW_INLINE_EXPORTS to true: then any caller can read all that the key can",
    what="this deployment accepts only exports of its catalog")
RUN_EXPIRED_UNPLANNED = ErrorRow("run_expired_unplanned", PermanentError, Who.CALLER,
    "start a new run with a new Idempotency-Key",
    what="the run of this Idempotency-Key expired before it began")
RUN_UNKNOWN = ErrorRow("run_unknown", PermanentError, Who.CALLER,
    "use the id from the answer to POST /api/runs",
    what="this deployment has no run with this id; records are deleted after RETENTION_DAYS")
# fmt: on


class HttpAnswer(NamedTuple):
    """An HTTP answer, as its function encodes it, and the messages to send with it."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    media_type: str
    messages: Sequence[str] = ()


def json_answer(
    model: Model, status: int, headers: Mapping[str, str] | None = None, *, beside: Model | None = None
) -> HttpAnswer:
    """Return an answer with a model as its body.

    Args:
        model: a `Problem`, or another model of answers.
        status: of the answer.
        headers: in addition to those of its content.
        beside: another model whose fields to add, e.g. to a problem.
    """
    fields = {**(plain(beside) if beside else {}), **plain(model)}
    media_type = PROBLEM if isinstance(model, Problem) else "application/json"
    return HttpAnswer(status, (json.dumps(fields, ensure_ascii=False) + "\n").encode(), headers or {}, media_type)


def problem(code: str, status: int, detail: str, remedy: str, **more: Any) -> Problem:
    """Return a problem document.

    Args:
        code: stable name of the error class.
        status: of the answer.
        detail: what was seen.
        remedy: what to do.
        **more: other fields of a `Problem`.
    """
    title = http.HTTPStatus(status).phrase
    return Problem(type=f"urn:pigment-export:{code}", title=title, status=status, detail=detail, remedy=remedy, **more)


def error_answer(error: ExportError) -> HttpAnswer:
    """Return the answer for an error: 4xx for the caller to correct, 500 for the app's setup, 503 to retry later.

    Args:
        error: of any kind.
    """
    cause = error.cause
    status = STATUSES.get(cause.code, 503 if isinstance(error, RetryableError) else SERVER_ERROR)
    problems = error.problems if isinstance(error, ConfigurationError) else None
    detail = f"{len(problems)} problems" if problems and len(problems) > 1 else cause.reason
    who, remedy, headers = cause.who, cause.remedy, {}
    if isinstance(error, RetryableError):  # even if the app retries, this call has ended
        lasts = "" if who is Who.NO_ACTION else f"; if it lasts: {who}: {remedy}"
        who, remedy = Who.CALLER, f"call again in {RETRY_SECONDS} seconds{lasts}"
        headers = {"Retry-After": str(RETRY_SECONDS)}
    if problems and len(problems) > MOST_PROBLEMS:
        problems = (*problems[:MOST_PROBLEMS], f"and {len(problems) - MOST_PROBLEMS} more")
    told_who = None if status < SERVER_ERROR else str(who)  # below 500, it is the caller
    return json_answer(problem(cause.code, status, detail, remedy, problems=problems, who=told_who), status, headers)
