"""The status page: what it says of each export, and that nothing on it is more than text."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pigment_export.app import page
from pigment_export.app.overview import Overview, Word, overview_of
from pigment_export.errors import Cause, PermanentError, RetryableError, Who
from tests.harness.api_world import ApiWorld
from tests.harness.run_world import CUT, DAY, HOUR, export

HOSTILE = "<script>alert('x')</script>\"'&{{7*7}}{% raw %}\u202e"
NO_METRIC = PermanentError(Cause("pigment_not_found", f"no {HOSTILE}", Who.EXPORT_OWNER, f"check {HOSTILE}"))


def run(world: ApiWorld, *names: str, **says: Any) -> str:
    """Start a run and work it off; returns its id."""
    world.says = says
    started = world.post({"exports": list(names)} if names else {})
    for text in started.messages:
        try:
            world.work([text])
        except RetryableError:
            continue
    return str(started.body["run_id"])


def overview(world: ApiWorld) -> Overview:
    return overview_of(world.app())


def text_of(world: ApiWorld) -> str:
    answer = world.call({}).status(page.answer)
    assert (answer.status, answer.media_type) == (200, "text/html")
    return answer.body.decode()


def healths(world: ApiWorld) -> dict[str, str]:
    return {found.name: str(found.health) for found in overview(world).exports}


@pytest.fixture
def world() -> ApiWorld:
    return ApiWorld(
        export("revenue", owner="ann@example.com"),
        export("costs"),
        export("held", minimum_rows=9),
        export("off", enabled=False),
    )


def test_each_export_has_its_health_in_a_word_the_most_urgent_first(world: ApiWorld) -> None:
    run(world)
    run(world, "costs", costs=NO_METRIC)
    assert list(healths(world).items()) == [
        ("costs", "failing"),
        ("held", "held"),
        ("revenue", "on time"),
        ("off", "paused"),
    ]
    assert overview(world).headline == "2 of 4 exports need attention"


def test_what_failed_and_then_succeeded_is_on_time_and_its_failure_still_told(world: ApiWorld) -> None:
    run(world, "costs", costs=NO_METRIC)
    world.lake.advance(HOUR)
    run(world, "costs")
    assert healths(world)["costs"] == "on time"
    [failure] = overview(world).failures
    assert (failure.export.name, failure.is_retrying) == ("costs", False)


def test_what_was_due_and_did_not_come_is_late_and_the_next_occurrence_is_told(world: ApiWorld) -> None:
    world.tick()  # the schedules are seen
    assert healths(world)["revenue"] == "on time"
    world.lake.advance(2 * DAY)
    [revenue] = [found for found in overview(world).exports if found.name == "revenue"]
    assert (revenue.health, revenue.next_at) == (Word.LATE, datetime(2026, 11, 27, 6, tzinfo=UTC))
    assert "2026-11-27 06:00" in text_of(world)
    run(world, "revenue")
    assert healths(world)["revenue"] == "on time"


def test_what_is_retried_is_no_failure_yet(world: ApiWorld) -> None:
    run(world, "costs", costs=RetryableError(CUT, retry_after_seconds=0))
    found = overview(world)
    assert healths(world)["costs"] == "on time"
    assert next(one for one in found.exports if one.name == "costs").note == f"being retried: {CUT.reason}"
    assert [failure.is_retrying for failure in found.failures] == [True]
    assert "being retried" in text_of(world)


def test_the_same_failure_of_many_runs_is_told_once(world: ApiWorld) -> None:
    for _ in range(3):
        world.lake.advance(HOUR)
        last = run(world, "costs", costs=NO_METRIC)
    [failure] = overview(world).failures
    assert (failure.run_id, failure.times) == (last, 3)


def test_a_held_file_is_told_with_what_to_do_until_a_good_one_is_there(world: ApiWorld) -> None:
    run_id = run(world, "held")
    [held] = overview(world).held
    assert str(held.export.path).startswith("held/_held/")
    text = html.unescape(text_of(world))
    assert f"release {run_id} held" in text
    assert f'{{"release_of": "{run_id}", "exports": ["held"]}}' in text
    world.lake.advance(HOUR)
    world.exports = (export("held"),)
    run(world, "held")
    assert overview(world).held == ()


def test_files_rows_and_ages_come_from_the_latest_record(world: ApiWorld) -> None:
    for day in range(34):
        run(world, "revenue", revenue=b"Country;Revenue\n" + b"FR;1\n" * (day + 1))
        world.lake.advance(DAY)
    [revenue] = [found for found in overview(world).exports if found.name == "revenue"]
    assert revenue.latest
    assert (revenue.latest.rows, revenue.rows) == (34, tuple(range(5, 35)))
    text = text_of(world)
    assert text.count("<rect ") == 30
    assert "1 day" not in text
    assert "24 hours ago" in text


def test_a_page_costs_the_same_whatever_the_history(world: ApiWorld) -> None:
    def requests() -> int:
        world.around.requests.clear()
        text_of(world)
        return len(world.around.requests)

    run(world)
    world.lake.advance(10 * DAY)
    before = requests()
    for _ in range(20):
        run(world, "revenue")
        world.lake.advance(DAY)
    assert requests() == before


def test_names_reasons_and_owners_are_only_text() -> None:
    world = ApiWorld(export("costs", owner=HOSTILE), WEBSITE_SITE_NAME=HOSTILE)
    run(world, costs=NO_METRIC)
    text = text_of(world)
    assert "<script" not in text
    assert "{{7*7}}" in text
    assert html.unescape(text).count(HOSTILE) >= 3


def test_nothing_is_loaded_and_nothing_secret_is_shown(world: ApiWorld) -> None:
    run(world, costs=NO_METRIC)
    text = text_of(world)
    assert not re.search(r"""(src|href)=["'](?!#|data:,)|@import|url\(|<script|\son\w+=|\sstyle=""", text)
    assert "k3y-that-is-shown-nowhere" not in text
    headers = world.call({}).status(page.answer).headers
    assert headers["Content-Security-Policy"].startswith(f"{page.policy()}; frame-ancestors 'none'")
    assert "unsafe" not in page.policy()
    assert headers["Cache-Control"] == "no-store"


