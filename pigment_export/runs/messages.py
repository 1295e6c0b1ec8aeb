"""The queue's messages, one per export of a run: what they say, working one off, and recording one that gave up.

Anything may lie in a queue: what is no message of this app, or names nothing that is there, is logged and dropped.
"""

import json
import logging
from dataclasses import dataclass, replace

from pigment_export.delivery.receipt import Receipt, State
from pigment_export.errors import ErrorRow, PermanentError, UnreadableError, Who
from pigment_export.events import Event, log
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import Plan, PlannedExport
from pigment_export.runs.work import deliver_export, fail_exports, last_receipt

SHOWN_CHARACTERS = 200  # of a text that is no message

BROUGHT_OFTEN = "the queue has brought this export again as often as it does"
GAVE_UP = ErrorRow(
    "gave_up",
    PermanentError,
    f"{BROUGHT_OFTEN}, and no try left a reason",
    Who.DEVELOPER,
    "look for this run's id in the app's log: its process may have been ended each time, by memory or time",
).cause()


@dataclass(frozen=True, slots=True)
class Message:
    """An export of a run that is to be delivered."""

    run_id: str
    name: str

    def to_text(self) -> str:
        """As the queue carries it."""
        return json.dumps({"run_id": self.run_id, "name": self.name})

    @classmethod
    def from_text(cls, text: str) -> "Message | None":
        """Read what `to_text` wrote; None where it is anything else."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(fields, dict):
            return None
        run_id, name = fields.get("run_id"), fields.get("name")
        return cls(run_id, name) if isinstance(run_id, str) and isinstance(name, str) else None


def messages_for(plan: Plan, names: tuple[str, ...]) -> list[str]:
    """The messages of some exports of a run."""
    return [Message(plan.run_id, name).to_text() for name in names]


def process_message(runs: Runs, text: str, deadline: Deadline) -> Receipt | None:
    """Deliver what a message names.

    Args:
        runs: of this deployment.
        text: the message, whatever it is.
        deadline: of this call.

    Returns:
        The receipt that stands; None where the message was dropped.

    Raises:
        RetryableError: the message should come again; a `retrying` receipt says why.
        ExportError: the lake itself cannot be used; the message should come again.
    """
    found = _found(runs, text, deadline)
    return deliver_export(runs, *found, deadline) if found else None


def record_poison(runs: Runs, text: str, *, queue: str, deadline: Deadline) -> list[str]:
    """Record that the queue has given a message up: send it again while its run lasts, or settle what it names.

    An export whose last try failed for now is sent again until its run expires, so that no outage ends it before. An
    export that left no reason is settled at once: its process may have been ended each time.

    Args:
        runs: of this deployment.
        text: the message, whatever it is.
        queue: the poison queue's name.
        deadline: of this call.

    Returns:
        The messages to send again.

    Raises:
        ExportError: the lake cannot be used; the message comes again.
    """
    found = _found(runs, text, deadline)
    if found is None:
        log(Event.POISON_RECORDED, level=logging.ERROR, queue=queue, text=_shown(text))
        return []
    plan, planned = found
    name = planned.export.name
    last = last_receipt(runs, plan, planned, deadline)
    if last and last.state is State.RETRYING and deadline.retry(runs.now) < plan.expires_at:
        _log_poison(plan, name, State.RETRYING, queue, logging.WARNING)
        return messages_for(plan, (name,))
    cause = replace(GAVE_UP, code=last.cause.code, reason=BROUGHT_OFTEN) if last and last.cause else GAVE_UP
    receipt = fail_exports(runs, plan, {name: cause}, deadline)[name]
    finish_run(runs.records, plan, deadline)
    _log_poison(plan, name, receipt.state, queue, logging.INFO if receipt.state.good else logging.ERROR)
    return []


def _log_poison(plan: Plan, name: str, state: State, queue: str, level: int) -> None:
    log(Event.POISON_RECORDED, level=level, queue=queue, run_id=plan.run_id, name=name, state=str(state))


def _found(runs: Runs, text: str, deadline: Deadline) -> tuple[Plan, PlannedExport] | None:
    """The run and the export that a message names; where they are not there, that is logged."""
    message = Message.from_text(text)
    reason = "it is no message of this app"
    if message is not None:
        reason = "there is no such run"
        try:
            plan = runs.plan_of(message.run_id, deadline)
        except UnreadableError as error:
            plan, reason = None, error.cause.reason
        if plan is not None:
            if planned := plan.planned(message.name):
                return plan, planned
            reason = "the run has no such export"
    log(Event.MESSAGE_DROPPED, level=logging.ERROR, reason=reason, text=_shown(text))
    return None


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
