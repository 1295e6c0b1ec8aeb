"""The HTTP answers, in process: what starts a run, what never does, and what callers are told of it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigment_export.app.http import STATUSES
from pigment_export.app.requests import LARGEST_BODY_BYTES, RunRequest
from pigment_export.app.schemas import MOST_FAILED
from pigment_export.errors import ConfigurationError, ExportError, PermanentError, RetryableError, Who
from pigment_export.events import Event
from tests.harness.api_world import OPENAPI, URL, ApiWorld, Told, schema, told
from tests.harness.run_world import BODY, CUT, DAY, HOUR, REFUSED, events, export
from tests.harness.stepping import OUTAGE

ID = "33333333-3333-4333-8333-333333333333"
INLINE = {"name": "extra", "kind": "list", "id": ID, "options": {"fieldDelimiter": "Comma"}}
FAILING = PermanentError(REFUSED)
BREAKS = RetryableError(CUT, retry_after_seconds=0)
EXPORTS = (
    export("revenue", groups=["finance", "hourly"]),
    export("costs", groups=["finance"], owner="ann@example.com"),
    export("plan", groups=["hourly"], enabled=False),
)


@pytest.fixture
def world() -> ApiWorld:
    return ApiWorld(*EXPORTS)


@pytest.fixture
def open_world() -> ApiWorld:
    return ApiWorld(*EXPORTS, inline=True)


def problems(answer: Told, status: int, code: str) -> list[str]:
    """Every problem of a refusal, which wrote and sent nothing."""
    assert (answer.status, answer.body["type"], answer.messages) == (status, f"urn:pigment-export:{code}", [])
    return answer.body.get("problems", [answer.body["detail"]])


def run(world: ApiWorld, body: Any = b"{}", **says: bytes | ExportError) -> Told:
    """Start a run and work it off."""
    world.says.update(says)
    started = world.post(body)
    for text in started.messages:
        try:
            world.work([text])
        except RetryableError:
            continue
    return started


# What starts


def test_a_start_is_told_where_to_follow_it(world: ApiWorld) -> None:
    answer = world.post({})
    assert answer.status == 202
    assert answer.headers == {"Location": f"{URL}/api/runs/{answer.body['run_id']}", "Retry-After": "20"}
    assert answer.body["location"] == answer.headers["Location"]
    assert (answer.body["of"], answer.body["done"], answer.body["state"]) == (2, 0, "running")
    assert [json.loads(text)["name"] for text in answer.messages] == ["revenue", "costs"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"", ["revenue", "costs"]),
        (b"\xef\xbb\xbf {} ", ["revenue", "costs"]),
        ({"exports": None}, ["revenue", "costs"]),
        ({"exports": ["plan"]}, ["plan"]),
        ({"groups": ["hourly"]}, ["revenue"]),
        ({"exports": ["plan"], "groups": ["finance"]}, ["revenue", "costs", "plan"]),
    ],
)
def test_what_is_asked_for_is_what_is_planned(world: ApiWorld, body: Any, names: list[str]) -> None:
    assert world.names(world.post(body)) == names


def test_a_past_date_is_the_files(world: ApiWorld) -> None:
    answer = world.post({"date": "2026-11-20"})
    assert (answer.status, answer.body["snapshot_date"]) == (202, "2026-11-20")


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-11-20", "2026-11-20"),
        ("2026-11-20T06:00:00Z", "2026-11-20"),
        ("2026-11-20T06:00:00.0000000Z", "2026-11-20"),
        ("2026-11-20T23:30:00Z", "2026-11-21"),
        ("2026-11-20T23:30:00-05:00", "2026-11-21"),
        ("2026-11-20T23:30:00", "2026-11-20"),
        ("2026-11-20T23:30", "2026-11-20"),
    ],
)
def test_a_timestamp_is_the_day_that_it_falls_on_in_the_deployments_zone(written: str, day: str) -> None:
    """Data Factory writes `@trigger().scheduledTime` as a timestamp in UTC."""
    world = ApiWorld(*EXPORTS, EXPORT_TIME_ZONE="Europe/Paris")
    schema("RunRequest").validate({"date": written})
    first = world.post({"date": written}, key="k")
    assert (first.status, first.body["snapshot_date"]) == (202, day)
    assert world.post({"date": day}, key="k").body["run_id"] == first.body["run_id"]


def test_a_date_in_the_future_is_refused(world: ApiWorld) -> None:
    [problem] = problems(world.post({"date": "2026-11-25"}), 422, "date_in_future")
    assert problem.startswith("date: 2026-11-25 is in the future")
    assert world.lake.paths() == []


@pytest.mark.parametrize(
    "day",
    [
        *("2026-13-01", "yesterday", "", " ", 20261124, ["2026-11-24"], "20261124", "2026-W48-2", "2026-11-24T25:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "\uff12026-11-24", "2026-11-24Z", "2026-11-24\n"),
    ],
)
def test_what_is_no_date_is_refused(world: ApiWorld, day: Any) -> None:
    said = 'date: must be a date, such as "2026-01-31", or a timestamp, such as "2026-01-31T06:00:00Z"'
    assert problems(world.post({"date": day}), 422, "request") == [said]


def test_every_problem_is_told_at_once(world: ApiWorld) -> None:
    answer = world.post({"export_s": 1, "exports": ["a", "a"], "groups": [], "date": "soon"})
    said = problems(answer, 422, "request")
    assert [problem.partition(":")[0] for problem in said[:3]] == ["groups", "date", "export_s"]
    assert answer.body["detail"] == "5 problems"  # 'a' is unknown, and named twice
    said = problems(world.post({"exports": ["revenu"], "groups": ["daily"]}), 422, "selection")
    assert len(said) == 2
    assert "did you mean 'revenue'?" in said[0]
    assert world.lake.paths() == []


def test_names_date_fields_and_key_are_told_at_once(world: ApiWorld) -> None:
    """Whether the body's form is wrong, which is seen first, or only what it names."""
    wrong = {"exports": ["revenu"], "groups": ["daily"], "date": "2027-01-01"}
    said = problems(world.post(wrong), 422, "selection")
    assert [problem.partition(" ")[0] for problem in said] == ["exports.toml:", "exports.toml:", "date:"]
    more = problems(world.post({**wrong, "when": 1}, key="é"), 422, "request")
    assert more == ["when: unknown; allowed: " + ", ".join(RunRequest.model_fields), more[1], *said]
    assert more[1].startswith("Idempotency-Key:")


