"""The HTTP calls about runs: starting one, following it, listing them."""

from typing import NamedTuple

from pigment_export.app.http import POLL_SECONDS, HttpAnswer, HttpRequest, json_answer, problem
from pigment_export.app.parts import App
from pigment_export.app.requests import RunRequest, RunsQuery, read_query
from pigment_export.app.schemas import Run, RunList
from pigment_export.app.selection import chooser, claimed_request, inline_export, other_problems
from pigment_export.app.views import MOST_FAILED_LISTED, run_view
from pigment_export.errors import ConfigurationError, ErrorRow, RefusedError, Who
from pigment_export.retry import Deadline
from pigment_export.runs.claim import Claim, claim_run
from pigment_export.runs.follow import RunProgress, progress_of, recent_runs
from pigment_export.runs.plan import ClaimRequest

LONGEST_KEY = 200

RUN_UNKNOWN = ErrorRow(
    "run_unknown",
    RefusedError,
    "this deployment has no run of this id: its records are kept for RETENTION_DAYS",
    Who.CALLER,
    "take the id from the answer to POST /api/runs",
)
RUN_EXPIRED_UNPLANNED = ErrorRow(
    "run_expired_unplanned",
    RefusedError,
    "the run of this key expired before it began",
    Who.CALLER,
    "take a new key: it is a new run",
)
RUN_FAILED = "run_failed"  # a run that has ended is no error of a call, and its answer carries the run


class Started(NamedTuple):
    """A run that was started or found: the answer, and what is to be enqueued."""

    answer: HttpAnswer
    claim: Claim


def start_run(app: App, request: HttpRequest, asked_by: str, deadline: Deadline) -> Started:
    """Start a run, or find the one that was started with the same `Idempotency-Key`.

    Args:
        app: the parts.
        request: its body is a `RunRequest`.
        asked_by: who calls, as far as it is known.
        deadline: of this call.

    Returns:
        202 with where to follow it; and the claim, with what is to be enqueued.

    Raises:
        ExportError: nothing was started.
    """
    wanted, problems = RunRequest.read(request.body, app.runs.time_zone)
    inline, more = inline_export(wanted, allowed=app.settings.allow_inline_exports)
    key = request.headers.get("idempotency-key")
    problems += [*more, *_key_problems(key)]
    if problems:
        raise ConfigurationError([*problems, *other_problems(app, wanted, deadline)], code="request")
    asked = ClaimRequest(
        "http", key or app.runs.new_nonce(), asked_by, claimed_request(wanted, inline), date_asked=wanted.date
    )
    claim = claim_run(app.runs, asked, chooser(app, wanted, inline, deadline), deadline)
    if not claim.is_planned:
        raise RUN_EXPIRED_UNPLANNED.raised(f"{claim.plan.run_id}, at {claim.plan.expires_at.isoformat()}")
    return Started(_go_on(_found(app, claim, deadline)), claim)


def run_status(app: App, run_id: str, deadline: Deadline) -> HttpAnswer:
    """Return how far a run is: 202 while it goes on, 200 when all succeeded, 409 when not.

    Args:
        app: the parts.
        run_id: any text.
        deadline: of this call.

    Raises:
        ExportError: there is no such run, or the lake cannot be used.
    """
    progress = progress_of(app.runs, run_id, deadline)
    if progress is None:
        raise RUN_UNKNOWN.raised()
    run = _view(app, progress)
    if run.state == "running":
        return _go_on(run)
    if run.state == "succeeded":
        return json_answer(run, 200)
    said = ", ".join(f"{count} {state}" for state, count in run.counts.items())
    remedy = f'see \'failed\'; then POST /api/runs with {{"retry_of": "{run.run_id}"}}'
    failed = problem(RUN_FAILED, 409, f"the run has ended: {said}", remedy)
    return json_answer(failed, failed.status, beside=run)


def list_runs(app: App, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
    """Return recent runs, newest first.

    Args:
        app: the parts.
        request: its query is a `RunsQuery`.
        deadline: of this call.

    Raises:
        ExportError: the query is wrong, or the lake cannot be used.
    """
    query = read_query(RunsQuery, request.query)
    found = recent_runs(app.runs, deadline, limit=query.limit, state=query.state)
    runs = (run_view(*run, app.base_url, most_failed=MOST_FAILED_LISTED) for run in found)
    return json_answer(RunList(runs=tuple(runs)), 200)


def _found(app: App, claim: Claim, deadline: Deadline) -> Run:
    """Return a claimed run as it is now: a repeat may find it ended."""
    progress = RunProgress.begun(claim.plan)
    if claim.pending != claim.plan.names:
        progress = progress_of(app.runs, claim.plan.run_id, deadline) or progress
    return _view(app, progress)


def _view(app: App, progress: RunProgress) -> Run:
    plan = progress.plan
    return run_view(plan.summary, progress.listing, app.base_url, result=plan.folder.result)


def _go_on(run: Run) -> HttpAnswer:
    return json_answer(run, 202, {"Location": run.location, "Retry-After": str(POLL_SECONDS)})


def _key_problems(key: str | None) -> list[str]:
    if key is None or (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        return []
    return [f"Idempotency-Key: 1 to {LONGEST_KEY} printable ASCII characters"]
