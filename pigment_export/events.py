"""The log events, by name. Each message is one JSON object that begins with `event`, so that queries can find it.

The Functions worker forwards log messages but no extra fields, so the message contains everything that an alert or a
person needs. If you add or rename an event, change `docs/events.md` and the alert queries, too; a test compares them.
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
    EXPORT_RETRYING = "export_retrying"  # an attempt failed and will be repeated: class, reason, who, remedy
    RETRYING_CALL = "retrying_call"  # a call is about to retry something for the first time: class, reason
    RUN_STARTED = "run_started"  # a run was claimed: run_id, trigger, exports
    RUN_REPEATED = (
        "run_repeated"  # a run was requested again with the same key: messages were sent for unfinished exports
    )
    SCHEDULE_DUE = "schedule_due"  # an occurrence was due: its run was claimed, or its claim was found
    RUN_CANCELLED = "run_cancelled"  # a caller cancelled a run
    RUN_ENDED = "run_ended"  # the result of a run was written: succeeded, counts
    TRIGGER_FAILED = (
        "trigger_failed"  # a schedule, call or message could not be processed, such as with a broken catalog
    )
    POISON_RECORDED = "poison_recorded"  # the queue gave up a message: it was sent again, or its export was settled
    MESSAGE_DROPPED = "message_dropped"  # a message is not this app's, or names a run or an export that does not exist
    FRESHNESS = "freshness"  # hours since each export last succeeded, from housekeeping
    HOUSEKEEPING_PASSED = "housekeeping_passed"  # what the hourly pass repaired, ended and removed
    HOUSEKEEPING_FAILED = "housekeeping_failed"  # one run, or one part of the pass, raised an error
    HEADER_CHANGED = "header_changed"  # the header differs from the last good file's: columns added and removed
    FIRST_FILE_EMPTY = "first_file_empty"  # an export's first file has a header but no rows
    DAY_HAS_TWO_FILES = "day_has_two_files"  # the path changed during a day, which now has two files
    SECRET_NEAR_EXPIRY = "secret_near_expiry"  # noqa: S105 - a name, not a secret
    SWEEP_LEFT = "sweep_left"  # a staged file could not be removed; housekeeping will remove it


def log(event: Event, /, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event as a JSON object.

    Args:
        event: its name, the first field.
        level: a `logging` level, for people; alerts use `event` and the fields.
        **fields: JSON values. Datetimes are written in ISO 8601, other objects as text.
    """
    if _LOG.isEnabledFor(level):
        _LOG.log(level, "%s", json.dumps({"event": event, **fields}, default=_text, ensure_ascii=False))


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
