"""The command line: `fetch` to a local folder, `run` the catalog into the lake.

Exit codes: 0 when everything succeeded, 1 when an export failed or was held, 2 when nothing was started because
settings, catalog or arguments are wrong, 130 when interrupted. Results go to stdout, all else to stderr.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pigment_export import __version__
from pigment_export.catalog.exports import Kind
from pigment_export.cli.fetch import fetch_to_folder
from pigment_export.cli.run import StartedRun, start_run
from pigment_export.errors import ConfigurationError, ExportError
from pigment_export.events import Event
from pigment_export.transfer.stream import Progress

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
RETRY_SECONDS = 300.0  # between tries of what is retrying: as the queue of the deployed app does it
PLAIN_SECONDS = 10.0  # between progress lines where nobody looks at a terminal


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="pigment_export")
@click.option("-v", "--verbose", is_flag=True, help="Print the log events, too.")
def cli(*, verbose: bool) -> None:
    """Export lists, metrics, tables and views from Pigment, whole and proven or not at all."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(message)s", stream=sys.stderr, force=True
    )
    if not verbose:
        logging.getLogger("pigment_export").addFilter(_is_news)
    logging.getLogger("azure").setLevel(logging.WARNING)  # one line a request says nothing that our events do not


@cli.command()
@click.argument("kind", type=click.Choice([str(kind) for kind in Kind]))
@click.argument("block_id", metavar="ID")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the file; it must exist. An existing file is never replaced.",
)
@click.option("--name", help="The file's name without .csv.  [default: KIND-ID]")
@click.option("--options", default="{}", metavar="JSON", help="Pigment's options, as the catalog has them.")
@click.option("--timeout-seconds", type=click.IntRange(min=1), help="Wait so long for the body's first byte.")
def fetch(
    *, kind: str, block_id: str, folder: Path, name: str | None, options: str, timeout_seconds: int | None
) -> None:
    """Fetch one export to a local folder.

    KIND is what it is, ID the block's or view's id in Pigment. It needs only a key: PIGMENT_API_KEY, or a vault that
    you may read (KEY_VAULT_URL).

    Example: python -m pigment_export fetch view 44444444-4444-4444-8444-444444444444 --to .
    """
    try:
        chosen = json.loads(options)
    except ValueError as exc:
        raise click.BadParameter(f"not JSON: {exc}", param_hint="--options") from exc
    definition: dict[str, Any] = {"kind": kind, "id": block_id, "options": chosen}
    if timeout_seconds is not None:
        definition["timeout_seconds"] = timeout_seconds
    console = Console(stderr=True)
    with _progress(console, name or kind) as progress:
        path, moved = fetch_to_folder(os.environ, definition, folder, name, progress)
    inspection = moved.inspection
    click.echo(
        f"{path}: {inspection.rows:,} rows, {len(inspection.columns)} columns, {inspection.bytes:,} bytes, "
        f"sha256 {inspection.sha256}, {moved.protocol}, end proven by {moved.evidence}"
        + "".join(f", {note}" for note in inspection.notes)
    )


@cli.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--group", "groups", multiple=True, help="All enabled exports of a group; may be repeated.")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Snapshot date, not in the future.  [default: today in EXPORT_TIME_ZONE]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
def run(*, names: Sequence[str], groups: Sequence[str], day: Any, as_json: bool) -> None:
    """Run exports of the catalog into the lake: the named ones, or all that are enabled.

    What fails for now is tried again every five minutes until it succeeds, the run expires or you interrupt it.
    """
    started = start_run(os.environ, names=names, groups=groups, day=day and _date(day))
    console = Console(stderr=True)
    console.print(f"run {started.plan.run_id}: {', '.join(started.plan.names)}", highlight=False, soft_wrap=True)
    pending = list(started.plan.names)
    receipts: dict[str, dict[str, Any]] = {}
    try:
        while pending:
            pending = [name for name in pending if not _delivered(started, name, receipts, console)]
            if pending:
                console.print(f"trying again in {RETRY_SECONDS:.0f} s: {', '.join(pending)} (Ctrl-C ends the run)")
                time.sleep(RETRY_SECONDS)
    except KeyboardInterrupt:
        console.print("interrupted: ending the run")
        for name in pending:
            receipts[name] = started.interrupt(name).to_fields()
        _print(started, receipts, as_json=as_json)
        sys.exit(INTERRUPTED)
    _print(started, receipts, as_json=as_json)
    good = all(receipt["state"] in ("succeeded", "superseded") for receipt in receipts.values())
    sys.exit(OK if good else FAILED)