def test_both_doors_show_the_same_page(world: ApiWorld) -> None:
    run(world)
    assert page.render(overview(world)) == text_of(world)


def test_a_lake_that_is_out_and_an_unreadable_record_are_told(world: ApiWorld) -> None:
    run(world, "revenue")
    world.break_record("revenue/_latest.json")
    assert "none yet" in text_of(world)
    world.out_until = world.lake.now() + HOUR
    answer = world.call({}).status(page.answer)
    assert (answer.status, answer.media_type) == (503, "application/problem+json")
    assert world.call({}, {"x": "1"}).status(page.answer).status == 422


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), "0 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_ages_are_said_as_people_say_them(length: timedelta, said: str) -> None:
    assert page.span(length) == said


def test_sizes_and_durations_are_said_in_fitting_units() -> None:
    assert [page.size(count) for count in (999, 1500, 2_000_000, 3 * 10**9)] == [
        "999 bytes",
        "1.5 kB",
        "2.0 MB",
        "3.0 GB",
    ]
    assert [page.seconds(length) for length in (0.04, 100.0, 600.0)] == ["0.0 s", "100.0 s", "10 minutes"]


@pytest.mark.parametrize("rows", [(), (0,), (0, 0, 0), (1, 10**12), tuple(range(30))])
def test_every_bar_lies_within_its_chart(rows: tuple[int, ...]) -> None:
    drawn = page.bars(rows)
    assert len(drawn) == len(rows)
    assert all(y >= 0 and 0 < height <= page.CHART_HEIGHT and y + height <= 40.1 for _, y, height in drawn)


def test_each_health_has_a_word_a_shape_and_a_colour_of_its_own() -> None:
    style = (page.TEMPLATES / "page.css").read_text()
    assert len({word.symbol for word in Word}) == len(Word)
    assert all(f".{word.value.replace(' ', '-')} {{ --own:" in style for word in Word)
