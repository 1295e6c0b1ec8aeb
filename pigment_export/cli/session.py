"""What every command has in common: log lines above what is drawn live, and an exit code whatever happens."""

import logging
from collections.abc import Callable

import click

from pigment_export.cli import output
from pigment_export.errors import ExportError
from pigment_export.events import Event

# What the commands say in their own words.
_TOLD = (Event.EXPORT_ENDED, Event.EXPORT_RETRYING, Event.RETRYING_CALL)


def show_log(*, verbose: bool) -> None:
    """Show log events on stderr.

    Args:
        verbose: all of them; else only warnings that the commands do not tell by themselves.
    """
    handler = logging.lastResort  # writes to what stderr is now: while something is drawn live, above it
    if handler is not None:
        handler.setLevel(logging.NOTSET)
        level = logging.INFO if verbose else logging.WARNING
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    if not verbose:
        logging.getLogger("pigment_export").addFilter(_is_news)
    logging.getLogger("azure").setLevel(logging.WARNING)  # one line a request says nothing that our events do not


def exit_code_of(command: Callable[[], int | None]) -> int:
    """Run a command; what a person or a machine does wrong becomes a message and an exit code.

    Args:
        command: returns its exit code; None for 0.
    """
    output.prepare_streams()
    try:
        return command() or output.OK
    except click.ClickException as error:
        error.show()
        return output.REFUSED
    except (click.Abort, KeyboardInterrupt):
        output.say("interrupted")
        return output.INTERRUPTED
    except ExportError as error:
        output.say(output.explain(error))
        return output.REFUSED
    except OSError as error:
        output.say(f"{error}")
        return output.FAILED


def _is_news(record: logging.LogRecord) -> bool:
    """Whether an event says what the command does not say by itself."""
    return not any(f'"event": "{event}"' in record.getMessage() for event in _TOLD)
