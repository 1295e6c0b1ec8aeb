"""Each condition of the protocol is needed: one order in which it holds, and without which something breaks.

Beside the exhaustive orders (`test_interleavings.py` here and in `tests/delivery`): those find the conditions of the
claim, of the rename's destination, of receipts, `_latest.json` and result by themselves. What no order can show:

- `create`, only where nothing is, and the rename to `_held/`: both paths carry a nonce of 64 random bits that only one
  attempt has, so nothing else is ever written there. The condition turns a nonce that came twice (a copied virtual
  machine) into a conflict, and with it into another nonce.
- The folder of a day, only where nothing is: as often as it is made, it is the same folder; the condition keeps its
  access list from being replaced. That these three are sent is held by `tests/azure/test_lake_contract.py`.
- Deletes of staged and held files, probes and a run's records have no condition, and need none: the paths carry a run's
  id or a nonce and are never written for anything else. That nothing live is deleted is a matter of age and order. Only
  a claim's path is made of its key, which a caller may use again.
- That a run's result is removed last of its records (which its name alone would bring about): a repeat is answered "has
  ended" meanwhile, not "has expired". Once `run.json` is gone, no pass takes the run for an open one.
- That a repeat copies a claim only until its run expires (24 hours at most) and housekeeping only for seven days: no
  `RETENTION_DAYS` is below eight, so no copy comes after a removal, unless a request arrives a day late.

Rules by which housekeeping removes held files and leaves other deployments' claims alone: `test_housekeeping.py`.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pigment_export.catalog.file import Catalog
from pigment_export.delivery.receipt import State
from pigment_export.errors import PermanentError, RetryableError
from pigment_export.events import Event
from pigment_export.runs import survey, sweep
from pigment_export.runs.again import files_to_release
from pigment_export.runs.cancel import cancel_run
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import messages_for, process_message, record_poison
from tests.harness.interleave import Move, Scene, ViolationError, direct
from tests.harness.run_world import ASKED, BODY, CUT, DAY, HOUR, REFUSED, World, events, export
from tests.harness.stepping import Around, Changed, Late, at, unchanged, without
from tests.runs.test_interleavings import Queue, check, claiming, scene

MINUTE = timedelta(minutes=1)
SHORT = b"Country;Revenue\nFR;1.50\n"

type Told = Callable[[Event], list[dict[str, Any]]]
"""The events of a name that were logged so far."""
type Directed = tuple[Scene, Sequence[Move]]
type Actors = Mapping[str, Callable[[Around], Any]]
type Build = Callable[[Changed, Told], Directed]


def ending(world: World, queue: Queue, actors: Actors, check_more: Callable[[], None] = lambda: None) -> Scene:
    """A scene after whose messages all claims are runs that have ended, and something more holds."""

    def check_end() -> None:
        queue.bring()
        check(world)
        check_more()

    return replace(scene(world, queue, actors, lambda: None), check_end=check_end, redeliver=lambda: None)


def working(world: World, queue: Queue, text: str, changed: Changed) -> Callable[[Around], None]:
    """A worker whose message the queue brings again where it was not settled."""

    def actor(around: Around) -> None:
        try:
            process_message(world.runs(changed(around)), text)
        except RetryableError:
            queue.sent.append(text)

    return actor


# run.json


def a_run_is_told_once(changed: Changed, told: Told) -> Directed:
    """Two calls with one key, of which each copies the claim."""
    world = World("a", "b")
    queue = Queue(world)

    def work(around: Around) -> Sequence[str]:
        return claiming(world)(changed(around))

    def check_more() -> None:
        assert len(told(Event.RUN_STARTED)) == 1

    actors = {name: queue.sending(work) for name in ("one", "other")}
    moves: list[Move] = [("one", at("write", "run.json")), ("other", "ends"), ("one", "ends")]
    return ending(world, queue, actors, check_more), moves


def a_repeat_that_dies_is_no_sign_of_life(changed: Changed, _: Told) -> Directed:
    """Messages are lost, and lost again with each repeat: an hour after the claim, housekeeping sends them."""
    world = World("a", "b")
    queue = Queue(world)

    def repeat(around: Around) -> None:
        world.lake.advance(50 * MINUTE)
        claiming(world)(changed(around))

    def keeping(around: Around) -> Sequence[str]:
        world.lake.advance(15 * MINUTE)
        return world.housekeeping(world.runs(changed(around)))

    actors: Actors = {
        "claim": lambda around: claiming(world)(changed(around)),  # what it returns is never sent
        "repeat": repeat,
        "housekeeping": queue.sending(keeping),
    }
    moves: list[Move] = [("claim", "ends"), ("repeat", at("list")), ("repeat", "dies"), ("housekeeping", "ends")]
    return ending(world, queue, actors), moves


# The end of a run


def a_result_is_that_of_the_newest_receipts(changed: Changed, _: Told) -> Directed:
    """The poison's pass has listed `failed`; the late worker corrects it, and ends the run before the pass writes."""
    world = World()
    queue = Queue(world)
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)

    def poison(around: Around) -> None:
        record_poison(world.runs(changed(around)), text, queue="q")

    actors = {"late": working(world, queue, text, changed), "poison": poison}
    moves: list[Move] = [
        ("late", at("rename", nth=2)),  # the first finds no folder of its day
        ("poison", at("write", "result.json")),
        ("late", "ends"),
        ("poison", "ends"),
    ]
    return ending(world, queue, actors), moves