def test_no_message_has_a_librarys_words(world: ApiWorld) -> None:
    wrong = {"exports": "revenue", "groups": {"a": 1}, "retry_of": 3, "export": [], "date": 1, "more": 1}
    said = problems(world.post(wrong), 422, "request")
    assert [problem.partition(": ")[2] for problem in said[:4]] == [
        'must be a list of names, such as ["revenue"]',
        'must be a list of names, such as ["revenue"]',
        "must be a text",
        "must be an object",
    ]
    text = " ".join([*said, *problems(world.post({"exports": [1, "x" * 201]}), 422, "request")])
    assert not any(word in text for word in ("tuple", "Input", "valid", "str", "dict", "pydantic"))
    assert problems(world.post(b"{"), 400, "malformed") == ["the body is not JSON (line 1, column 2)"]


@pytest.mark.parametrize(
    ("ask", "query", "said"),
    [
        (ApiWorld.recent, {"limi": "3"}, "limi: unknown; allowed: limit, state"),
        (ApiWorld.recent, {"limit": "0"}, "limit: must be at least 1"),
        (ApiWorld.recent, {"limit": "51"}, "limit: must be at most 50"),
        (ApiWorld.recent, {"limit": "3,4"}, "limit: must be a whole number"),
        (ApiWorld.recent, {"state": "done"}, "state: must be one of 'running', 'succeeded' or 'failed'"),
        (ApiWorld.post, {"date": "2026-11-24"}, "date: unknown; allowed: none"),
        (ApiWorld.status, {"limit": "3"}, "limit: unknown; allowed: none"),
        (ApiWorld.health, {"deeep": "true"}, "deeep: unknown; allowed: deep"),
        (ApiWorld.health, {"deep": "perhaps"}, "deep: must be true or false"),
    ],
)
def test_a_parameter_that_is_unknown_or_wrong_is_refused(
    world: ApiWorld, ask: Callable[..., Told], query: dict[str, str], said: str
) -> None:
    assert problems(ask(world, query={**query, "code": "the-hosts-own-key"}), 422, "request") == [said]
    assert world.lake.paths() == []


