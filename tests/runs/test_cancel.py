"""Cancelling a run: no further export starts, downloads in progress stop, and receipts name who cancelled."""

import logging
from dataclasses import replace

import pytest

from pigment_export.errors import RetryableError
from pigment_export.events import Event
from pigment_export.runs.cancel import CHECK_SECONDS, cancel_run, stopping
from pigment_export.runs.follow import progress_of
from pigment_export.runs.work import messages_for, record_poison
from pigment_export.transfer.stream import Progress
from tests.harness.run_world import ASKED, CUT, HOUR, Seen, World, events
from tests.harness.stepping import Stepper, Striking, in_step


def test_what_has_not_begun_is_not_begun_and_its_receipt_says_who_cancelled_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    world = World("a", "b")
    claim = world.claim()
    world.deliver(claim.plan, "a")
    progress = cancel_run(world.runs(), claim.plan.run_id, "eve")
    assert progress is not None
    assert [told["asked_by"] for told in events(caplog, Event.RUN_CANCELLED)] == ["eve"]
    world.work(messages_for(claim.plan, claim.pending))
    assert world.fetched == ["a"]
    receipt = world.json(claim.plan.folder.receipt("b"))
    assert (receipt["state"], receipt["class"]) == ("failed", "cancelled")
    assert "by eve at 2026-11-24T06:00:00+00:00" in receipt["reason"]
    assert world.json(claim.plan.folder.result)["counts"] == {"failed": 1, "succeeded": 1}


def test_what_waits_for_its_next_try_ends_with_it_and_keeps_its_reason() -> None:
    world = World()
    claim = world.claim()
    world.says["revenue"] = RetryableError(CUT)
    with pytest.raises(RetryableError):
        world.deliver(claim.plan)
    cancel_run(world.runs(), claim.plan.run_id, "eve")
    world.deliver(claim.plan)
    assert "the stream was reset" in world.json(claim.plan.folder.receipt("revenue"))["reason"]
    assert world.result(claim.plan) == "failed"


@pytest.mark.parametrize("ahead", range(20))
def test_a_worker_in_step_with_a_cancellation_ends_with_a_receipt_that_agrees_with_the_file(ahead: int) -> None:
    world = World()
    plan = world.claim().plan
    worker = Stepper(lambda around: world.work(messages_for(plan, plan.names), world.runs(around)))
    canceller = Stepper(lambda around: cancel_run(world.runs(around), plan.run_id, "eve"))
    in_step(ahead, worker, canceller)
    assert [worker.error, canceller.error] == [None, None]
    published = world.is_there("revenue/dt=2026-11-24/revenue.csv")
    assert world.state(plan, "revenue") == ("succeeded" if published else "failed")
    assert world.result(plan) == world.state(plan, "revenue")
    assert world.under("revenue/_2") == []  # nothing staged is left


def test_a_transfer_stops_at_its_next_chunk_and_looks_only_every_few_seconds() -> None:
    world, seen, told = World(), Seen(), []
    plan = world.claim().plan
    listen = stopping(world.runs(seen), plan, told.append)
    for bytes_ in range(5):
        listen(Progress(bytes_, 0, 0))
    assert seen.requests == []
    world.pass_seconds(CHECK_SECONDS)
    listen(Progress(5, 0, 0))
    listen(Progress(6, 0, 0))
    assert seen.requests == [("read", plan.folder.cancel)]
    cancel_run(world.runs(), plan.run_id, "eve")
    listen(Progress(7, 0, 0))
    world.pass_seconds(CHECK_SECONDS)
    with pytest.raises(Exception, match="cancelled") as caught:
        listen(Progress(8, 0, 0))
    assert "by eve" in str(caught.value)
    assert [progress.bytes for progress in told] == list(range(9))


def test_a_run_that_has_ended_is_left_as_it_is() -> None:
    world, seen = World(), Seen()
    plan = world.claim().plan
    world.deliver(plan)
    progress = cancel_run(world.runs(seen), plan.run_id, "eve")
    assert progress is not None
    assert progress[1].state == "succeeded"
    assert seen.writes == []


def test_the_first_who_cancels_is_named() -> None:
    world = World()
    plan = world.claim().plan
    for name in ("eve", "mallory"):
        cancel_run(world.runs(), plan.run_id, name)
    assert world.json(plan.folder.cancel)["asked_by"] == "eve"


def test_a_lost_answer_of_a_cancellation_is_healed_and_logged_within_it(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(4):
        for applied in (False, True):
            world = World()
            plan = world.claim().plan
            caplog.clear()
            cancel_run(world.runs(Striking(number, applied=applied)), plan.run_id, "eve")
            assert world.json(plan.folder.cancel)["asked_by"] == "eve"
            assert len(events(caplog, Event.RUN_CANCELLED)) == 1


def test_another_deployments_run_and_no_run_at_all_are_not_cancelled() -> None:
    world = World()
    plan = world.claim(world.runs(deployment="other")).plan
    for run_id in (plan.run_id, "x", "20261124T060000Z-00000000000000ff"):
        assert cancel_run(world.runs(), run_id, "eve") is None
    assert not world.is_there(plan.folder.cancel)


def test_an_unreadable_cancellation_stops_the_run_all_the_same() -> None:
    world = World()
    plan = world.claim().plan
    world.lake.put(plan.folder.cancel, b"{", {})
    world.deliver(plan)
    assert world.json(plan.folder.receipt("revenue"))["class"] == "cancelled"


def test_a_cancelled_run_whose_messages_were_lost_is_ended_by_housekeeping() -> None:
    world = World()
    plan = world.claim().plan
    cancel_run(world.runs(), plan.run_id, "eve")
    world.lake.advance(HOUR)
    world.work(world.housekeeping())
    assert world.result(plan) == "failed"
    assert world.fetched == []


def test_poison_of_a_cancelled_run_says_so_too() -> None:
    world = World()
    plan = world.claim().plan
    cancel_run(world.runs(), plan.run_id, "eve")
    (text,) = messages_for(plan, plan.names)
    record_poison(world.runs(), text, queue="q")
    assert world.result(plan) == "failed"


def test_a_repeat_of_a_cancelled_runs_key_starts_nothing() -> None:
    world = World()
    plan = world.claim().plan
    cancel_run(world.runs(), plan.run_id, "eve")
    again = world.claim(asked=replace(ASKED))
    assert again.plan == plan
    world.work(messages_for(again.plan, again.pending))
    assert world.fetched == []
    progress = progress_of(world.runs(), plan.run_id)
    assert progress is not None
    assert progress[1].state == "failed"
