"""`status`: how every export is doing, on the terminal or as the app's own status page."""

import os
import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path

import click

from pigment_export.app.overview import ExportHealth, Overview, Word, overview_of
from pigment_export.app.page import render, span
from pigment_export.app.parts import App
from pigment_export.cli.crew import attended
from pigment_export.cli.output import FAILED, OK, emit, emit_json, emit_table, number, say
from pigment_export.cli.parts import app_of
from pigment_export.runs.follow import recent_runs

WELL = (Word.ON_TIME, Word.PAUSED)


@click.command()
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the status page to this file.")
@click.option("--open", "is_opened", is_flag=True, help="Show the status page in the browser.")
@click.option("--deployment", help="Of this app.  [default: the one that ran last by schedule or call]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, html: Path | None, is_opened: bool, deployment: str | None, as_json: bool) -> int:
    """Show how every export is doing: its health in a word, its last good file, when it is due next.

    Exit code 1: an export needs attention.
    """
    app = _of(app_of(os.environ), deployment)
    overview = overview_of(app, attended())
    page = html
    if is_opened and page is None:
        page = Path(tempfile.mkdtemp(prefix="pigment-export-")) / "status.html"
    if page is not None:
        page.write_text(render(overview), encoding="utf-8")
    if is_opened and page is not None:
        webbrowser.open(page.resolve().as_uri())
    if as_json:
        emit_json(
            {"deployment": overview.deployment, "exports": [_fields(overview, each) for each in overview.exports]}
        )
    elif page is not None:
        emit(f"{page}\n")
    else:
        _tell(overview)
    return OK if all(each.health in WELL for each in overview.exports) else FAILED


def _of(app: App, deployment: str | None) -> App:
    """The parts as another deployment has them, which uses this lake too."""
    if deployment is None:
        runs = recent_runs(app.runs, attended(), of_all=True)
        others = (summary.deployment for summary, _ in runs if summary.trigger != "cli")
        deployment = next(others, app.settings.deployment)
    settings = replace(app.settings, deployment=deployment)
    return replace(app, settings=settings, runs=replace(app.runs, deployment=deployment))


def _tell(overview: Overview) -> None:
    say(f"{overview.deployment}: {overview.headline}")
    titles = ("export", "health", "rows", "last file", "next due", "note")
    told = [_fields(overview, each) for each in overview.exports]
    emit_table(titles, [[str(each[title] or "") for title in titles] for each in told], right=("rows",))


def _fields(overview: Overview, each: ExportHealth) -> dict[str, object]:
    file = each.latest
    next_at = each.next_at and each.next_at.astimezone(overview.time_zone)
    return {
        "export": each.name,
        "health": str(each.health),
        "owner": each.owner,
        "rows": number(file.rows) if file else None,
        "last file": f"{file.snapshot_date}, {span(overview.now - file.fetched_at)} ago" if file else None,
        "path": file.path if file else None,
        "next due": next_at and f"{next_at:%Y-%m-%d %H:%M %Z}",
        "note": each.note,
    }
