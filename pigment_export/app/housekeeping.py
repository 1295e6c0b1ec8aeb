"""What the hourly timer does. A module of its own: what a pass over all runs imports, no export needs."""

from collections.abc import Callable
from datetime import timedelta

from pigment_export.app.parts import App
from pigment_export.app.tick import loudly
from pigment_export.retry import HOUSEKEEPING_SECONDS, Deadline
from pigment_export.runs import housekeeping as passing


def housekeeping(build: Callable[[Deadline], App]) -> list[str]:
    """Pass over all runs; see `runs.housekeeping`.

    Args:
        build: makes the parts for a call; raises what is wrong with the settings, each time.

    Returns:
        The messages to send.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    with loudly("housekeeping"):
        app = build(Deadline(HOUSEKEEPING_SECONDS))
    return passing.housekeeping(
        app.runs,
        app.catalog,
        freshness_hours=app.settings.freshness_hours,
        retention=timedelta(days=app.settings.retention_days),
    )
