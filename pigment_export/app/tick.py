"""What the timer does: look whether anything is due, and only then start it.

A tick that finds nothing due imports and builds nothing but what it takes to read two files of the lake.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pigment_export.app.parts import App
from pigment_export.errors import ExportError
from pigment_export.events import Event, log
from pigment_export.retry import CLAIM_SECONDS, Deadline
from pigment_export.runs.schedule import Look, look


def tick(build: Callable[[Deadline], App], start: Callable[[App, Callable[[], Look], Look], list[str]]) -> list[str]:
    """Start what the schedules say is due.

    Args:
        build: makes the parts for a call; raises what is wrong with the settings, each time.
        start: claims what is due; looks again where another tick is at work.

    Returns:
        The messages to send.

    Raises:
        ExportError: something could not be started; the next tick is the retry.
    """
    with loudly("schedule"):
        app = build(Deadline(CLAIM_SECONDS))
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


@contextmanager
def loudly(trigger: str) -> Iterator[None]:
    """Log what keeps a trigger from its work.

    Args:
        trigger: its name in the event.
    """
    try:
        yield
    except ExportError as error:
        log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger=trigger, **error.cause.to_fields())
        raise error.with_traceback(None) from None  # its cause says it all, and the host logs every line of a traceback
