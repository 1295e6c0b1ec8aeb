"""Releasing a held file: a run of its own, that may replace an older file of its day, never a newer one."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.delivery.release import RELEASED, release
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import Plan
from tests.delivery.test_deliver import BODY, DAY, LATEST, World
from tests.harness.stepping import Around, Killed, Stepper, Striking, in_step

SHORT = b"Country;Revenue\nFR;1.50\n"


class Releases(World):
    """A lake with a held file, and runs that release it."""

    def __init__(self, **definition: Any) -> None:
        super().__init__(**{"minimum_rows": 2, **definition})
        self.bodies.add(SHORT)
        self.before = self.plan()
        self.deliver(self.before, BODY)
        self.lake.advance(timedelta(hours=1))
        self.origin = self.plan()
        self.receipt_held = self.deliver(self.origin, SHORT)
        self.lake.advance(timedelta(hours=1))

    def release_plan(self) -> Plan:
        plan = self.plan()
        planned = plan.exports[0].model_copy(update={"held": self.receipt_held.held_file})
        return plan.model_copy(update={"exports": (planned,)})

    def releaser(self, plan: Plan) -> Callable[[Around], Receipt]:
        def work(around: Around) -> Receipt:
            (planned,) = plan.exports
            assert planned.held
            receipt = release(Reconciler(self.call(around), plan.task(planned)), planned.held, self.new_nonce)
            finish_run(self.call(around), plan)
            return receipt

        return work

    def release(self, plan: Plan) -> Receipt:
        return self.releaser(plan)(Striking(None))


def test_a_released_file_replaces_an_older_one_and_keeps_when_it_was_fetched() -> None:
    world = Releases()
    assert world.receipt_held.state is State.HELD
    plan = world.release_plan()
    receipt = world.release(plan)
    assert receipt.state is State.SUCCEEDED
    assert world.lake.content(DAY) == SHORT
    assert receipt.fetched_at == world.receipt_held.fetched_at
    assert receipt.snapshot_date == world.receipt_held.snapshot_date
    assert (receipt.sha256, receipt.bytes) == (world.receipt_held.sha256, len(SHORT))
    assert receipt.columns == ("Country", "Revenue")
    assert RELEASED in receipt.notes
    assert world.receipt_held.path not in world.lake.paths()
    assert [record for record in world.lake.paths() if record.endswith(".partial")] == []
    world.check_end(plan)


def test_a_compressed_file_is_released_as_it_was_held() -> None:
    world = Releases(gzip=True)
    assert world.receipt_held.state is State.HELD
    plan = world.release_plan()
    receipt = world.release(plan)
    assert (receipt.state, receipt.path) == (State.SUCCEEDED, f"{DAY}.gz")
    assert gzip.decompress(world.lake.content(receipt.path)) == SHORT
    assert (receipt.bytes, receipt.sha256) == (world.receipt_held.bytes, world.receipt_held.sha256)
    assert (receipt.content_bytes, receipt.columns) == (len(SHORT), ("Country", "Revenue"))


def test_a_plan_keeps_which_file_it_releases() -> None:
    plan = Releases().release_plan()
    assert Plan.from_json(plan.to_json()) == plan


def test_a_newer_file_is_never_replaced_and_what_is_held_stays() -> None:
    world = Releases()
    newer = world.plan()
    world.deliver(newer, BODY + b"ES;3.50\n")
    plan = world.release_plan()
    assert world.release(plan).state is State.SUPERSEDED
    assert world.lake.content(world.receipt_held.path) == SHORT
    world.check_end(newer, plan)


def test_a_file_is_released_days_later_for_its_own_day() -> None:
    world = Releases()
    day = world.origin.snapshot_date
    world.lake.advance(timedelta(days=3))
    plan = world.plan(day=day)
    planned = plan.exports[0].model_copy(update={"held": world.receipt_held.held_file})
    plan = plan.model_copy(update={"exports": (planned,)})
    assert world.release(plan).state is State.SUCCEEDED
    assert world.lake.content(DAY) == SHORT


def test_a_file_that_is_gone_or_was_changed_is_not_released() -> None:
    gone = Releases()
    gone.lake.delete(gone.receipt_held.path)
    plan = gone.release_plan()
    assert gone.release(plan).code == "held_file_gone"
    gone.check_end(plan)
    for data in (b"Country;Revenue\nFR;9.50\n", b"x"):
        changed = Releases()
        metadata = dict(changed.lake.look(changed.receipt_held.path).metadata)
        changed.lake.delete(changed.receipt_held.path)
        changed.lake.put(changed.receipt_held.path, data, metadata)
        plan = changed.release_plan()
        assert changed.release(plan).code == "held_file_changed"
        assert changed.lake.content(DAY) == BODY
        changed.check_end(plan)


def test_of_two_runs_that_release_the_same_file_one_publishes_it_and_the_other_finds_it_there() -> None:
    world = Releases()
    one, other = world.release_plan(), world.release_plan()
    assert world.release(one).state is State.SUCCEEDED
    assert world.release(other).state is State.SUPERSEDED
    world.check_end(one, other)


def requests_of_a_release() -> int:
    world = Releases()
    watch = Striking(None)
    world.releaser(world.release_plan())(watch)
    return len(watch.requests)


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_release_that_is_killed_at_any_request_is_finished_by_the_next_call(*, applied: bool) -> None:
    for number in range(requests_of_a_release()):
        world = Releases()
        plan = world.release_plan()
        with pytest.raises(Killed):
            world.releaser(plan)(Striking(number, applied=applied, kill=True))
        world.check_now()
        assert world.release(plan).state is State.SUCCEEDED, number
        assert world.lake.content(DAY) == SHORT
        world.check_end(plan)


@pytest.mark.parametrize("applied", [False, True], ids=["dropped", "lost_answer"])
def test_a_request_of_a_release_without_an_answer_is_healed_within_the_call(*, applied: bool) -> None:
    for number in range(requests_of_a_release()):
        world = Releases()
        plan = world.release_plan()
        assert world.releaser(plan)(Striking(number, applied=applied)).state is State.SUCCEEDED, number
        world.check_end(plan)


def test_two_calls_of_one_release_in_any_step_with_each_other_come_to_one_truth() -> None:
    for ahead in range(requests_of_a_release()):
        world = Releases()
        plan = world.release_plan()
        one, other = Stepper(world.releaser(plan)), Stepper(world.releaser(plan))
        in_step(ahead, one, other, world.check_now)
        assert [one.error, other.error] == [None, None], ahead
        world.check_end(plan)
        assert world.lake.content(DAY) == SHORT


def test_a_release_at_any_moment_of_a_newer_fetch_never_wins_over_it() -> None:
    for moment in range(20):
        world = Releases()
        newer = world.plan()
        worker = Stepper(world.worker(newer, BODY + b"ES;3.50\n"))
        for _ in range(moment):
            worker.step()
        plan = world.release_plan()
        world.release(plan)
        worker.finish()
        assert worker.error is None
        assert world.lake.content(DAY) == BODY + b"ES;3.50\n"
        world.check_end(newer, plan)


def test_the_record_of_the_newest_file_does_not_go_back_by_a_release() -> None:
    world = Releases()
    world.release(world.release_plan())
    assert world.json(LATEST)["fetched_at"] == world.receipt_held.to_fields()["fetched_at"]