def test_nothing_to_export_is_refused(world: ApiWorld) -> None:
    world.exports = (export("plan", enabled=False),)
    [problem] = problems(world.post({}), 422, "selection")
    assert "nothing to export" in problem


@pytest.mark.parametrize(
    "body",
    [
        {"retry_of": "x", "exports": ["revenue"]},
        {"retry_of": "x", "date": "2026-11-24"},
        {"export": INLINE, "groups": ["finance"]},
    ],
)
def test_two_ways_at_once_are_refused(open_world: ApiWorld, body: Any) -> None:
    assert len(problems(open_world.post(body), 422, "request")) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"revenue"',
        b"null",
        b'{"exports": NaN}',
        b'{"export": {"a": 1e999}}',
        b'{"export": {"a": -Infinity}}',
        b'{"retry_of": "\\ud800"}',
        b'{"export": {"\\udfff": 1}}',
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        b'{"export":' * 50_000,
        b'{"exports": [' + b"1" * 5_000 + b"]}",
        b" " * (LARGEST_BODY_BYTES + 1),
        b'{"exports": ["revenue"], "exports": ["pnl"]}',
        b'{"export": {"name": "x", "options": {"filters": [], "filters": []}}}',
    ],
    ids=range(16),
)
def test_what_is_no_json_object_is_malformed(open_world: ApiWorld, body: bytes) -> None:
    problems(open_world.post(body), 400, "malformed")
    assert open_world.lake.paths() == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["revenue", "2026-11-24", ID]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*RunRequest.model_fields, *INLINE, "secret"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
REQUESTS = st.dictionaries(st.sampled_from(list(RunRequest.model_fields)) | st.text(), JSON, max_size=3)


def never_anything_else(body: bytes, key: str | None) -> None:
    world = ApiWorld(*EXPORTS, inline=True)
    headers = {} if key is None else {"idempotency-key": key}
    answer = world.call(headers, body=body).start_run()
    told("/api/runs", "post", answer)
    if answer.status == 202:
        assert answer.messages
    else:
        assert answer.status in (400, 422)
        assert world.lake.paths() == []


@given(st.binary(max_size=60), st.none() | st.text(max_size=5))
def test_whatever_bytes_come_it_starts_or_is_refused_and_then_claims_nothing(body: bytes, key: str | None) -> None:
    never_anything_else(body, key)


@given(REQUESTS | JSON, st.none() | st.text(max_size=5))
def test_whatever_json_comes_it_starts_or_is_refused_and_then_claims_nothing(document: Any, key: str | None) -> None:
    never_anything_else(json.dumps(document).encode(), key)


# One export that is not in the catalog


def test_an_inline_export_is_refused_where_it_is_not_allowed(world: ApiWorld) -> None:
    answer = world.post({"export": INLINE})
    problems(answer, 403, "inline_forbidden")
    assert "ALLOW_INLINE_EXPORTS" in answer.body["remedy"]
    assert world.lake.paths() == []


def test_an_inline_export_runs_where_it_is_allowed(open_world: ApiWorld) -> None:
    schema("RunRequest").validate({"export": INLINE})
    answer = open_world.post({"export": INLINE, "date": "2026-11-24"})
    assert answer.status == 202
    plan = open_world.runs().plan_of(answer.body["run_id"])
    assert plan
    assert plan.names == ("extra",)
    assert plan.exports[0].export.options.fieldDelimiter == "Comma"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"secret": "other-key"}, "export.secret: unknown; allowed: name, kind, id, options"),
        ({"minimum_rows": 0}, "export.minimum_rows: unknown; allowed: name, kind, id, options"),
        ({"name": None}, "export.name: missing; the file is named by it"),
        ({"name": "../x"}, "a name has lower-case letters"),
        ({"name": "revenue"}, "export.name: 'revenue' is in the catalog"),
        ({"kind": "cube"}, "export: extra.kind: unknown (not 'cube'); allowed: list, metric, table, view"),
        ({"id": "1"}, "export: extra.id: not an id"),
        ({"options": {"exportFilter": {}}}, "export: extra.options.exportFilter: unknown"),
    ],
)
def test_an_inline_export_is_checked_like_the_catalogs(open_world: ApiWorld, change: Any, said: str) -> None:
    [problem] = problems(open_world.post({"export": INLINE | change}), 422, "request")
    assert said in problem
    assert open_world.lake.paths() == []


