"""Pigment counts requests: runs of any size finish without a failure, and an outage costs little; time is simulated."""

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.pigment.model import COUNTRIES
from emulators.pigment.service import WINDOW_REQUESTS, WINDOW_SECONDS
from pigment_export import wiring
from pigment_export.catalog.exports import Export
from pigment_export.errors import Cause, RetryableError, Who
from pigment_export.retry import CALL_SECONDS, Deadline
from pigment_export.runs.work import deliver_export, messages_for, process_message, record_poison
from pigment_export.settings import load
from pigment_export.transfer.stream import Source
from tests.harness.run_world import World, export

WORKERS = 16  # messages that one instance works on at once (host.json)
EXPORT_SECONDS = 5.0  # that Pigment computes, in simulated time
AGAIN_SECONDS = 300.0  # until a message comes back (host.json)
INSTANCES = 4
MOST_DEQUEUES = 15  # host.json
DOWN = Cause("pigment_unavailable", "Pigment is down", Who.NO_ACTION, "wait")


class SharedTime:
    """A clock for several threads: it goes on to the next wake-up as soon as all of them sleep."""

    def __init__(self, workers: int) -> None:
        self.began = time.monotonic()
        self._now = 0.0
        self._awake = workers
        self._wake_ups: list[float] = []
        self._changed = threading.Condition()

    def __call__(self) -> float:
        return self.began + self._now

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self._now + seconds
            self._wake_ups.append(until)
            self._rest()
            self._changed.wait_for(lambda: self._now >= until)

    def leave(self) -> None:
        """A thread has nothing more to do."""
        with self._changed:
            self._rest()

    def _rest(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._wake_ups:
            self._now = min(self._wake_ups)
            due = [at for at in self._wake_ups if at <= self._now]
            self._wake_ups = [at for at in self._wake_ups if at > self._now]
            self._awake += len(due)
            self._changed.notify_all()


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everything]:
    with Everything(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize(
    ("size", "limit", "retry_after"),
    [
        (60, 20, ""),
        (60, 20, "300"),
        pytest.param(500, WINDOW_REQUESTS, "", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
        pytest.param(500, 150, "300", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_a_run_larger_than_the_rate_limit_finishes_without_a_failure(
    size: int, limit: int, retry_after: str, everything: Everything
) -> None:
    world = World(*(export(f"e{number:03}", kind="list", id=COUNTRIES) for number in range(size)))
    plan = world.claim().plan
    shared = SharedTime(WORKERS * INSTANCES)
    everything.pigment.clock = shared
    everything.pigment.switches.limit = limit
    everything.pigment.switches.retry_after = retry_after
    settings = load(os.environ)
    pigment = wiring.pigment_of(settings, wiring.keys_of(settings, lambda: wiring.identity_of(settings, os.environ)))

    @contextmanager
    def fetch(asked: Export, deadline: Deadline) -> Iterator[Source]:
        shared.sleep(EXPORT_SECONDS)
        with pigment.open(asked, deadline) as source:
            yield source

    runs = replace(world.runs(), fetch=fetch)
    messages: deque[str] = deque(plan.names)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while messages:
                try:
                    name = messages.popleft()
                except IndexError:
                    break
                planned = plan.planned(name)
                assert planned
                try:
                    call = Deadline(CALL_SECONDS, clock=shared, sleep=shared.sleep)
                    deliver_export(runs.within(call), plan, planned)
                except RetryableError:
                    messages.append(name)
                    shared.sleep(AGAIN_SECONDS)
        except BaseException as error:  # noqa: BLE001 - what a thread raises is the test's to show
            failures.append(error)
        finally:
            shared.leave()

    threads = [threading.Thread(target=work) for _ in range(WORKERS * INSTANCES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {world.state(plan, name) for name in plan.names} == {"succeeded"}
    windows = size / limit + 1
    assert len(everything.pigment.requests) <= size + windows * WORKERS * INSTANCES * 10
    assert shared() - shared.began <= windows * WINDOW_SECONDS * 10


class Queue:
    """The host's queue for a world: what fails comes back, and after so many attempts goes to poison."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[tuple[datetime, int, str]] = []
        self.tries = 0

    def put(self, texts: list[str]) -> None:
        self._waiting += [(self._world.lake.now(), 0, text) for text in texts]

    def work(self) -> None:
        now = self._world.lake.now()
        due = [row for row in self._waiting if row[0] <= now]
        self._waiting = [row for row in self._waiting if row[0] > now]
        for _, count, text in due:
            self.tries += 1
            try:
                process_message(self._world.runs(), text)
            except RetryableError:
                if count + 1 < MOST_DEQUEUES:
                    back = self._world.lake.now() + timedelta(seconds=AGAIN_SECONDS)
                    self._waiting.append((back, count + 1, text))
                else:
                    self.put(record_poison(self._world.runs(), text, queue="poison"))


def test_an_outage_of_pigment_for_a_day_ends_every_run_alerts_and_heals(caplog: pytest.LogCaptureFixture) -> None:
    """Ticks, messages that come back, poison and housekeeping, as the host brings them, for a day and a half."""
    world = World("revenue", "costs")
    queue = Queue(world)
    world.tick()  # from here on its schedule counts
    began, up_at = world.lake.now(), world.lake.now() + timedelta(hours=24, minutes=30)
    world.says = dict.fromkeys(("revenue", "costs"), RetryableError(DOWN))
    claim = world.claim()
    queue.put(list(messages_for(claim.plan, claim.plan.names)))
    ended_at: datetime | None = None
    asked_in_outage = 0
    with caplog.at_level(logging.INFO, "pigment_export"):
        for step in range(36 * 12):
            at = began + timedelta(minutes=5 * step)
            if (wait := at - world.lake.now()) > timedelta():
                world.pass_seconds(wait.total_seconds())
            if world.says and at >= up_at:
                world.says, asked_in_outage = {}, len(world.fetched)
            queue.put(world.tick())
            if step % 12 == 7:
                queue.put(world.housekeeping())
            queue.work()
            if ended_at is None and world.result(claim.plan):
                ended_at = world.lake.now()
    assert ended_at is not None
    assert ended_at - began <= timedelta(hours=7, minutes=15)
    assert {world.state(claim.plan, name) for name in claim.plan.names} == {"failed"}
    told = [json.loads(record.getMessage()) for record in caplog.records if record.name == "pigment_export"]
    failed = [event for event in told if event["event"] == "export_ended" and event["state"] == "failed"]
    assert [event["name"] for event in failed if event["run_id"] == claim.plan.run_id] == ["revenue", "costs"]
    assert all("Pigment is down" in event["reason"] for event in failed)
    # The day after, the scheduled run begins in the outage and succeeds as soon as it is over.
    assert sorted(world.under("revenue/dt=")) == [f"revenue/dt={(began + timedelta(days=1)).date()}/revenue.csv"]
    # About two minutes of tries, then five of rest, while the run lasts: a tenth of what Pigment allows.
    assert asked_in_outage <= 2 * 6.5 * 60 / 7 * 10 + 2 * 30
    assert asked_in_outage / (7 * 12) <= WINDOW_REQUESTS / 10
