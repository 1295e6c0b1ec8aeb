"""Housekeeping heals, ends, sweeps and deletes what no other call would, and touches nothing else."""

import logging
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from pigment_export.errors import PermanentError, RetryableError
from pigment_export.events import Event
from pigment_export.lake.call import CallLake
from pigment_export.lake.interface import ListedBlob
from pigment_export.runs.deployment import Runs
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import fail_exports, named_in
from tests.harness.many_records import ManyRecords
from tests.harness.run_world import ASKED, BEGAN, CUT, DAY, HOUR, REFUSED, Seen, World, broken_catalog, events, export
from tests.harness.stepping import Killed, Striking

FILE = "revenue/dt=2026-11-24/revenue.csv"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pigment_export")


def cut_off(world: World, after: int = 2, deployment: str = "app") -> None:
    """Claim a run whose trigger is killed before it wrote `run.json`."""
    with pytest.raises(Killed):
        world.claim(world.runs(Striking(after, kill=True), deployment=deployment))
    assert (len(world.claims()), world.plans()) == (1, [])


def names(messages: list[str]) -> list[str]:
    found = [named_in(text) for text in messages]
    return [named[1] for named in found if named]


# Healing


@pytest.mark.parametrize("broken", [False, True])
def test_a_claim_without_run_json_is_healed_and_sent_whatever_the_catalog_says_now(*, broken: bool) -> None:
    world = World("revenue", "pnl")
    cut_off(world)
    messages = world.housekeeping(catalog=broken_catalog if broken else None)
    assert names(messages) == ["revenue", "pnl"]
    world.work(messages)
    assert world.is_there(FILE)
    assert len(world.under("_runs/dt=2026-11-24/")) == 5


def test_an_expired_claim_without_run_json_is_ended_and_nothing_is_fetched() -> None:
    world = World()
    cut_off(world)
    world.lake.advance(7 * HOUR)
    assert world.housekeeping() == []
    (path,) = world.plans()
    plan = Plan.from_json(world.lake.content(path))
    assert (world.state(plan, "revenue"), world.result(plan), world.fetched) == ("failed", "failed", [])


