"""The command line: the group of its commands."""

import sys
from functools import partial

import click

from pigment_export import __version__
from pigment_export.cli.add import add
from pigment_export.cli.again import release, retry
from pigment_export.cli.check import check
from pigment_export.cli.fetch import fetch
from pigment_export.cli.find import apps, blocks, views
from pigment_export.cli.plan import plan
from pigment_export.cli.run import run
from pigment_export.cli.runs import files, runs, show
from pigment_export.cli.session import exit_code_of, show_log
from pigment_export.cli.status import status

EXIT_CODES = """Exit codes: 0 when everything succeeded; 1 when an export failed or was held, or a check found something
wrong; 2 when what was asked could not be started, and nothing was touched; 130 when interrupted."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXIT_CODES)
@click.version_option(__version__, "-V", "--version", prog_name="pigment-export")
@click.option("-v", "--verbose", is_flag=True, help="Print the log events, too.")
def cli(*, verbose: bool) -> None:
    """Export lists, metrics, tables and views from Pigment, whole and proven or not at all.

    Results go to stdout, all else to stderr.
    """
    show_log(verbose=verbose)


for command in (apps, blocks, views, add, check, fetch, plan, run, runs, show, retry, release, files, status):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    sys.exit(exit_code_of(partial(cli.main, standalone_mode=False)))
