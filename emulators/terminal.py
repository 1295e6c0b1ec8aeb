"""What the commands of the stand-ins share: how they end, and the option `--fault`.

What a person or the machine does (Ctrl-C, a port that is taken, a closed pipe) leaves one line, never a traceback.
"""

import argparse
import importlib
import os
import signal
import sys
from typing import NoReturn

from emulators.http1 import PortTakenError
from emulators.pigment.faults import Fault

INTERRUPTED, NOT_STARTED = 130, 2


def run(module: str) -> NoReturn:
    """Run the `main` of a module, which is imported here: Ctrl-C may come before that is done.

    Args:
        module: its full name.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sys.exit(importlib.import_module(module).main())
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except PortTakenError as error:
        print(f"{error}: end what listens there, or name another port (0 for a free one)", file=sys.stderr)
        sys.exit(NOT_STARTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries to flush at its end
        sys.exit(0)


def add_fault_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--fault`."""
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="KIND,NAME=VALUE,…",
        help="something goes wrong with Pigment, as reset,path=metric,after=5000,code=0; may be repeated",
    )


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