def test_a_run_that_another_deployment_has_removed_sooner_is_not_made_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its claim is left, and looks cut off; told as failed, it would wake a person for a run that had succeeded."""
    world = World()
    world.deliver(world.claim().plan)
    world.deliver(world.claim(asked=replace(ASKED, key="later")).plan)
    world.lake.advance(9 * DAY)
    world.housekeeping(world.runs(deployment="shorter"), retention=8 * DAY)
    assert len(world.claims()) == 2
    caplog.clear()
    world.housekeeping()
    assert world.plans() == []
    assert events(caplog, Event.EXPORT_ENDED) == []
    world.lake.advance(30 * DAY)
    world.housekeeping()
    assert world.under("_runs/") == []


@pytest.mark.parametrize("spoilt", [False, True], ids=["whole", "spoilt"])
def test_a_claim_goes_with_its_run_also_where_it_cannot_be_read(*, spoilt: bool) -> None:
    world = World()
    plan = world.claim().plan
    world.deliver(plan)
    if spoilt:
        world.break_record(world.claims()[0], plan.to_metadata())
    world.lake.advance(31 * DAY)
    for _ in range(2):
        world.housekeeping()
    assert world.under("_runs/") == []


def test_lost_messages_are_sent_again_only_after_an_hour_without_life() -> None:
    world = World("revenue", "pnl")
    plan = world.claim().plan
    world.lake.advance(HOUR - MINUTE)
    assert world.housekeeping() == []
    world.deliver(plan, "pnl")
    world.lake.advance(HOUR - MINUTE)
    assert world.housekeeping() == []
    world.lake.advance(2 * MINUTE)
    assert names(world.housekeeping()) == ["revenue"]


def test_an_expired_run_is_ended_once_no_call_can_be_at_work_on_it() -> None:
    world = World("revenue", "pnl")
    plan = world.claim().plan
    world.deliver(plan, "pnl")
    world.says["revenue"] = RetryableError(CUT)
    with pytest.raises(RetryableError):
        world.deliver(plan, "revenue")
    world.lake.advance(7 * HOUR - MINUTE)
    assert (world.housekeeping(), world.result(plan)) == ([], None)
    world.lake.advance(MINUTE)
    assert (world.housekeeping(), world.result(plan)) == ([], "failed")
    receipt = world.json(plan.folder.receipt("revenue"))
    assert receipt["class"] == "run_expired"
    assert CUT.reason in receipt["reason"]


def test_a_run_that_is_over_is_listed_once_however_many_exports_have_failed() -> None:
    def listings(size: int) -> int:
        world = World(*(f"e{number}" for number in range(size)))
        plan = world.claim().plan
        world.lake.advance(8 * HOUR)
        seen = Seen()
        world.housekeeping(world.runs(seen))
        assert world.result(plan) == "failed"
        return seen.paths("list").count(f"{plan.folder.path}/")

    assert listings(1) == listings(50) == 1


def test_a_failed_receipt_whose_file_is_there_after_all_is_mended() -> None:
    world = World()
    plan = world.claim().plan
    world.deliver(plan)
    good = world.json(plan.folder.receipt("revenue"))
    for path in (plan.folder.receipt("revenue"), plan.folder.result, plan.folder.success):
        world.lake.delete(path)
    moved = world.runs().layout.destination("elsewhere", snapshot_date=plan.snapshot_date, run_id=plan.run_id)
    blind = plan.model_copy(update={"exports": (plan.exports[0].model_copy(update=asdict(moved)),)})
    fail_exports(world.runs(), blind, {"revenue": REFUSED})
    assert world.result(plan) == "failed"
    world.lake.advance(8 * HOUR)
    world.housekeeping()
    assert (world.state(plan, "revenue"), world.result(plan)) == ("succeeded", "succeeded")
    assert world.json(plan.folder.receipt("revenue"))["nonce"] == good["nonce"]
    assert world.is_there(plan.folder.success)


@pytest.mark.parametrize("broken", [False, True])
def test_a_result_that_is_missing_or_says_otherwise_is_written_anew(*, broken: bool) -> None:
    world = World()
    plan = world.claim().plan
    world.deliver(plan)
    for path in (plan.folder.result, plan.folder.success):
        world.lake.delete(path)
    if broken:
        world.lake.put(plan.folder.result, b"{", {})
    world.housekeeping()
    assert world.result(plan) == "succeeded"
    assert world.is_there(plan.folder.success)


def test_another_deployments_run_is_touched_only_a_day_past_its_expiry() -> None:
    world = World()
    plan = world.claim(world.runs(deployment="another")).plan
    world.lake.advance(6 * HOUR + DAY - MINUTE)
    seen = Seen()
    assert world.housekeeping(world.runs(seen)) == []
    assert [path for _, path in seen.writes] == []
    world.lake.advance(MINUTE)
    world.housekeeping()
    assert world.result(plan) == "failed"


def test_another_deployments_claim_is_left_to_it() -> None:
    """Its workers read another queue, and may have another key."""
    world = World()
    cut_off(world, deployment="another")
    seen = Seen()
    assert world.housekeeping(world.runs(seen)) == []
    assert seen.writes == []


def test_one_unreadable_run_keeps_no_other_from_its_end(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    bad = world.claim().plan
    good = world.claim(asked=replace(ASKED, key="tuesday")).plan
    world.break_record(bad.folder.plan, bad.summary.to_metadata())
    world.lake.advance(8 * HOUR)
    world.housekeeping()
    assert world.result(good) == "failed"
    assert [(failed["run_id"], failed["class"]) for failed in events(caplog, Event.HOUSEKEEPING_FAILED)] == [
        (bad.run_id, "record_unreadable")
    ]


def test_a_lake_that_is_out_is_told_and_the_pass_returns(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.claim()
    world.out_until = world.lake.now() + DAY
    assert world.housekeeping() == []
    assert [failed["class"] for failed in events(caplog, Event.HOUSEKEEPING_FAILED)] == ["lake_unavailable"]


def test_what_there_is_no_time_for_is_left_and_told(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    plan = world.claim().plan
    world.lake.advance(8 * HOUR)
    world.housekeeping(deadline=world.deadline(0))
    assert world.result(plan) is None
    (passed,) = events(caplog, Event.HOUSEKEEPING_PASSED)
    assert passed["left_for_next_time"] > 0


def test_closed_runs_cost_no_request_of_their_own() -> None:
    def requests(runs: int) -> int:
        world = World()
        for number in range(runs):
            plan = world.claim(asked=replace(ASKED, key=str(number))).plan
            world.deliver(plan)
            world.lake.advance(MINUTE)
        seen = Seen()
        world.housekeeping(world.runs(seen))
        return len(seen.requests)

    assert requests(2) == requests(40)


# Freshness


def told(caplog: pytest.LogCaptureFixture) -> dict[str, tuple[Any, ...]]:
    """What one pass said of each export: hours since it succeeded, by when it had to, and whether it is stale."""
    said = {
        one["name"]: (one["hours"], one["due_at"] and one["due_at"][5:16], one["freshness_hours"], one["stale"])
        for one in events(caplog, Event.FRESHNESS)
    }
    caplog.clear()
    return said


def test_an_export_is_stale_when_an_occurrence_has_passed_and_hours_later_it_has_not_succeeded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(
        "daily",
        export("quick", freshness_hours=2, owner="ann"),
        export("weekly", schedule="0 6 * * 1"),
        export("old", enabled=False),
        export("never", schedule="0 7 * * *"),
        export("called", schedule="none"),
        export("promised", schedule="none", freshness_hours=30),
    )
    world.tick()
    world.deliver(world.claim(choose=lambda: [*world.exports[:3], world.exports[-1]]).plan)
    world.lake.advance(6 * HOUR)
    world.housekeeping()
    fresh = (6.0, None, 6, False)
    assert told(caplog) == {
        "daily": fresh,
        "quick": (6.0, None, 2, False),
        "weekly": fresh,
        "never": (None, None, 6, False),  # its first occurrence was at seven, and it has until one
        "called": (None, None, 6, False),
        "promised": (6.0, None, 30, False),
    }
    world.lake.advance(20 * HOUR)  # two hours past the next day's six
    world.housekeeping()
    assert told(caplog) == {
        "daily": (26.0, None, 6, False),
        "quick": (26.0, "11-25T06:00", 2, True),
        "weekly": (26.0, None, 6, False),
        "never": (None, "11-24T07:00", 6, True),
        "called": (None, None, 6, False),
        "promised": (26.0, None, 30, False),
    }
    world.deliver(world.claim(asked=replace(ASKED, key="tuesday")).plan)
    world.lake.advance(31 * HOUR)
    world.housekeeping()
    assert told(caplog) == {
        "daily": (31.0, "11-26T06:00", 6, True),
        "quick": (31.0, "11-26T06:00", 2, True),
        "weekly": (31.0, None, 6, False),
        "never": (31.0, "11-26T07:00", 6, True),
        "called": (31.0, None, 6, False),
        "promised": (31.0, None, 30, True),
    }


def test_a_first_deployment_is_not_stale(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.housekeeping()
    assert told(caplog) == {"revenue": (None, None, 6, False)}


def test_freshness_is_known_when_all_receipts_are_gone(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.deliver(world.claim().plan)
    for path in world.under("_runs/"):
        world.lake.delete(path)
    world.lake.advance(5 * HOUR)
    world.housekeeping()
    assert [one["hours"] for one in events(caplog, Event.FRESHNESS)] == [5.0]


def test_one_record_that_cannot_be_read_hides_no_others_freshness(caplog: pytest.LogCaptureFixture) -> None:
    world = World("revenue", "pnl")

    def refuse(operation: str, path: str, call: Callable[[], Any]) -> Any:
        if (operation, path) == ("read", "revenue/_latest.json"):
            raise PermanentError(REFUSED)
        return call()

    world.housekeeping(world.runs(refuse))
    assert [one["name"] for one in events(caplog, Event.FRESHNESS)] == ["pnl"]
    assert [failed["class"] for failed in events(caplog, Event.HOUSEKEEPING_FAILED)] == [REFUSED.code]


# Removing


def test_a_staged_file_is_swept_a_day_after_it_was_made_and_no_sooner() -> None:
    world = World()
    world.deliver(world.claim().plan)
    world.lake.put("revenue/_20261124T060000Z-00000000000000ff.ab.partial", b"half", {})
    world.lake.advance(DAY - MINUTE)
    world.housekeeping()
    assert len([path for path in world.under("revenue/_") if path.endswith(".partial")]) == 1
    world.lake.advance(MINUTE)
    world.housekeeping()
    assert [path for path in world.under("revenue/_") if path.endswith(".partial")] == []
    assert world.is_there(FILE)


def test_records_of_ended_runs_go_after_their_time_plan_first_and_claim_last() -> None:
    world = World()
    ended = world.claim().plan
    world.deliver(ended)
    world.lake.advance(30 * DAY)
    world.housekeeping()
    assert world.is_there(ended.folder.plan)
    world.lake.advance(HOUR)
    seen = Seen()
    world.housekeeping(world.runs(seen))
    assert seen.paths("delete")[0] == ended.folder.plan
    assert seen.paths("delete")[-1] == ended.folder.result
    assert len(world.claims()) == 1
    world.housekeeping()
    assert world.under("_runs/") == []
    assert world.is_there(FILE)
    assert world.is_there("revenue/_latest.json")


def test_a_run_that_has_not_ended_is_ended_before_its_records_go() -> None:
    world = World()
    plan = world.claim().plan
    world.lake.advance(40 * DAY)
    world.housekeeping()
    assert world.result(plan) == "failed"
    world.housekeeping()
    world.housekeeping()
    assert world.under("_runs/") == []


@pytest.mark.parametrize("at", range(2, 9))
def test_a_deletion_that_was_cut_off_is_finished_by_the_next_pass(at: int) -> None:
    world = World()
    world.deliver(world.claim().plan)
    world.lake.advance(31 * DAY)
    with pytest.raises(Killed):
        world.housekeeping(world.runs(Striking(at, kill=True, applied=True)))
    world.housekeeping()
    world.housekeeping()
    assert world.under("_runs/") == []
    assert world.is_there(FILE)


def test_a_held_file_goes_with_the_receipt_that_names_it_and_an_orphan_when_it_is_as_old() -> None:
    world = World(export("revenue", minimum_rows=1000))
    plan = world.claim().plan
    world.deliver(plan)
    (held,) = world.under("revenue/_held/")
    orphan = held.replace(plan.run_id, "20261123T060000Z-00000000000000ff")
    world.lake.put(orphan, b"an orphan", {})
    world.lake.advance(29 * DAY)
    world.housekeeping()
    assert world.under("revenue/_held/") == [orphan, held]
    world.lake.advance(DAY)
    world.housekeeping()
    assert world.under("revenue/_held/") == [held]
    world.lake.advance(HOUR)
    world.housekeeping()
    assert world.under("revenue/_held/") == []
    assert world.plans() == []


def held_and_pending(world: World, key: str) -> Plan:
    """A run of which one file is held and another export was never worked on: only a later pass ends it."""
    plan = world.claim(asked=replace(ASKED, key=key)).plan
    world.deliver(plan, "a")
    return plan


def test_a_held_file_stays_as_long_as_a_receipt_names_it_however_old_it_is() -> None:
    """The app stood still: the first pass only ends the run, and its held file can be released until the next."""
    world = World(export("a", minimum_rows=1000), export("b"))
    plan = held_and_pending(world, "one")
    world.lake.advance(40 * DAY)
    world.housekeeping()
    assert world.state(plan, "a") == "held"
    assert world.is_there(world.json(plan.folder.receipt("a"))["path"])
    world.housekeeping()
    assert world.under("a/_held/") == []


def test_a_held_file_and_a_claim_stay_where_the_listing_was_cut_off_before_their_run() -> None:
    world = World(export("a", minimum_rows=1000), export("b"))
    held_and_pending(world, "one")
    world.lake.advance(MINUTE)
    unseen = held_and_pending(world, "other")
    world.lake.advance(40 * DAY)

    class Slow:
        """A lake whose listing takes half an hour within those of the other run."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.lake, name)

        def list(self, prefix: str) -> Iterator[ListedBlob]:
            for row in world.lake.list(prefix):
                if row.path == unseen.folder.plan:
                    world.pass_seconds(2000)
                yield row

    world.housekeeping(replace(world.runs(), lake=CallLake(Slow(), world.deadline())))
    assert world.is_there(world.json(unseen.folder.receipt("a"))["path"])
    assert unseen.run_id in {world.json(claim)["run_id"] for claim in world.claims()}