def the_marker_is_written_once(changed: Changed, _: Told) -> Directed:
    """What starts on `_SUCCESS` starts once: both workers have listed the run without it."""
    world = World("a", "b")
    queue = Queue(world)
    plan = world.claim().plan
    texts = messages_for(plan, ("a", "b"))
    written = Counter[str]()

    def counting(around: Around) -> Around:
        def request(operation: str, path: str, call: Callable[..., Any]) -> Any:
            answer = changed(around)(operation, path, call)
            written[path] += operation == "write"
            return answer

        return request

    def check_more() -> None:
        assert written[plan.folder.success] == 1

    actors = {name: working(world, queue, text, counting) for name, text in zip("ab", texts, strict=True)}
    moves: list[Move] = [
        ("a", at("read", "result.json")),
        ("b", at("write", "_SUCCESS")),
        ("a", "ends"),
        ("b", "ends"),
    ]
    return ending(world, queue, actors, check_more), moves


def who_cancelled_first_stays(changed: Changed, told: Told) -> Directed:
    world = World()
    queue = Queue(world)
    plan = world.claim().plan
    queue.sent += messages_for(plan, plan.names)

    def canceller(name: str) -> Callable[[Around], Any]:
        return lambda around: cancel_run(world.runs(changed(around)), plan.run_id, name)

    def check_more() -> None:
        assert [event["asked_by"] for event in told(Event.RUN_CANCELLED)] == ["bob"]
        assert world.json(plan.folder.cancel)["asked_by"] == "bob"

    moves: list[Move] = [("ann", at("write", "cancel.json")), ("bob", "ends"), ("ann", "ends")]
    return ending(world, queue, {name: canceller(name) for name in ("ann", "bob")}, check_more), moves


# The record of the schedules


def a_schedule_that_was_seen_stays_seen(changed: Changed, _: Told) -> Directed:
    """A tick by an older catalog writes last, and the occurrence of a minute later is not lost."""
    world = World("a")
    world.tick()
    world.lake.advance(DAY - 2 * MINUTE)
    queue = Queue(world)

    def catalog(*names: str) -> Callable[[], Catalog]:
        return lambda: Catalog("exports.toml", tuple(map(export, names)))

    def ticking(*names: str) -> Callable[[Around], None]:
        return queue.sending(lambda around: world.tick(world.runs(changed(around)), catalog=catalog(*names)))

    def check_end() -> None:
        world.lake.advance(5 * MINUTE)
        queue.sent += world.tick(catalog=catalog("a", "b", "c"))
        queue.bring()
        check(world)
        assert sorted(world.fetched) == ["a", "b", "c"]

    actors = {"before": ticking("a", "b"), "after": ticking("a", "b", "c")}
    moves: list[Move] = [("before", at("write", "_schedules")), ("after", "ends"), ("before", "ends")]
    return replace(ending(world, queue, actors), check_end=check_end), moves


# The claim, when its run is gone