def test_an_inline_export_is_told_all_that_is_wrong(open_world: ApiWorld) -> None:
    assert len(problems(open_world.post({"export": {"secret": "x", "owner": "y"}}), 422, "request")) == 3
    assert len(problems(open_world.post({"export": {"name": "a"}}), 422, "request")) == 2  # kind, id


# Once more


def test_what_failed_is_run_again_as_it_was_defined(world: ApiWorld) -> None:
    failed = run(world, costs=FAILING)
    world.exports = (export("revenue"),)  # costs is gone from the catalog
    world.chosen = 0
    world.lake.advance(DAY)
    again = world.post({"retry_of": failed.body["run_id"]})
    assert (again.status, world.names(again), world.chosen) == (202, ["costs"], 0)
    assert again.body["snapshot_date"] == "2026-11-25"
    plans = [world.runs().plan_of(answer.body["run_id"]) for answer in (failed, again)]
    assert plans[0]
    assert plans[1]
    assert plans[1].exports[0].export == plans[0].exports[1].export


def test_what_was_held_is_run_again_too(world: ApiWorld) -> None:
    world.exports = (export("revenue", minimum_rows=9), export("costs"))
    held = run(world)
    assert world.get(held.body["run_id"]).body["counts"] == {"held": 1, "succeeded": 1}
    assert world.names(world.post({"retry_of": held.body["run_id"]})) == ["revenue"]


def test_a_run_that_goes_on_is_not_run_again(world: ApiWorld) -> None:
    started = world.post({})
    problems(world.post({"retry_of": started.body["run_id"]}), 409, "run_not_ended")
    assert len(world.claims()) == 1


def test_a_run_of_which_nothing_failed_is_not_run_again(world: ApiWorld) -> None:
    ended = run(world)
    [problem] = problems(world.post({"retry_of": ended.body["run_id"]}), 422, "request")
    assert "every export of the run" in problem


@pytest.mark.parametrize("run_id", ["", "x", "../..", "20261124T060000Z-0123456789abcdef", "é" * 300])
def test_a_run_that_nobody_knows_is_not_run_again(world: ApiWorld, run_id: str) -> None:
    [problem] = problems(world.post({"retry_of": run_id}), 422, "request")
    assert problem.startswith("retry_of: ")


def test_another_deployments_run_is_neither_followed_nor_run_again(world: ApiWorld) -> None:
    theirs = world.claim(world.runs(deployment="other")).plan.run_id
    assert world.get(theirs).status == 404
    problems(world.post({"retry_of": theirs}), 422, "request")


# The same key


def test_the_same_key_is_the_same_run_with_what_is_pending(world: ApiWorld) -> None:
    first = world.post({}, key="monday")
    world.work(first.messages[:1])
    again = world.post({}, key="monday")
    assert (again.status, again.headers) == (202, first.headers)
    assert again.messages == first.messages[1:]
    assert again.body["done"] == 1
    assert len(world.claims()) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"exports": ["costs", "revenue"]}, {"exports": ["revenue", "costs"]}),
        ({}, b""),
        ({}, {"groups": None}),
        ({"groups": ["finance"]}, b' {"groups" : [ "fina\\u006ece" ] , "date" : null }'),
    ],
)
def test_the_same_request_written_otherwise_is_the_same(world: ApiWorld, one: Any, other: Any) -> None:
    assert world.post(one, key="k").headers == world.post(other, key="k").headers


def test_an_inline_request_written_otherwise_is_the_same(open_world: ApiWorld) -> None:
    one = open_world.post({"export": INLINE}, key="k")
    other = {**INLINE, "id": ID.replace("-", "").upper(), "options": {**INLINE["options"], "dateFormat": "Iso8601"}}
    assert open_world.post({"export": other}, key="k").headers == one.headers


