"""Take `docs/images/status-*.png`, the pictures of the status page, with Debian's Chromium.

From the project's folder: `python -m scripts.make_screenshots`.
"""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import sync_playwright

from pigment_export.app.overview import ExportHealth, Failure, Overview, Word
from pigment_export.app.page import render
from pigment_export.app.schemas import FailedExport
from pigment_export.delivery.description import Latest
from pigment_export.delivery.guards import HELD
from pigment_export.pigment.errors import ANSWERS

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
RUN = "20261124T060000Z-87683427bf1f09c9"
OWNER = "finance-systems@example.com"
SHRUNK = "maximum_shrink: the export has 601,200 rows after 1,256,700, a loss of over 50%"


def export(name: str, health: Word, rows: tuple[int, ...], note: str = "", *, hours: float = 2.5) -> ExportHealth:
    """Return one export with its last files."""
    at = NOW - timedelta(hours=hours)
    fields = {"run_id": RUN, "nonce": "0" * 16, "fetched_at": at, "snapshot_date": at.date(), "deployment": "pigment"}
    proofs = {"sha256": "0" * 64, "protocol": "HTTP/2", "evidence": "END_STREAM", "number_of_columns": 4}
    sizes = {"rows": rows[-1], "bytes": rows[-1] * 38, "seconds": 4.2 + rows[-1] / 250_000}
    path = f"{name}/dt={at.date()}/{name}.csv"
    latest = Latest.model_validate({**fields, **proofs, **sizes, "path": path})
    next_at = None if health is Word.PAUSED else NOW.replace(hour=6, minute=0) + timedelta(days=1)
    return ExportHealth(name, OWNER, health, note, latest, rows, next_at)


def failure(name: str, state: str, *, code: str, reason: str, who: str, remedy: str) -> Failure:
    """Return the outcome of one export of the run."""
    path = f"{name}/_held/{RUN}.53c1a09e7be2d410.held" if state == "held" else None
    at = NOW - timedelta(hours=2.4)
    told = {"code": code, "reason": reason, "who": who, "remedy": remedy, "owner": OWNER, "path": path}
    return Failure(RUN, FailedExport(name=name, state=state, started_at=at, ended_at=at, **told))


def overview() -> Overview:
    """Return a morning on which two of six exports went wrong."""
    grows = tuple(1_180_000 + 2_300 * day + 9_000 * (day % 7) for day in range(30))
    steady = tuple(4_100 + 3 * (day % 5) for day in range(30))
    exports = (
        export("headcount", Word.FAILING, steady, "Pigment rejected the key (HTTP 401)", hours=26.5),
        export("pnl", Word.HELD, grows, SHRUNK, hours=26.5),
        export("costs", Word.ON_TIME, tuple(number // 3 for number in grows)),
        export("countries", Word.ON_TIME, (40,) * 30),
        export("revenue", Word.ON_TIME, grows),
        export("plan_2025", Word.PAUSED, steady, "disabled in the catalog", hours=700),
    )
    failed = failure(
        "headcount",
        "failed",
        code="pigment_unauthorized",
        reason="Pigment rejected the key, even after the app read it again (HTTP 401)",
        who="the owner of the Pigment key",
        remedy=ANSWERS[401].remedy,
    )
    held = failure(
        "pnl",
        "held",
        code="held_by_guard",
        reason=SHRUNK,
        who="the owner of the export",
        remedy=HELD.remedy,
    )
    return Overview("pigment", NOW, ZoneInfo("Europe/Paris"), exports, (failed,), (held,))


def main() -> None:
    """Take the pictures."""
    folder = Path(__file__).parent.parent / "docs" / "images"
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, width, height, scheme in (("light", 1160, 900, "light"), ("dark-phone", 390, 844, "dark")):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.set_content(render(overview()))
            page.screenshot(path=folder / f"status-{name}.png")
            print(f"wrote docs/images/status-{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
