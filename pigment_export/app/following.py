"""The HTTP calls about existing runs: answering a claim, following a run, cancelling it, listing runs."""

from contextlib import suppress
from datetime import datetime

from pigment_export.app.http import POLL_SECONDS, RUN_UNKNOWN, HttpAnswer, json_answer, problem
from pigment_export.app.parts import App
from pigment_export.app.requests import Query
from pigment_export.app.schemas import MOST_FAILED_LISTED, Run, RunList, run_view
from pigment_export.errors import ConfigurationError
from pigment_export.runs.cancel import cancel_run as cancel
from pigment_export.runs.claim import Claim
from pigment_export.runs.follow import RunListing, progress_of, recent_runs
from pigment_export.runs.plan import Plan
from pigment_export.runs.timetable import next_occurrences
from pigment_export.runs.work import messages_for

RUN_FAILED = "run_failed"  # an ended run is not an error of the call, so the answer has the run


def started(app: App, claim: Claim) -> HttpAnswer:
    """Return 202 with the address of a claimed run, and the messages to send.

    Args:
        app: the parts.
        claim: new, or found; then the answer has the run's progress.

    Raises:
        ExportError: the lake cannot be used.
    """
    plan = claim.plan
    progress = None if claim.pending == plan.names else progress_of(app.runs, plan.run_id)
    answer = _in_progress(_seen(app, *(progress or (plan, RunListing(plan.run_id)))))
    return answer._replace(messages=messages_for(plan, claim.pending))


def run_status(app: App, run_id: str) -> HttpAnswer:
    """Return a run's progress: 202 while it is in progress, 200 if all succeeded, 409 if not.

    Args:
        app: the parts.
        run_id: any text.

    Raises:
        ExportError: there is no such run, or the lake cannot be used.
    """
    return _answer(app, progress_of(app.runs, run_id))


def cancel_run(app: App, run_id: str, asked_by: str) -> HttpAnswer:
    """Cancel a run, and return its progress; an ended run does not change.

    Args:
        app: the parts.
        run_id: any text.
        asked_by: who cancels it.

    Raises:
        ExportError: there is no such run, or the lake cannot be used.
    """
    return _answer(app, cancel(app.runs, run_id, asked_by))


def list_runs(app: App, query: Query) -> HttpAnswer:
    """Return recent runs, newest first, and when each export runs next.

    Args:
        app: the parts.
        query: number and state of runs.

    Raises:
        ExportError: the lake cannot be used.
    """
    found = recent_runs(app.runs, limit=query.limit, state=query.state)
    runs = (run_view(*run, app.base_url, most_failed=MOST_FAILED_LISTED) for run in found)
    return json_answer(RunList(runs=tuple(runs), next=_next(app)), 200)


def _seen(app: App, plan: Plan, listing: RunListing) -> Run:
    return run_view(plan.summary, listing, app.base_url, result=plan.folder.result)


def _in_progress(run: Run) -> HttpAnswer:
    """Return 202; its caller polls `Location`."""
    return json_answer(run, 202, {"Location": run.location, "Retry-After": str(POLL_SECONDS)})


def _answer(app: App, progress: tuple[Plan, RunListing] | None) -> HttpAnswer:
    if progress is None:
        raise RUN_UNKNOWN.raised()
    run = _seen(app, *progress)
    if run.state == "running":
        return _in_progress(run)
    if run.state == "succeeded":
        return json_answer(run, 200)
    said = ", ".join(f"{count} {state}" for state, count in run.counts.items())
    remedy = f'see \'failed\'; then POST /api/runs with {{"retry_of": "{run.run_id}"}}'
    if "held" in run.counts:
        remedy += f', or with {{"release_of": "{run.run_id}"}} if the held files are right'
    failed = problem(RUN_FAILED, 409, f"the run has ended: {said}", remedy)
    return json_answer(failed, failed.status, beside=run)


def _next(app: App) -> dict[str, datetime] | None:
    """Return when each export runs next, or None if the catalog is wrong: the list of runs does not need it."""
    with suppress(ConfigurationError):
        occurrences = next_occurrences(app.runs, app.catalog(), app.lake.now())
        return {name: at for name, at in occurrences.items() if at is not None}
    return None
