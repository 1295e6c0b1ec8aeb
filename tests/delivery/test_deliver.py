"""One export of one run: every kill, every lost answer, every order of workers ends in one truth."""

import gzip
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.catalog.exports import Export, from_json
from pigment_export.delivery.decide import expired
from pigment_export.delivery.deliver import deliver
from pigment_export.delivery.description import FileDescription, Latest
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.reconcile import TWO_FILES, Reconciler
from pigment_export.errors import Cause, ExportError, PermanentError, RetryableError, Who
from pigment_export.events import Event
from pigment_export.lake.call import CallLake
from pigment_export.retry import Deadline
from pigment_export.runs.claim import new_plan
from pigment_export.runs.finish import finish_run
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.transfer.stream import Source
from tests.harness import run_world
from tests.harness.fakes import FakeLake
from tests.harness.run_world import events
from tests.harness.stepping import Around, Killed, Stepper, Striking, Watched, at

if TYPE_CHECKING:
    from pigment_export.lake.interface import Lake

BEGAN = datetime(2026, 11, 24, 6, tzinfo=UTC)
DAY = "revenue/dt=2026-11-24/revenue.csv"
LATEST = "revenue/_latest.json"
BODY = b"Country;Revenue\nFR;1.50\nDE;2.50\n"
BIGGER = BODY + b"ES;3.50\n"
DEFINITION = {"name": "revenue", "kind": "metric", "id": "22222222-2222-4222-8222-222222222222"}
PUBLISHED = at("rename", nth=2)  # the first one finds no folder of its day
CUT = Cause("pigment_body_cut", "the stream was reset", Who.NO_ACTION, "wait")
REFUSED = Cause("pigment_not_found", "no such metric", Who.EXPORT_OWNER, "check the id")


class Body:
    """A body that is whole, or ends with an error after its last byte."""

    protocol = "HTTP/2"
    evidence = "END_STREAM"
    delimiter = b";"
    unpack = None

    def __init__(self, data: bytes, error: ExportError | None = None) -> None:
        self._data = data
        self._error = error

    def readinto(self, buffer: memoryview) -> int:
        chunk, self._data = self._data[: len(buffer)], self._data[len(buffer) :]
        buffer[: len(chunk)] = chunk
        if not chunk and self._error:
            raise self._error
        return len(chunk)


type Answer = bytes | ExportError | tuple[bytes, ExportError]


