"""What the timer does: look whether anything is due, and only then start it.

A tick that finds nothing due imports and builds nothing but what it takes to read two files of the lake.
"""

import logging
from collections.abc import Callable

from pigment_export.errors import ExportError
from pigment_export.events import Event, log
from pigment_export.retry import CLAIM_SECONDS, Deadline
from pigment_export.runs.schedule import Look, Watch


def tick(watch: Callable[[], Watch], start: Callable[[Look, Deadline], list[str]]) -> list[str]:
    """Start what the schedules say is due.

    Args:
        watch: builds what a look needs, or finds it built; raises what is wrong with the settings, each time.
        start: claims what is due.

    Returns:
        The messages to send.

    Raises:
        ExportError: something could not be started; the next tick is the retry.
    """
    deadline = Deadline(CLAIM_SECONDS)
    try:
        seen = watch().look(deadline)
        return [] if seen.is_idle else start(seen, deadline)
    except ExportError as error:
        log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger="schedule", **error.cause.to_fields())
        raise error.with_traceback(None) from None  # its cause says it all, and the host logs every line of a traceback