def test_the_same_key_with_another_request_is_refused(world: ApiWorld) -> None:
    world.post({}, key="k")
    before = world.lake.paths()
    problems(world.post({"exports": ["costs"]}, key="k"), 422, "key_used_otherwise")
    assert world.lake.paths() == before


def test_the_same_key_after_the_end_sends_nothing(world: ApiWorld) -> None:
    first = world.post({}, key="k")
    world.work(first.messages)
    again = world.post({}, key="k")
    assert (again.status, again.headers, again.messages) == (202, first.headers, [])
    assert world.get(first.body["run_id"]).status == 200


def test_a_repeat_says_what_is_not_what_was(world: ApiWorld) -> None:
    first = world.post({}, key="k")
    world.work(first.messages)
    again = world.post({}, key="k")
    assert (again.body["state"], again.body["done"], again.body["counts"]) == ("succeeded", 2, {"succeeded": 2})


def test_the_same_key_of_a_claim_that_expired_without_a_plan_is_told(world: ApiWorld) -> None:
    world.post({}, key="k")
    world.lake.delete(world.plans()[0])
    world.lake.advance(7 * HOUR)
    answer = world.post({}, key="k")
    problems(answer, 409, "run_expired_unplanned")
    assert "new Idempotency-Key" in answer.body["remedy"]


def test_without_a_key_each_call_is_a_run(world: ApiWorld) -> None:
    assert world.post({}).body["run_id"] != world.post({}).body["run_id"]
    assert len(world.claims()) == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "é", "a\tb", "a\nb", "\x00"])
def test_a_key_that_is_none_is_refused(world: ApiWorld, key: str) -> None:
    [problem] = problems(world.post({}, key=key), 422, "request")
    assert problem.startswith("Idempotency-Key:")
    assert world.lake.paths() == []


@pytest.mark.parametrize("key", [" ", "x" * 200, "../../schedule/app", "~!%2F"])
def test_any_printable_key_will_do(world: ApiWorld, key: str) -> None:
    assert world.post({}, key=key).status == 202


# Following


def test_a_run_tells_how_far_it_is(world: ApiWorld) -> None:
    started = run(world, costs=BREAKS)
    answer = world.get(started.body["run_id"])
    assert (answer.status, answer.headers) == (202, started.headers)
    assert (answer.body["done"], answer.body["of"]) == (1, 2)
    assert answer.body["counts"] == {"retrying": 1, "succeeded": 1}
    [retrying] = answer.body["retrying"]
    assert (retrying["name"], retrying["class"], retrying["reason"]) == ("costs", CUT.code, CUT.reason)


def test_a_run_that_succeeded_is_200_and_names_its_result(world: ApiWorld) -> None:
    answer = world.get(run(world).body["run_id"])
    assert (answer.status, answer.headers, answer.body["state"]) == (200, {}, "succeeded")
    assert answer.body["counts"] == {"succeeded": 2}
    rows = {row["name"]: row["rows"] for row in world.json(answer.body["result"])["exports"]}
    assert rows == {"revenue": 2, "costs": 2}


def test_a_run_that_failed_is_409_with_what_failed(world: ApiWorld) -> None:
    answer = world.get(run(world, costs=FAILING).body["run_id"])
    assert (answer.status, answer.headers) == (409, {})
    assert (answer.body["state"], answer.body["done"], answer.body["of"]) == ("failed", 2, 2)
    assert answer.body["detail"] == "the run has ended: 1 failed, 1 succeeded"
    [trouble] = answer.body["failed"]
    assert trouble == {
        "name": "costs",
        "state": "failed",
        "class": REFUSED.code,
        "reason": REFUSED.reason,
        "who": str(REFUSED.who),
        "remedy": REFUSED.remedy,
        "owner": "ann@example.com",
        "started_at": "2026-11-24T06:00:00Z",
        "ended_at": "2026-11-24T06:00:00Z",
    }
    assert answer.body["run_id"] in answer.body["remedy"]


def test_a_held_file_is_409_and_told_where_it_lies(world: ApiWorld) -> None:
    world.exports = (export("revenue", minimum_rows=9),)
    answer = world.get(run(world).body["run_id"])
    assert answer.status == 409
    [trouble] = answer.body["failed"]
    assert (trouble["state"], trouble["path"].startswith("revenue/_held/")) == ("held", True)
    assert world.lake.content(trouble["path"]) == BODY