class World:
    """A lake, and what Pigment would say."""

    def __init__(self, **definition: Any) -> None:
        self.lake = FakeLake(now=BEGAN)
        self.export = from_json({**DEFINITION, **definition})
        self._nonces = itertools.count()
        self.bodies: set[bytes] = set()
        self._newest: dict[str, datetime] = {}

    def new_nonce(self) -> str:
        return f"{next(self._nonces):016x}"

    def plan(self, *, template: str = "{name}/dt={date}/{name}.csv", day: date | None = None) -> Plan:
        runs = replace(run_world.World().runs(template=template, deployment="local/test"), new_nonce=self.new_nonce)
        return new_plan(runs, ClaimRequest("cli", "key", "ann", date_asked=day), [self.export], self.lake.now())

    def worker(self, plan: Plan, *answers: Answer, patience_seconds: float = 120) -> Callable[[Around], Receipt]:
        """One call's work; each attempt takes the next answer of Pigment, the last one again and again."""
        left = list(answers or (BODY,))

        @contextmanager
        def fetch(_export: Export, _deadline: Deadline) -> Iterator[Source]:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, ExportError):
                raise answer
            data, error = answer if isinstance(answer, tuple) else (answer, None)
            if error is None:
                self.bodies.add(data)
            yield Body(data, error)

        def work(around: Around) -> Receipt:
            lake = self.call(around, patience_seconds)
            receipt = deliver(Reconciler(lake, plan.task(plan.exports[0])), fetch=fetch, new_nonce=self.new_nonce)
            finish_run(self.call(around, patience_seconds), plan)
            return receipt

        return work

    def settler(self, plan: Plan, cause: Cause) -> Callable[[Around], Receipt]:
        def work(around: Around) -> Receipt:
            lake = self.call(around)
            receipt = Reconciler(lake, plan.task(plan.exports[0])).record_failed(cause, is_abandoned=True)
            finish_run(self.call(around), plan)
            return receipt

        return work

    def call(self, around: Around, patience_seconds: float = 120) -> CallLake:
        """The lake within one call, each request of which goes through a function."""
        return CallLake(cast("Lake", Watched(self.lake, around)), self.deadline(patience_seconds))

    @staticmethod
    def deadline(patience_seconds: float = 120) -> Deadline:
        return Deadline(3300, patience_seconds=patience_seconds, sleep=lambda _: None)

    def deliver(self, plan: Plan, *answers: Answer) -> Receipt:
        return self.worker(plan, *answers)(Striking(None))

    def file(self, path: str = DAY) -> FileDescription | None:
        return FileDescription.from_metadata(self.lake.look(path).metadata)

    def receipt(self, plan: Plan) -> dict[str, Any]:
        return json.loads(self.lake.content(plan.folder.receipt("revenue")))

    def check_now(self) -> None:
        """What holds at every moment: what is readable is whole, and nothing readable goes back in time."""
        for path in self.lake.paths():
            if path.endswith(".csv") and self.file(path) is not None:
                content, file = self.lake.content(path), self.file(path)
                assert content in self.bodies
                assert file is not None
                assert hashlib.sha256(content).hexdigest() == file.sha256
                self._not_back(path, file.fetched_at)
        if LATEST in self.lake.paths():
            self._not_back(LATEST, Latest.from_json(self.lake.content(LATEST)).fetched_at)

    def _not_back(self, path: str, fetched_at: datetime) -> None:
        assert fetched_at >= self._newest.get(path, fetched_at), path
        self._newest[path] = fetched_at

    def check_end(self, *plans: Plan) -> None:
        """What holds at the end, wherever a worker died."""
        self.check_now()
        for plan in plans:
            receipt, file = self.receipt(plan), self.file(plan.exports[0].destination.path)
            state = State(receipt["state"])
            assert state.final
            if file is not None and file.run_id == plan.run_id:
                assert state is State.SUCCEEDED
                assert receipt["nonce"] == file.nonce
                assert receipt["sha256"] == file.sha256
            elif state.good:
                assert file is not None
                assert file.fetched_at >= datetime.fromisoformat(receipt["fetched_at"])
            if state is State.SUCCEEDED:
                latest = Latest.from_json(self.lake.content(LATEST))
                assert latest.fetched_at >= datetime.fromisoformat(receipt["fetched_at"])
            result = json.loads(self.lake.content(plan.folder.result))
            assert result["state"] == ("succeeded" if state.good else "failed")
            assert result["exports"][0]["state"] == state
            assert result["exports"][0].get("nonce") == receipt.get("nonce")
            assert (plan.folder.success in self.lake.paths()) == state.good

    def json(self, path: str) -> dict[str, Any]:
        return json.loads(self.lake.content(path))

    def leftovers(self) -> list[str]:
        return [path for path in self.lake.paths() if path.endswith(".partial")]


def test_a_delivery_makes_these_requests_and_no_others() -> None:
    world = World()
    plan = world.plan()
    watch = Striking(None)
    standing = world.worker(plan)(watch)
    assert standing.state is State.SUCCEEDED
    receipt, staged = plan.folder.receipt("revenue"), f"revenue/_{plan.run_id}.{1:016x}.partial"
    assert watch.requests == [
        ("read", receipt),
        ("look", DAY),
        ("create", staged),
        ("append", staged),
        ("flush", staged),
        ("read", LATEST),
        ("describe", staged),
        ("look", DAY),
        ("rename", staged),
        ("make_folder", "revenue/dt=2026-11-24"),
        ("rename", staged),
        ("read", LATEST),
        ("write", LATEST),
        ("read", receipt),
        ("write", receipt),
        ("read", plan.folder.result),
        ("list", f"{plan.folder.path}/"),
        ("write", plan.folder.result),
        ("write", plan.folder.success),
    ]
    assert world.lake.content(DAY) == BODY
    world.check_end(plan)


