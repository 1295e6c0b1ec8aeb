"""The HTTP answers: starting a run, following it, listing runs. Errors are problem+json (RFC 9457).

The statuses are made for Data Factory and Logic Apps: 202 is asked again, 200 is success, 409 is a failure that
nobody tries again by himself.
"""

import http
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from pigment_export.app.schemas import MOST_TROUBLES, FailedExport, Problem, Run, RunList, RunRequest
from pigment_export.catalog.exports import Export, to_json
from pigment_export.catalog.file import Catalog, define
from pigment_export.delivery.receipt import State, count_states
from pigment_export.errors import Cause, ConfigurationError, ExportError, RefusedError, RetryableError, Who
from pigment_export.retry import Deadline
from pigment_export.runs.claim import ClaimRequest, claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import RunListing, RunProgress, progress_of, recent_runs
from pigment_export.runs.messages import messages_for
from pigment_export.runs.plan import PlanSummary

POLL_SECONDS = 20  # between two looks at a run
RETRY_SECONDS = 30  # before asking again where Azure does not answer for now
INLINE_FIELDS = ("name", "kind", "id", "options")
LONGEST_KEY = 200
PROBLEM = "application/problem+json"

# The status of an error by its code, where its class alone doesn't tell.
_STATUSES = {
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


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP call, as its function decodes it.

    Attributes:
        headers: by name, in lower case.
        body: as it came.
        asked_by: who calls, as far as it is known.
    """

    headers: Mapping[str, str]
    body: bytes
    asked_by: str


class Answer(NamedTuple):
    """An HTTP answer, as its function encodes it."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    media_type: str


@dataclass(frozen=True, slots=True)
class Api:
    """The calls about runs.

    Attributes:
        runs: of this deployment.
        catalog: reads the catalog.
        allow_inline: whether a caller may define an export.
        base_url: origin that `Location` names.
        new_key: a key that nobody else has, for a caller without one.
    """

    runs: Runs
    catalog: Callable[[Deadline], Catalog]
    allow_inline: bool
    base_url: str
    new_key: Callable[[], str]

    def start(self, call: Call, deadline: Deadline) -> tuple[Answer, list[str]]:
        """Start a run, or find the one that was started with the same `Idempotency-Key`.

        Args:
            call: its body is a `RunRequest`.
            deadline: of this call.

        Returns:
            202 with where to follow it; and the messages to send.

        Raises:
            ExportError: `problem` makes an answer of it; nothing was started.
        """
        request = RunRequest.read(call.body)
        inline = self._inline(request)
        key = _key_in(call.headers) or self.new_key()
        document = request.normalised() | ({"export": to_json(inline)} if inline else {})
        asked = ClaimRequest("http", key, call.asked_by, document, date_asked=request.date)
        claimed = claim_run(self.runs, asked, lambda: self._choose(request, inline, deadline), deadline)
        plan = claimed.plan
        if not claimed.is_planned:
            reason = f"the run {plan.run_id} of this key expired at {plan.expires_at.isoformat()} before it began"
            raise RefusedError(Cause("run_expired_unplanned", reason, Who.CATALOG, "take a new key: it is a new run"))
        left = len(claimed.pending)
        run = self._run(plan.summary, "running", done=len(plan.exports) - left, counts={})
        return _to_be_continued(run), messages_for(plan, claimed.pending)

    def follow(self, run_id: str, deadline: Deadline) -> Answer:
        """How far a run is: 202 while it goes on, 200 when all succeeded, 409 when not.

        Args:
            run_id: any text.
            deadline: of this call.

        Raises:
            ExportError: `problem` makes an answer of it.
        """
        status = progress_of(self.runs, run_id, deadline)
        if status is None:
            reason = "this deployment has no run of this id: its records are kept for RETENTION_DAYS"
            remedy = "take the id from the answer to POST /api/runs"
            raise RefusedError(Cause("run_unknown", reason, Who.CATALOG, remedy))
        run = self._run_of(status)
        if run.state == "running":
            return _to_be_continued(run)
        if run.state == State.SUCCEEDED:
            return told(run, 200)
        said = ", ".join(f"{count} {state}" for state, count in run.counts.items())
        return told(
            Problem(
                type=_urn("run_failed"),
                title=http.HTTPStatus.CONFLICT.phrase,
                status=http.HTTPStatus.CONFLICT,
                detail=f"the run has ended: {said}",
                remedy='see \'troubles\'; then POST /api/runs with {"retry_of": "' + run.run_id + '"}',
            ),
            409,
            beside=run,
        )

    def recent(self, deadline: Deadline) -> Answer:
        """Recent runs, newest first.

        Args:
            deadline: of this call.

        Raises:
            ExportError: `problem` makes an answer of it.
        """
        found = recent_runs(self.runs, deadline)
        return told(RunList(runs=tuple(self._run_seen(summary, seen) for summary, seen in found)), 200)

    def _inline(self, request: RunRequest) -> Export | None:
        """The export that a caller defines, checked."""
        if request.export is None:
            return None
        if not self.allow_inline:
            reason = "this deployment takes no exports but those of its catalog"
            remedy = (
                "add the export to the catalog; or set ALLOW_INLINE_EXPORTS, and any caller may read what the key may"
            )
            raise RefusedError(Cause("inline_forbidden", reason, Who.ADMINISTRATOR, remedy))
        fields = dict(request.export)
        name = fields.pop("name", None)
        problems = [
            f"export.{field}: unknown; allowed: {', '.join(INLINE_FIELDS)}"
            for field in fields
            if field not in INLINE_FIELDS
        ]
        if not isinstance(name, str):
            problems.append("export.name: missing; the file is named by it")
        if problems:
            raise ConfigurationError(problems, code="request")
        try:
            return define(str(name), fields, where="export")
        except ConfigurationError as error:
            raise ConfigurationError(error.problems, code="request") from error

    def _choose(self, request: RunRequest, inline: Export | None, deadline: Deadline) -> Sequence[Export]:
        if request.retry_of is not None:
            return self._to_retry(request.retry_of, deadline)
        catalog = self.catalog(deadline)
        if inline is None:
            return catalog.select(request.exports or (), request.groups or ())
        if any(export.name == inline.name for export in catalog.exports):
            problem = f"export.name: {inline.name!r} is in the catalog: take another name, or name it in 'exports'"
            raise ConfigurationError([problem], code="request")
        return [inline]

    def _to_retry(self, run_id: str, deadline: Deadline) -> Sequence[Export]:
        status = progress_of(self.runs, run_id, deadline)
        if status is None:
            raise ConfigurationError([f"retry_of: no run {run_id!r} of this deployment"], code="request")
        if status.result is None:
            reason = f"the run {run_id} has not ended"
            raise RefusedError(Cause("run_not_ended", reason, Who.CATALOG, "follow it to its end first"))
        bad = {receipt.name for receipt in status.result.exports if not receipt.state.good}
        if not bad:
            raise ConfigurationError([f"retry_of: every export of the run {run_id} succeeded"], code="request")
        return [planned.export for planned in status.plan.exports if planned.export.name in bad]

    def _run_of(self, status: RunProgress) -> Run:
        plan, result = status.plan, status.result
        if result is None:
            receipts = status.receipts.values()
            waiting = [FailedExport.of(receipt) for receipt in receipts if not receipt.state.final]
            return self._run(
                plan.summary,
                "running",
                done=len(receipts) - len(waiting),
                counts=count_states(receipt.state for receipt in receipts),
                retrying=tuple(waiting[:MOST_TROUBLES]),
            )
        bad = [FailedExport.of(receipt) for receipt in result.exports if not receipt.state.good]
        return self._run(
            plan.summary,
            str(result.state),
            done=len(plan.exports),
            counts=result.counts,
            troubles=tuple(bad[:MOST_TROUBLES]),
            result=plan.folder.result,
        )

    def _run_seen(self, summary: PlanSummary, seen: RunListing) -> Run:
        states = [found.state for found in seen.receipts.values()]
        done = sum(state.final for state in states)
        return self._run(summary, seen.state, done=done, counts=count_states(states))

    def _run(self, summary: PlanSummary, state: str, *, done: int, counts: Mapping[str, int], **more: Any) -> Run:
        location = f"{self.base_url}/api/runs/{summary.run_id}"
        return Run.of_plan(summary, state=state, done=done, counts=counts, location=location, **more)


def _to_be_continued(run: Run) -> Answer:
    return told(run, 202, {"Location": run.location, "Retry-After": str(POLL_SECONDS)})


def problem(error: ExportError) -> Answer:
    """The answer that an error makes.

    Args:
        error: whatever was raised.

    Returns:
        problem+json: 4xx where the caller must ask otherwise, 500 where the app's own configuration is wrong, 503 where
        it may pass by itself.
    """
    cause = error.cause
    status = http.HTTPStatus(_STATUSES.get(cause.code, 503 if isinstance(error, RetryableError) else 500))
    problems = error.problems if isinstance(error, ConfigurationError) else None
    document = Problem(
        type=_urn(cause.code),
        title=status.phrase,
        status=status,
        detail=f"{len(problems)} problems" if problems and len(problems) > 1 else cause.reason,
        problems=problems,
        who=None if status < 500 else str(cause.who),  # noqa: PLR2004 - below, it is the caller
        remedy=cause.remedy,
    )
    later = {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, RetryableError) else {}
    return told(document, status, later)


def told(
    model: BaseModel, status: int, headers: Mapping[str, str] | None = None, *, beside: BaseModel | None = None
) -> Answer:
    """An answer of what a model says.

    Args:
        model: a `Problem`, or another part of the contract.
        status: of the answer.
        headers: beside those of its content.
        beside: another model whose fields stand beside, as a problem may carry them.
    """
    fields = {**(_plain(beside) if beside else {}), **_plain(model)}
    media_type = PROBLEM if isinstance(model, Problem) else "application/json"
    return Answer(status, (json.dumps(fields, ensure_ascii=False) + "\n").encode(), headers or {}, media_type)


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True, by_alias=True)


def _urn(code: str) -> str:
    return f"urn:pigment-export:{code}"


def _key_in(headers: Mapping[str, str]) -> str | None:
    """The caller's own key; None where there is none."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise ConfigurationError([f"Idempotency-Key: 1 to {LONGEST_KEY} printable ASCII characters"], code="request")
    return key
