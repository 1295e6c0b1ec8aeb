"""The status page: one self-contained HTML document, the same over HTTP and from the command line.

It loads nothing: no script, no font, no image; its Content-Security-Policy allows only its own style sheet. The
template library escapes all names, reasons and paths.
"""

import base64
import hashlib
from datetime import timedelta
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from pigment_export import __version__
from pigment_export.app.http import HttpAnswer
from pigment_export.app.overview import Overview, overview_of
from pigment_export.app.parts import App
from pigment_export.runs.follow import RECENT_DAYS

TEMPLATES = Path(__file__).parent
CHART_HEIGHT, BAR_WIDTH = 40, 6  # of the drawing, in its units
LEAST_BAR = 1.0  # so that an empty file is visible, too


def answer(app: App) -> HttpAnswer:
    """Answer `GET /api/status`.

    Args:
        app: the parts.

    Raises:
        ExportError: the catalog is wrong, or the lake cannot be read.
    """
    return HttpAnswer(200, render(overview_of(app)).encode(), headers(), "text/html")


def render(overview: Overview) -> str:
    """Return the page.

    Args:
        overview: its data.
    """
    style = Markup(_style())  # noqa: S704 - the app's own file
    page = _environment().get_template("page.html")
    return page.render(overview=overview, style=style, policy=policy(), zone=overview.time_zone)


@cache
def policy() -> str:
    """Return the page's Content-Security-Policy: its own style sheet, by its hash, and an empty icon."""
    style = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'"


def headers() -> dict[str, str]:
    """Return the page's headers. Its address may contain a key, so links send no referrer, and nothing is cached."""
    return {
        "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _style() -> str:
    return (TEMPLATES / "page.css").read_text("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"span": span, "bytes": size, "bars": bars, "count": "{:,}".format, "seconds": seconds}
    environment.globals |= {"height": CHART_HEIGHT, "bar": BAR_WIDTH, "days": RECENT_DAYS, "version": __version__}
    return environment


def span(length: timedelta) -> str:
    """Return a length of time as people say it: the largest unit of which there are two or more."""
    minutes = max(0, round(length.total_seconds() / 60))
    for unit, size_minutes in (("days", 1440), ("hours", 60)):
        if minutes >= 2 * size_minutes:
            return f"{round(minutes / size_minutes)} {unit}"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def seconds(length: float) -> str:
    """Return a duration as people say it."""
    return f"{length:.1f} s" if length < 120 else span(timedelta(seconds=length))  # noqa: PLR2004 - two minutes


def size(count: int) -> str:
    """Return a number of bytes in units of a thousand."""
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= of:
            return f"{count / of:,.1f} {unit}"
    return f"{count} bytes"


def bars(rows: tuple[int, ...]) -> list[tuple[int, float, float]]:
    """Return the bars of a chart: x, y and height of each, the tallest as high as the chart.

    Args:
        rows: oldest first.
    """
    most = max(rows, default=0) or 1
    heights = [max(LEAST_BAR, CHART_HEIGHT * count / most) for count in rows]
    return [
        (number * (BAR_WIDTH + 2), round(CHART_HEIGHT - height, 1), round(height, 1))
        for number, height in enumerate(heights)
    ]
