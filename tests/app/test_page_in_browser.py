"""The status page in a real browser: Debian's Chromium, headless, and axe-core; skipped where they are not there."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pigment_export.app.page import answer as status_page
from pigment_export.errors import RetryableError
from tests.app.test_page import HOSTILE, NO_METRIC
from tests.harness.api_world import ApiWorld
from tests.harness.run_world import CUT, DAY, export

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def world() -> ApiWorld:
    """One export of each health, and names that would be markup if they were not escaped."""
    world = ApiWorld(
        export("revenue", owner="ann@example.com"),
        export("costs", owner=HOSTILE),
        export("plan", minimum_rows=9),
        export("slow"),
        export("off", enabled=False),
    )
    for day in range(5):
        world.says = {"revenue": b"Country;Revenue\n" + b"FR;1\n" * (3 + day)}
        work(world)
        world.lake.advance(DAY)
    world.says = {"costs": NO_METRIC, "slow": RetryableError(CUT, retry_after_seconds=0)}
    work(world)
    return world


def work(world: ApiWorld) -> None:
    for text in world.post({}).messages:
        try:
            world.work([text])
        except RetryableError:
            continue


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves what the app answers, as it answers it."""

    def __init__(self, world: ApiWorld, *args: Any) -> None:
        self._world = world
        super().__init__(*args)

    def do_GET(self) -> None:
        answer = self._world.call({}).status(status_page)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Type": f"{answer.media_type}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url(world: ApiWorld) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, world)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/status"
        server.shutdown()
        thread.join()


def opened(browser: Any, url: str, **how: Any) -> tuple[Any, list[str]]:
    """The page in a tab, and all that it complained of or asked for beside itself."""
    page = browser.new_context(**how).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url not in (url, "data:,") else None)
    page.goto(url)
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_shows_without_a_complaint_or_a_finding_at_each_width_and_scheme(
    browser: Any, url: str, width: int, scheme: str
) -> None:
    page, said = opened(browser, url, viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.context.close()


def test_a_failure_is_shown_and_hostile_names_are_text(browser: Any, url: str) -> None:
    page, said = opened(browser, url)
    assert page.title().startswith("2 of 5 exports need attention")
    words = page.locator(".cards .word").all_inner_texts()
    assert [word.split(maxsplit=1)[1] for word in words] == ["failing", "held", "on time", "on time", "paused"]
    assert HOSTILE.replace("\u202e", "") in page.locator(".failure").last.locator("xpath=..").inner_text().replace(
        "\u202e", ""
    )
    assert page.locator("script").count() == 0
    assert page.locator("svg rect").count() > 5
    assert said == []
    page.context.close()


def test_it_is_read_by_keyboard_and_without_motion(browser: Any, url: str) -> None:
    page, _ = opened(browser, url, reduced_motion="reduce")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the exports"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "exports"
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None
    page.context.close()


def test_a_script_that_was_let_in_would_not_run(browser: Any, url: str) -> None:
    """What the escaping is for, the policy holds a second time."""
    page, said = opened(browser, url)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title = 1\">')")
    page.wait_for_function("document.images.length == 1 && document.images[0].complete")
    assert page.title() != "1"
    assert any("Content Security Policy" in line for line in said)
    page.context.close()


def test_the_file_that_the_command_line_writes_is_the_same_page(browser: Any, world: ApiWorld, tmp_path: Path) -> None:
    file = tmp_path / "status.html"
    file.write_bytes(world.call({}).status(status_page).body)
    page, said = opened(browser, file.as_uri())
    assert page.locator(".cards > li").count() == 5
    assert said == []
    page.context.close()
