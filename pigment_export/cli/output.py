"""Output for people and scripts: results on stdout, everything else on stderr.

A terminal gets colours (unless `NO_COLOR` is set) and tables that fit; a pipe gets plain lines of any length. It is not
an error if a reader stops reading (`| head`), but it is one if stdout cannot be written (a full disk).
"""

import json
import os
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from pigment_export.errors import ConfigurationError, ExportError

if TYPE_CHECKING:
    from rich.console import Console

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
_AS_TERMINAL = {"FORCE_COLOR", "TTY_COMPATIBLE"}  # variables with which rich treats stderr as a terminal


class _Unbreakable:
    """Stderr whose reader may go away, and whose disk may fill up: neither ends the command.

    Args:
        stream: the real one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Keep a broken stderr from ending a run, and a character outside the code page from ending the output."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr is not None:
        sys.stderr = _Unbreakable(sys.stderr)


@cache
def terminal() -> "Console | None":
    """Return stderr as a terminal, which prints lines above the live progress; None if stderr is not a terminal."""
    if not (sys.stderr and (sys.stderr.isatty() or os.environ.keys() & _AS_TERMINAL)):
        return None
    from rich.console import Console  # noqa: PLC0415 - not needed if the output is piped

    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    return console if console.is_terminal and not console.is_dumb_terminal else None


def say(text: str) -> None:
    """Print a message for a person, which is not a result."""
    if console := terminal():
        console.print(text)
    elif sys.stderr:
        sys.stderr.write(f"{text}\n")


def explain(error: ExportError) -> str:
    """Return an error for a person: what happened, who must act, and what to do."""
    if isinstance(error, ConfigurationError):
        return str(error)  # each problem has what is allowed
    return f"{error.cause.reason} [{error.cause.code}]\n  {error.cause.who}: {error.cause.remedy}"


def emit(text: str) -> None:
    """Write a result.

    Raises:
        OSError: stdout cannot be written. A reader that has stopped reading is not an error.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as exc:
        _forget_stdout()
        raise OSError(f"the result could not be written to stdout: {exc.strerror or exc}") from exc


def _forget_stdout() -> None:
    """Redirect stdout to nowhere, or Python reports the same error again when it exits."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit_json(value: Any) -> None:
    """Write a result as JSON, in ASCII, which every code page can show."""
    emit(json.dumps(value, indent=1, default=str) + "\n")


def number(value: float | None, decimals: int = 0) -> str:
    """Return a number with thousands separators, or an empty text for None."""
    return f"{value:,.{decimals}f}" if value is not None else ""


def clock(elapsed_seconds: float) -> str:
    """Return a time span as a stopwatch shows it: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(elapsed_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
