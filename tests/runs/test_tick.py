"""Ticks of the timer: every occurrence gets exactly one run, whoever ticks, how often, and is cut off where."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pigment_export.catalog.exports import Export
from pigment_export.catalog.file import Catalog
from pigment_export.errors import ConfigurationError, RetryableError
from pigment_export.events import Event
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.schedule import ScheduleRecord
from pigment_export.runs.timetable import next_occurrences
from tests.harness.run_world import BEGAN, DAY, HOUR, Seen, World, broken_catalog, events, export
from tests.harness.stepping import OUTAGE, Killed, Stepper, Striking, in_step

MINUTE = timedelta(minutes=1)
TICK = 5 * MINUTE
NO_CRON = b'{"schedules": [{"name": "a", "schedule": "x", "time_zone": "UTC", "since": "2026-11-24T06:00:00+00:00"}]}'
MONDAY = "2026-11-30"
applied_or_not = pytest.mark.parametrize("applied", [False, True], ids=["dropped", "applied"])


def at(text: str) -> str:
    """An instant of UTC as a claim's request has it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat()


def before_six(*exports: str | Export) -> World:
    """A world ten minutes before six, whose schedules have just been seen."""
    world = World(*exports)
    world.lake.advance(-10 * MINUTE)
    world.tick()
    return world


def tick_until(world: World, hours: float, every: timedelta = TICK, **tick: Any) -> list[str]:
    messages: list[str] = []
    for _ in range(int(timedelta(hours=hours) / every)):
        world.lake.advance(every)
        messages += world.tick(**tick)
    return messages


# One occurrence, one run


def test_a_tick_after_the_hour_claims_the_run_of_all_exports_that_are_due_at_it() -> None:
    world = before_six("revenue", export("pnl", schedule="0 6 * * 1-5"), export("weekly", schedule="0 6 * * 1"))
    messages = tick_until(world, 0.5)
    assert world.occurrences() == {at("2026-11-24T06:00"): [("revenue", "pnl")]}
    assert len(messages) == 2


def test_an_occurrence_is_claimed_by_a_key_of_its_instant() -> None:
    world = before_six()
    tick_until(world, 0.5)
    (path,) = world.claims()
    assert path == world.runs().layout.claim("schedule/app/2026-11-24T06%3A00%3A00%2B00%3A00")


def test_a_tick_that_is_doubled_or_by_hand_sends_nothing_more() -> None:
    world = before_six()
    assert len(tick_until(world, 0.5)) == 1
    assert [world.tick() for _ in range(3)] == [[], [], []]
    assert len(world.claims()) == 1


def test_a_first_deployment_and_a_changed_schedule_start_nothing_that_lies_back() -> None:
    world = World()
    assert world.tick() == []  # at six sharp, but first seen only now
    world.lake.advance(HOUR)
    world.exports = (export("revenue", schedule="30 6 * * *"),)
    assert world.tick() == []
    assert world.claims() == []
    tick_until(world, 24)
    assert list(world.occurrences()) == [at("2026-11-25T06:30")]


def test_each_export_goes_by_its_own_schedule_and_zone() -> None:
    exports = (
        export("paris", time_zone="Europe/Paris"),
        export("tokyo", schedule="30 8 * * *", time_zone="Asia/Tokyo"),
        export("hourly", schedule="0 * * * *"),
        export("called", schedule="none"),
    )
    world = World(*exports)
    world.tick()
    tick_until(world, 24)
    found = world.occurrences()
    assert found[at("2026-11-25T05:00")] == [("paris", "hourly")]
    assert found[at("2026-11-24T23:30")] == [("tokyo",)]
    assert len(found) == 25
    assert all("called" not in names for runs in found.values() for names in runs)


def test_the_snapshot_date_is_the_occurrences_day_in_its_own_zone() -> None:
    world = World(export("utc", schedule="30 23 * * *"), export("tokyo", schedule="30 8 * * *", time_zone="Asia/Tokyo"))
    world.tick()
    tick_until(world, 18)
    (path,) = world.plans()
    plan = Plan.from_json(world.lake.content(path))
    assert plan.names == ("utc", "tokyo")
    assert plan.snapshot_date == date(2026, 11, 24)
    tasks = {planned.export.name: plan.task(planned) for planned in plan.exports}
    assert {name: (task.snapshot_date, task.replaces_until) for name, task in tasks.items()} == {
        "utc": (date(2026, 11, 24), datetime(2026, 11, 25, 1, tzinfo=UTC)),
        "tokyo": (date(2026, 11, 25), datetime(2026, 11, 25, 16, tzinfo=UTC)),
    }
    assert plan.exports[1].destination.path == "tokyo/dt=2026-11-25/tokyo.csv"