def a_key_that_is_used_again_is_one_run(changed: Changed, _: Told) -> Directed:
    """Two passes have seen the old claim; a caller claims with its key after the first has removed it."""
    world = World()
    world.deliver(world.claim().plan)
    world.lake.advance(31 * DAY)
    world.housekeeping()  # removes the records
    queue = Queue(world)

    def keeping(around: Around) -> None:
        world.housekeeping(world.runs(changed(around)))

    actors: Actors = {"one": keeping, "other": keeping, "caller": queue.sending(claiming(world))}
    moves: list[Move] = [
        ("one", at("delete", "_keys/")),
        ("other", "ends"),
        ("caller", "ends"),
        ("one", "ends"),
    ]
    return ending(world, queue, actors), moves


# The file, before it is published


def an_answer_that_is_lost_costs_no_download(operation: str) -> Build:
    """A write to the staged file takes effect once more, after it was made again."""

    def build(changed: Changed, _: Told) -> Directed:
        world = World()
        queue = Queue(world)
        plan = world.claim().plan
        (text,) = messages_for(plan, plan.names)
        late = Late(at(operation), before=at("rename"))

        def check_more() -> None:
            assert world.fetched == ["revenue"]

        actors = {"worker": working(world, queue, text, lambda _: changed(late))}
        return ending(world, queue, actors, check_more), [("worker", "ends")]

    return build


def a_receipt_names_the_run_that_published(changed: Changed, _: Told) -> Directed:
    """Of two runs that release one held file, the other describes it anew before the first one's rename."""
    world = World(export("revenue", minimum_rows=2))
    world.says["revenue"] = SHORT
    origin = world.claim().plan
    world.deliver(origin)
    world.lake.advance(HOUR)
    queue = Queue(world)

    def releaser(key: str) -> Callable[[Around], None]:
        asked = replace(ASKED, key=key, request={"release_of": origin.run_id})
        held = files_to_release(world.runs(), origin.run_id, ())
        plan = world.claim(asked=asked, choose=lambda: held).plan
        (text,) = messages_for(plan, plan.names)
        return working(world, queue, text, changed)

    moves: list[Move] = [("one", at("rename")), ("other", at("rename")), ("one", "ends"), ("other", "ends")]
    return ending(world, queue, {key: releaser(key) for key in ("one", "other")}), moves


def what_is_final_stays_final(changed: Changed, _: Told) -> Directed:
    """A worker that has to try again writes why, after another one has failed for good."""
    world = World()
    world.says["revenue"] = RetryableError(CUT)
    queue = Queue(world)
    plan = world.claim().plan
    (text,) = messages_for(plan, plan.names)
    seen: list[State] = []

    def refused(around: Around) -> None:
        world.says["revenue"] = PermanentError(REFUSED)
        working(world, queue, text, unchanged)(around)
        world.says["revenue"] = BODY

    def check_now() -> None:
        seen.append(State(world.state(plan, "revenue") or State.RETRYING))
        assert seen[-1].final or not any(state.final for state in seen)

    actors = {"again": working(world, queue, text, changed), "refused": refused}
    moves: list[Move] = [("again", at("write", "receipts/")), ("refused", "ends"), ("again", "ends")]
    return replace(ending(world, queue, actors), check_now=check_now), moves


