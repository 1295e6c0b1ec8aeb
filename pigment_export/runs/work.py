"""Work on the exports of a run: deliver one, fail some without asking Pigment, and process queue messages.

The queue has one message per export of a run. It can contain anything: a message that is not from this app, or names a
missing run or export, is logged and dropped.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace

from pigment_export.delivery.decide import expired
from pigment_export.delivery.deliver import deliver
from pigment_export.delivery.receipt import Receipt, ReceiptSummary, State
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.delivery.release import release
from pigment_export.errors import Cause, ErrorRow, PermanentError, Who
from pigment_export.events import Event, log
from pigment_export.runs.cancel import cancellation_of, stopping
from pigment_export.runs.deployment import UNREADABLE, Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import Plan, PlannedExport
from pigment_export.transfer.stream import Listen

SHOWN_CHARACTERS = 200  # of a text that is not a message

BROUGHT_OFTEN = "the queue has used up its attempts for this export"
GAVE_UP = ErrorRow(
    "gave_up",
    PermanentError,
    Who.DEVELOPER,
    "search the app's log for this run's id: the process may have been killed on each attempt, for memory or time",
    what=f"{BROUGHT_OFTEN}, and no attempt left a reason",
).cause()


def deliver_export(runs: Runs, plan: Plan, planned: PlannedExport, progress: Listen = lambda _: None) -> Receipt:
    """Bring one export of a run to a final receipt, and end the run if this was the last one.

    The export is fetched or, in a releasing run, its held file is published. In a cancelled run it fails.

    Returns:
        The current receipt.
    """
    reconciler = Reconciler(runs.lake, plan.task(planned))
    if cancellation := cancellation_of(runs, plan):
        receipt = reconciler.record_failed(cancellation.cause, is_abandoned=True)
    elif planned.held:
        receipt = release(reconciler, planned.held, runs.new_nonce)
    else:
        listener = stopping(runs, plan, progress)
        receipt = deliver(reconciler, fetch=runs.fetch, new_nonce=runs.new_nonce, progress=listener)
    finish_run(runs.lake, plan)
    return receipt


def fail_exports(runs: Runs, plan: Plan, causes: Mapping[str, Cause]) -> dict[str, Receipt]:
    """Bring exports of a run to a final receipt without asking Pigment, and end the run if they were the last ones.

    Each receipt also has the reason of the export's last attempt.

    Args:
        runs: of this deployment.
        plan: the run.
        causes: why each fails, by its name; if this run's file is there nevertheless, its receipt is `succeeded`.

    Returns:
        The current receipts, by name.
    """
    receipts = {
        planned.export.name: Reconciler(runs.lake, plan.task(planned)).record_failed(
            causes[planned.export.name], is_abandoned=True
        )
        for planned in plan.exports
        if planned.export.name in causes
    }
    finish_run(runs.lake, plan)
    return receipts


def expire_run(runs: Runs, plan: Plan, receipts: Mapping[str, ReceiptSummary]) -> None:
    """End an expired run; a final receipt without success is corrected if its file is there after all."""
    bad = [name for name in plan.names if name not in receipts or not receipts[name].state.good]
    fail_exports(runs, plan, dict.fromkeys(bad, expired(plan.expires_at)))


# The queue


def message_for(run_id: str, name: str) -> str:
    """Return the queue message of an export of a run."""
    return json.dumps({"run_id": run_id, "name": name})


def messages_for(plan: Plan, names: tuple[str, ...]) -> list[str]:
    """Return the messages of some exports of a run."""
    return [message_for(plan.run_id, name) for name in names]


def named_in(text: str) -> tuple[str, str] | None:
    """Return the run and the export that a message names; None if it is not a message of this app."""
    try:
        fields = json.loads(text)
        run_id, name = fields["run_id"], fields["name"]
    except (ValueError, RecursionError, TypeError, LookupError):
        return None
    return (run_id, name) if isinstance(run_id, str) and isinstance(name, str) else None


def process_message(runs: Runs, text: str) -> Receipt | None:
    """Deliver the export that a message names.

    Returns:
        The current receipt; None if the message was dropped.

    Raises:
        RetryableError: the message should come back; a `retrying` receipt says why.
        ExportError: the lake cannot be used; the message should come back.
    """
    found = _found(runs, text)
    return deliver_export(runs, *found) if found else None


def record_poison(runs: Runs, text: str, *, queue: str) -> list[str]:
    """Handle a message that the queue has given up: send it again, or settle its export.

    An export whose last attempt left a `retrying` receipt is sent again until its run expires, so that no outage ends
    it earlier. An export that left no reason is settled at once: its process may have been killed on each attempt.

    Returns:
        The messages to send again.

    Raises:
        ExportError: the lake cannot be used; the message comes back.
    """
    found = _found(runs, text)
    if found is None:
        log(Event.POISON_RECORDED, level=logging.ERROR, queue=queue, text=_shown(text))
        return []
    plan, planned = found
    name = planned.export.name
    reconciler = Reconciler(runs.lake, plan.task(planned))
    last = reconciler.receipt()
    if last and last.state is State.RETRYING and runs.lake.now() < plan.expires_at:
        state, level, messages = State.RETRYING, logging.WARNING, messages_for(plan, (name,))
    else:
        cause = replace(GAVE_UP, code=last.cause.code, reason=BROUGHT_OFTEN) if last and last.cause else GAVE_UP
        state = reconciler.record_failed(cause, is_abandoned=True).state
        finish_run(runs.lake, plan)
        level, messages = logging.INFO if state.good else logging.ERROR, []
    log(Event.POISON_RECORDED, level=level, queue=queue, run_id=plan.run_id, name=name, state=str(state))
    return messages


def _found(runs: Runs, text: str) -> tuple[Plan, PlannedExport] | None:
    """Return the run and the export that a message names; log it if they do not exist."""
    named, reason = named_in(text), "it is not a message of this app"
    if named is not None:
        run_id, name = named
        reason = "there is no such run"
        try:
            plan = runs.plan_of(run_id)
        except PermanentError as error:
            if error.cause.code != UNREADABLE.code:
                raise
            plan, reason = None, error.cause.reason
        if plan is not None:
            if planned := plan.planned(name):
                return plan, planned
            reason = "the run has no such export"
    log(Event.MESSAGE_DROPPED, level=logging.ERROR, reason=reason, text=_shown(text))
    return None


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
