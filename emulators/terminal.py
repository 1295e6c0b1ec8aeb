"""How the commands of the stand-ins begin and end.

What a person or the machine does (Ctrl-C, a port that is taken, a closed pipe) leaves one line, never a traceback.

A signal ends the process where it stands. An exception could come between a lock and the block that gives it back, and
the end would wait for ever; or in a finalizer, which drops it. Nothing is lost: threads and connections go with the
process, a worker process ends when its pipe does, and what must not stay is said by `on_signal`.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

INTERRUPTED, NOT_STARTED = 130, 2
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_actions: list[Callable[[], object]] = []


def run(module: str) -> NoReturn:
    """Run the `main` of a module, which is imported here: a signal may come before that is done.

    Args:
        module: its full name.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell has it for what it starts in the background
            signal.signal(number, _end_by_signal)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # By lines: nothing is left to be written when a signal comes. A terminal need not have every letter.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        sys.exit(importlib.import_module(module).main())
    except BrokenPipeError:
        end(0)
    except OSError as error:  # a port that is taken, a folder that cannot be used, a full disk
        print(error, file=sys.stderr)
        sys.exit(NOT_STARTED)


@contextmanager
def on_signal(action: Callable[[], object]) -> Iterator[None]:
    """Have something done when a signal ends the process within the block.

    Args:
        action: raises nothing, and waits for nothing that another thread, or the main one, may hold.
    """
    _actions.append(action)
    try:
        yield
    finally:
        _actions.remove(action)


def print_line(text: str) -> None:
    """Print a line from any thread. A reader that has gone ends the process."""
    try:
        print(text)
    except BrokenPipeError:
        end(0)


def end(code: int, last_line: str = "") -> NoReturn:
    """End the process at once, from any thread and at any instant.

    Args:
        code: the exit code.
        last_line: is the last that is written, to standard error.
    """
    try:
        last = os.dup(sys.__stderr__.fileno()) if sys.__stderr__ else None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream:
                os.dup2(nowhere, stream.fileno())  # whatever other threads still say
        for action in _actions.copy():
            action()
        if last is not None and last_line:
            os.write(last, f"\n{last_line}\n".encode())
    finally:
        os._exit(code)


def _end_by_signal(number: int, _: FrameType | None) -> None:
    for other in _SIGNALS:
        # Not SIG_IGN, with which Python reports a signal that came an instant before as an error.
        signal.signal(other, lambda *_: None)
    if number == signal.SIGINT:
        end(INTERRUPTED, "interrupted")
    end(0)