def test_a_probe_that_health_left_is_swept() -> None:
    world = World()
    world.lake.put("_health/0.moving.partial", b"", {})
    world.lake.advance(DAY)
    world.housekeeping()
    assert world.under("_health/") == []


def test_what_failed_for_good_is_left_as_it_is_while_its_run_lasts() -> None:
    world = World()
    plan = world.claim().plan
    world.says["revenue"] = PermanentError(REFUSED)
    world.deliver(plan)
    world.lake.advance(2 * HOUR)
    assert world.housekeeping() == []
    assert world.json(plan.folder.receipt("revenue"))["class"] == REFUSED.code


# Size


def many(count: int, *exports: str) -> tuple[World, Runs, ManyRecords]:
    """A world with that many records of ended runs, over two months."""
    world = World(*exports)
    plan = world.claim().plan
    world.deliver(plan)
    records = ManyRecords(world.lake, world.runs().layout, BEGAN, 60 * DAY, count)
    world.lake.advance(60 * DAY)
    return world, replace(world.runs(), lake=CallLake(records, world.deadline())), records


@pytest.mark.parametrize("count", [5_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_a_pass_over_many_records_holds_little_of_those_that_have_ended(
    count: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world, runs, records = many(count, "a", "b", "c")
    tracemalloc.start()
    try:
        assert world.housekeeping(runs, retention=90 * DAY) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**19 + 400 * records.runs  # a claim's path for each run, until the run is seen
    (passed,) = events(caplog, Event.HOUSEKEEPING_PASSED)
    assert (passed["open_runs"], "left_for_next_time" in passed) == (0, False)


def test_a_listing_that_takes_too_long_is_cut_off_and_what_was_seen_is_worked_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    world, runs, records = many(700)
    records.between = lambda: world.pass_seconds(5)
    sent = world.housekeeping(runs, retention=30 * DAY)
    (passed,) = events(caplog, Event.HOUSEKEEPING_PASSED)
    assert passed["left_for_next_time"] == 1
    assert passed["records_deleted"] > 0  # of the oldest, which come first
    assert sent == []  # a claim whose run was not seen yet is not taken for one without a plan,
    assert events(caplog, Event.HOUSEKEEPING_FAILED) == []  # nor read
