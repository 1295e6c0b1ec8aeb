"""Runs first in the app's worker: waits pass at once, and silences and what is remembered of the vault end soon.

How long a call may take stays.
"""

import time
from typing import Any

from pigment_export import retry
from pigment_export.azure import vault
from pigment_export.pigment import client

SILENCE_SECONDS = 1.5  # a server that says nothing for so long is given up
REAL_SECONDS = 0.01  # of a wait that the app thinks it has waited out

_as_it_is = retry.Deadline.__init__


def _hurried(self: retry.Deadline, *args: Any, **kwargs: Any) -> None:
    """Give each deadline a clock that goes by the waits that were skipped, too."""
    skipped = 0.0

    def sleep(seconds: float) -> None:
        nonlocal skipped
        time.sleep(min(seconds, REAL_SECONDS))
        skipped += seconds

    _as_it_is(self, *args, **{"clock": lambda: time.monotonic() + skipped, "sleep": sleep, **kwargs})


retry.Deadline.__init__ = _hurried  # type: ignore[method-assign]
vault.KEPT_SECONDS, vault.REFUSED_SECONDS = 0.5, 0.1
client.FIRST_BYTE_SECONDS = SILENCE_SECONDS
client.Pigment.__init__.__kwdefaults__["idle_seconds"] = SILENCE_SECONDS
