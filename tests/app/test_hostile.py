"""Hostile input over HTTP, against the app in the host stand-in: refused or done, and never a failure of the app."""

import http.client
import importlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emulators.everything import Everything
from emulators.host.host import Host, SimulatedClock
from tests.harness.api_world import OPENAPI

ROOT = Path(__file__).parents[2]
few = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The app, with every door open, against all other stand-ins."""
    with ExitStack() as running:
        everything = running.enter_context(Everything(tmp_path_factory.mktemp("everything")))
        clock = everything.lake.clock = SimulatedClock(datetime(2026, 1, 31, 5, 50, tzinfo=UTC))
        app = {
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "EXPORT_QUEUE": "pigment-exports",
            "EXPORT_SCHEDULE": "none",
            "ALLOW_INLINE_EXPORTS": "true",
            "PATH": "/usr/bin:/bin",
        }
        yield running.enter_context(Host(ROOT, {**everything.environment, **app}, clock=clock))


def ask(
    host: Host, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=60)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def judge(status: int, headers: dict[str, str], body: bytes) -> None:
    """An answer of the app is no failure, and says what is wrong; the host's own refusals are empty."""
    assert status < 500, body
    if status >= 400 and body:
        assert headers["content-type"].startswith("application/problem+json")
        told = json.loads(body)
        assert told["status"] == status
        assert "Traceback" not in body.decode()


@pytest.fixture(scope="module")
def schema() -> Any:
    """The description of the interface; the library takes seconds to import, which no other test should pay."""
    return importlib.import_module("schemathesis").openapi.from_dict(OPENAPI)


OPERATIONS = [(path, method) for path, methods in OPENAPI["paths"].items() for method in methods]
START = ("/api/runs", "post")  # a thousand calls are at a bound of its body


@pytest.mark.parametrize(
    ("path", "method", "at_bounds"),
    [
        *((*operation, operation != START) for operation in OPERATIONS),
        pytest.param(*START, True, marks=pytest.mark.long),
    ],
)
def test_no_call_that_the_description_allows_or_nearly_allows_is_a_failure(
    path: str, method: str, schema: Any, host: Host, *, at_bounds: bool
) -> None:
    """Random calls, and one at each bound: what `schema.parametrize` makes when tests are collected."""
    asked: list[int] = []

    @few
    def call(case: Any) -> None:
        answer = case.call(base_url=host.url)
        asked.append(answer.status_code)
        judge(answer.status_code, {name.lower(): value[0] for name, value in answer.headers.items()}, answer.content)

    builder = importlib.import_module("schemathesis.pytest._test_builder")
    feedback = importlib.import_module("schemathesis.generation.feedback").FeedbackSources()
    schema.config.phases.coverage.enabled = at_bounds
    builder.build_operation_test(
        config=schema.config, operation=schema[path][method], test_func=call, given_kwargs={}, feedback=feedback
    )()
    assert len(asked) >= 25


IDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.sampled_from(
        [
            *("..", "../..", "../../_keys", "a/../b", "%2e%2e%2f", "\\..\\", "/etc/passwd", "\x00", "\r\nX: 1", "runs"),
            *("20261324T060000Z-0123456789abcdef", "20260131T060000Z-0123456789abcdef/../x", "é" * 500, "x" * 6000),
        ]
    ),
)


@few
@given(IDS, st.sampled_from(["", "/cancel"]), st.booleans())
def test_an_id_is_never_more_than_a_text(host: Host, run_id: str, more: str, slashes: bool) -> None:  # noqa: FBT001
    target = f"/api/runs/{quote(run_id, safe='/.\\' if slashes else '')}{more}"
    status, headers, body = ask(host, "POST" if more else "GET", target)
    judge(status, headers, body)
    assert status in (200, 202, 404, 400)  # 200 and 202: what is left of it is the list, or a start


@few
@given(
    st.dictionaries(
        st.sampled_from(["idempotency-key", "x-ms-client-principal-id", "content-type", "host", "x-forwarded-host"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
    )
)
def test_no_header_is_a_failure_or_stands_in_an_answer(host: Host, sent: dict[str, str]) -> None:
    status, headers, body = ask(host, "POST", "/api/runs", b'{"exports": ["revenue"]}', sent)
    judge(status, headers, body)
    assert status in (202, 400, 422)
    if status == 202:
        assert headers["location"].startswith("http://localhost:")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@few
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "exports": st.lists(NAMES, max_size=3),
            "groups": st.lists(NAMES, max_size=3),
            "retry_of": NAMES,
            "release_of": NAMES,
            "date": st.dates().map(str) | st.datetimes().map(datetime.isoformat) | NAMES,
        },
    )
)
def test_names_and_dates_are_refused_or_done(host: Host, body: dict[str, Any]) -> None:
    judge(*ask(host, "POST", "/api/runs", json.dumps(body).encode()))


def nested(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {"type": "And", "and": [leaf]}
    return leaf


@pytest.mark.parametrize("depth", [10, 49, 51, 900, 5000])
def test_a_filter_nested_deep_is_refused_or_taken(host: Host, depth: int) -> None:
    leaf = '{"type":"Dimension","dimension":{"dimensionId":"' + "1" * 8 + '","modalityIds":[]}}'
    text = '{"type":"And","and":[' * depth + leaf + "]}" * depth
    inline = '{"name":"deep","kind":"metric","id":"33333333-3333-4333-8333-333333333333","options":{"exportFilter":'
    status, headers, body = ask(host, "POST", "/api/runs", f'{{"export":{inline}{text}}}}}}}'.encode())
    judge(status, headers, body)
    assert status in (400, 422)


@pytest.mark.parametrize(
    "body",
    [
        b'{"exports":["' + b"x" * 3_900_000 + b'"]}',
        b'{"exports":[' + b",".join([b'"a"'] * 200_000) + b"]}",
        b"{" + b",".join(b'"f%d":1' % number for number in range(100_000)) + b"}",
        b'{"date":"' + b"9" * 1_000_000 + b'"}',
        b'{"retry_of":"' + b"../" * 500_000 + b'"}',
        b"[" * 2_000_000,
        b"\x00" * 5_000_000,
    ],
    ids=range(7),
)
def test_a_huge_body_is_refused_in_an_answer_of_bounded_size(host: Host, body: bytes) -> None:
    status, headers, told = ask(host, "POST", "/api/runs", body)
    judge(status, headers, told)
    assert status in (400, 413, 422)
    assert len(told) < 100_000


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["runs", "runs/x", "runs/x/cancel", "health", "status"])
def test_another_method_is_no_failure(host: Host, method: str, path: str) -> None:
    assert ask(host, method, f"/api/{path}")[0] < 500
