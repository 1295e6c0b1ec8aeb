"""The callers of `infra/callers/`, walked against the app itself: they take its answers as they must."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from pigment_export.errors import ExportError, PermanentError, RetryableError
from tests.harness.api_world import URL, ApiWorld, Told
from tests.harness.infra_callers import Answer, Clock, Outcome, Pipeline, Reply, Workflow
from tests.harness.infra_templates import resources
from tests.harness.run_world import CUT, REFUSED, export

type Walk = Callable[[Answer, Clock], Outcome]


class Site:
    """The app, its host and its queue: between two looks of a caller, every message is tried once.

    Args:
        world: the deployment.
    """

    def __init__(self, world: ApiWorld) -> None:
        self._world = world
        self.clock = Clock()
        self._seen = 0.0
        self._queue: list[str] = []
        self._host = ""
        self.run_ids: set[str] = set()
        self.starts = 0

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self._world.lake.advance(timedelta(seconds=self.clock.seconds - self._seen))
        self._seen = self.clock.seconds
        if method == "POST":
            self.starts += 1
            self._host = url.removesuffix("/api/runs")
            sent = {name.lower().replace("-", "_"): value for name, value in headers.items()}
            key = sent.pop("idempotency_key")
            told = self._world.post(body, key=key, **sent)
            self._queue = told.messages
            if "run_id" in told.body:
                self.run_ids.add(told.body["run_id"])
        else:
            told = self._world.get(url.removeprefix(f"{self._host}/api/runs/"))
            self._work()
        return self._reply(told)

    def _work(self) -> None:
        left, self._queue = self._queue, []
        for text in left:
            try:
                self._world.work([text])
            except RetryableError:
                self._queue.append(text)

    def _reply(self, told: Told) -> Reply:
        there = {name: value.replace(URL, self._host) for name, value in told.headers.items()}  # PUBLIC_BASE_URL
        return Reply(told.status, there, json.loads(told.text.replace(URL, self._host)))


def walk_pipeline(answer: Answer, clock: Clock) -> Outcome:
    [pipeline] = resources("data-factory-caller", "Microsoft.DataFactory/factories/pipelines")
    return Pipeline(pipeline["properties"], answer, clock, {}, run_id="pipeline-run-1").run()


def walk_workflow(answer: Answer, clock: Clock) -> Outcome:
    [workflow] = resources("logic-app-caller", "Microsoft.Logic/workflows")
    return Workflow(workflow["properties"]["definition"], answer, clock, run_id="workflow-run-1").run()


WALKS = [pytest.param(walk_pipeline, id="Data Factory"), pytest.param(walk_workflow, id="Logic App")]


@pytest.fixture
def world() -> ApiWorld:
    return ApiWorld(export("revenue", groups=["finance"]), export("costs", groups=["finance"]))


@pytest.mark.parametrize("walk", WALKS)
def test_a_run_that_succeeds_succeeds_the_caller(world: ApiWorld, walk: Walk) -> None:
    site = Site(world)
    assert walk(site.answer, site.clock) == Outcome(succeeded=True)
    assert (len(site.run_ids), sorted(world.fetched)) == (1, ["costs", "revenue"])
    assert world.is_there("costs/dt=2026-11-24/costs.csv")


@pytest.mark.parametrize("walk", WALKS)
def test_a_run_that_fails_fails_the_caller_with_what_failed(world: ApiWorld, walk: Walk) -> None:
    world.says["costs"] = PermanentError(REFUSED)
    site = Site(world)
    outcome = walk(site.answer, site.clock)
    assert not outcome.succeeded
    assert REFUSED.code in outcome.message
    assert (site.starts, len(world.claims())) == (1, 1)


@pytest.mark.parametrize("walk", WALKS)
def test_a_start_whose_answer_is_lost_is_one_run_with_the_next(world: ApiWorld, walk: Walk) -> None:
    site = Site(world)
    lost = iter([True])

    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        reply = site.answer(method, url, headers, body)
        return Reply(502, {}, {"title": "lost"}) if method == "POST" and next(lost, False) else reply

    assert walk(answer, site.clock).succeeded
    assert (site.starts, len(world.claims()), len(world.fetched)) == (2, 1, 2)


@pytest.mark.parametrize("walk", WALKS)
def test_a_lake_that_is_out_at_first_is_only_waited_for(world: ApiWorld, walk: Walk) -> None:
    world.out_until = world.lake.now() + timedelta(seconds=40)
    site = Site(world)
    assert walk(site.answer, site.clock).succeeded
    assert len(world.claims()) == 1


@pytest.mark.parametrize("walk", WALKS)
def test_an_export_that_breaks_for_a_while_is_waited_for(world: ApiWorld, walk: Walk) -> None:
    site = Site(world)
    broken: ExportError = RetryableError(CUT)
    world.says["costs"] = broken

    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if site.clock.seconds > 1800:
            world.says.pop("costs", None)
        return site.answer(method, url, headers, body)

    assert walk(answer, site.clock).succeeded
    assert site.clock.seconds > 1800
    assert len(site.run_ids) == 1
