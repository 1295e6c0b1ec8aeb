"""Claims: one key is one run, whoever dies or asks again where; and what a run's followers are told."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pigment_export.errors import (
    Cause,
    ConfigurationError,
    ConflictError,
    PermanentError,
    RetryableError,
    Who,
)
from pigment_export.events import Event
from pigment_export.runs.claim import KEY_USED
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import MOST_RECENT, progress_of, recent_runs
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.work import messages_for
from tests.harness.interleave import Scene, first_violation
from tests.harness.run_world import ASKED, BEGAN, CUT, DAY, HOUR, Seen, World, broken_catalog, events
from tests.harness.stepping import OUTAGE, Around, Killed, Stepper, Striking, in_step, without
from tests.runs.test_interleavings import two_claims_of_one_key

MINUTE = timedelta(minutes=1)
applied_or_not = pytest.mark.parametrize("applied", [False, True], ids=["dropped", "applied"])


def requests_of_a_claim() -> int:
    watch = Striking(None)
    world = World("a", "b")
    world.claim(world.runs(watch))
    return len(watch.requests)


def check_one_run(world: World) -> Plan:
    """One claim, one plan, and they are the same."""
    (claim,), (path,) = world.claims(), world.plans()
    assert world.lake.content(claim) == world.lake.content(path)
    assert world.lake.look(claim).metadata == world.lake.look(path).metadata
    return Plan.from_json(world.lake.content(path))


# One key


def test_a_claim_makes_these_requests_and_no_others() -> None:
    world, seen = World("a", "b"), Seen()
    claimed = world.claim(world.runs(seen))
    (claim,) = world.claims()
    assert seen.requests == [("read", claim), ("write", claim), ("write", claimed.plan.folder.plan)]
    assert claimed.pending == ("a", "b")
    assert check_one_run(world) == claimed.plan


def test_the_same_key_twice_is_one_run_and_what_has_no_final_receipt_is_pending() -> None:
    world = World("a", "b", "c")
    first = world.claim()
    world.deliver(first.plan, "a")
    world.says["b"] = RetryableError(CUT)
    with pytest.raises(RetryableError):
        world.deliver(first.plan, "b")
    assert world.state(first.plan, "b") == "retrying"
    world.lake.advance(HOUR)
    again = world.claim()
    assert again.plan == first.plan
    assert again.pending == ("b", "c")
    assert world.chosen == 1
    assert check_one_run(world) == first.plan


def test_the_same_key_across_midnight_is_the_run_of_the_day_before() -> None:
    world = World()
    world.lake.advance(17 * HOUR + 59 * MINUTE)
    first = world.claim()
    world.lake.advance(2 * MINUTE)
    again = world.claim()
    assert again.plan == first.plan
    assert again.plan.snapshot_date == date(2026, 11, 24)


@applied_or_not
def test_any_request_of_a_claim_without_an_answer_is_healed_within_the_call(*, applied: bool) -> None:
    for at in range(requests_of_a_claim()):
        world = World("a", "b")
        claimed = world.claim(world.runs(Striking(at, applied=applied)))
        assert claimed.pending == ("a", "b"), at
        assert check_one_run(world) == claimed.plan


@applied_or_not
def test_a_claim_killed_at_any_request_is_one_run_with_the_repeat(*, applied: bool) -> None:
    for at in range(requests_of_a_claim()):
        world = World("a", "b")
        with pytest.raises(Killed):
            world.claim(world.runs(Striking(at, applied=applied, kill=True)))
        before = world.claims()
        world.lake.advance(MINUTE)
        claimed = world.claim()
        assert claimed.pending == ("a", "b"), at
        assert check_one_run(world) == claimed.plan
        assert claimed.plan.claimed_at == (BEGAN if before else BEGAN + MINUTE), at


@applied_or_not
def test_a_repeat_killed_at_any_request_is_still_one_run(*, applied: bool) -> None:
    for at in range(5):
        world = World("a", "b")
        with pytest.raises(Killed):  # the claim is made, `run.json` is not
            world.claim(world.runs(Striking(1, applied=True, kill=True)))
        with pytest.raises(Killed):
            world.claim(world.runs(Striking(at if at < 4 else 3, applied=applied, kill=True)))
        assert world.claim().pending == ("a", "b")
        check_one_run(world)


@pytest.mark.parametrize("ahead", range(7))
def test_two_claimers_in_step_with_each_other_come_to_one_plan(ahead: int) -> None:
    world = World("a", "b")

    def claimer(around: Around) -> object:
        return world.claim(world.runs(around))

    one, other = Stepper(claimer), Stepper(claimer)
    in_step(ahead, one, other)
    assert [one.error, other.error] == [None, None]
    assert one.answer.plan == other.answer.plan == check_one_run(world)
    assert one.answer.pending == other.answer.pending == ("a", "b")


def test_a_key_that_was_used_for_another_request_is_refused_and_changes_nothing() -> None:
    world, seen = World("a", "b"), Seen()
    first = world.claim()
    with pytest.raises(PermanentError, match=KEY_USED.code) as caught:
        world.claim(world.runs(seen), replace(ASKED, request={"names": ["a"]}))
    assert caught.value.cause.code == "key_used_otherwise"
    assert first.plan.run_id in caught.value.cause.reason
    assert seen.writes == []


OTHER = replace(ASKED, request={"names": ["a"]})


def check_one_of_two(world: World) -> None:
    """Of two requests with one key one has its run, and every repeat of either is told so."""
    (claim,) = world.claims()
    plan = Plan.from_json(world.lake.content(claim))
    for asked in (ASKED, OTHER):
        if asked.request == plan.request:
            assert world.claim(asked=asked).plan == plan
        else:
            with pytest.raises(PermanentError, match=KEY_USED.code) as caught:
                world.claim(asked=asked)
            assert plan.run_id in caught.value.cause.reason
    check_one_run(world)


@applied_or_not
def test_a_run_whose_records_get_no_answer_at_first_is_started_once(
    *, applied: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for at in range(requests_of_a_claim()):
        caplog.clear()
        world = World("a", "b")
        world.claim(world.runs(Striking(at, applied=applied)))
        assert len(events(caplog, Event.RUN_STARTED)) == 1, at


@applied_or_not
@pytest.mark.parametrize("kill", [False, True], ids=["answer lost", "killed"])
def test_a_key_whose_first_answer_was_lost_is_not_taken_for_a_second_request(*, applied: bool, kill: bool) -> None:
    for at in range(requests_of_a_claim()):
        world = World("a", "b")
        with suppress(Killed):
            world.claim(world.runs(Striking(at, applied=applied, kill=kill)))
        if world.claims():
            with pytest.raises(PermanentError, match=KEY_USED.code):
                world.claim(asked=OTHER)
        else:
            assert world.claim(asked=OTHER).plan.request == OTHER.request, at
        check_one_of_two(world)


@pytest.mark.parametrize("kill", [False, True], ids=["answer lost", "killed"])
def test_a_claim_that_takes_effect_after_another_request_has_taken_its_key_changes_nothing(*, kill: bool) -> None:
    world, sent = World("a", "b"), []

    def late(operation: str, _: str, call: Callable[[], Any]) -> Any:
        if operation != "write" or sent:
            return call()
        sent.append(call)  # on its way, when its sender is gone, or waits no more
        if kill:
            raise Killed
        world.claim(asked=OTHER)
        raise RetryableError(OUTAGE)

    with pytest.raises(Killed if kill else PermanentError, match=".*" if kill else KEY_USED.code):
        world.claim(world.runs(late))
    claimed = world.claim(asked=OTHER)
    with pytest.raises(ConflictError):
        sent[0]()
    assert check_one_run(world) == claimed.plan
    check_one_of_two(world)


@pytest.mark.parametrize("ahead", range(7))
def test_two_requests_in_step_with_one_key_come_to_one_run(ahead: int) -> None:
    world = World("a", "b")
    one = Stepper(lambda around: world.claim(world.runs(around)))
    other = Stepper(lambda around: world.claim(world.runs(around), OTHER))
    in_step(ahead, one, other)
    (error,) = [worker.error for worker in (one, other) if worker.error]
    assert isinstance(error, PermanentError)
    assert error.cause.code == KEY_USED.code
    check_one_of_two(world)


def test_that_a_claim_replaces_none_is_needed() -> None:
    """Without the condition of its write, an order of two claimers is found in which one key has two runs."""
    changed = without("replacing", "write", "_keys/")

    def build() -> Scene:
        scene = two_claims_of_one_key()
        actors = {name: lambda around, work=work: work(changed(around)) for name, work in scene.actors.items()}
        return replace(scene, actors=actors)

    assert first_violation(two_claims_of_one_key, preemptions=1) is None
    assert first_violation(build, preemptions=1)


def test_a_key_with_a_slash_is_not_that_of_a_deployment_with_one() -> None:
    world = World()
    one = world.claim(world.runs(deployment="a"), ClaimRequest("http", "b/c", "ann"))
    other = world.claim(world.runs(deployment="a/b"), ClaimRequest("http", "c", "ann"))
    assert one.plan.run_id != other.plan.run_id


# The catalog, and the date


def test_a_broken_catalog_fails_a_new_claim_and_nothing_is_written() -> None:
    world, seen = World(), Seen()
    with pytest.raises(ConfigurationError):
        world.claim(world.runs(seen), choose=broken_catalog)
    assert seen.writes == []
    assert world.lake.paths() == []


def test_a_repeat_never_reads_the_catalog_even_if_the_claim_was_cut_off() -> None:
    world = World("a", "b")
    with pytest.raises(Killed):
        world.claim(world.runs(Striking(2, kill=True)))
    again = world.claim(choose=broken_catalog)
    assert again.pending == ("a", "b")
    check_one_run(world)


def test_the_catalog_is_read_once_however_often_the_claims_write_is_tried() -> None:
    world = World()
    world.claim(world.runs(Striking(1)))
    assert world.chosen == 1


def test_a_date_in_the_future_of_the_time_zone_is_refused_and_nothing_is_written() -> None:
    world, seen = World(), Seen()
    tomorrow = replace(ASKED, date_asked=date(2026, 11, 25))
    with pytest.raises(ConfigurationError) as caught:
        world.claim(world.runs(seen), tomorrow)
    assert caught.value.cause.code == "date_in_future"
    assert seen.writes == []
    world.lake.advance(4 * HOUR)  # 10:00 in London, and the 25th has begun on Kiritimati
    there = world.claim(world.runs(zone="Pacific/Kiritimati"), tomorrow)
    assert there.plan.snapshot_date == date(2026, 11, 25)


# After the end


def test_a_repeat_after_the_end_writes_and_sends_nothing() -> None:
    world, seen = World(), Seen()
    first = world.claim()
    world.deliver(first.plan)
    again = world.claim(world.runs(seen))
    assert (again.plan, again.pending, again.is_planned) == (first.plan, (), True)
    assert again.has_ended
    assert seen.writes == []
    assert [operation for operation, _ in seen.requests] == ["read", "read"]


def test_a_repeat_after_expiry_writes_and_sends_nothing() -> None:
    world, seen = World(), Seen()
    first = world.claim()
    world.lake.advance(6 * HOUR)
    again = world.claim(world.runs(seen))
    assert (again.plan, again.pending, again.is_planned) == (first.plan, (), True)
    assert again.is_expired
    assert seen.writes == []


def test_a_second_before_expiry_a_repeat_still_heals() -> None:
    world = World()
    world.claim()
    world.lake.advance(6 * HOUR - timedelta(seconds=1))
    again = world.claim()
    assert again.pending == ("revenue",)
    assert not again.is_expired


def test_an_expired_claim_without_run_json_has_no_plan_to_follow_and_nothing_is_written() -> None:
    world, seen = World(), Seen()
    with pytest.raises(Killed):
        world.claim(world.runs(Striking(2, kill=True)))
    world.lake.advance(6 * HOUR)
    again = world.claim(world.runs(seen))
    assert (again.pending, again.is_planned) == ((), False)
    assert seen.writes == []
    assert world.plans() == []


# A plan that a person removed or spoilt


def test_a_plan_that_was_removed_while_its_run_went_on_is_written_again_from_the_claim() -> None:
    world = World("a", "b")
    plan = world.claim().plan
    world.deliver(plan, "a")
    world.lake.delete(plan.folder.plan)
    world.deliver(plan, "b")  # its worker had read it
    world.lake.advance(2 * HOUR)
    world.work(world.housekeeping())
    assert check_one_run(world) == plan
    assert world.result(plan) == "succeeded"
    assert world.fetched == ["a", "b"]


def test_a_run_whose_plan_was_spoilt_is_told_in_each_pass_and_goes_on_once_its_folder_is_deleted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World("a")
    plan = world.claim().plan
    world.lake.delete(plan.folder.plan)
    world.lake.put(plan.folder.plan, b"{", {})
    world.lake.advance(2 * HOUR)
    for _ in range(2):
        caplog.clear()
        assert world.housekeeping() == []
        assert "record_unreadable" in caplog.text
    world.lake.delete(plan.folder.plan)
    world.work(world.housekeeping())
    assert check_one_run(world) == plan
    assert world.result(plan) == "succeeded"


# Following


@pytest.mark.parametrize("size", [1, 60, pytest.param(500, marks=pytest.mark.long)])
def test_status_costs_two_requests_whatever_the_size_of_the_run(size: int) -> None:
    world = World(*(f"e{number}" for number in range(size)))
    plan = world.claim().plan
    seen = Seen()
    running = progress_of(world.runs(seen), plan.run_id)
    assert running is not None
    assert (running[1].state, running[1].receipts) == ("running", {})
    world.deliver(plan)
    ended = progress_of(world.runs(seen), plan.run_id)
    assert ended is not None
    assert (ended[1].state, len(ended[1].receipts)) == ("succeeded", size)
    assert ended[1].ended_at == world.lake.now()
    assert len(seen.requests) == 4
    assert seen.writes == []


def test_status_tells_the_receipts_until_there_is_a_result() -> None:
    world = World("a", "b")
    plan = world.claim().plan
    world.deliver(plan, "a")
    going = progress_of(world.runs(), plan.run_id)
    assert going is not None
    assert going[1].state == "running"
    assert {name: str(receipt.state) for name, receipt in going[1].receipts.items()} == {"a": "succeeded"}
    world.deliver(plan, "b")
    seen = Seen()
    ended = progress_of(world.runs(seen), plan.run_id)
    assert ended is not None
    assert ended[1].state == "succeeded"
    assert len(ended[1].receipts) == 2
    assert len(seen.requests) == 2


@pytest.mark.parametrize("run_id", ["", "x", "../_keys", "20261324T060000Z-0000000000000000", "20261124T060000Z"])
def test_status_of_what_is_no_run_id_is_none_without_a_request(run_id: str) -> None:
    world, seen = World(), Seen()
    assert progress_of(world.runs(seen), run_id) is None
    assert seen.requests == []


def test_another_deployments_run_has_no_status_here() -> None:
    world = World()
    plan = world.claim(world.runs(deployment="other")).plan
    assert progress_of(world.runs(), plan.run_id) is None
    assert progress_of(world.runs(deployment="other"), plan.run_id) is not None


def claimed_often(world: World, runs: Runs, times: int, every: timedelta) -> list[str]:
    ids = []
    for number in range(times):
        ids.append(world.claim(runs, ClaimRequest("cli", f"{runs.deployment}{number}", "ann")).plan.run_id)
        world.lake.advance(every)
    return ids


def test_recent_runs_are_this_deployments_of_the_last_days_newest_first() -> None:
    world = World()
    ids = claimed_often(world, world.runs(), 10, DAY)
    world.claim(world.runs(deployment="other"))
    seen = Seen()
    found = recent_runs(world.runs(seen))
    assert [header.run_id for header, _ in found] == ids[:3:-1]  # of today and the six days before
    assert all(run.state == "running" for _, run in found)
    assert len(seen.paths("list")) == 7
    assert len(seen.requests) == 8


def test_recent_runs_are_cut_at_so_many_and_no_more_days_are_listed() -> None:
    world, seen = World(), Seen()
    ids = claimed_often(world, world.runs(), MOST_RECENT + 5, MINUTE)
    found = recent_runs(world.runs(seen))
    assert [header.run_id for header, _ in found] == ids[: -MOST_RECENT - 1 : -1]
    assert len(seen.paths("list")) == 1


def test_recent_runs_tell_how_each_ended_from_the_listing_alone() -> None:
    world = World("a", "b")
    ended = world.claim().plan
    world.deliver(ended)
    world.says["b"] = PermanentError(Cause("pigment_not_found", "nothing has this id", Who.EXPORT_OWNER, "look"))
    world.lake.advance(MINUTE)
    failed = world.claim(asked=replace(ASKED, key="tuesday")).plan
    world.deliver(failed)
    found = recent_runs(world.runs())
    assert [(header.run_id, run.state) for header, run in found] == [
        (failed.run_id, "failed"),
        (ended.run_id, "succeeded"),
    ]


def test_the_messages_of_a_claim_name_each_pending_export_once() -> None:
    world = World("a", "b")
    claimed = world.claim()
    world.work(messages_for(claimed.plan, claimed.pending))
    assert world.fetched == ["a", "b"]
    assert world.result(claimed.plan) == "succeeded"