def test_an_export_that_the_queue_gave_up_ends_its_run(world: ApiWorld) -> None:
    started = run(world, costs=BREAKS)
    world.lake.advance(timedelta(hours=7))
    world.poison(started.messages)
    answer = world.get(started.body["run_id"])
    assert answer.status == 409
    assert [(trouble["name"], trouble["class"]) for trouble in answer.body["failed"]] == [("costs", CUT.code)]


def test_more_failed_exports_than_an_answer_may_carry_are_cut() -> None:
    names = [f"e{number}" for number in range(MOST_FAILED + 5)]
    world = ApiWorld(*names)
    started = run(world, **dict.fromkeys(names, BREAKS))
    assert len(world.get(started.body["run_id"]).body["retrying"]) == MOST_FAILED
    world.lake.advance(timedelta(hours=7))
    world.poison(started.messages)
    answer = world.get(started.body["run_id"])
    assert len(answer.body["failed"]) == MOST_FAILED
    assert answer.body["counts"] == {"failed": MOST_FAILED + 5}


@given(st.text() | st.from_regex(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}", fullmatch=True))
def test_whatever_is_asked_about_is_unknown(run_id: str) -> None:
    world = ApiWorld()
    answer = told("/api/runs/{runId}", "get", world.call({}).run_status(run_id))
    assert (answer.status, answer.body["type"]) == (404, "urn:pigment-export:run_unknown")


def test_a_run_whose_records_were_changed_is_500_and_says_who_must_act(world: ApiWorld) -> None:
    started = world.post({})
    world.break_record(world.plans()[0])
    answer = world.get(started.body["run_id"])
    assert (answer.status, answer.body["type"]) == (500, "urn:pigment-export:record_unreadable")
    assert answer.body["who"] == str(Who.ADMINISTRATOR)


def test_recent_runs_are_the_deployments_own_newest_first(world: ApiWorld) -> None:
    failed = run(world, costs=FAILING)
    world.lake.advance(HOUR)
    world.claim(world.runs(deployment="other"))
    going = world.post({})
    answer = world.recent()
    assert answer.status == 200
    assert [row["run_id"] for row in answer.body["runs"]] == [going.body["run_id"], failed.body["run_id"]]
    assert [(row["state"], row["done"], row["of"]) for row in answer.body["runs"]] == [
        ("running", 0, 2),
        ("failed", 2, 2),
    ]


@pytest.mark.parametrize("ask", [lambda w: w.post({}), ApiWorld.status, ApiWorld.recent])
def test_a_lake_that_is_out_is_503_to_be_asked_again_and_logged(
    world: ApiWorld, caplog: pytest.LogCaptureFixture, ask: Callable[[ApiWorld], Told]
) -> None:
    world.out_until = world.lake.now() + HOUR
    before = world.deadline(1e9).ends_at
    answer = ask(world)
    assert (answer.status, answer.headers) == (503, {"Retry-After": "30"})
    assert [event["class"] for event in events(caplog, Event.TRIGGER_FAILED)] == [OUTAGE.code]
    assert answer.body["detail"] == OUTAGE.reason
    assert (answer.body["who"], answer.body["remedy"]) == ("the caller", "call again in 30 seconds")
    assert world.deadline(1e9).ends_at - before < 45  # its caller waits no longer


# Who may call


def test_anonymous_without_entra_is_503_with_the_reason_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = ApiWorld(HTTP_AUTH_LEVEL="ANONYMOUS")
    for answer in (world.post({}), world.get("x"), world.recent(), world.health()):
        assert (answer.status, answer.headers) == (503, {})
        assert answer.body["type"] == "urn:pigment-export:anonymous_unguarded"
        assert "Entra authentication is not enabled" in answer.body["detail"]
    assert world.lake.paths() == []
    assert [event["class"] for event in events(caplog, Event.TRIGGER_FAILED)] == ["anonymous_unguarded"] * 4


def test_a_header_proves_nothing_without_entra() -> None:
    world = ApiWorld(HTTP_AUTH_LEVEL="ANONYMOUS")
    assert world.post({}, x_ms_client_principal_id="eve").status == 503
    world = ApiWorld()
    assert world.post({}, x_ms_client_principal_id="eve").body["asked_by"] == "function key"


@pytest.mark.parametrize("guarded", ["True", "true", " TRUE "])
def test_behind_entra_a_principal_is_asked_for(guarded: str) -> None:
    world = ApiWorld(HTTP_AUTH_LEVEL="ANONYMOUS", WEBSITE_AUTH_ENABLED=guarded)
    assert world.post({}).status == 401
    assert world.post({}, x_ms_client_principal_id=" ").status == 401
    assert world.get("x").status == world.recent().status == world.health().status == 401
    assert world.lake.paths() == []
    answer = world.post({}, x_ms_client_principal_id="ann\n")
    assert (answer.status, answer.body["asked_by"]) == (202, "ann")


@pytest.mark.parametrize(
    ("environ", "asked_by"),
    [
        ({}, "function key"),
        ({"HTTP_AUTH_LEVEL": "admin"}, "admin key"),
        ({"WEBSITE_SITE_NAME": "", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}, "local host"),
        (
            {
                "WEBSITE_SITE_NAME": "",
                "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
                "HTTP_AUTH_LEVEL": "ANONYMOUS",
            },
            "local host",
        ),
    ],
)
def test_a_run_says_who_asked(environ: dict[str, str], asked_by: str) -> None:
    answer = ApiWorld(**environ).post({})
    assert (answer.status, answer.body["asked_by"]) == (202, asked_by)


def test_a_site_that_says_it_is_a_laptop_is_none() -> None:
    environ = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "HTTP_AUTH_LEVEL": "ANONYMOUS"}
    assert ApiWorld(**environ).post({}).status == 503


