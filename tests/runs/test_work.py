"""The queue's messages: whatever comes is worked off, settled, or logged and dropped."""

import logging
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.errors import RetryableError
from pigment_export.events import Event
from pigment_export.runs.finish import FEW
from pigment_export.runs.follow import progress_of
from pigment_export.runs.work import GAVE_UP, message_for, messages_for, named_in, process_message, record_poison
from tests.harness.run_world import ASKED, BODY, CUT, DAY, HOUR, Seen, World, events
from tests.harness.stepping import Stepper

FILE = "revenue/dt=2026-11-24/revenue.csv"
MOST_TRIES = 15  # as host.json says
WAIT = timedelta(minutes=5)


def poison(world: World, text: str) -> object:
    return record_poison(world.runs(), text, queue="exports-poison")


@settings(max_examples=200, deadline=None)
@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(repr))
def test_any_text_is_dropped_and_nothing_is_written(text: str) -> None:
    world = World()
    assert process_message(world.runs(), text) is None
    assert poison(world, text) == []
    assert world.lake.paths() == []


@given(st.text(), st.text())
def test_a_message_is_read_as_it_was_written(run_id: str, name: str) -> None:
    assert named_in(message_for(run_id, name)) == (run_id, name)


def test_a_message_of_no_run_or_no_export_or_an_unreadable_plan_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    world = World("revenue", "pnl")
    plan = world.claim().plan
    texts = [
        message_for("20261124T060000Z-00000000000000ff", "revenue"),
        message_for(plan.run_id, "another"),
        message_for(f"../{plan.run_id}", "revenue"),
    ]
    assert world.work(texts) == [None] * 3
    world.break_record(plan.folder.plan)
    assert world.work(messages_for(plan, ("revenue",))) == [None]
    reasons = [dropped["reason"] for dropped in events(caplog, Event.MESSAGE_DROPPED)]
    assert reasons[:3] == ["there is no such run", "the run has no such export", "there is no such run"]
    assert "run.json is not in this app's format" in reasons[3]
    assert world.fetched == []


def test_records_that_are_nested_without_end_are_unreadable_and_no_mistake_of_ours() -> None:
    world = World()
    plan = world.claim().plan
    for path in (plan.folder.receipt("revenue"), plan.folder.result, "revenue/_latest.json"):
        world.lake.put(path, b"[" * 200_000, {})
    (text,) = messages_for(plan, plan.names)
    broken = progress_of(world.runs(), plan.run_id)
    assert broken is not None
    assert (broken[1].state, broken[1].receipts) == ("failed", {})
    world.work([text])
    assert (world.state(plan, "revenue"), world.result(plan)) == ("succeeded", "succeeded")
    world.lake.delete(plan.folder.plan)
    world.lake.put(plan.folder.plan, b"[" * 200_000, {})
    assert world.work([text]) == [None]


@pytest.mark.parametrize(
    ("size", "asked"), [(FEW, {"names": 0, "list": FEW}), (FEW + 2, {"names": FEW + 2, "list": 1})]
)
def test_the_calls_of_a_large_run_list_metadata_only_when_all_receipts_are_there(
    size: int, asked: dict[str, int]
) -> None:
    """Each would pay for all rows, to find that others are not done; the run ends with its last export all the same."""
    world, seen = World(*(f"e{number}" for number in range(size))), Seen()
    plan = world.claim().plan
    for text in messages_for(plan, plan.names):
        assert world.result(plan) is None
        process_message(world.runs(seen), text)
    assert world.result(plan) == "succeeded"
    assert {operation: seen.paths(operation).count(f"{plan.folder.path}/") for operation in asked} == asked


