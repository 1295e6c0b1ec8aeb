"""Retry and release: a run of its own takes over from an earlier one."""

from dataclasses import replace
from datetime import date

import pytest

from pigment_export.errors import ConfigurationError, PermanentError
from pigment_export.runs.again import exports_to_retry, files_to_release
from pigment_export.runs.claim import Claim
from pigment_export.runs.plan import Plan
from tests.harness.run_world import ASKED, BODY, DAY, HOUR, REFUSED, World, export

SHORT = b"Country;Revenue\nFR;1.50\n"
FILE = "revenue/dt=2026-11-24/revenue.csv"


def held_world(*more: str) -> tuple[World, Plan]:
    """A world whose export `revenue` was held, an hour after a file of two rows was published."""
    world = World(export("revenue", maximum_shrink=0.2), *more)
    world.deliver(world.claim(asked=replace(ASKED, key="before")).plan, "revenue")
    world.lake.advance(HOUR)
    world.says["revenue"] = SHORT
    plan = world.claim().plan
    world.deliver(plan)
    assert world.state(plan, "revenue") == "held"
    return world, plan


def release(world: World, plan: Plan, *names: str, key: str = "release") -> Claim:
    asked = replace(ASKED, key=key, request={"release_of": plan.run_id, "exports": list(names)})
    return world.claim(asked=asked, choose=lambda: files_to_release(world.runs(), plan.run_id, names))


def test_a_held_file_is_released_by_a_run_of_its_own_and_keeps_its_day_and_when_it_was_fetched() -> None:
    world, plan = held_world("pnl")
    world.lake.advance(2 * DAY)
    claim = release(world, plan)
    assert (claim.plan.names, claim.plan.snapshot_date) == (("revenue",), date(2026, 11, 24))
    fetched = list(world.fetched)
    world.deliver(claim.plan)
    receipt = world.json(claim.plan.folder.receipt("revenue"))
    assert (receipt["state"], receipt["path"]) == ("succeeded", FILE)
    assert receipt["fetched_at"] == world.json(plan.folder.receipt("revenue"))["fetched_at"]
    assert world.lake.content(FILE) == SHORT
    assert world.fetched == fetched
    assert world.state(plan, "revenue") == "held"  # what that run came to does not change
    assert world.result(claim.plan) == "succeeded"


def test_a_released_file_never_replaces_a_newer_one() -> None:
    world, plan = held_world()
    world.lake.advance(HOUR)
    world.says["revenue"] = BODY
    world.deliver(world.claim(asked=replace(ASKED, key="newer")).plan)
    claim = release(world, plan)
    world.deliver(claim.plan)
    assert world.state(claim.plan, "revenue") == "superseded"
    assert world.lake.content(FILE) == BODY


def test_a_release_that_is_repeated_is_one_run_and_a_second_release_finds_nothing_left() -> None:
    world, plan = held_world()
    first = release(world, plan)
    assert release(world, plan).plan == first.plan
    world.deliver(first.plan)
    second = release(world, plan, key="again")
    world.deliver(second.plan)
    assert world.state(second.plan, "revenue") in ("superseded", "failed")
    assert world.lake.content(FILE) == SHORT


def test_what_cannot_be_released_is_told_whole() -> None:
    world, plan = held_world("pnl")
    with pytest.raises(ConfigurationError) as caught:
        files_to_release(world.runs(), plan.run_id, ["revenue", "pnl", "other"])
    assert caught.value.problems == (
        f"exports: 'pnl' is not held in the run {plan.run_id}: succeeded",
        f"exports: 'other' is not an export of the run {plan.run_id}",
    )
    good = world.claim(asked=replace(ASKED, key="good"), choose=lambda: [export("pnl")]).plan
    world.deliver(good)
    with pytest.raises(ConfigurationError, match="no export of the run"):
        files_to_release(world.runs(), good.run_id, [])
    with pytest.raises(ConfigurationError, match="this deployment has no run 'x'"):
        files_to_release(world.runs(), "x", [])


def test_what_failed_or_was_held_is_retried_by_its_own_definition() -> None:
    world, plan = held_world("pnl", "bad")
    assert [one.name for one in exports_to_retry(world.runs(), plan.run_id)] == ["revenue"]
    world.says["bad"] = PermanentError(REFUSED)
    other = world.claim(asked=replace(ASKED, key="bad"), choose=lambda: [export("bad", owner="then"), export("pnl")])
    with pytest.raises(PermanentError, match="run_not_ended"):
        exports_to_retry(world.runs(), other.plan.run_id)
    world.deliver(other.plan)
    (retried,) = exports_to_retry(world.runs(), other.plan.run_id)
    assert (retried.name, retried.owner) == ("bad", "then")


def test_nothing_is_retried_of_a_run_that_succeeded_or_is_not_there() -> None:
    world = World()
    plan = world.claim().plan
    world.deliver(plan)
    with pytest.raises(ConfigurationError, match="every export of the run"):
        exports_to_retry(world.runs(), plan.run_id)
    with pytest.raises(ConfigurationError, match="no run"):
        exports_to_retry(world.runs(deployment="other"), plan.run_id)
