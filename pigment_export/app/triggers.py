"""What the functions of timers and queues have in common: one call each, with its own time and a loud failure.

What a function does is given to it, so that each imports no more than its own work: most ticks find nothing due, and
then import and build nothing but what it takes to read two files of the lake.
"""

import logging
from collections.abc import Callable
from functools import partial

from pigment_export.app.parts import App
from pigment_export.errors import ExportError
from pigment_export.events import Event, log
from pigment_export.retry import CALL_SECONDS, CLAIM_SECONDS, HOUSEKEEPING_SECONDS, Deadline
from pigment_export.runs.schedule import Look, look

SECONDS = {
    "schedule": CLAIM_SECONDS,
    "housekeeping": HOUSEKEEPING_SECONDS,
    "queue": CALL_SECONDS,
    "poison": CALL_SECONDS,
}


def serve[T](trigger: str, build: Callable[[Deadline], App], act: Callable[[App], T]) -> T:
    """Do what a trigger is for, within a call of its own.

    Args:
        trigger: one of `SECONDS`; names it in the event.
        build: makes the parts for a call; raises what is wrong with the settings, each time.
        act: does it; returns what it came to.

    Raises:
        ExportError: it was not done; `trigger_failed` is logged unless records or events of its own tell why.
    """
    app = None
    try:
        app = build(Deadline(SECONDS[trigger]))
        return act(app)
    except ExportError as error:
        if app is None or trigger == "schedule":
            log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger=trigger, **error.cause.to_fields())
        raise error.with_traceback(None) from None  # its cause says it all, and the host logs every line of a traceback


def tick(app: App, start: Callable[[App, Callable[[], Look], Look], list[str]]) -> list[str]:
    """Look whether the schedules say that anything is due, and only then start it.

    Args:
        app: the parts.
        start: claims what is due; looks again where another tick is at work.

    Returns:
        The messages to send.

    Raises:
        ExportError: something could not be started; the next tick is the retry.
    """
    see = partial(
        look,
        app.lake,
        app.settings.layout.schedules(app.settings.deployment),
        app.read_catalog,
        schedule=app.settings.export_schedule,
        time_zone=app.settings.export_time_zone.key,
    )
    seen = see()
    return [] if seen.is_idle else start(app, see, seen)
