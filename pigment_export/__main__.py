"""`python -m pigment_export`, and the command `pigment-export`."""

import os
import signal
import sys
from contextlib import suppress

INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly even while its modules are being imported."""
    try:
        from pigment_export.cli.commands import exit_code  # noqa: PLC0415 - the except covers this import

        code = exit_code()
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        _leave()
    sys.exit(code)


def _leave() -> None:
    """End the process at once. Python's own end takes long enough for a second Ctrl-C, which would change the code.

    So would a first one, if it came while Python runs generated code, such as that of dataclasses.
    """
    signal.signal(signal.SIGINT, lambda *_: None)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or never there
            stream.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