def _delivered(started: StartedRun, name: str, receipts: dict[str, dict[str, Any]], console: Console) -> bool:
    """Whether one more try brought an export to its final receipt."""
    try:
        with _progress(console, name) as progress:
            receipts[name] = started.deliver(name, progress).to_fields()
    except ExportError as error:
        receipts[name] = {"name": name, "state": "retrying", "class": error.cause.code, "reason": error.cause.reason}
        console.print(f"{name}: {error}", highlight=False, markup=False, soft_wrap=True)
        return False
    return True


def _print(started: StartedRun, receipts: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    ordered = [receipts[name] for name in started.plan.names if name in receipts]
    if as_json:
        document = {
            "run_id": started.plan.run_id,
            "snapshot_date": started.plan.snapshot_date.isoformat(),
            "records": started.plan.folder.path,
            "exports": ordered,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    for receipt in ordered:
        if receipt.get("reason"):
            who, remedy = receipt.get("who", ""), receipt.get("remedy", "")
            click.echo(f"{receipt['name']}: {receipt['reason']}\n  {who}: {remedy}", err=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("export", "state", "rows", "bytes", "seconds", "path"):
        table.add_column(title, justify="right" if title in ("rows", "bytes", "seconds") else "left", no_wrap=True)
    for receipt in ordered:
        numbers = [f"{receipt[field]:,}" if receipt.get(field) is not None else "" for field in ("rows", "bytes")]
        seconds = f"{receipt['seconds']:.1f}" if receipt.get("seconds") is not None else ""
        table.add_row(receipt["name"], receipt["state"], *numbers, seconds, receipt.get("path", ""))
    console = Console()
    console.width = console.width if console.is_terminal else 200  # a pipe has no width: let nothing be cut
    console.print(table)


@contextmanager
def _progress(console: Console, name: str) -> Iterator[Callable[[Progress], None]]:
    """A line of bytes, rows and rate: live on a terminal, now and then where output is piped."""
    if console.is_terminal:
        with Live(Text(f"{name}: waiting for Pigment"), console=console, transient=True) as live:
            yield lambda progress: live.update(Text(_line(name, progress)))
        return
    last = -PLAIN_SECONDS

    def plain(progress: Progress) -> None:
        nonlocal last
        if progress.seconds - last >= PLAIN_SECONDS:
            last = progress.seconds
            console.print(_line(name, progress), highlight=False, soft_wrap=True)

    yield plain


def _line(name: str, progress: Progress) -> str:
    rate = progress.bytes / progress.seconds if progress.seconds else 0
    return f"{name}: {progress.bytes / 1e6:,.1f} MB, {progress.rows:,} rows, {rate / 1e6:,.1f} MB/s"


def _is_news(record: logging.LogRecord) -> bool:
    """Whether an event says what the command does not say by itself."""
    told = (Event.EXPORT_ENDED, Event.EXPORT_RETRYING, Event.RETRYING_CALL)
    return not any(f'"event": "{event}"' in record.getMessage() for event in told)


def _date(moment: Any) -> date:
    day: date = moment.date()
    return day


def main() -> None:
    """Run the command line; errors of ours become one message and an exit code."""
    try:
        cli()
    except ConfigurationError as error:
        click.echo(f"{error}", err=True)
        sys.exit(REFUSED)
    except ExportError as error:
        click.echo(f"{error}", err=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
