"""What a person or a script sees: results on stdout, all else on stderr, each readable at any width.

On a terminal there is colour (unless `NO_COLOR` is set) and a table that fits; where output is piped, plain lines of
any length. A reader that stops reading (`| head`) is no error; a stdout that takes nothing (a full disk) is one.
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
_SAY_IT_IS_ONE = {"FORCE_COLOR", "TTY_COMPATIBLE"}  # variables that rich goes by, whatever stderr is


class _Unbreakable:
    """Stderr whose reader may go away, and whose disk may fill: neither ends what is being told of.

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
    """Keep a broken stderr from ending a run, and a character that a code page lacks from ending a result."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stderr is not None:
        sys.stderr = _Unbreakable(sys.stderr)


@cache
def terminal() -> "Console | None":
    """Stderr as a terminal: lines that it prints stand above what is drawn live. None where stderr is none."""
    if not (sys.stderr and (sys.stderr.isatty() or os.environ.keys() & _SAY_IT_IS_ONE)):
        return None
    from rich.console import Console  # noqa: PLC0415 - where output is piped, it is done without

    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    return console if console.is_terminal and not console.is_dumb_terminal else None


def say(text: str) -> None:
    """Tell a person something that is no result."""
    if console := terminal():
        console.print(text)
    elif sys.stderr:
        sys.stderr.write(f"{text}\n")


def explain(error: ExportError) -> str:
    """An error in a person's words: what was seen, and who does what about it."""
    if isinstance(error, ConfigurationError):
        return str(error)  # each problem says what is allowed
    return f"{error.cause.reason} [{error.cause.code}]\n  {error.cause.who}: {error.cause.remedy}"


def emit(text: str) -> None:
    """Write a result.

    Raises:
        OSError: stdout takes it no more; a reader that has stopped reading is fine.
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
    """Lead stdout nowhere: else Python complains of it once more when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit_json(value: Any) -> None:
    """Write a result as JSON, in ASCII: right in every code page."""
    emit(json.dumps(value, indent=1, default=str) + "\n")


def number(value: float | None, decimals: int = 0) -> str:
    """A number with its thousands, or nothing."""
    return f"{value:,.{decimals}f}" if value is not None else ""


def clock(elapsed_seconds: float) -> str:
    """A span as a stop watch shows it: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(elapsed_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
