"""Runs: every order of the requests of claims, ticks, workers and housekeeping ends in one truth."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pigment_export.catalog.file import Catalog
from pigment_export.delivery.receipt import Receipt, Result
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import messages_for, process_message, record_poison
from tests.harness.interleave import Scene, explore
from tests.harness.run_world import ASKED, DAY, HOUR, World, export
from tests.harness.stepping import Around

FILE = "revenue/dt=2026-11-24/revenue.csv"


class Queue:
    """The messages that the actors send, and what becomes of them when the queue brings them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[str] = []

    def sending(self, work: Callable[[Around], Sequence[str]]) -> Callable[[Around], None]:
        """An actor whose messages are sent once it has ended: what a killed one returns never is."""

        def actor(around: Around) -> None:
            self.sent += work(around)

        return actor

    def bring(self) -> None:
        """Bring every message, as workers that nothing disturbs."""
        while self.sent:
            self.world.work([self.sent.pop(0)])


def claiming(world: World, **changes: Any) -> Callable[[Around], Sequence[str]]:
    def work(around: Around) -> Sequence[str]:
        claim = world.claim(world.runs(around), **changes)
        return messages_for(claim.plan, claim.pending)

    return work


def check(world: World) -> None:
    """What holds when all messages have been worked on: every claim is one run, which has ended as its receipts say."""
    plans = [Plan.from_json(world.lake.content(path)) for path in world.claims()]
    assert sorted(world.plans()) == sorted(plan.folder.plan for plan in plans)
    for plan in plans:
        assert {plan.folder.result, *map(plan.folder.receipt, plan.names)} <= set(world.lake.paths()), "it never ended"
        assert Plan.from_json(world.lake.content(plan.folder.plan)) == plan
        receipts = [Receipt.from_json(world.lake.content(plan.folder.receipt(name))) for name in plan.names]
        result = Result.from_json(world.lake.content(plan.folder.result))
        assert [(row.name, row.state, row.nonce) for row in result.exports] == [
            (receipt.name, receipt.state, receipt.nonce) for receipt in receipts
        ]
        assert world.is_there(plan.folder.success) == result.succeeded
        for receipt in receipts:
            assert receipt.state.final
            metadata = world.lake.look(receipt.path).metadata if receipt.state == "succeeded" else {}
            assert metadata.get("pigment_nonce", receipt.nonce) == receipt.nonce


def scene(world: World, queue: Queue, actors: Mapping[str, Callable[[Around], Any]], again: Callable[[], Any]) -> Scene:
    """A scene that ends with the queue's messages; after a kill with what comes by later.

    Args:
        world: where it plays.
        queue: of the messages.
        actors: by name.
        again: what comes by after a kill.
    """

    def redeliver() -> None:
        world.lake.advance(2 * HOUR)  # longer than a call may live: housekeeping takes the run for lifeless
        again()

    def check_end() -> None:
        queue.bring()
        check(world)

    return Scene(actors, check_now=lambda: None, check_end=check_end, redeliver=redeliver)


def housekept(world: World, queue: Queue) -> Callable[[], None]:
    def again() -> None:
        queue.sent += world.housekeeping()

    return again


def two_claims_of_one_key() -> Scene:
    """With the catalog changed in between: both are the same run."""
    world = World("a", "b")
    queue = Queue(world)
    actors = {
        "one": queue.sending(claiming(world)),
        "other": queue.sending(claiming(world, choose=lambda: [export("a"), export("c")])),
    }
    return scene(world, queue, actors, housekept(world, queue))


def a_claim_and_housekeeping() -> Scene:
    world = World("a", "b")
    queue = Queue(world)
    actors = {
        "claim": queue.sending(claiming(world)),
        "housekeeping": queue.sending(lambda around: world.housekeeping(world.runs(around))),
    }
    return scene(world, queue, actors, housekept(world, queue))


def two_ticks() -> Scene:
    """Of two instances, or one that is late: an occurrence is one run, and none of its messages is lost."""
    world = World(export("a"), export("b"))
    world.tick()  # the schedule is seen for the first time
    world.lake.advance(DAY)
    queue = Queue(world)
    actors = {name: queue.sending(lambda around: world.tick(world.runs(around))) for name in ("one", "other")}

    def again() -> None:
        queue.sent += world.tick()
        queue.sent += world.housekeeping()

    return scene(world, queue, actors, again)


def two_ticks_with_the_catalog_changed() -> Scene:
    """In between: no export of an occurrence is in two runs, whichever catalog its tick has read."""
    world = World(export("a"), export("b"))
    world.tick()
    world.lake.advance(DAY)
    queue = Queue(world)
    changed = Catalog("exports.toml", (export("a"), export("b"), export("c")))
    actors = {
        "before": queue.sending(lambda around: world.tick(world.runs(around))),
        "after": queue.sending(lambda around: world.tick(world.runs(around), catalog=lambda: changed)),
    }

    def again() -> None:
        queue.sent += world.tick(catalog=lambda: changed)
        queue.sent += world.housekeeping()

    made = scene(world, queue, actors, again)

    def check_end() -> None:
        made.check_end()
        for runs in world.occurrences().values():
            names = [name for run in runs for name in run]
            assert len(names) == len(set(names)), runs
        assert {"a", "b"} <= set(world.fetched)

    return replace(made, check_end=check_end)


def two_exports_of_one_run() -> Scene:
    """The last one ends the run, whichever it is."""
    world = World("a", "b")
    queue = Queue(world)
    texts = messages_for(world.claim().plan, ("a", "b"))

    def worker(text: str) -> Callable[[Around], Any]:
        return lambda around: process_message(world.runs(around), text)

    def again() -> None:
        queue.sent += texts

    return scene(world, queue, {"a": worker(texts[0]), "b": worker(texts[1])}, again)