CONDITIONS: dict[str, tuple[Changed, Build]] = {
    "run.json is not replaced: a run is told once": (without("replacing", "write", "run.json"), a_run_is_told_once),
    "run.json is not replaced: no sign of life": (
        without("replacing", "write", "run.json"),
        a_repeat_that_dies_is_no_sign_of_life,
    ),
    "10, of the result": (without("replacing", "write", "result.json"), a_result_is_that_of_the_newest_receipts),
    "11, of the marker": (without("replacing", "write", "_SUCCESS"), the_marker_is_written_once),
    "of cancel.json": (without("replacing", "write", "cancel.json"), who_cancelled_first_stays),
    "of the schedules": (without("replacing", "write", "_schedules"), a_schedule_that_was_seen_stays_seen),
    "of a claim's deletion": (without("etag", "delete", "_keys/"), a_key_that_is_used_again_is_one_run),
    "3, of the flush": (without("etag", "flush", ".partial"), an_answer_that_is_lost_costs_no_download("flush")),
    "3, of the reason": (without("replacing", "write", "receipts/"), what_is_final_stays_final),
    "4, of the metadata": (
        without("etag", "describe", ".partial"),
        an_answer_that_is_lost_costs_no_download("describe"),
    ),
    "6, of the rename on its source": (
        without("source_etag", "rename", "_held/"),
        a_receipt_names_the_run_that_published,
    ),
}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level(logging.INFO, logger="pigment_export")
    return lambda event: events(caplog, event)


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_condition_is_needed(name: str, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    changed, build = CONDITIONS[name]
    made, moves = build(unchanged, told)
    direct(made, *moves)
    caplog.clear()
    made, moves = build(changed, told)
    with pytest.raises(ViolationError):
        direct(made, *moves)


# What takes the place of a condition where things are removed: age, and order


def a_run_and_a_later_one(world: World) -> Plan:
    """Of one day: the file is the later one's, and the earlier run can no longer be told from it."""
    plan = world.claim().plan
    world.deliver(plan)
    world.lake.advance(MINUTE)
    world.deliver(world.claim(asked=replace(ASKED, key="later")).plan)
    return plan


def checking_that_no_failure_is_told(world: World, told: Told, actors: Actors) -> Scene:
    def check_end() -> None:
        world.lake.advance(31 * DAY)
        for _ in range(2):
            world.housekeeping()
        assert {event["state"] for event in told(Event.EXPORT_ENDED)} == {"succeeded"}
        assert world.under("_runs/dt=") == []

    return Scene(actors, check_now=lambda: None, check_end=check_end, redeliver=lambda: None)


def a_removal_that_is_cut_off(told: Told) -> Directed:
    """A message that was left over comes between two deletes."""
    world = World()
    plan = a_run_and_a_later_one(world)
    (text,) = messages_for(plan, plan.names)
    world.lake.advance(31 * DAY)
    actors: Actors = {
        "retention": lambda around: world.housekeeping(world.runs(around)),
        "leftover": lambda around: process_message(world.runs(around), text),
    }
    moves: list[Move] = [("retention", at("delete", nth=3)), ("retention", "dies"), ("leftover", "ends")]
    return checking_that_no_failure_is_told(world, told, actors), moves


def a_removal_by_another_deployment(told: Told) -> Directed:
    """It keeps records for a shorter time: the claims that it leaves look cut off to the one whose they are."""
    world = World()
    a_run_and_a_later_one(world)
    world.lake.advance(9 * DAY)
    actors: Actors = {
        "other": lambda around: world.housekeeping(world.runs(around, deployment="other"), retention=8 * DAY),
        "own": lambda around: world.housekeeping(world.runs(around)),
    }
    return checking_that_no_failure_is_told(world, told, actors), [("other", "ends"), ("own", "ends")]


def a_file_that_is_at_work(_: Told) -> Directed:
    """The sweep passes when a worker is about to publish."""
    world = World()
    world.deliver(world.claim().plan)
    world.lake.advance(2 * DAY)
    queue = Queue(world)
    plan = world.claim(asked=replace(ASKED, key="later")).plan
    (text,) = messages_for(plan, plan.names)

    def check_more() -> None:
        assert world.fetched == ["revenue", "revenue"]

    actors: Actors = {
        "worker": working(world, queue, text, unchanged),
        "sweep": lambda around: world.housekeeping(world.runs(around)),
    }
    moves: list[Move] = [("worker", at("rename", nth=2)), ("sweep", "ends"), ("worker", "ends")]
    return ending(world, queue, actors, check_more), moves


_delete = sweep.delete
RULES: dict[str, tuple[Callable[[Told], Directed], Any, str, Any]] = {
    "run.json goes first": (
        a_removal_that_is_cut_off,
        sweep,
        "delete",
        lambda runs, paths: _delete(runs, list(reversed(list(paths)))),
    ),
    "an old claim is not copied": (a_removal_by_another_deployment, survey, "CUT_OFF", 3650 * DAY),
    "a young staged file is not swept": (a_file_that_is_at_work, sweep, "ABANDONED", timedelta(0)),
}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_of_removal_is_needed(
    name: str, told: Told, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, module, attribute, value = RULES[name]
    made, moves = build(told)
    direct(made, *moves)
    caplog.clear()
    monkeypatch.setattr(module, attribute, value)
    made, moves = build(told)
    with pytest.raises(ViolationError):
        direct(made, *moves)
