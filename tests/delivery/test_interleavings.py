"""One export of one run: every order of a few workers' requests ends in one truth, and each condition is needed."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from pigment_export.delivery.decide import RecordFile, expired
from pigment_export.errors import PermanentError
from pigment_export.runs.plan import Plan
from tests.delivery.test_deliver import BIGGER, BODY, REFUSED, World
from tests.delivery.test_release import Releases
from tests.harness.interleave import Scene, explore, first_violation
from tests.harness.stepping import Around, Changed, unchanged, without


def scene(
    world: World,
    actors: Mapping[str, Callable[[Around], Any]],
    changed: Changed,
    *runs: tuple[Plan, Callable[[Plan], Any]],
) -> Scene:
    """Make a scene; a second passes with each request.

    Args:
        world: where it plays.
        actors: by name.
        changed: what becomes of the requests of each.
        *runs: each with what its message does when the queue brings it again, after a kill.
    """

    def ticking(around: Around) -> Around:
        def request(operation: str, path: str, call: Callable[[], Any]) -> Any:
            world.lake.advance(timedelta(seconds=1))
            return around(operation, path, call)

        return request

    def redeliver() -> None:
        for plan, work in runs:
            work(plan)

    return Scene(
        {name: lambda around, work=work: work(ticking(changed(around))) for name, work in actors.items()},
        check_now=world.check_now,
        check_end=lambda: world.check_end(*(plan for plan, _ in runs)),
        redeliver=redeliver,
    )


def two_workers(changed: Changed = unchanged) -> Scene:
    """Of one run: the queue has brought its message twice."""
    world = World()
    plan = world.plan()
    return scene(
        world,
        {"one": world.worker(plan, BODY), "other": world.worker(plan, BIGGER)},
        changed,
        (plan, lambda plan: world.deliver(plan, BODY)),
    )


def over_an_older_file(changed: Changed = unchanged) -> Scene:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    plan = world.plan()
    return scene(
        world,
        {"one": world.worker(plan, BIGGER), "other": world.worker(plan, BIGGER)},
        changed,
        (plan, lambda plan: world.deliver(plan, BODY)),
    )


def one_that_is_refused(changed: Changed = unchanged) -> Scene:
    world = World()
    plan = world.plan()
    refused = world.worker(plan, PermanentError(REFUSED))
    return scene(
        world,
        {"one": world.worker(plan, BODY), "refused": refused},
        changed,
        (plan, lambda plan: world.deliver(plan, BODY)),
    )


def one_that_is_held(changed: Changed = unchanged) -> Scene:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    plan = world.plan()
    held = world.worker(plan, b"Country;Revenue\n")
    world.bodies.add(b"Country;Revenue\n")
    return scene(
        world,
        {"one": world.worker(plan, BIGGER), "held": held},
        changed,
        (plan, lambda plan: world.deliver(plan, BODY)),
    )


def a_poison_message(changed: Changed = unchanged) -> Scene:
    """The queue has given the message up, and a late worker succeeds."""
    world = World()
    plan = world.plan()
    poison = world.settler(plan, expired(plan.expires_at))
    return scene(
        world,
        {"late": world.worker(plan, BODY), "poison": poison},
        changed,
        (plan, lambda plan: world.deliver(plan, BODY)),
    )


def two_runs(changed: Changed = unchanged) -> Scene:
    """Of one day: the one that looked later stays."""
    world = World()
    one, other = world.plan(), world.plan()
    actors = {"one": world.worker(one, BODY), "other": world.worker(other, BIGGER)}
    again = [(plan, lambda plan: world.deliver(plan, BODY)) for plan in (one, other)]
    return scene(world, actors, changed, *again)


def a_release_and_a_newer_run(changed: Changed = unchanged) -> Scene:
    world = Releases()
    release, newer = world.release_plan(), world.plan()
    actors = {"release": world.releaser(release), "newer": world.worker(newer, BIGGER)}
    return scene(world, actors, changed, (release, world.release), (newer, lambda plan: world.deliver(plan, BIGGER)))


def two_calls_of_a_release(changed: Changed = unchanged) -> Scene:
    world = Releases()
    release = world.release_plan()
    actors = {name: world.releaser(release) for name in ("one", "other")}
    return scene(world, actors, changed, (release, world.release))


SCENES = [
    two_workers,
    over_an_older_file,
    one_that_is_refused,
    one_that_is_held,
    a_poison_message,
    two_runs,
    a_release_and_a_newer_run,
    two_calls_of_a_release,
]


RELEASES = [a_release_and_a_newer_run, two_calls_of_a_release]  # many requests each
each_scene = pytest.mark.parametrize("build", SCENES, ids=lambda build: build.__name__)


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of deliveries would each leave their lines."""
    caplog.set_level(logging.CRITICAL, logger="pigment_export")


@each_scene
def test_every_order_with_one_preemption_or_one_kill_ends_in_one_truth(build: Callable[[], Scene]) -> None:
    assert explore(build, preemptions=1) > 20
    assert explore(build, preemptions=0, kills=1) > 20


@pytest.mark.long
@each_scene
def test_every_order_with_several_preemptions_ends_in_one_truth(build: Callable[[], Scene]) -> None:
    assert explore(build, preemptions=2 if build in RELEASES else 3) > 100


@pytest.mark.long
@each_scene
def test_every_order_with_a_kill_and_a_preemption_ends_in_one_truth(build: Callable[[], Scene]) -> None:
    assert explore(build, preemptions=1, kills=1) > 100


# Without one of the conditions, an order is found in which something does not hold.


CONDITIONS: dict[str, tuple[Changed, list[Callable[[Changed], Scene]]]] = {
    "6, of the rename on the destination": (without("replacing", "rename", "partial"), [two_runs, over_an_older_file]),
    "7 and 9, of the receipt": (without("replacing", "write", "receipts/"), [one_that_is_refused, one_that_is_held]),
    "8, of the record of the newest file": (without("replacing", "write", "_latest"), [two_runs]),
    "10, of the result": (without("replacing", "write", "result.json"), [one_that_is_refused, one_that_is_held]),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_is_needed(condition: str) -> None:
    changed, scenes = CONDITIONS[condition]
    assert any(first_violation(partial(build, changed), preemptions=2) for build in scenes)


def test_that_a_run_finds_its_own_file_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without "ours" in 2, a file of this run is fetched again, and its receipt then names a file that is not there."""
    monkeypatch.setattr(RecordFile, "of", classmethod(lambda *_: None))
    assert any(first_violation(build, preemptions=1, kills=1) for build in (a_poison_message, two_workers))


def test_that_the_result_is_read_before_the_listing_is_needed() -> None:
    """Read after it, a result of older receipts is written over one of newer ones."""

    def changed(around: Around) -> Around:
        kept: list[Callable[[], Any]] = []

        def request(asked: str, path: str, call: Callable[..., Any]) -> Any:
            if asked == "read" and path.endswith("result.json"):
                kept.append(call)
                return Later(kept)
            answer = around(asked, path, call)
            if asked == "list" and kept:
                kept.append(around("read", "result.json", kept.pop()))
            return answer

        return request

    scenes = [partial(build, changed) for build in (one_that_is_refused, one_that_is_held)]
    assert any(first_violation(build, preemptions=2) for build in scenes)


class Later:
    """A record that is read when it is asked for."""

    def __init__(self, kept: list[Any]) -> None:
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept[-1], name)