def test_a_tick_past_midnight_makes_the_occurrence_of_the_day_before_for_today() -> None:
    world = World(export("revenue", schedule="50 23 * * *"))
    world.tick()
    world.lake.advance(17 * HOUR + 49 * MINUTE)
    assert world.tick() == []
    world.lake.advance(11 * MINUTE)  # at midnight
    world.tick()
    (path,) = world.plans()
    assert Plan.from_json(world.lake.content(path)).snapshot_date == date(2026, 11, 25)


# Missed


@pytest.mark.parametrize("days", [1, 2, 7, 40])
def test_of_several_missed_occurrences_only_the_newest_is_made_up(days: int) -> None:
    world = before_six("revenue", export("hourly", schedule="0 * * * *"))
    world.lake.advance(days * DAY + 2 * HOUR)
    world.tick()
    day = (BEGAN + days * DAY).date()
    assert world.occurrences() == {at(f"{day}T06:00"): [("revenue",)], at(f"{day}T07:00"): [("hourly",)]}


def test_a_weekly_occurrence_is_made_up_until_the_next_one() -> None:
    world = before_six(export("weekly", schedule="0 6 * * 1"))
    world.lake.advance(6 * DAY + HOUR)  # Monday at 6:50
    world.lake.advance(5 * DAY)
    assert len(world.tick()) == 1
    assert list(world.occurrences()) == [at(f"{MONDAY}T06:00")]
    assert tick_until(world, 30) == []


def test_an_occurrence_whose_run_was_cut_off_and_expired_runs_once_more() -> None:
    world = before_six(export("weekly", schedule="0 6 * * 2"))
    world.lake.advance(11 * MINUTE)
    with pytest.raises(Killed):  # its plan is claimed, and nothing was ever sent
        world.tick(world.runs(Striking(4, kill=True)))
    assert len(world.claims()) == 1
    world.lake.advance(DAY)
    assert len(world.tick()) == 1
    assert world.tick() == []
    assert world.occurrences() == {at("2026-11-24T06:00"): [("weekly",), ("weekly",)]}


# Cut off, doubled, changed


def requests_of_a_tick() -> int:
    watch = Striking(None)
    world = before_six("a", "b")
    world.lake.advance(11 * MINUTE)
    world.tick(world.runs(watch))
    return len(watch.requests)


@applied_or_not
def test_a_tick_killed_at_any_request_is_made_up_by_the_next_one(*, applied: bool) -> None:
    for number in range(requests_of_a_tick()):
        world = before_six("a", "b")
        world.lake.advance(11 * MINUTE)
        with pytest.raises(Killed):
            world.tick(world.runs(Striking(number, applied=applied, kill=True)))
        world.lake.advance(TICK)
        sent = world.tick()
        if not sent:  # it had come to its very last request: then housekeeping finds a run without a sign of life
            world.lake.advance(HOUR)
            sent = world.housekeeping()
        assert len(sent) == 2, number
        assert world.occurrences() == {at("2026-11-24T06:00"): [("a", "b")]}, number


@applied_or_not
def test_any_request_of_a_tick_without_an_answer_is_healed_within_it(*, applied: bool) -> None:
    for number in range(requests_of_a_tick()):
        world = before_six("a", "b")
        world.lake.advance(11 * MINUTE)
        assert len(world.tick(world.runs(Striking(number, applied=applied)))) == 2, number
        assert world.occurrences() == {at("2026-11-24T06:00"): [("a", "b")]}, number
        assert world.tick() == []


@pytest.mark.parametrize("ahead", range(8))
def test_two_ticks_in_step_with_each_other_make_one_run(ahead: int) -> None:
    world = before_six("a", "b")
    world.lake.advance(11 * MINUTE)
    one, other = (Stepper(lambda around: world.tick(world.runs(around))) for _ in range(2))
    in_step(ahead, one, other)
    assert [one.error, other.error] == [None, None]
    assert {*one.answer, *other.answer} == {*one.answer} | {*other.answer}
    assert len({*one.answer, *other.answer}) == 2
    assert world.occurrences() == {at("2026-11-24T06:00"): [("a", "b")]}
    assert world.tick() == []


def catalogs() -> Iterable[tuple[str, list[Export], list[Export]]]:
    a, b, c = export("a"), export("b"), export("c")
    yield "one more", [a], [a, b]
    yield "one less", [a, b], [a]
    yield "another id", [a], [export("a", id="33333333-3333-4333-8333-333333333333")]
    yield "another schedule", [a, b], [a, export("b", schedule="0 7 * * *")]
    yield "all others", [a, b], [c]


