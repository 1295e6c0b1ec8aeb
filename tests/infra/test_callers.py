"""The Data Factory pipeline and the Logic App of `infra/callers/`, walked against the app's HTTP contract."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.harness.infra_callers import Answer, Clock, Outcome, Pipeline, Reply, run_workflow
from tests.harness.infra_templates import INFRA, resources

URL = "https://func-pigment-demo.azurewebsites.net"
RUN = {"run_id": "20261124T060000Z-abc", "of": 4}  # every answer about a run has these, and its state
HOUR = 3600


@dataclass
class App:
    """Answers by the contract of the app: 202 until the run has ended, then 200, or 409 where not all succeeded.

    Attributes:
        ends_with: 200 or 409; None: it never ends.
        polls: how often it says 202 first.
        refusals: statuses that come before anything else.
    """

    ends_with: int | None = 200
    polls: int = 2
    refusals: list[int] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    asked: int = 0

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if self.refusals:
            return Reply(self.refusals.pop(0), {}, {"title": "not now"})
        location = {"Location": f"{URL}/api/runs/20261124T060000Z-abc", "Retry-After": "15"}
        if method == "POST":
            assert url == f"{URL}/api/runs"
            assert headers["Content-Type"] == "application/json"
            self.requests.append(json.loads(body))
            self.keys.add(headers["Idempotency-Key"])
            return Reply(202, location, RUN | {"state": "running", "done": 0})
        assert (method, url, body) == ("GET", location["Location"], b"")
        self.asked += 1
        if self.ends_with is None or self.asked <= self.polls:
            return Reply(202, location, RUN | {"state": "running", "done": self.asked})
        ended = RUN | {"state": "succeeded" if self.ends_with == 200 else "failed", "done": 4, "result": "_runs/…"}
        problem = {
            "title": "Conflict",
            "status": 409,
            "troubles": [{"name": "revenue", "class": "pigment_unauthorized"}],
        }
        return Reply(self.ends_with, {}, ended if self.ends_with == 200 else ended | problem)


def walk_pipeline(answer: Answer, clock: Clock, *, until_fails: bool = True, **parameters: object) -> Outcome:
    [pipeline] = resources("data-factory-caller", "Microsoft.DataFactory/factories/pipelines")
    run = Pipeline(
        pipeline["properties"],
        answer,
        clock,
        parameters,
        run_id="pipeline-run-1",
        until_fails_with_its_inside=until_fails,
    )
    return run.run()


def walk_workflow(answer: Answer, clock: Clock) -> Outcome:
    [workflow] = resources("logic-app-caller", "Microsoft.Logic/workflows")
    return run_workflow(workflow["properties"]["definition"], answer, clock, run_id="workflow-run-1")


WALKS = [
    pytest.param(walk_pipeline, id="Data Factory"),
    pytest.param(lambda answer, clock: walk_pipeline(answer, clock, until_fails=False), id="Data Factory, lenient"),
    pytest.param(walk_workflow, id="Logic App"),
]


@pytest.mark.parametrize("walk", WALKS)
def test_a_run_that_succeeds_is_waited_for(walk: Any) -> None:
    app, clock = App(polls=3), Clock()
    assert walk(app.answer, clock) == Outcome(succeeded=True)
    assert app.asked == 4
    assert len(app.requests) == 1


@pytest.mark.parametrize("walk", WALKS)
def test_a_run_that_fails_fails_the_caller_with_what_the_app_said(walk: Any) -> None:
    app = App(ends_with=409)
    outcome = walk(app.answer, Clock())
    assert not outcome.succeeded
    assert "pigment_unauthorized" in outcome.message
    assert len(app.requests) == 1  # it is not started again


@pytest.mark.parametrize("walk", WALKS)
def test_a_run_that_never_ends_is_given_up_at_the_time_limit(walk: Any) -> None:
    clock = Clock()
    outcome = walk(App(ends_with=None).answer, clock)
    assert outcome == Outcome(succeeded=False, message="the run has not ended within the time limit")
    assert 8 * HOUR <= clock.seconds < 9 * HOUR


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_start_that_is_refused_for_now_is_tried_again_with_the_same_key(walk: Any, status: int) -> None:
    app = App(refusals=[status, status])
    assert walk(app.answer, Clock()).succeeded
    assert len(app.keys) == 1


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 503])
def test_a_start_that_is_refused_for_good_fails_the_caller_and_nothing_is_polled(walk: Any, status: int) -> None:
    app = App(refusals=[status] * 9)
    assert not walk(app.answer, Clock()).succeeded
    assert app.asked == 0


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_run_that_may_not_be_asked_about_fails_the_caller_at_once(walk: Any, status: int) -> None:
    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        return App().answer(method, url, headers, body) if method == "POST" else Reply(status, {}, {"title": "no"})

    clock = Clock()
    assert not walk(answer, clock).succeeded
    assert clock.seconds < HOUR


def failing_once(app: App, at_poll: int, status: int) -> Answer:
    """The app, but one poll comes to nothing."""
    polls = iter(range(1000))

    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if method == "GET" and next(polls) == at_poll:
            return Reply(status, {}, {"title": "not now"})
        return app.answer(method, url, headers, body)

    return answer


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("status", [429, 502, 503])
def test_one_poll_that_comes_to_nothing_ends_nothing(walk: Any, status: int) -> None:
    assert walk(failing_once(App(), 1, status), Clock()).succeeded


def test_a_poll_that_keeps_failing_fails_the_pipeline() -> None:
    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        return App().answer(method, url, headers, body) if method == "POST" else Reply(500, {}, {"title": "broken"})

    outcome = walk_pipeline(answer, Clock())
    assert not outcome.succeeded
    assert "broken" in outcome.message


@pytest.mark.parametrize(
    ("parameters", "request_body"),
    [
        ({}, {}),
        ({"exports": ["revenue"]}, {"exports": ["revenue"]}),
        ({"groups": ["hourly", "finance"]}, {"groups": ["hourly", "finance"]}),
        ({"date": "2026-11-24"}, {"date": "2026-11-24"}),
        (
            {"exports": ["a", "b"], "groups": ["c"], "date": "2026-11-24"},
            {"exports": ["a", "b"], "groups": ["c"], "date": "2026-11-24"},
        ),
    ],
)
def test_a_pipeline_says_only_what_it_was_given(parameters: dict[str, object], request_body: dict[str, object]) -> None:
    app = App()
    assert walk_pipeline(app.answer, Clock(), **parameters).succeeded
    assert app.requests == [request_body]


def test_a_logic_app_says_only_what_it_was_given() -> None:
    app = App()
    assert walk_workflow(app.answer, Clock()).succeeded
    assert app.requests == [{"groups": ["finance"]}]


def test_the_callers_own_run_is_the_key_so_that_trying_again_is_the_same_run() -> None:
    app = App()
    walk_pipeline(app.answer, Clock())
    walk_workflow(app.answer, Clock())
    assert app.keys == {"pipeline-run-1", "workflow-run-1"}


def test_a_logic_app_starts_nothing_by_being_deployed() -> None:
    """A recurrence without a start fires at once: https://learn.microsoft.com/azure/connectors/connectors-native-recurrence."""
    [workflow] = resources("logic-app-caller", "Microsoft.Logic/workflows")
    [trigger] = workflow["properties"]["definition"]["triggers"].values()
    assert trigger["type"] == "Recurrence"
    assert trigger["recurrence"]["startTime"] < "2026-11-01"
    assert trigger["recurrence"]["schedule"] == {"hours": [6], "minutes": [0]}


def test_callers_come_with_their_identity_and_keep_no_key() -> None:
    for file in (INFRA / "callers").glob("*.bicep"):
        text = file.read_text()
        assert "api://${clientId}" in text
        assert "functions-key" not in text
        assert "code=" not in text
