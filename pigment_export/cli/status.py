"""`status`: show how every export is doing, on the terminal or as the status page."""

import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path

from pigment_export.app.overview import WELL, ExportHealth, Overview, overview_of
from pigment_export.app.page import render, span
from pigment_export.app.parts import App
from pigment_export.cli.output import FAILED, OK, emit, emit_json, number, say
from pigment_export.cli.parts import app_now
from pigment_export.cli.table import emit_table
from pigment_export.runs.follow import recent_runs


def status(*, html: Path | None, is_opened: bool, deployment: str | None, as_json: bool) -> int:
    """Show how every export is doing."""
    overview = overview_of(_of(app_now(), deployment))
    page = html or (Path(tempfile.mkdtemp(prefix="pigment-export-")) / "status.html" if is_opened else None)
    if page:
        page.write_text(render(overview), encoding="utf-8")
        if is_opened:
            webbrowser.open(page.resolve().as_uri())
    exports = [_fields(overview, each) for each in overview.exports]
    if as_json:
        emit_json({"deployment": overview.deployment, "exports": exports})
    elif page:
        emit(f"{page}\n")
    else:
        say(f"{overview.deployment}: {overview.headline}")
        emit_table(exports, ("export", "health", "rows", "last file", "next due", "note"))
    return OK if all(each.health in WELL for each in overview.exports) else FAILED


def _of(app: App, deployment: str | None) -> App:
    """Return the parts for another deployment that uses this lake."""
    if deployment is None:
        runs = recent_runs(app.runs, of_all=True)
        others = (summary.deployment for summary, _ in runs if summary.trigger != "cli")
        deployment = next(others, app.settings.deployment)
    return replace(app, make_runs=lambda lake: replace(app.make_runs(lake), deployment=deployment))


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
