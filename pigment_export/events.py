"""The log events, by name: one JSON object as the message, `event` first, so that a query finds each.

The worker forwards log messages but no extra fields, so all that an alert or a person needs is in the message.
Adding or renaming an event changes `docs/events.md` and the alert queries: a test holds them together.
"""

import json
import logging
from datetime import datetime
from enum import StrEnum
from typing import Any

_LOG = logging.getLogger("pigment_export")


class Event(StrEnum):
    """Every event that the app logs."""

    EXPORT_ENDED = "export_ended"  # a receipt became final: state, rows, bytes, class, who, remedy
    EXPORT_RETRYING = "export_retrying"  # a try failed and comes again: class, reason, who, remedy
    RETRYING_CALL = "retrying_call"  # a call waits for the first time before it tries something again: class, reason
    RUN_STARTED = "run_started"  # a run was claimed: run_id, trigger, exports
    RUN_REPEATED = "run_repeated"  # a claim was made again with the same key: what it still lacked was sent
    SCHEDULE_DUE = "schedule_due"  # an occurrence was due: its run was claimed, or found
    RUN_CANCELLED = "run_cancelled"  # a caller stopped a run
    RUN_ENDED = "run_ended"  # its result was written: succeeded, failed, held
    TRIGGER_FAILED = "trigger_failed"  # a schedule or a call could not start a run: a broken catalog
    POISON_RECORDED = "poison_recorded"  # a message gave up: its export was settled
    MESSAGE_DROPPED = "message_dropped"  # a message that names no run or export that is there
    FRESHNESS = "freshness"  # hours since each export last succeeded, from housekeeping
    HOUSEKEEPING_PASSED = "housekeeping_passed"  # what the pass healed, ended and swept
    HOUSEKEEPING_FAILED = "housekeeping_failed"  # what one run or one part of the pass raised
    HEADER_CHANGED = "header_changed"  # the header is not the last good file's: what came, what went
    FIRST_FILE_EMPTY = "first_file_empty"  # an export's first file has a header and no row
    DAY_HAS_TWO_FILES = "day_has_two_files"  # the path template was changed within a day
    SECRET_NEAR_EXPIRY = "secret_near_expiry"  # noqa: S105 - a name, not a secret
    SWEEP_LEFT = "sweep_left"  # a staged file could not be removed: the sweep will


def log(event: Event, /, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event as a JSON object.

    Args:
        event: its name; stands first.
        level: a `logging` level; alerts go by `event` and fields, people read by level.
        **fields: JSON values; datetimes are written in ISO 8601, other values as their text.
    """
    if _LOG.isEnabledFor(level):
        _LOG.log(level, "%s", json.dumps({"event": event, **fields}, default=_text, ensure_ascii=False))


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
