"""What the functions for the queues do, from plain values to plain values, one call each.

A trigger that cannot start a run fails loudly: `trigger_failed` is logged, and the error goes on to the caller.
"""

from collections.abc import Callable

from pigment_export.app.parts import App
from pigment_export.app.tick import loudly
from pigment_export.errors import told_alone
from pigment_export.retry import CALL_SECONDS, Deadline
from pigment_export.runs import work


def export_one(build: Callable[[Deadline], App], text: str) -> None:
    """Process a message.

    Args:
        build: makes the parts for a call; raises what is wrong with the settings, each time.
        text: whatever it is.

    Raises:
        ExportError: the message should come again.
    """
    app = _built(build, "queue")
    told_alone(lambda: work.process_message(app.runs, text))


def record_poison(build: Callable[[Deadline], App], text: str) -> list[str]:
    """Record a message that the queue has given up.

    Args:
        build: as above.
        text: whatever it is.

    Returns:
        The messages to send again.

    Raises:
        ExportError: the message comes again.
    """
    app = _built(build, "poison")
    queue = f"{app.settings.export_queue}-poison"
    return told_alone(lambda: work.record_poison(app.runs, text, queue=queue))


def _built(build: Callable[[Deadline], App], trigger: str) -> App:
    with loudly(trigger):
        return build(Deadline(CALL_SECONDS))