@pytest.mark.parametrize(("before", "after"), [pair[1:] for pair in catalogs()], ids=[pair[0] for pair in catalogs()])
@pytest.mark.parametrize("ahead", range(8))
def test_two_ticks_with_two_catalogs_lose_nothing_and_double_nothing(
    before: list[Export], after: list[Export], ahead: int
) -> None:
    """One tick still goes by the catalog before, as an instance of the version before does."""
    world = before_six(*before)
    world.lake.advance(11 * MINUTE)

    def ticking(exports: list[Export]) -> Stepper:
        catalog = Catalog("exports.toml", tuple(exports))
        return Stepper(lambda around: world.tick(world.runs(around), catalog=lambda: catalog))

    one, other = ticking(before), ticking(after)
    in_step(ahead, one, other)
    assert [one.error, other.error] == [None, None]
    names = [name for plans in world.occurrences().values() for plan in plans for name in plan]
    always = {item.name for item in before} & {item.name for item in after if item in before or item.schedule is None}
    assert len(names) == len(set(names))
    assert always <= set(names) <= {item.name for item in before}  # what is new was first seen after six
    world.exports = tuple(after)
    world.tick()
    tick_until(world, 24, every=30 * MINUTE)
    later = {name for runs in list(world.occurrences().values())[1:] for plan in runs for name in plan}
    assert later == {item.name for item in after}


def test_what_an_older_catalogs_tick_left_out_gets_a_run_beside_it() -> None:
    world = before_six("a", "b")
    world.lake.advance(11 * MINUTE)
    request = ClaimRequest("schedule", at("2026-11-24T06:00"), "schedule", {"occurrence": at("2026-11-24T06:00")})
    world.claim(asked=request, choose=lambda: [export("a")])
    world.tick()
    assert world.occurrences() == {at("2026-11-24T06:00"): [("a",), ("b",)]} or world.occurrences() == {
        at("2026-11-24T06:00"): [("b",), ("a",)]
    }


@pytest.mark.parametrize("ahead", range(8))
def test_a_tick_and_a_caller_in_step_with_each_other_are_two_runs(ahead: int) -> None:
    world = before_six("a", "b")
    world.lake.advance(11 * MINUTE)
    spelt = ClaimRequest("http", at("2026-11-24T06:00"), "eve", {"occurrence": at("2026-11-24T06:00")})
    tick = Stepper(lambda around: world.tick(world.runs(around)))
    caller = Stepper(lambda around: world.claim(world.runs(around), spelt))
    in_step(ahead, caller, tick)
    assert [tick.error, caller.error] == [None, None]
    assert len(world.plans()) == 2
    assert len(tick.answer) == 2
    assert caller.answer.plan.trigger == "http"


@pytest.mark.parametrize("back", [HOUR, DAY])
def test_a_clock_that_goes_back_starts_no_occurrence_twice(back: timedelta) -> None:
    world = before_six("revenue", export("hourly", schedule="0 * * * *"))
    tick_until(world, 1)
    before = world.occurrences()
    world.lake.advance(-back)
    tick_until(world, back / HOUR - 0.5)
    assert world.occurrences() == before
    tick_until(world, 24)
    assert sum(len(runs) for runs in world.occurrences().values()) == len(world.occurrences())


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "America/Santiago", "Pacific/Auckland"])
def test_a_night_of_every_change_of_the_clock_is_one_run_each(zone: str) -> None:
    for day in ("2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-09-27", "2026-10-25", "2026-11-01"):
        world = World(export("early", schedule="30 2 * * *", time_zone=zone))
        world.lake.advance(datetime.fromisoformat(f"{day}T00:00:00+00:00") - BEGAN - 30 * HOUR)
        world.tick()
        tick_until(world, 72, every=20 * MINUTE)
        plans = [Plan.from_json(world.lake.content(path)) for path in world.plans()]
        days = [plan.task(plan.exports[0]).snapshot_date for plan in plans]
        assert len(days) == len(set(days)) == 3, day


# Cost, and what is told


def test_a_tick_with_nothing_due_makes_one_request_of_its_own_and_writes_nothing() -> None:
    world, seen = before_six(), Seen()
    world.tick(world.runs(seen))
    assert seen.requests == [("read", world.runs().layout.schedules("app"))]
    tick_until(world, 0.5)
    seen.requests.clear()
    world.tick(world.runs(seen))
    assert len(seen.requests) == 1


def test_a_catalog_is_validated_once_a_day_where_nothing_is_due() -> None:
    world = World(export("yearly", schedule="0 0 1 1 *"))
    world.tick()
    seen = Seen()
    tick_until(world, 24 - 1 / 6, runs=world.runs(seen))
    assert seen.writes == []
    tick_until(world, 1 / 6, runs=world.runs(seen))
    assert len(seen.writes) == 1
    assert len(seen.requests) == 24 * 12 + 1