def test_poison_settles_with_the_reason_of_the_last_try(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)
    world.says["revenue"] = RetryableError(CUT)
    with pytest.raises(RetryableError):
        world.work([text])
    world.lake.advance(DAY)
    assert poison(world, text) == []
    receipt = world.json(plan.folder.receipt("revenue"))
    assert (receipt["state"], receipt["class"]) == ("failed", CUT.code)
    assert f"The last attempt failed: {CUT.reason}" in receipt["reason"]
    assert world.result(plan) == "failed"
    (recorded,) = events(caplog, Event.POISON_RECORDED)
    assert (recorded["queue"], recorded["name"], recorded["state"]) == ("exports-poison", "revenue", "failed")


def test_poison_of_an_export_that_is_retried_is_sent_again_until_its_run_expires(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)
    world.says["revenue"] = RetryableError(CUT)
    with pytest.raises(RetryableError):
        world.work([text])
    assert poison(world, text) == [text]
    (recorded,) = events(caplog, Event.POISON_RECORDED)
    assert (recorded["state"], world.state(plan, "revenue")) == ("retrying", "retrying")
    world.says["revenue"] = BODY
    world.work([text])
    assert world.result(plan) == "succeeded"


def test_poison_of_an_export_without_a_receipt_says_that_the_queue_gave_up() -> None:
    world = World()
    plan = world.claim().plan
    poison(world, messages_for(plan, plan.names)[0])
    assert world.json(plan.folder.receipt("revenue"))["class"] == GAVE_UP.code


def test_poison_never_tells_failed_what_is_there() -> None:
    world = World()
    plan = world.claim().plan
    world.deliver(plan)
    for path in (plan.folder.receipt("revenue"), plan.folder.result, plan.folder.success):
        world.lake.delete(path)
    poison(world, messages_for(plan, plan.names)[0])
    assert (world.state(plan, "revenue"), world.result(plan)) == ("succeeded", "succeeded")


def test_a_message_after_expiry_fetches_nothing_and_leaves_yesterdays_file() -> None:
    world = World()
    world.deliver(world.claim().plan)
    late = world.claim(asked=type(ASKED)("http", "late", "ann", {}))
    before = world.lake.content(FILE)
    world.fetched.clear()
    world.says["revenue"] = BODY + b"ES;9\n"
    world.lake.advance(DAY)
    world.work(messages_for(late.plan, late.pending))
    assert (world.state(late.plan, "revenue"), world.fetched) == ("failed", [])
    assert world.lake.content(FILE) == before


def test_every_dependency_out_for_an_hour_in_mid_run_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    world = World("revenue", "pnl")
    claimed = world.claim()
    first, second = messages_for(claimed.plan, claimed.pending)
    world.work([first])
    world.out_until = world.lake.now() + HOUR
    for _ in range(MOST_TRIES):
        try:
            world.work([second])
        except RetryableError:
            world.lake.advance(WAIT)
        else:
            break
    assert world.result(claimed.plan) == "succeeded"
    assert world.lake.now() >= world.out_until


def test_a_duplicate_that_is_given_up_while_the_first_still_works_ends_as_succeeded() -> None:
    world = World()
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)
    first = Stepper(lambda around: process_message(world.runs(around), text))
    for _ in range(6):
        first.step()
    poison(world, text)
    assert world.state(plan, "revenue") == "failed"
    first.finish()
    assert first.error is None
    assert (world.state(plan, "revenue"), world.result(plan)) == ("succeeded", "succeeded")
    status = progress_of(world.runs(), plan.run_id)
    assert status is not None
    assert status[1].state == "succeeded"


@pytest.mark.parametrize("size", [60, pytest.param(500, marks=pytest.mark.long)])
def test_many_exports_of_one_run_end_with_one_result_and_ask_pigment_once_each(size: int) -> None:
    world = World(*(f"e{number:03}" for number in range(size)))
    claim = world.claim()
    receipts = world.work(messages_for(claim.plan, claim.pending))
    assert {str(receipt.state) for receipt in receipts if receipt} == {"succeeded"}
    assert world.json(claim.plan.folder.result)["counts"] == {"succeeded": size}
    assert sorted(world.fetched) == sorted(claim.plan.names)
    assert world.is_there(claim.plan.folder.success)