# What is wrong with the app itself


def test_wrong_settings_are_500_with_every_problem_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = ApiWorld(RUN_HOURS="99", DATA_LAKE_URL="https://token.blob.example?sig=s3cr3t")
    answer = world.post({})
    assert {problem.partition(":")[0] for problem in problems(answer, 500, "settings")} == {
        "RUN_HOURS",
        "DATA_LAKE_URL",
    }
    for other in (world.get("x"), world.recent(), world.health()):
        assert len(problems(other, 500, "settings")) == 2
        assert "s3cr3t" not in other.text
    assert [event["class"] for event in events(caplog, Event.TRIGGER_FAILED)] == ["settings"] * 4
    assert "s3cr3t" not in answer.text + caplog.text


def test_a_broken_catalog_is_500_and_logged(world: ApiWorld, caplog: pytest.LogCaptureFixture) -> None:
    world.catalog_error = ConfigurationError(["exports.toml: revenue.id: missing"], code="catalog")
    assert problems(world.post({}), 500, "catalog") == ["exports.toml: revenue.id: missing"]
    [event] = events(caplog, Event.TRIGGER_FAILED)
    assert (event["trigger"], event["class"]) == ("http", "catalog")
    assert world.lake.paths() == []


@pytest.mark.parametrize("body", [b"{", {"exports": ["no"]}, {"export": INLINE}, {"date": "2027-01-01"}])
def test_what_the_caller_must_mend_is_no_failure_of_the_trigger(
    world: ApiWorld, caplog: pytest.LogCaptureFixture, body: Any
) -> None:
    assert world.post(body).status < 500
    assert events(caplog, Event.TRIGGER_FAILED) == []


def test_every_status_that_an_error_makes_is_described() -> None:
    described = {
        int(status) for calls in OPENAPI["paths"].values() for call in calls.values() for status in call["responses"]
    }
    assert set(STATUSES.values()) | {200, 202, 500} == described


def test_no_answer_has_the_key(world: ApiWorld) -> None:
    run(world, costs=FAILING)
    answers = [world.post({}), world.recent(), world.health(deep=True), world.get(world.post({}).body["run_id"])]
    assert not any("k3y-that-is-shown-nowhere" in answer.text for answer in answers)