def housekeeping_and_a_late_worker() -> Scene:
    """The run has expired, its last call still works: what it publishes is told, whoever is first."""
    world = World()
    queue = Queue(world)
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)
    world.lake.advance(6 * HOUR - timedelta(seconds=1))
    began = world.lake.now()

    def late(around: Around) -> Any:
        return process_message(world.runs(around), text)

    def keeping(around: Around) -> Any:
        def later(operation: str, path: str, call: Callable[[], Any]) -> Any:
            if world.lake.now() == began:
                world.lake.advance(timedelta(minutes=59))  # the call may live an hour, and has just begun
            return around(operation, path, call)

        return world.housekeeping(world.runs(later))

    def again() -> None:
        world.housekeeping()

    def check_end() -> None:
        world.lake.advance(2 * HOUR)
        world.housekeeping()
        check(world)

    made = scene(world, queue, {"late": late, "housekeeping": keeping}, again)
    return replace(made, check_end=check_end)


def poison_and_a_late_success() -> Scene:
    world = World()
    queue = Queue(world)
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)
    actors: dict[str, Callable[[Around], Any]] = {
        "late": lambda around: process_message(world.runs(around), text),
        "poison": lambda around: record_poison(world.runs(around), text, queue="q"),
    }

    def again() -> None:
        queue.sent.append(text)

    return scene(world, queue, actors, again)


def retention(
    *others: Callable[[World], Callable[[Around], Any]], deployment: str = "app", kept: timedelta = 30 * DAY
) -> Callable[[], Scene]:
    """A run is old enough to be removed, and something comes by: nothing of it is written again, and its file stays.

    Args:
        *others: what comes by.
        deployment: whose housekeeping removes it.
        kept: for how long that keeps records.
    """

    def build() -> Scene:
        world = World()
        plan = world.claim().plan
        world.deliver(plan)
        world.lake.advance(kept + DAY)

        def removing(around: Around | None = None) -> list[str]:
            return world.housekeeping(world.runs(around, deployment=deployment), retention=kept)

        actors: dict[str, Callable[[Around], Any]] = {
            "retention": removing,
            **{f"other{number}": other(world) for number, other in enumerate(others)},
        }

        def check_end() -> None:
            for _ in range(2):
                removing()
                world.housekeeping()
            assert world.under("_runs/dt=2026-11-24") == []
            assert world.is_there(FILE)

        return Scene(actors, check_now=lambda: None, check_end=check_end, redeliver=lambda: None)

    return build


def a_repeat(world: World) -> Callable[[Around], Any]:
    return lambda around: world.claim(world.runs(around))


def a_leftover_message(world: World) -> Callable[[Around], Any]:
    (text,) = messages_for(Plan.from_json(world.lake.content(world.claims()[0])), ("revenue",))
    return lambda around: process_message(world.runs(around), text)


def its_own_deployment(world: World) -> Callable[[Around], Any]:
    return lambda around: world.housekeeping(world.runs(around))


def another_deployment(world: World) -> Callable[[Around], Any]:
    """It keeps records for longer."""
    return lambda around: world.housekeeping(world.runs(around, deployment="other"), retention=90 * DAY)


def a_sweep_and_a_live_worker() -> Scene:
    """Of another run: what it has staged is young, and stays."""
    world = World("revenue")
    world.deliver(world.claim().plan)
    world.lake.advance(2 * DAY)
    queue = Queue(world)
    plan = world.claim(asked=replace(ASKED, key="tuesday")).plan
    (text,) = messages_for(plan, plan.names)
    actors: dict[str, Callable[[Around], Any]] = {
        "worker": lambda around: process_message(world.runs(around), text),
        "sweep": lambda around: world.housekeeping(world.runs(around)),
    }

    def again() -> None:
        queue.sent.append(text)

    made = scene(world, queue, actors, again)
    return replace(made, is_shared=lambda _: True)


SCENES: dict[str, Callable[[], Scene]] = {
    "two claims of one key": two_claims_of_one_key,
    "a claim and housekeeping": a_claim_and_housekeeping,
    "two ticks": two_ticks,
    "two ticks with the catalog changed": two_ticks_with_the_catalog_changed,
    "two exports of one run": two_exports_of_one_run,
    "housekeeping and a late worker": housekeeping_and_a_late_worker,
    "poison and a late success": poison_and_a_late_success,
    "retention and a repeat": retention(a_repeat),
    "retention and a leftover message": retention(a_leftover_message),
    "retention and another deployment": retention(another_deployment),
    "retention by another deployment": retention(its_own_deployment, deployment="other", kept=8 * DAY),
    "a sweep and a live worker": a_sweep_and_a_live_worker,
}
each_scene = pytest.mark.parametrize("name", SCENES)


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of calls would each leave their lines."""
    caplog.set_level(logging.CRITICAL, logger="pigment_export")


@each_scene
def test_every_order_with_one_preemption_or_one_kill_ends_in_one_truth(name: str) -> None:
    assert explore(SCENES[name], preemptions=1) > 5
    assert explore(SCENES[name], preemptions=0, kills=1) > 5


@pytest.mark.long
@each_scene
def test_every_order_with_two_preemptions_ends_in_one_truth(name: str) -> None:
    assert explore(SCENES[name], preemptions=2) > 20


@pytest.mark.long
@each_scene
def test_every_order_with_a_kill_and_a_preemption_ends_in_one_truth(name: str) -> None:
    assert explore(SCENES[name], preemptions=1, kills=1) > 20
