"""The command line: its group of commands, and what every one of them has in common.

Exit codes: 0 when everything succeeded; 1 when an export failed or was held, or a check found something wrong; 2 when
what was asked could not be started, and nothing was touched; 130 when interrupted. Results go to stdout, all else to
stderr.
"""

import logging
import sys

import click

from pigment_export import __version__
from pigment_export.cli import output
from pigment_export.cli.add import add
from pigment_export.cli.check import check
from pigment_export.cli.fetch import fetch
from pigment_export.cli.find import apps, blocks, views
from pigment_export.cli.plan import plan
from pigment_export.cli.run import run
from pigment_export.cli.runs import files, retry, runs, show
from pigment_export.errors import ExportError
from pigment_export.events import Event

# What the commands say in their own words.
_TOLD = (Event.EXPORT_ENDED, Event.EXPORT_RETRYING, Event.RETRYING_CALL)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="pigment-export")
@click.option("-v", "--verbose", is_flag=True, help="Print the log events, too.")
def cli(*, verbose: bool) -> None:
    """Export lists, metrics, tables and views from Pigment, whole and proven or not at all."""
    handler = _ConsoleHandler()
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(message)s", handlers=[handler], force=True
    )
    if not verbose:
        logging.getLogger("pigment_export").addFilter(_is_news)
    logging.getLogger("azure").setLevel(logging.WARNING)  # one line a request says nothing that our events do not


for command in (apps, blocks, views, add, check, fetch, plan, run, runs, show, retry, files):
    cli.add_command(command)


class _ConsoleHandler(logging.Handler):
    """Writes log lines through the console, so that they stand above what is drawn live."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        output.say(self.format(record))


def _is_news(record: logging.LogRecord) -> bool:
    """Whether an event says what the command does not say by itself."""
    return not any(f'"event": "{event}"' in record.getMessage() for event in _TOLD)


def main() -> None:
    """Run the command line; what a person or a machine does wrong becomes a message and an exit code."""
    output.prepare_streams()
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = output.REFUSED
    except (click.Abort, KeyboardInterrupt):
        output.say("interrupted")
        code = output.INTERRUPTED
    except ExportError as error:
        output.say(output.explain(error))
        code = output.REFUSED
    except (output.OutputError, OSError) as error:
        output.say(f"{error}")
        code = output.FAILED
    sys.exit(code or output.OK)
