"""The commands of the command line, with their options. A command's own module is imported when it is called."""

import logging
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

EXIT_CODES = """Exit codes: 0 if everything succeeded; 1 if an export failed or is held, or a check failed; 2 if the
command could not start and changed nothing; 130 if it was interrupted."""
# Events that the commands print in their own words.
_TOLD = (Event.EXPORT_ENDED, Event.EXPORT_RETRYING, Event.RETRYING_CALL)

_search = click.argument("search", default="", metavar="[SEARCH]")
_app = click.option("--app", help="Only list those of this application: a name, an id or an address.")
_names = click.argument("names", metavar="[NAME]...", nargs=-1)
_groups = click.option("--group", "groups", multiple=True, help="All enabled exports of this group; can be repeated.")
_run = click.argument("run", metavar="[RUN]", required=False)


def _json[C: Callable[..., Any] | click.Command](what: str = "JSON") -> Callable[[C], C]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXIT_CODES)
@click.version_option(__version__, "-V", "--version", prog_name="pigment-export")
@click.option("-v", "--verbose", is_flag=True, help="Print log events as well.")
def cli(*, verbose: bool) -> None:
    """Export lists, metrics, tables and views from Pigment, and prove that each file is complete.

    Results go to stdout, everything else to stderr.
    """
    handler = logging.lastResort  # writes to the current stderr; above the live progress, if there is one
    if handler is not None:
        handler.setLevel(logging.NOTSET)
        level = logging.INFO if verbose else logging.WARNING
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    if not verbose:
        logging.getLogger("pigment_export").addFilter(_is_news)


def _command(module: str) -> Callable[[Callable[[], None]], click.Command]:
    """Declare a command. The function of its name in a module does the work; the module is imported on the call."""

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
    """List the applications in Pigment.

    SEARCH is part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """


@_command("find")
@_search
@_app
@_json()
def blocks() -> None:
    """List the lists, metrics and tables in Pigment.

    SEARCH is part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """


@_command("find")
@_search
@_app
@click.option("--block", help="Only list those of this block: an id or an address.")
@_json()
def views() -> None:
    """List the views in Pigment.

    SEARCH is part of a name, or the beginning of an id. The key needs the scope "Modeling metadata". A personal view
    can be exported only with a key that belongs to its owner.
    """


@_command("add")
@click.argument("what", metavar="[[KIND] ID]", nargs=-1)
@click.option("--name", help="Name of the export.  [default: made from its name in Pigment]")
@click.option("--owner", help="Owner of the export, whom receipts and alerts name.")
@click.option("--group", "groups", multiple=True, help="Group of the export; can be repeated.")
@click.option("--whole-block", is_flag=True, help="If the address shows a view, add the block behind it.")
@click.option("--file", "exports_file", help="The catalog: a path, or lake:PATH.  [default: EXPORTS_FILE]")
@_json("what was added as JSON")
def add() -> None:
    """Add an export to the catalog, keeping its comments and order.

    ID is the address of a page in Pigment, or an id. Without it, you choose from a list. If the key has the scope
    "Modeling metadata", the command looks up the name and kind; otherwise give an address, or KIND and an id.

    Example: pigment-export add "https://pigment.app/application/…/tables/…?viewId=…"
    """


@_command("check")
@_json("the checks as JSON")
def check() -> None:
    """Check the settings, identity, key, Pigment, every id, and the lake.

    If only PIGMENT_API_KEY is set, it checks what does not need Azure. Exit code 1: a check failed.
    """


@_command("fetch")
@click.argument("what", metavar="[KIND] ID", nargs=-1, required=True)
@click.option(
    "--to",
    "folder",
    default=".",
    show_default="this one",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the file. It must exist. An existing file is never replaced.",
)
@click.option("--name", help="Name of the file.  [default: KIND-ID.csv]")
@click.option("--options", default="{}", metavar="JSON", help="Options for Pigment, as in the catalog.")
@click.option(
    "--timeout-seconds", type=click.IntRange(min=1), help="How long to wait for the first byte of Pigment's answer."
)
@_json("what was fetched as JSON")
def fetch() -> None:
    """Fetch one export to a local folder.

    ID is the address of a page in Pigment, or KIND (list, metric, table or view) and an id. The command only needs a
    key: PIGMENT_API_KEY, or a vault that you can read (KEY_VAULT_URL).

    Example: pigment-export fetch view 44444444-4444-4444-8444-444444444444
    """


@_command("runs")
@_names
@_groups
@_json()
def plan() -> None:
    """Show what a run would fetch and where to, without running it.

    It also shows when each export is due next.
    """


@_command("run")
@_names
@_groups
@click.option(
    "--date",
    "day",
    metavar="DATE",
    help="Snapshot date, or a timestamp on that day, not in the future. For a past date, only missing files are "
    "created, with today's data.  [default: today in EXPORT_TIME_ZONE]",
)
@_json("the run as JSON")
def run() -> None:
    """Run exports into the lake: those you name, or all enabled ones.

    The exports come from the catalog (EXPORTS_FILE). A temporary failure is retried every five minutes, until the
    export succeeds, the run expires or you interrupt it.
    """


@_command("runs")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Largest number of runs.")
@click.option("--state", type=click.Choice(["running", "succeeded", "failed"]), help="Only list runs in this state.")
@click.option("--deployment", help="Only list runs of this app.  [default: all apps that use this lake]")
@_json()
def runs() -> None:
    """List the runs of the last seven days, newest first."""


@_command("runs")
@_run
@_json()
def show() -> None:
    """Show a run's receipts, and what to do about failures.

    RUN is the id of a run, or enough of its last characters to identify it. Default: the newest run.
    """


@_command("run")
@_run
@_json()
def retry() -> None:
    """Run again what failed or was held in a run that has ended.

    The new run uses the definitions of that run, and today's date.

    RUN is the id of a run, or enough of its last characters to identify it. Default: the newest run.
    """


@_command("run")
@click.argument("run", metavar="RUN")
@_names
@_json()
def release() -> None:
    """Publish held files of a run, for the exports you name or for all.

    Look at the files first: 'show RUN' lists where they are and why they are held. A release is a run of its own. It
    checks the size and sha256 of each file, keeps its date, and never replaces a newer file.

    RUN is the id of a run, or enough of its last characters to identify it.
    """


@_command("runs")
@click.argument("name")
@_json()
def files() -> None:
    """List the last good files of an export.

    For each file, it shows the date, rows, size, time of the fetch, age, sha256 and path.
    """


@_command("status")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the status page to this file.")
@click.option("--open", "is_opened", is_flag=True, help="Open the status page in the browser.")
@click.option("--deployment", help="The app to show.  [default: the one that last ran by schedule or call]")
@_json()
def status() -> None:
    """Show how every export is doing, and when it is due next.

    For each export, it shows its health in a word, its last good file, and a note. Exit code 1: an export needs
    attention.
    """


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a log record is to be shown: not if the command prints its event itself."""
    return not any(f'"event": "{event}"' in record.getMessage() for event in _TOLD)


def exit_code() -> int:
    """Run the command line, and turn every error into a message and an exit code."""
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
