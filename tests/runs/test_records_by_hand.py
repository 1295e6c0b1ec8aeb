"""Records that a person removed, or another tool copied without their metadata: the run ends all the same."""

import logging

import pytest

from pigment_export.events import Event
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import messages_for
from tests.harness.run_world import HOUR, World, events


@pytest.fixture(autouse=True)
def every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pigment_export")


def ended(world: World) -> Plan:
    plan = world.claim().plan
    world.deliver(plan)
    return plan


def strip(world: World, path: str) -> None:
    """Copy a record over itself without its metadata."""
    data = world.lake.content(path)
    world.lake.delete(path)
    world.lake.put(path, data, {})


@pytest.mark.parametrize("hours", [1, 8])
def test_a_result_that_was_removed_is_written_again(hours: int) -> None:
    world = World("a", "b")
    plan = ended(world)
    before = world.json(plan.folder.result)
    world.lake.delete(plan.folder.result)
    world.lake.advance(hours * HOUR)
    world.housekeeping()
    assert world.json(plan.folder.result) == before


@pytest.mark.parametrize("hours", [2, 8])
def test_a_receipt_without_its_metadata_keeps_no_run_from_its_end(hours: int) -> None:
    world = World("a", "b")
    plan = world.claim().plan
    world.deliver(plan, "a")
    strip(world, plan.folder.receipt("a"))
    world.deliver(plan, "b")
    assert world.result(plan) == "succeeded"
    world.lake.delete(plan.folder.result)
    world.lake.delete(plan.folder.success)
    world.lake.advance(hours * HOUR)
    world.work(world.housekeeping())
    assert world.result(plan) == "succeeded"
    assert world.is_there(plan.folder.success)
    assert world.fetched == ["a", "b"]


def test_a_receipt_that_was_removed_is_made_again_from_the_file() -> None:
    world = World()
    plan = ended(world)
    before = world.json(plan.folder.receipt("revenue"))
    world.lake.delete(plan.folder.receipt("revenue"))
    world.work(messages_for(plan, plan.names))
    again = world.json(plan.folder.receipt("revenue"))
    assert {**again, "ended_at": before["ended_at"]} == before
    assert world.fetched == ["revenue"]


def test_a_failure_that_is_corrected_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The queue gave up, and then the file was there after all."""
    world = World()
    plan = ended(world)
    receipt = plan.folder.receipt("revenue")
    good = world.json(receipt)
    failed = {name: good[name] for name in ("run_id", "name", "snapshot_date", "deployment", "path", "folder")}
    world.lake.delete(receipt)
    world.lake.put(receipt, str({**failed, "state": "failed"}).replace("'", '"').encode(), {"pigment_state": "failed"})
    caplog.clear()
    world.lake.delete(plan.folder.success)
    world.lake.advance(8 * HOUR)
    world.housekeeping()
    (told,) = events(caplog, Event.EXPORT_ENDED)
    assert (told["state"], told["corrects"]) == ("succeeded", "failed")
    assert world.state(plan, "revenue") == "succeeded"
