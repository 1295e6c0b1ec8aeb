"""The Data Factory pipeline and the Logic App of `infra/callers/`, walked against the app's HTTP contract."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pigment_export.retry import ANSWER_SECONDS
from tests.harness.infra_callers import ERROR_FORMATS, Answer, Clock, Outcome, Pipeline, Reply, Workflow, seconds_of
from tests.harness.infra_templates import INFRA, TemplateError, predicted, resources

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


def walk_pipeline(
    answer: Answer, clock: Clock, *, scenario: str = "data-factory-caller", parameters: Any = None, **leaves_open: Any
) -> Outcome:
    [pipeline] = resources(scenario, "Microsoft.DataFactory/factories/pipelines")
    run = Pipeline(pipeline["properties"], answer, clock, parameters or {}, run_id="pipeline-run-1", **leaves_open)
    return run.run()


def walk_workflow(answer: Answer, clock: Clock, *, scenario: str = "logic-app-caller") -> Outcome:
    [workflow] = resources(scenario, "Microsoft.Logic/workflows")
    return Workflow(workflow["properties"]["definition"], answer, clock, run_id="workflow-run-1").run()


WALKS = [
    pytest.param(walk_pipeline, id="Data Factory"),
    pytest.param(partial(walk_pipeline, scenario="data-factory-entra"), id="Data Factory with a token"),
    pytest.param(partial(walk_pipeline, until_fails_with_its_inside=False), id="Data Factory, lenient"),
    pytest.param(partial(walk_pipeline, error_format=ERROR_FORMATS[1]), id="Data Factory, status as a word"),
    pytest.param(walk_workflow, id="Logic App"),
    pytest.param(partial(walk_workflow, scenario="logic-app-entra"), id="Logic App with a token"),
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


def failing_from(app: App, at_poll: int, status: int, *, polls: int) -> Answer:
    """The app, but some polls come to nothing."""
    count = iter(range(10_000))

    def answer(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if method == "GET" and at_poll <= next(count) < at_poll + polls:
            return Reply(status, {}, {"title": "not now", "detail": "the run 20261124T060000Z-409401403404 waits"})
        return app.answer(method, url, headers, body)

    return answer


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_an_outage_at_the_polls_ends_nothing_while_the_time_limit_lasts(walk: Any, status: int) -> None:
    """An hour of it: 120 looks."""
    clock = Clock()
    assert walk(failing_from(App(), 1, status, polls=120), clock).succeeded
    assert clock.seconds > HOUR


@pytest.mark.parametrize("walk", WALKS)
def test_polls_that_keep_failing_fail_the_caller_at_the_time_limit(walk: Any) -> None:
    clock = Clock()
    outcome = walk(failing_from(App(), 0, 500, polls=10_000), clock)
    assert outcome == Outcome(succeeded=False, message="the run has not ended within the time limit")
    assert 8 * HOUR <= clock.seconds < 9 * HOUR


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
    assert walk_pipeline(app.answer, Clock(), parameters=parameters).succeeded
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
    assert trigger["recurrence"]["startTime"] < "2026-11-01"  # in the past, whenever it is deployed
    assert trigger["recurrence"]["schedule"] == {"hours": [6], "minutes": [0]}


def test_a_caller_proves_itself_in_one_way(tmp_path: Path) -> None:
    """By a key from the vault, which is the default way in, or by a token of its own; no key stands in a template."""
    url = {"appUrl": URL}
    for entry, name in (("data-factory", {"factoryName": "adf"}), ("logic-app", {"location": "westeurope"})):
        for given in ({}, {"keySecretUrl": "https://kv.vault.azure.net/secrets/k", "clientId": "c"}):
            with pytest.raises(TemplateError) as refused:
                predicted(f"callers/{entry}.bicep", url | name | given, tmp_path)
            assert "give exactly one of them" in str(refused.value)
        assert "code=" not in (INFRA / "callers" / f"{entry}.bicep").read_text()


def test_a_call_waits_longer_than_the_app_and_a_cold_start_take_and_no_longer_than_azure() -> None:
    [pipeline] = resources("data-factory-caller", "Microsoft.DataFactory/factories/pipelines")
    activities = {one["name"]: one for one in pipeline["properties"]["activities"]}
    polls = activities["Wait for the end"]["typeProperties"]["activities"]
    for one in (activities["Start run"], next(one for one in polls if one["name"] == "Poll")):
        waits = seconds_of(one["typeProperties"]["httpRequestTimeout"])
        assert ANSWER_SECONDS + COLD_START_SECONDS < waits < 230  # where Azure's load balancer ends a call


def test_a_logic_app_can_be_made_before_its_identity_has_its_right(tmp_path: Path) -> None:
    given = {"location": "westeurope", "appUrl": URL, "clientId": "c", "state": "Disabled"}
    [workflow] = predicted("callers/logic-app.bicep", given, tmp_path)["predictedResources"]
    assert workflow["properties"]["state"] == "Disabled"


COLD_START_SECONDS = 30
