"""The command line: its commands as a person types them. What a command needs is imported when it is called."""

import logging
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from pigment_export import __version__
from pigment_export.cli import output
from pigment_export.errors import ExportError
from pigment_export.events import Event

EXIT_CODES = """Exit codes: 0 when everything succeeded; 1 when an export failed or was held, or a check found something
wrong; 2 when what was asked could not be started, and nothing was touched; 130 when interrupted."""
# Events that the commands tell in their own words.
_TOLD = (Event.EXPORT_ENDED, Event.EXPORT_RETRYING, Event.RETRYING_CALL)

_search = click.argument("search", default="", metavar="[SEARCH]")
_app = click.option("--app", help="Only of this application: its name, id or address.")
_names = click.argument("names", metavar="[NAME]...", nargs=-1)
_groups = click.option("--group", "groups", multiple=True, help="All enabled exports of a group; may be repeated.")
_run = click.argument("run", metavar="[RUN]", required=False)


def _json[C: Callable[..., Any] | click.Command](what: str = "JSON") -> Callable[[C], C]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXIT_CODES)
@click.version_option(__version__, "-V", "--version", prog_name="pigment-export")
@click.option("-v", "--verbose", is_flag=True, help="Print the log events, too.")
def cli(*, verbose: bool) -> None:
    """Export lists, metrics, tables and views from Pigment, whole and proven or not at all.

    Results go to stdout, all else to stderr.
    """
    show_log(verbose=verbose)


def _command(module: str) -> Callable[[Callable[[], None]], click.Command]:
    """Declare a command: the function of the same name in a module does it, which is imported when it is called."""

    def declare(declared: Callable[[], None]) -> click.Command:
        @wraps(declared)
        def call(**given: Any) -> int | None:
            does: Callable[..., int | None] = getattr(import_module(f"pigment_export.cli.{module}"), declared.__name__)
            return does(**given)

        return cli.command()(call)

    return declare


@_command("find")
@_search
@_json()
def apps() -> None:
    """List Pigment's applications.

    SEARCH is a part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """


@_command("find")
@_search
@_app
@_json()
def blocks() -> None:
    """List lists, metrics and tables.

    SEARCH is a part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """


@_command("find")
@_search
@_app
@click.option("--block", help="Only of this block: its id or address.")
@_json()
def views() -> None:
    """List views. A personal one can be exported only with a key of its owner's.

    SEARCH is a part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """


@_command("add")
@click.argument("what", metavar="[[KIND] ID]", nargs=-1)
@click.option("--name", help="The export's name.  [default: made from its name in Pigment]")
@click.option("--owner", help="Named in receipts and alerts.")
@click.option("--group", "groups", multiple=True, help="A group that it belongs to; may be repeated.")
@click.option("--whole-block", is_flag=True, help="Of an address that shows a view: export the block behind it.")
@click.option("--file", "exports_file", help="The catalog: a path or lake:PATH.  [default: EXPORTS_FILE]")
@_json("what was added as JSON")
def add() -> None:
    """Add an export to the catalog; the file's comments and order stay.

    ID is the address of a page in Pigment, or an id; without it, you choose from a list. A key that may read metadata
    finds its name and kind; with any other, an address or KIND and an id will do.

    Example: pigment-export add "https://pigment.app/application/…/tables/…?viewId=…"
    """


@_command("check")
@_json("the checks as JSON")
def check() -> None:
    """Check settings, identity, key, Pigment, every id, and the lake.

    With PIGMENT_API_KEY alone, what needs no Azure is checked. Exit code 1: something is wrong.
    """


@_command("fetch")
@click.argument("what", metavar="[KIND] ID", nargs=-1, required=True)
@click.option(
    "--to",
    "folder",
    default=".",
    show_default="this one",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the file; it must exist. An existing file is never replaced.",
)
@click.option("--name", help="The file's name.  [default: KIND-ID.csv]")
@click.option("--options", default="{}", metavar="JSON", help="Pigment's options, as the catalog has them.")
@click.option("--timeout-seconds", type=click.IntRange(min=1), help="Wait so long for the body's first byte.")
@_json("what was fetched as JSON")
def fetch() -> None:
    """Fetch one export to a local folder.

    ID is the address of a page in Pigment, or KIND (list, metric, table or view) and an id. A key is all it needs:
    PIGMENT_API_KEY, or a vault that you may read (KEY_VAULT_URL).

    Example: pigment-export fetch view 44444444-4444-4444-8444-444444444444
    """


@_command("runs")
@_names
@_groups
@_json()
def plan() -> None:
    """Show what a run would fetch and where to, and touch nothing.

    Beside it stands when each export is due next.
    """


@_command("run")
@_names
@_groups
@click.option(
    "--date",
    "day",
    metavar="DATE",
    help="Snapshot date, or a timestamp on that day, not in the future; of a past one, a file that is missing is "
    "filled with what Pigment holds now.  [default: today in EXPORT_TIME_ZONE]",
)
@_json("the run as JSON")
def run() -> None:
    """Run exports into the lake: the named ones, or all enabled ones.

    They are those of the catalog (EXPORTS_FILE). What fails for now is tried again every five minutes until it
    succeeds, the run expires or you interrupt it.
    """


@_command("runs")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@click.option("--state", type=click.Choice(["running", "succeeded", "failed"]), help="Only those of this state.")
@click.option("--deployment", help="Only those of this app.  [default: of all that use this lake]")
@_json()
def runs() -> None:
    """List the runs of the last seven days, the newest first."""


@_command("runs")
@_run
@_json()
def show() -> None:
    """Show a run: its exports' receipts, and what to do about failures.

    RUN is a run's id, or an end of it that no other has; without it, the newest.
    """


@_command("run")
@_run
@_json()
def retry() -> None:
    """Run once more what failed or was held in a run that has ended.

    Exports are as they were defined there, and for today.

    RUN is a run's id, or an end of it that no other has; without it, the newest.
    """


@_command("run")
@click.argument("run", metavar="RUN")
@_names
@_json()
def release() -> None:
    """Publish held files of a run: the named exports', or all of them.

    Look at them first: 'show RUN' says where they are and why they are held. A release is a run of its own. It checks
    size and sha256 of the held file, keeps its date, and never replaces a newer file.

    RUN is a run's id, or an end of it that no other has.
    """


@_command("runs")
@click.argument("name")
@_json()
def files() -> None:
    """List the last good files of an export.

    Of each: date, rows, size, when it was fetched, age, sha256 and path.
    """


@_command("status")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the status page to this file.")
@click.option("--open", "is_opened", is_flag=True, help="Show the status page in the browser.")
@click.option("--deployment", help="Of this app.  [default: the one that ran last by schedule or call]")
@_json()
def status() -> None:
    """Show how every export is doing, and when it is due next.

    Of each: its health in a word, its last good file, and a note. Exit code 1: an export needs attention.
    """


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


def _is_news(record: logging.LogRecord) -> bool:
    """Whether an event says what the command does not say by itself."""
    return not any(f'"event": "{event}"' in record.getMessage() for event in _TOLD)


def exit_code() -> int:
    """Run the command line; what a person or a machine does wrong becomes a message and an exit code."""
    output.prepare_streams()
    try:
        return cli.main(standalone_mode=False) or output.OK
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


def main() -> None:
    """Run the command line, and end the process."""
    sys.exit(exit_code())
