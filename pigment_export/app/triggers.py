"""The common part of timer and queue functions: one call each, with its own deadline and logged failures.

The work is passed in, so that each function imports only its own: most ticks find nothing due, and import and build
only what they need to read two files of the lake.
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
    """Run the work of a trigger within its own call.

    Args:
        trigger: one of `SECONDS`; its name in the event.
        build: makes the parts for a call; raises wrong settings each time.
        act: does the work; returns its result.

    Raises:
        ExportError: it failed; `trigger_failed` is logged unless other records or events show why.
    """
    app = None
    try:
        app = build(Deadline(SECONDS[trigger]))
        return act(app)
    except ExportError as error:
        if app is None or trigger == "schedule":
            log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger=trigger, **error.cause.to_fields())
        raise error.with_traceback(None) from None  # its cause is enough, and the host logs every line of a traceback


def tick(app: App, start: Callable[[App, Callable[[], Look], Look], list[str]]) -> list[str]:
    """Check whether anything is due, and only then start it.

    Args:
        app: the parts.
        start: claims what is due; looks again if another tick interferes.

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
