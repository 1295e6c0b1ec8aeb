"""What the functions for timers and queues do, from plain values to plain values, one call each.

A trigger that cannot start a run fails loudly: `trigger_failed` is logged, and the error goes on to the caller.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from pigment_export.app.parts import App
from pigment_export.errors import ExportError, told_alone
from pigment_export.events import Event, log
from pigment_export.retry import CALL_SECONDS, HOUSEKEEPING_SECONDS, Deadline
from pigment_export.runs.housekeeping import housekeeping
from pigment_export.runs.messages import process_message, record_poison


class Triggers:
    """The functions that the host fires by itself.

    Args:
        build: makes the parts, or finds them made; raises what is wrong with the settings, each time.
    """

    def __init__(self, build: Callable[[], App]) -> None:
        self._build = build

    def housekeeping(self) -> list[str]:
        """Pass over all runs; see `runs.housekeeping`.

        Returns:
            The messages to send.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        deadline = Deadline(HOUSEKEEPING_SECONDS)
        with _loudly("housekeeping"):
            app = self._build()
        return housekeeping(
            app.runs,
            lambda: app.catalog(deadline),
            freshness_hours=app.settings.freshness_hours,
            retention=timedelta(days=app.settings.retention_days),
            deadline=deadline,
        )

    def export_one(self, text: str) -> None:
        """Process a message.

        Args:
            text: whatever it is.

        Raises:
            ExportError: the message should come again.
        """
        deadline = Deadline(CALL_SECONDS)
        with _loudly("queue"):
            app = self._build()
        told_alone(lambda: process_message(app.runs, text, deadline))

    def record_poison(self, text: str) -> list[str]:
        """Record a message that the queue has given up.

        Args:
            text: whatever it is.

        Returns:
            The messages to send again.

        Raises:
            ExportError: the message comes again.
        """
        deadline = Deadline(CALL_SECONDS)
        with _loudly("poison"):
            app = self._build()
        queue = f"{app.settings.export_queue}-poison"
        return told_alone(lambda: record_poison(app.runs, text, queue=queue, deadline=deadline))


@contextmanager
def _loudly(trigger: str) -> Iterator[None]:
    """Log what keeps a trigger from its work."""
    try:
        yield
    except ExportError as error:
        log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger=trigger, **error.cause.to_fields())
        raise error.with_traceback(None) from None
