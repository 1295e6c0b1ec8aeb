"""How the commands of the stand-ins start and end.

Ctrl-C, a port in use or a closed pipe prints one line at most, never a traceback.

A signal ends the process at once, without an exception. An exception could come between a lock and the block that
releases it, and the process would hang at its end; or in a finalizer, which swallows it. Nothing is lost: threads and
connections end with the process, a worker process ends when its pipe closes, and `on_signal` cleans up the rest.
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
    """Import a module and run its `main`. The import is part of it, because a signal may come during the import.

    Args:
        module: its full name.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as shells do for background processes
            signal.signal(number, _end_by_signal)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Line by line, so that a signal leaves nothing unwritten; escaped, because a terminal may lack a character.
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        sys.exit(importlib.import_module(module).main())
    except BrokenPipeError:
        end(0)
    except OSError as error:  # a port in use, a folder that cannot be used, a full disk
        print(error, file=sys.stderr)
        sys.exit(NOT_STARTED)


@contextmanager
def on_signal(action: Callable[[], object]) -> Iterator[None]:
    """Run an action if a signal ends the process within the block.

    Args:
        action: must not raise, nor wait for anything that another thread, or the main thread, may hold.
    """
    _actions.append(action)
    try:
        yield
    finally:
        _actions.remove(action)


def print_line(text: str) -> None:
    """Print a line from any thread. If the reader of the pipe has gone, end the process."""
    try:
        print(text)
    except BrokenPipeError:
        end(0)


def end(code: int, last_line: str = "") -> NoReturn:
    """End the process at once, from any thread and at any moment.

    Args:
        code: the exit code.
        last_line: the last line to write to standard error.
    """
    try:
        last = os.dup(sys.__stderr__.fileno()) if sys.__stderr__ else None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream:
                os.dup2(nowhere, stream.fileno())  # discards what other threads still print
        for action in _actions.copy():
            action()
        if last is not None and last_line:
            os.write(last, f"\n{last_line}\n".encode())
    finally:
        os._exit(code)


def _end_by_signal(number: int, _: FrameType | None) -> None:
    for other in _SIGNALS:
        # Not SIG_IGN: with it, Python would report a signal that came just before as an error.
        signal.signal(other, lambda *_: None)
    if number == signal.SIGINT:
        end(INTERRUPTED, "interrupted")
    end(0)
