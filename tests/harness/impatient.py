"""The command line, interrupted with Ctrl-C at the first wait; for tests of failures."""

import signal

from pigment_export.__main__ import main
from pigment_export.errors import ExportError
from pigment_export.retry import Deadline

waits_for = Deadline.waits_for


def interrupted(deadline: Deadline, error: ExportError, attempt: int) -> bool:
    signal.raise_signal(signal.SIGINT)
    return waits_for(deadline, error, attempt)


if __name__ == "__main__":
    setattr(Deadline, "waits_for", interrupted)  # noqa: B010 - a method of the class, for the whole process
    main()