def test_a_receipt_describes_the_file() -> None:
    world = World(owner="finance@example.com")
    plan = world.plan()
    world.deliver(plan, BODY)
    receipt = world.receipt(plan)
    assert receipt["columns"] == ["Country", "Revenue"]
    assert (receipt["rows"], receipt["bytes"]) == (2, len(BODY))
    assert receipt["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert (receipt["protocol"], receipt["evidence"]) == ("HTTP/2", "END_STREAM")
    assert receipt["snapshot_date"] == "2026-11-24"
    assert receipt["fetched_at"] == BEGAN.isoformat()
    assert receipt["owner"] == "finance@example.com"
    assert receipt["deployment"] == "local/test"


def test_a_receipt_tells_when_its_last_try_began_and_when_it_ended() -> None:
    world = World()
    plan = world.plan()
    world.lake.advance(timedelta(minutes=1))
    worker = Stepper(world.worker(plan, RetryableError(CUT), patience_seconds=0))
    worker.finish()
    assert world.receipt(plan)["started_at"] == (BEGAN + timedelta(minutes=1)).isoformat()
    worker = Stepper(world.worker(plan, BODY))
    worker.reach(at("rename"))
    world.lake.advance(timedelta(minutes=5))
    worker.finish()
    receipt = world.receipt(plan)
    assert receipt["started_at"] == (BEGAN + timedelta(minutes=1)).isoformat()
    assert receipt["ended_at"] == (BEGAN + timedelta(minutes=6)).isoformat()


# What a run meets: the world before it, and what Pigment says to it.
type Setting = Callable[[World], tuple[Plan, tuple[Answer, ...]]]


def first_ever(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    return world.plan(), (BODY,)


def over_an_older_file(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    return world.plan(), (BIGGER,)


def over_a_newer_file(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    late = world.plan()
    world.lake.advance(timedelta(hours=1))
    world.deliver(world.plan(), BIGGER)
    world.lake.advance(timedelta(hours=-1))  # as if it had looked an hour ago and only now got on
    return late, (BODY,)


def refused(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    return world.plan(), (PermanentError(REFUSED),)


def cut_once(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    return world.plan(), ((BODY[:20], RetryableError(CUT, retry_after_seconds=0)), BODY)


def held_by_a_guard(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    return world.plan(), (b"Country;Revenue\n",)


def strangers_file(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    world.lake.put(DAY, b"precious", {"owner": "somebody"})
    return world.plan(), (BODY,)


def past_day(world: World) -> tuple[Plan, tuple[Answer, ...]]:
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(days=2))
    return world.plan(day=date(2026, 11, 24)), (BIGGER,)


SETTINGS = {
    first_ever: State.SUCCEEDED,
    over_an_older_file: State.SUCCEEDED,
    over_a_newer_file: State.SUPERSEDED,
    refused: State.FAILED,
    cut_once: State.SUCCEEDED,
    held_by_a_guard: State.HELD,
    strangers_file: State.FAILED,
    past_day: State.FAILED,
}
each_setting = pytest.mark.parametrize(
    ("setting", "state"), SETTINGS.items(), ids=lambda value: getattr(value, "__name__", None)
)


def requests_of(setting: Setting) -> int:
    world = World()
    plan, answers = setting(world)
    watch = Striking(None)
    world.worker(plan, *answers)(watch)
    return len(watch.requests)


@each_setting
def test_every_setting_ends_as_it_should(setting: Setting, state: State) -> None:
    world = World()
    plan, answers = setting(world)
    assert world.deliver(plan, *answers).state is state
    world.check_end(plan)
    assert world.leftovers() == []
    assert world.deliver(plan, *answers).state is state
    world.check_end(plan)


@each_setting
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_kill_at_any_request_is_healed_by_the_next_attempt(setting: Setting, state: State, *, applied: bool) -> None:
    for number in range(requests_of(setting)):
        world = World()
        plan, answers = setting(world)
        before = {path: world.lake.content(path) for path in world.lake.paths() if path.endswith(".csv")}
        with pytest.raises(Killed):
            world.worker(plan, *answers)(Striking(number, applied=applied, kill=True))
        world.check_now()
        for path, content in before.items():
            assert world.lake.content(path) in {content, *world.bodies}
        assert world.deliver(plan, *answers[-1:]).state is state, number
        world.check_end(plan)


@each_setting
@pytest.mark.parametrize("applied", [False, True], ids=["dropped", "lost_answer"])
def test_a_request_without_an_answer_is_healed_within_the_call(
    setting: Setting, state: State, *, applied: bool
) -> None:
    for number in range(requests_of(setting)):
        world = World()
        plan, answers = setting(world)
        watch = Striking(number, applied=applied)
        assert world.worker(plan, *answers)(watch).state is state, watch.requests[number]
        world.check_end(plan)
        created_without_an_answer = applied and watch.requests[number][0] == "delete"
        assert world.leftovers() == [] or not applied or created_without_an_answer, watch.requests[number]


@each_setting
def test_two_kills_anywhere_are_healed_too(setting: Setting, state: State) -> None:
    count = requests_of(setting)
    for first in range(0, count, 2):
        for second in range(0, count, 3):
            world = World()
            plan, answers = setting(world)
            for number in (first, second):
                with suppress(Killed):
                    world.worker(plan, *answers)(Striking(number, applied=True, kill=True))
            assert world.deliver(plan, *answers[-1:]).state is state
            world.check_end(plan)


@each_setting
def test_two_workers_in_step_with_each_other_come_to_one_truth(setting: Setting, state: State) -> None:
    world = World()
    plan, answers = setting(world)
    workers = [Stepper(world.worker(plan, *answers)) for _ in range(2)]
    while not all(worker.finished for worker in workers):
        for worker in workers:
            worker.step()
            world.check_now()
    assert [worker.error for worker in workers] == [None, None]
    assert {worker.answer.state for worker in workers} == {state}
    world.check_end(plan)


@each_setting
def test_a_second_worker_that_passes_at_any_moment_changes_no_truth(setting: Setting, state: State) -> None:
    for number in range(requests_of(setting)):
        world = World()
        plan, answers = setting(world)
        worker = Stepper(world.worker(plan, *answers))
        for _ in range(number):
            worker.step()
        assert world.deliver(plan, *answers[-1:]).state is state
        worker.finish()
        assert worker.error is None, number
        world.check_end(plan)


@pytest.mark.parametrize("steps", range(18))
def test_a_duplicate_that_gives_up_at_any_moment_ends_as_succeeded_if_the_first_publishes(steps: int) -> None:
    world = World()
    plan = world.plan()
    worker = Stepper(world.worker(plan, BODY))
    worker.reach(at("look"))  # it has read the receipt: no final one was there
    for _ in range(steps):
        worker.step()
    world.worker(plan, PermanentError(REFUSED))(Striking(None))
    worker.finish()
    assert worker.error is None
    assert world.receipt(plan)["state"] == "succeeded"
    world.check_end(plan)


@pytest.mark.parametrize("steps", range(24))
def test_an_older_fetch_that_finishes_after_a_newer_one_is_superseded(steps: int) -> None:
    world = World()
    old = world.plan()
    older = Stepper(world.worker(old, BODY))
    older.reach(at("create"))  # it has looked: from here on, its fetch is as old as that
    for _ in range(steps):
        older.step()
    world.lake.advance(timedelta(seconds=1))
    new = world.plan()
    assert world.deliver(new, BIGGER).state is State.SUCCEEDED
    older.finish()
    assert older.error is None
    assert world.lake.content(DAY) == BIGGER
    assert Latest.from_json(world.lake.content(LATEST)).run_id == new.run_id
    world.check_end(old, new)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from("aabbccdABCT"), max_size=90), st.data())
def test_any_order_of_workers_kills_and_runs_comes_to_one_truth(schedule: list[str], data: st.DataObject) -> None:
    """Two workers of one run (the second may fail), one of another run, one who settles; capitals kill, T is time."""
    world = World()
    one, other = world.plan(), world.plan()
    second: Answer = data.draw(st.sampled_from([BODY, PermanentError(REFUSED), b"Country;Revenue\n"]))
    workers = {
        "a": Stepper(world.worker(one, BODY)),
        "b": Stepper(world.worker(one, second)),
        "c": Stepper(world.worker(other, BIGGER)),
        "d": Stepper(world.settler(one, expired(one.expires_at))),
    }
    for what in schedule:
        if what == "T":
            world.lake.advance(timedelta(seconds=1))
        elif what.islower():
            workers[what].step()
        else:
            workers[what.lower()].kill()
        world.check_now()
    for worker in workers.values():
        worker.finish()
        assert worker.error is None or isinstance(worker.error, Killed)
    world.lake.advance(timedelta(seconds=1))
    for plan in (one, other):
        world.deliver(plan, BODY)
    world.check_end(one, other)


def test_an_outage_longer_than_the_patience_leaves_a_retrying_receipt_that_says_what_to_do() -> None:
    world = World()
    plan = world.plan()
    with pytest.raises(RetryableError):
        world.worker(plan, RetryableError(CUT), patience_seconds=0)(Striking(None))
    receipt = world.receipt(plan)
    assert (receipt["state"], receipt["class"]) == ("retrying", "pigment_body_cut")
    assert receipt["remedy"] == "wait"
    assert plan.folder.result not in world.lake.paths()
    assert world.leftovers() == []
    assert world.deliver(plan, BODY).state is State.SUCCEEDED
    world.check_end(plan)


def test_a_retrying_receipt_never_replaces_a_final_one() -> None:
    world = World()
    plan = world.plan()
    worker = Stepper(world.worker(plan, RetryableError(CUT), patience_seconds=0))
    worker.reach(at("read", "receipts", nth=2))
    world.deliver(plan, BODY)
    worker.finish()
    assert isinstance(worker.error, RetryableError)
    assert world.receipt(plan)["state"] == "succeeded"
    world.check_end(plan)


def test_a_body_that_is_not_whole_is_never_published() -> None:
    world = World()
    plan = world.plan()
    with pytest.raises(RetryableError):
        world.worker(plan, BODY + b'"open', patience_seconds=0)(Striking(None))
    assert DAY not in world.lake.paths()
    assert world.receipt(plan)["class"] == "ending_not_whole"
    assert world.leftovers() == []


def test_a_body_without_a_byte_stages_nothing() -> None:
    world = World()
    plan = world.plan()
    watch = Striking(None)
    with pytest.raises(RetryableError):
        world.worker(plan, b"", patience_seconds=0)(watch)
    assert "create" not in {operation for operation, _ in watch.requests}


def test_an_empty_export_is_published_and_marked() -> None:
    world = World()
    plan = world.plan()
    assert world.deliver(plan, b"Country;Revenue\n").state is State.SUCCEEDED
    assert world.receipt(plan)["rows"] == 0
    assert "empty" in world.receipt(plan)["notes"]
    world.check_end(plan)


def test_a_held_file_is_kept_whole_and_yesterdays_stays() -> None:
    world = World(minimum_rows=3)
    plan = world.plan()
    assert world.deliver(plan, BODY).state is State.HELD
    receipt = world.receipt(plan)
    assert receipt["class"] == "held_by_guard"
    assert "minimum_rows" in receipt["reason"]
    assert receipt["path"] == f"revenue/_held/{plan.run_id}.{receipt['nonce']}.held"
    assert world.lake.content(receipt["path"]) == BODY
    assert DAY not in world.lake.paths()
    world.check_end(plan)


def test_a_run_that_expired_fetches_nothing() -> None:
    world = World()
    plan = world.plan()
    world.lake.advance(timedelta(hours=6))
    watch = Striking(None)
    assert world.worker(plan, BODY)(watch).state is State.FAILED
    assert "create" not in {operation for operation, _ in watch.requests}
    assert world.receipt(plan)["class"] == "run_expired"


def test_a_file_that_is_not_ours_is_never_replaced() -> None:
    world = World()
    plan, answers = strangers_file(world)
    world.deliver(plan, *answers)
    assert world.lake.content(DAY) == b"precious"
    assert world.receipt(plan)["class"] == "destination_not_ours"


def test_a_strangers_file_that_appears_during_the_fetch_is_not_replaced() -> None:
    for moment in (at("append"), at("flush"), at("read", LATEST), at("describe"), at("look", DAY, nth=2), at("rename")):
        world = World()
        plan = world.plan()
        worker = Stepper(world.worker(plan, BODY))
        worker.reach(moment)
        world.lake.put(DAY, b"precious", {})
        worker.finish()
        assert world.lake.content(DAY) == b"precious", moment
        assert world.receipt(plan)["class"] == "destination_not_ours"
        assert world.leftovers() == []


def test_a_day_that_is_over_is_filled_but_never_replaced() -> None:
    world = World()
    world.lake.advance(timedelta(days=2))
    gap = world.plan(day=date(2026, 11, 24))
    assert world.deliver(gap, BODY).state is State.SUCCEEDED
    again = world.plan(day=date(2026, 11, 24))
    assert world.deliver(again, BIGGER).state is State.FAILED
    assert world.receipt(again)["class"] == "day_is_over"
    assert world.lake.content(DAY) == BODY


def test_a_run_claimed_shortly_before_midnight_may_still_replace_shortly_after() -> None:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=17, minutes=55))
    plan = world.plan()
    world.lake.advance(timedelta(minutes=30))
    assert world.deliver(plan, BIGGER).state is State.SUCCEEDED
    assert world.lake.content(DAY) == BIGGER


def test_a_template_that_keeps_every_snapshot_never_replaces_one() -> None:
    world = World()
    template = "{name}/{instant}.csv"
    one, other = world.plan(template=template), world.plan(template=template)
    assert world.deliver(one, BODY).state is State.SUCCEEDED
    assert world.deliver(other, BIGGER).state is State.FAILED
    assert world.receipt(other)["class"] == "destination_taken"
    assert world.lake.content(one.exports[0].destination.path) == BODY


def test_a_day_with_two_files_is_noted() -> None:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    plan = world.plan(template="{name}/{date}.csv")
    world.deliver(plan, BODY)
    assert TWO_FILES in world.receipt(plan)["notes"]


LOST = {
    "_latest.json": Event.DAY_HAS_TWO_FILES,
    "receipts": Event.EXPORT_ENDED,
    "result.json": Event.RUN_ENDED,
}


@pytest.mark.parametrize("record", LOST)
def test_what_a_record_says_is_logged_once_also_where_the_answer_to_its_write_is_lost(
    record: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Alerts go by these events: the next attempt finds the record, and must not take it for another worker's."""
    caplog.set_level("INFO")
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    plan = world.plan(template="{name}/{date}.csv")
    caplog.clear()
    world.worker(plan, BODY)(Striking(at("write", record), applied=True))
    assert len(events(caplog, LOST[record])) == 1
    assert TWO_FILES in world.receipt(plan)["notes"]


def test_a_latest_record_that_cannot_be_read_is_written_anew() -> None:
    world = World()
    world.lake.put(LATEST, b"{", {})
    plan = world.plan()
    assert world.deliver(plan, BODY).state is State.SUCCEEDED
    world.check_end(plan)


def test_a_failed_export_leaves_no_folder_of_its_day() -> None:
    world = World()
    watch = Striking(None)
    world.worker(world.plan(), PermanentError(REFUSED))(watch)
    assert "make_folder" not in {operation for operation, _ in watch.requests}


def test_settling_finds_the_file_that_a_killed_worker_published() -> None:
    world = World()
    plan = world.plan()
    watch = Striking(PUBLISHED, applied=True, kill=True)
    with pytest.raises(Killed):
        world.worker(plan, BODY)(watch)
    assert watch.requests[-1][0] == "rename"
    standing = world.settler(plan, expired(plan.expires_at))(Striking(None))
    assert standing.state is State.SUCCEEDED
    assert world.receipt(plan)["columns"] == ["Country", "Revenue"]
    world.check_end(plan)


def test_a_file_that_was_published_by_a_killed_worker_is_not_fetched_again() -> None:
    world = World()
    plan = world.plan()
    with pytest.raises(Killed):
        world.worker(plan, BODY)(Striking(PUBLISHED, applied=True, kill=True))
    watch = Striking(None)
    assert world.worker(plan, BIGGER)(watch).state is State.SUCCEEDED
    assert "create" not in {operation for operation, _ in watch.requests}
    assert world.lake.content(DAY) == BODY


def test_of_two_fetches_of_the_same_second_the_first_stays() -> None:
    world = World()
    one, other = world.plan(), world.plan()
    assert world.deliver(one, BODY).state is State.SUCCEEDED
    assert world.deliver(other, BIGGER).state is State.SUPERSEDED
    assert world.lake.content(DAY) == BODY
    world.check_end(one, other)


GZ = f"{DAY}.gz"


def test_a_compressed_file_says_what_it_is_and_what_is_in_it() -> None:
    world = World(gzip=True)
    plan = world.plan()
    receipt = world.deliver(plan, BODY)
    stored = world.lake.content(GZ)
    assert gzip.decompress(stored) == BODY
    assert (receipt.path, receipt.bytes, receipt.sha256) == (GZ, len(stored), hashlib.sha256(stored).hexdigest())
    assert (receipt.content_bytes, receipt.content_sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert receipt.rows == 2
    file = world.file(GZ)
    assert file is not None
    assert (file.content_bytes, file.content_sha256) == (receipt.content_bytes, receipt.content_sha256)
    assert DAY not in world.lake.paths()


def test_the_header_of_a_compressed_file_is_read_by_the_call_that_finds_it() -> None:
    world = World(gzip=True)
    plan = world.plan()
    with pytest.raises(Killed):
        world.worker(plan, BODY)(Striking(PUBLISHED, applied=True, kill=True))
    receipt = world.settler(plan, expired(plan.expires_at))(Striking(None))
    assert (receipt.state, receipt.columns) == (State.SUCCEEDED, ("Country", "Revenue"))


def test_a_switch_to_compressed_files_within_a_day_is_told() -> None:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    world.export = from_json({**DEFINITION, "gzip": True})
    assert TWO_FILES in world.deliver(world.plan(), BODY).notes


def test_a_record_that_is_written_is_progress_and_a_reason_to_try_again_is_none() -> None:
    class Counting(Deadline):
        steps = 0

        def progressed(self) -> None:
            self.steps += 1

    world = World()
    plan = world.plan()
    world.deliver(plan)
    file = world.file()
    assert file is not None
    world.lake = FakeLake(now=BEGAN)
    writes: list[tuple[Callable[[Reconciler], object], int]] = [
        (lambda reconciler: reconciler.record_retrying(CUT), 0),
        (lambda reconciler: reconciler.record_failed(CUT), 1),
        (lambda reconciler: reconciler.record_file(State.SUCCEEDED, file, ("Country",)), 2),  # `_latest.json`, receipt
        (
            lambda reconciler: reconciler.record_file(State.SUCCEEDED, file, ("Country",)),
            0,
        ),  # there is nothing to write
    ]
    for write, steps in writes:
        deadline = Counting(3300, sleep=lambda _: None)
        write(Reconciler(CallLake(world.lake, deadline), plan.task(plan.exports[0])))
        assert deadline.steps == steps


def test_a_changed_header_is_told_with_what_came_and_what_went(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    receipt = world.deliver(world.plan(), b"Country;Amount\nFR;1.50\n")
    assert (receipt.state, receipt.notes) == (State.SUCCEEDED, ("header_changed",))
    (told,) = events(caplog, Event.HEADER_CHANGED)
    assert (told["added"], told["removed"], told["is_held"]) == (["Amount"], ["Revenue"], False)


def test_a_first_file_without_a_row_is_told(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    assert world.deliver(world.plan(), b"Country;Revenue\n").state is State.SUCCEEDED
    (told,) = events(caplog, Event.FIRST_FILE_EMPTY)
    assert (told["name"], told["columns"]) == ("revenue", ["Country", "Revenue"])
    world.lake.advance(timedelta(hours=1))
    world.deliver(world.plan(), b"Country;Revenue\n")
    assert len(events(caplog, Event.FIRST_FILE_EMPTY)) == 1