def test_a_broken_catalog_is_told_at_once_and_what_is_due_is_made_up_when_it_is_mended() -> None:
    world = before_six()
    world.lake.advance(11 * MINUTE)
    with pytest.raises(ConfigurationError):
        world.tick(catalog=broken_catalog)
    assert world.claims() == []
    world.lake.advance(2 * HOUR)
    assert len(world.tick()) == 1
    assert list(world.occurrences()) == [at("2026-11-24T06:00")]


def test_an_outage_of_the_lake_over_the_hour_loses_nothing() -> None:
    world = before_six()
    world.out_until = BEGAN + 3 * HOUR
    for _ in range(12):
        world.lake.advance(15 * MINUTE)
        with pytest.raises(RetryableError) as caught:
            world.tick()
        assert caught.value.cause == OUTAGE
        if world.lake.now() > BEGAN + 2 * HOUR:
            break
    world.lake.advance(2 * HOUR)
    assert len(world.tick()) == 1
    assert list(world.occurrences()) == [at("2026-11-24T06:00")]


def test_what_is_due_is_told_with_its_lateness(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = before_six("a", "b")
    world.lake.advance(13 * MINUTE)
    world.tick()
    (due,) = events(caplog, Event.SCHEDULE_DUE)
    assert (due["occurrence"], due["lateness_seconds"], due["exports"]) == (at("2026-11-24T06:00"), 180, ["a", "b"])


def test_an_unreadable_record_is_told_and_written_anew(caplog: pytest.LogCaptureFixture) -> None:
    for data in (b"{", b"[]", b'{"catalog": "", "schedules": [{}]}', NO_CRON):
        caplog.clear()
        world = before_six()
        path = world.runs().layout.schedules("app")
        world.lake.delete(path)
        world.lake.put(path, data, {})
        world.lake.advance(11 * MINUTE)
        assert world.tick() == []
        assert [failed["class"] for failed in events(caplog, Event.TRIGGER_FAILED)] == ["schedule_record_unreadable"]
        assert ScheduleRecord.from_json(world.lake.content(path)).schedules
        tick_until(world, 24)
        assert list(world.occurrences()) == [at("2026-11-25T06:00")]


# Pausing


def test_a_paused_export_makes_up_nothing_when_it_is_enabled_again() -> None:
    world = before_six("revenue", "pnl")
    world.exports = (export("revenue", enabled=False), export("pnl"))
    tick_until(world, 4)
    world.exports = (export("revenue"), export("pnl"))
    tick_until(world, 4)
    assert world.occurrences() == {at("2026-11-24T06:00"): [("pnl",)]}
    tick_until(world, 24)
    assert world.occurrences()[at("2026-11-25T06:00")] == [("revenue", "pnl")]


def test_a_pause_within_the_hour_counts_as_none() -> None:
    world = before_six()
    world.exports = (export("revenue", enabled=False), export("other"))
    tick_until(world, 0.5)
    world.exports = (export("revenue"), export("other"))
    tick_until(world, 0.2)
    assert world.occurrences() == {at("2026-11-24T06:00"): [("other",), ("revenue",)]}


def test_a_timer_that_was_switched_off_makes_up_the_newest_occurrence() -> None:
    world = before_six()
    world.lake.advance(3 * DAY)
    assert len(world.tick()) == 1


# Two deployments, and the next occurrence


def test_two_deployments_on_one_lake_have_schedules_and_runs_of_their_own() -> None:
    world = World()
    for name in ("app", "other"):
        world.tick(world.runs(deployment=name))
    world.lake.advance(DAY)
    for name in ("app", "other"):
        assert len(world.tick(world.runs(deployment=name))) == 1
    plans = [Plan.from_json(world.lake.content(path)) for path in world.plans()]
    assert sorted(plan.deployment for plan in plans) == ["app", "other"]


def test_the_next_occurrence_of_each_export_is_told() -> None:
    world = World("daily", export("paused", enabled=False), export("called", schedule="none"))
    seen = next_occurrences(world.runs(zone="Europe/Paris"), world.catalog(), BEGAN)
    assert seen == {"daily": datetime(2026, 11, 25, 5, tzinfo=UTC), "paused": None, "called": None}


def test_a_deployment_without_a_schedule_of_its_own_runs_those_that_have_one() -> None:
    world = World("revenue", export("pnl", schedule="0 6 * * *"))
    runs: Callable[[], Any] = lambda: world.runs(schedule="none")  # noqa: E731
    world.tick(runs())
    world.lake.advance(DAY)
    world.tick(runs())
    assert [names for found in world.occurrences().values() for names in found] == [("pnl",)]
