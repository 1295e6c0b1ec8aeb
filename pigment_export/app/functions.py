"""What the functions for timers and queues do, from plain values to plain values, one call each.

A trigger that cannot start a run fails loudly: `trigger_failed` is logged, and the error goes on to the caller.
"""

from collections.abc import Callable
from datetime import timedelta

from pigment_export.app.parts import App
from pigment_export.app.tick import loudly
from pigment_export.errors import told_alone
from pigment_export.retry import CALL_SECONDS, HOUSEKEEPING_SECONDS, Deadline
from pigment_export.runs import housekeeping as passing
from pigment_export.runs import work


def housekeeping(build: Callable[[], App]) -> list[str]:
    """Pass over all runs; see `runs.housekeeping`.

    Args:
        build: makes the parts, or finds them made; raises what is wrong with the settings, each time.

    Returns:
        The messages to send.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    deadline, app = Deadline(HOUSEKEEPING_SECONDS), _built(build, "housekeeping")
    return passing.housekeeping(
        app.runs,
        lambda: app.catalog(deadline),
        freshness_hours=app.settings.freshness_hours,
        retention=timedelta(days=app.settings.retention_days),
        deadline=deadline,
    )


def export_one(build: Callable[[], App], text: str) -> None:
    """Process a message.

    Args:
        build: as above.
        text: whatever it is.

    Raises:
        ExportError: the message should come again.
    """
    deadline, app = Deadline(CALL_SECONDS), _built(build, "queue")
    told_alone(lambda: work.process_message(app.runs, text, deadline))


def record_poison(build: Callable[[], App], text: str) -> list[str]:
    """Record a message that the queue has given up.

    Args:
        build: as above.
        text: whatever it is.

    Returns:
        The messages to send again.

    Raises:
        ExportError: the message comes again.
    """
    deadline, app = Deadline(CALL_SECONDS), _built(build, "poison")
    queue = f"{app.settings.export_queue}-poison"
    return told_alone(lambda: work.record_poison(app.runs, text, queue=queue, deadline=deadline))


def _built(build: Callable[[], App], trigger: str) -> App:
    with loudly(trigger):
        return build()