def test_a_list_tells_times_and_reasons_and_can_be_cut_and_filtered(world: ApiWorld) -> None:
    failed = run(world, costs=FAILING).body["run_id"]
    world.lake.advance(HOUR)
    world.says.clear()
    good = run(world).body["run_id"]
    [row] = world.recent({"state": "failed"}).body["runs"]
    assert (row["run_id"], row["claimed_at"], row["ended_at"]) == (
        failed,
        "2026-11-24T06:00:00Z",
        "2026-11-24T06:00:00Z",
    )
    assert [(one["name"], one["reason"]) for one in row["failed"]] == [("costs", REFUSED.reason)]
    assert [row["run_id"] for row in world.recent({"limit": "1"}).body["runs"]] == [good]
    assert world.recent({"state": "running"}).body["runs"] == []


def test_a_list_reaches_back_some_days_only(world: ApiWorld) -> None:
    world.post({})
    world.lake.advance(timedelta(days=8))
    assert world.recent().body["runs"] == []


# Released and cancelled


def held_run(world: ApiWorld) -> str:
    """A run of which one export is held and one succeeded."""
    world.exports = (export("revenue", minimum_rows=9, owner="ann@example.com"), export("costs"))
    return str(run(world).body["run_id"])


def test_a_held_file_is_released_as_a_run_of_its_own(world: ApiWorld) -> None:
    held = held_run(world)
    answer = world.get(held)
    assert f'{{"release_of": "{held}"}}' in answer.body["remedy"]
    released = world.post({"release_of": held, "exports": ["revenue"]})
    assert (released.status, world.names(released)) == (202, ["revenue"])
    before = list(world.fetched)
    world.work(released.messages)
    assert world.get(released.body["run_id"]).status == 200
    assert world.fetched == before
    assert world.lake.content("revenue/dt=2026-11-24/revenue.csv") == BODY


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"release_of": "20261124T060000Z-0123456789abcdef"}, "release_of: this deployment has no run"),
        ({"release_of": "RUN", "exports": ["costs"]}, "exports: 'costs' is not held"),
        ({"release_of": "RUN", "exports": ["other"]}, "exports: 'other' is not an export of the run"),
        ({"release_of": "RUN", "date": "2026-11-24"}, "release_of allows only exports beside it"),
        ({"release_of": "RUN", "groups": ["finance"]}, "release_of allows only exports beside it"),
    ],
)
def test_what_is_not_held_is_not_released(world: ApiWorld, body: dict[str, Any], said: str) -> None:
    held = held_run(world)
    before = world.lake.paths()
    [problem] = problems(world.post(body | {"release_of": body["release_of"].replace("RUN", held)}), 422, "request")
    assert problem.startswith(said)
    assert world.lake.paths() == before


def test_a_cancelled_run_begins_nothing_more_and_its_receipts_say_who_did_it(world: ApiWorld) -> None:
    started = world.post({})
    world.work(started.messages[:1])
    answer = world.cancel(started.body["run_id"])
    assert (answer.status, answer.headers) == (202, started.headers)
    world.work(started.messages[1:])
    ended = world.get(started.body["run_id"])
    assert (ended.status, ended.body["counts"]) == (409, {"failed": 1, "succeeded": 1})
    [failed] = ended.body["failed"]
    assert (failed["class"], "function key" in failed["reason"]) == ("cancelled", True)
    assert world.fetched == ["revenue"]


def test_a_run_that_has_ended_or_is_not_there_is_not_cancelled(world: ApiWorld) -> None:
    good, bad = run(world), run(world, costs=FAILING)
    before = world.lake.paths()
    assert world.cancel(good.body["run_id"]).status == 200
    assert world.cancel(bad.body["run_id"]).status == 409
    assert world.cancel("20261124T060000Z-0000000000000000").status == 404
    assert problems(world.cancel("x", query={"force": "1"}), 422, "request") == ["force: unknown; allowed: none"]
    assert world.lake.paths() == before


def test_a_list_says_when_each_export_runs_next_unless_the_catalog_is_wrong(world: ApiWorld) -> None:
    nine = export("revenue", schedule="0 9 * * *")
    world.exports = (nine, export("costs"), export("by_call", schedule="none"), export("off", enabled=False))
    assert world.recent().body["next"] == {"revenue": "2026-11-24T09:00:00Z", "costs": "2026-11-25T06:00:00Z"}
    world.catalog_error = ConfigurationError(["exports.toml: revenue.id: missing"], code="catalog")
    assert world.recent().body == {"runs": []}
