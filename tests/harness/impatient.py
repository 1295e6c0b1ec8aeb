"""The command line with no patience: what fails once is interrupted at once, as by a person; for tests of failures."""

import signal
import time
from typing import NoReturn

from pigment_export import retry as deadline
from pigment_export.cli import commands as cli


def give_up(_seconds: float) -> NoReturn:
    signal.raise_signal(signal.SIGINT)
    raise AssertionError


if __name__ == "__main__":
    deadline.PATIENCE_SECONDS = 0
    deadline.Deadline.__init__.__kwdefaults__["patience_seconds"] = 0
    time.sleep = give_up
    cli.main()
