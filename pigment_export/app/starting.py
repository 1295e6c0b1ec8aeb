"""`POST /api/runs`: start a run, retry one, release what is held in one; or find the run of the same key."""

from typing import NamedTuple

from pigment_export.app.following import going_on
from pigment_export.app.http import HttpAnswer, HttpRequest
from pigment_export.app.parts import App
from pigment_export.app.requests import RunRequest
from pigment_export.app.selection import claimed_request, inline_export, other_problems, select
from pigment_export.errors import ConfigurationError, ErrorRow, RefusedError, Who
from pigment_export.retry import Deadline
from pigment_export.runs.claim import Claim, claim_run
from pigment_export.runs.follow import RunProgress, progress_of
from pigment_export.runs.plan import ClaimRequest

LONGEST_KEY = 200

RUN_EXPIRED_UNPLANNED = ErrorRow(
    "run_expired_unplanned",
    RefusedError,
    "the run of this key expired before it began",
    Who.CALLER,
    "take a new key: it is a new run",
)


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
    claim = claim_run(app.runs, asked, lambda: select(app, wanted, inline, deadline), deadline)
    if not claim.is_planned:
        raise RUN_EXPIRED_UNPLANNED.raised(f"{claim.plan.run_id}, at {claim.plan.expires_at.isoformat()}")
    return Started(going_on(app, _found(app, claim, deadline)), claim)


def _found(app: App, claim: Claim, deadline: Deadline) -> RunProgress:
    """Return a claimed run as it is now: a repeat may find it ended."""
    begun = RunProgress.begun(claim.plan)
    if claim.pending == claim.plan.names:
        return begun
    return progress_of(app.runs, claim.plan.run_id, deadline) or begun


def _key_problems(key: str | None) -> list[str]:
    if key is None or (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        return []
    return [f"Idempotency-Key: 1 to {LONGEST_KEY} printable ASCII characters"]
