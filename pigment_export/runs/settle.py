"""Bring a run that shows no life to its end, or on its way again.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pigment_export.delivery.decide import expired
from pigment_export.retry import FUNCTION_TIMEOUT_SECONDS, Deadline
from pigment_export.runs.claim import publish_plan
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.follow import RunListing
from pigment_export.runs.messages import messages_for
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import fail_exports

FUNCTION_TIMEOUT = timedelta(seconds=FUNCTION_TIMEOUT_SECONDS)  # for so long, a call may be busy and give no sign


@dataclass(frozen=True, slots=True)
class Settled:
    """What was done for a run: the messages to send, and whether it was brought to its end."""

    messages: tuple[str, ...] = ()
    has_ended: bool = False


def settle_claim(runs: Runs, path: str, now: datetime, deadline: Deadline) -> Settled:
    """Copy the plan of a claim whose trigger was cut off, then send its messages, or end the run if it has expired.

    Args:
        runs: of this deployment.
        path: of the claim.
        now: the lake's clock.
        deadline: of the pass.

    Returns:
        What was done.

    Raises:
        UnreadableError: the claim is not what this app writes.
        ExportError: the lake cannot be used.
    """
    plan = runs.plan_in_claim(path, deadline)
    publish_plan(runs, plan, deadline)
    if now < plan.expires_at:
        return Settled(tuple(messages_for(plan, plan.pending(runs.receipts(plan, deadline)))))
    return settle_run(runs, plan, RunListing(plan.run_id, planned_at=now), now, deadline)


def settle_run(runs: Runs, plan: Plan, seen: RunListing, now: datetime, deadline: Deadline) -> Settled:
    """Bring a run to its end, or on its way again, or leave it to the workers that are at work on it.

    Args:
        runs: of this deployment.
        plan: the run.
        seen: what a listing shows of it.
        now: the lake's clock.
        deadline: of the pass.

    Returns:
        What was done.

    Raises:
        ExportError: the lake cannot be used.
    """
    pending = plan.pending(seen.receipts)
    is_over = now >= plan.expires_at + FUNCTION_TIMEOUT  # before that, a last call may be at work
    if is_over or not pending:
        # Also what is final and not good: should its file be there after all, its receipt is corrected.
        found = {name: seen.receipts.get(name) for name in plan.names} if is_over else {}
        bad = [name for name, receipt in found.items() if receipt is None or not receipt.state.good]
        fail_exports(runs, plan, dict.fromkeys(bad, expired(plan.expires_at)), deadline)
        finish_run(runs.records, plan, deadline)
        return Settled(has_ended=bool(pending))
    if now < plan.expires_at and _is_lifeless(seen, now):
        return Settled(tuple(messages_for(plan, pending)))
    return Settled()


def _is_lifeless(seen: RunListing, now: datetime) -> bool:
    signs = [sign for sign in (seen.planned_at, seen.last_sign_at) if sign is not None]
    return all(sign <= now - FUNCTION_TIMEOUT for sign in signs)
