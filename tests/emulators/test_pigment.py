"""Pigment's stand-in over HTTP/2, met by a small h2 client of this file, and over HTTP/1.1, met by requests."""

import contextlib
import csv
import hashlib
import io
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.network import Authority
from emulators.pigment.csv import ROWS_AT_ONCE
from emulators.pigment.faults import KINDS, Fault
from emulators.pigment.model import (
    APPLICATION,
    BIG_VIEW,
    BOARD,
    BOARD_VIEW,
    COST,
    COUNTRIES,
    MINE_VIEW,
    MONTHS,
    ORDERS,
    PEOPLE_APPLICATION,
    PNL,
    PNL_VIEW,
    REVENUE,
    TEAMS,
    Column,
)
from emulators.pigment.requests import problems_of
from emulators.pigment.server import PING_SECONDS
from emulators.pigment.service import (
    DEMO_KEY,
    EXPIRED_KEY,
    EXPORT_ONLY_KEY,
    WINDOW_REQUESTS,
    WINDOW_SECONDS,
    Key,
    Pigment,
)

PATIENCE_SECONDS = 20.0  # a test that hangs fails instead
LONG_SECONDS = 600.0  # of a fault that nobody waits for
NOBODY = "99999999-9999-4999-8999-999999999999"
METRIC = f"/api/v1/export/metric/{REVENUE}"
BEARER = {"authorization": f"Bearer {DEMO_KEY}"}


@dataclass
class Got:
    """What came back on one stream; `end` says how it ended."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    end: str = ""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def rows(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.text), delimiter=";"))


class Http2Client:
    """One connection. `keeps_reading` False grants no more than the first window."""

    def __init__(
        self, pigment: Pigment, ca_file: Path, *, keeps_reading: bool = True, window_bytes: int = 65535
    ) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(pigment.address, timeout=PATIENCE_SECONDS)
        self.socket = context.wrap_socket(raw, server_hostname="pigment.app")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window_bytes})
        self.keeps_reading = keeps_reading
        self.streams: dict[int, Got] = {}
        self.pings = 0
        self.goodbyes: list[tuple[int, int | None]] = []
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            with contextlib.suppress(ConnectionError):  # reading tells how it ended
                self.socket.sendall(data)

    def send(self, path: str, body: Any = None, headers: Mapping[str, str] = BEARER) -> int:
        stream = self.h2.get_next_available_stream_id()
        method = "GET" if body is None else "POST"
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "pigment.app"), (":path", path)]
        self.streams[stream] = Got()
        self.h2.send_headers(stream, [*pseudo, *headers.items()], end_stream=body is None)
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            while data:
                while not (room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)):
                    self.flush()
                    self.receive()
                self.h2.send_data(stream, data[:room])
                data = data[room:]
            self.h2.end_stream(stream)
        self.flush()
        return stream

    def receive(self) -> None:
        data = b""
        with contextlib.suppress(ConnectionError):
            data = self.socket.recv(65536)
        if not data:
            for got in self.streams.values():
                got.end = got.end or "closed"
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()

    def take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                got = self.streams[event.stream_id]
                got.headers = {str(name): str(value) for name, value in event.headers}
                got.status = int(got.headers[":status"])
            case h2.events.DataReceived():
                self.streams[event.stream_id].body += event.data
                if self.keeps_reading and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.streams[event.stream_id].end = "END_STREAM"
            case h2.events.StreamReset():
                self.streams[event.stream_id].end = f"RST_STREAM {int(event.error_code)}"
            case h2.events.PingReceived():
                self.pings += 1
            case h2.events.ConnectionTerminated():
                self.goodbyes.append((int(event.error_code), event.last_stream_id))

    def wait_for(self, stream: int) -> Got:
        while not self.streams[stream].end:
            self.receive()
        return self.streams[stream]

    def ask(self, path: str, body: Any = None, headers: Mapping[str, str] = BEARER) -> Got:
        return self.wait_for(self.send(path, body, headers))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def pigment(authority: Authority) -> Iterator[Pigment]:
    with Pigment(authority.server_context(*Pigment.hosts, alpn=["h2", "http/1.1"])) as running:
        yield running


@pytest.fixture
def client(pigment: Pigment, authority: Authority) -> Iterator[Http2Client]:
    with Http2Client(pigment, authority.ca_file) as connected:
        yield connected


@pytest.fixture
def session(authority: Authority) -> Iterator[requests.Session]:
    """Speaks HTTP/1.1."""
    with requests.Session() as opened:
        opened.trust_env = False
        opened.verify = str(authority.ca_file)
        opened.headers.update({"Authorization": f"Bearer {DEMO_KEY}", "Accept-Encoding": "identity"})
        yield opened


def url(pigment: Pigment, path: str) -> str:
    return f"https://127.0.0.1:{pigment.address[1]}{path}"


# The calls


@pytest.mark.parametrize("version", ["", "v1/"])
@pytest.mark.parametrize(
    ("call", "header"),
    [
        (f"list/{COUNTRIES}", "name;region;opened"),
        (f"list/{ORDERS}", "order;country;day;amount"),
        (f"metric/{REVENUE}", "Country;Month;Revenue"),
        (f"table/{PNL}", "Country;Month;pnl_cost;pnl_revenue"),
        (f"view/{PNL_VIEW}", "Country;Month;Cost;Revenue"),
        (f"view/{MINE_VIEW}", "Country;Month;Cost;Revenue"),
    ],
)
def test_each_kind_is_exported_by_both_versions_of_its_call(
    client: Http2Client, version: str, call: str, header: str
) -> None:
    got = client.ask(f"/api/{version}export/{call}", None if call.startswith("view") else {})
    assert (got.status, got.end, got.headers["content-type"]) == (200, "END_STREAM", "text/csv")
    assert "content-length" not in got.headers
    assert got.text.startswith(f"{header}\n")
    assert got.text.endswith("\n")
    assert len(got.rows) == (41 if COUNTRIES in call else 1001)
    assert {len(row) for row in got.rows} == {header.count(";") + 1}


def test_http1_gives_the_same_bytes_in_chunks(pigment: Pigment, client: Http2Client, session: requests.Session) -> None:
    answer = session.post(url(pigment, METRIC), json={}, timeout=PATIENCE_SECONDS)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == client.ask(METRIC, {}).body
    assert [seen.protocol for seen in pigment.requests] == ["HTTP/1.1", "HTTP/2"]


def test_a_server_without_h2_speaks_http1_to_a_client_that_would(authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        Pigment(authority.server_context(*Pigment.hosts, alpn=["http/1.1"])) as old,
        socket.create_connection(old.address, timeout=PATIENCE_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname="pigment.app") as connection,
    ):
        assert connection.selected_alpn_protocol() == "http/1.1"
        connection.sendall(b"GET /api/v1/applications HTTP/1.1\r\nhost: pigment.app\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize(
    ("path", "asked", "expected"),
    [
        (f"/api/v1/export/list/{ORDERS}", None, "2026-01-13"),
        (f"/api/v1/export/metric/{REVENUE}", None, "2026-01-13"),
        (f"/api/v1/export/metric/{REVENUE}", "Legacy", "01/13/2026 00:00:00 +00:00"),
        (f"/api/export/list/{ORDERS}", None, "01/13/2026"),
        (f"/api/export/metric/{REVENUE}", None, "01/13/2026 00:00:00 +00:00"),
        (f"/api/export/metric/{REVENUE}", "Iso8601", "2026-01-13"),
    ],
)
def test_dates_default_to_iso_in_v1_and_to_each_kinds_legacy_form_elsewhere(
    pigment: Pigment, client: Http2Client, path: str, asked: str | None, expected: str
) -> None:
    pigment.model.blocks[path.rpartition("/")[2]].columns = {"day": Column("Day", "date")}
    assert client.ask(path, {"dateFormat": asked}).text.splitlines()[13] == expected


@pytest.mark.parametrize(
    ("kind", "block", "options", "header"),
    [
        ("list", COUNTRIES, {"friendlyHeaders": True}, "Name;Region;Opened"),
        ("list", COUNTRIES, {"propertyTechnicalNames": ["opened", "name"]}, "opened;name"),
        ("list", COUNTRIES, {"propertyTechnicalNames": ["opened"], "friendlyHeaders": True}, "Opened"),
        ("list", COUNTRIES, {"propertyTechnicalNames": None, "listFilter": []}, "name;region;opened"),
        ("metric", REVENUE, {"friendlyHeaders": True}, "Country;Month;Revenue in EUR"),
        ("metric", REVENUE, {"fieldDelimiter": "Comma"}, "Country,Month,Revenue"),
        ("metric", REVENUE, {"encoding": "Utf8WithBom"}, "\ufeffCountry;Month;Revenue"),
        ("metric", REVENUE, {"encoding": "Utf8WithoutBom"}, "Country;Month;Revenue"),
        ("metric", REVENUE, {"scenarios": [NOBODY]}, "Scenario;Country;Month;Revenue"),
        ("metric", REVENUE, {"scenarios": []}, "Country;Month;Revenue"),
        ("table", PNL, {"metrics": [REVENUE.upper()]}, "Country;Month;pnl_revenue"),
        ("table", PNL, {"metrics": [], "friendlyHeaders": True}, "Country;Month;Cost;Revenue"),
        (
            "table",
            PNL,
            {
                "scenarios": [NOBODY],
                "fields": [
                    {"type": "ValueField", "sourceId": COST, "displayName": "Spent; all of it"},
                    {"type": "ScenarioField", "sourceId": None},
                    {"type": "DimensionField", "sourceId": MONTHS, "displayName": None},
                ],
            },
            '"Spent; all of it";Scenario;Month',
        ),
    ],
)
def test_options_shape_the_header(
    client: Http2Client, kind: str, block: str, options: dict[str, Any], header: str
) -> None:
    assert client.ask(f"/api/v1/export/{kind}/{block}", options).text.splitlines()[0] == header


def test_the_decimal_separator_is_used_and_quoted_where_it_is_the_delimiter(client: Http2Client) -> None:
    row = client.ask(METRIC, {"decimalSeparator": "Comma"}).text.splitlines()[3]
    assert row == "España;Mar 22;5279,3333333333"
    row = client.ask(METRIC, {"decimalSeparator": "Comma", "fieldDelimiter": "Comma"}).text.splitlines()[3]
    assert row == 'España,Mar 22,"5279,3333333333"'


def test_every_scenario_has_its_rows(client: Http2Client) -> None:
    scenarios = [NOBODY, COST]
    rows = client.ask(METRIC, {"scenarios": scenarios}).rows[1:]
    assert [row[0] for row in rows] == ["Scenario 99999999"] * 1000 + ["Scenario 22222222"] * 1000


def test_views_take_a_delimiter_and_only_the_unversioned_call_a_date_format(
    pigment: Pigment, client: Http2Client
) -> None:
    pigment.model.blocks[PNL].columns = {"day": Column("Day", "date"), "cost": Column("Cost", "decimal")}
    query = "?dateFormat=Iso8601&fieldDelimiter=Comma"
    assert client.ask(f"/api/export/view/{PNL_VIEW}{query}").text.splitlines()[:2] == ["Day,Cost", "2026-01-01,0"]
    got = client.ask(f"/api/v1/export/view/{PNL_VIEW}{query}")
    assert got.text.splitlines()[1] == "01/01/2026 00:00:00 +00:00,0"
    for wrong in ("fieldDelimiter=Tab", "dateFormat=iso8601"):
        assert client.ask(f"/api/export/view/{PNL_VIEW}?{wrong}").status == 400
    assert pigment.requests[0].query == {"dateFormat": "Iso8601", "fieldDelimiter": "Comma"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/api/v1/export/view/{BIG_VIEW}", None, 413),
        (f"/api/v1/export/view/{BOARD_VIEW}", None, 422),
        (f"/api/v1/export/view/{NOBODY}", None, 404),
        (f"/api/v1/export/metric/{NOBODY}", {}, 404),
        (f"/api/v1/export/metric/{PNL}", {}, 404),
        (f"/api/v1/export/list/{REVENUE}", {}, 404),
        (f"/api/v1/export/table/{BOARD}", {}, 404),
        ("/api/v1/export/view/mine", None, 400),
        ("/api/v1/export/list/1111", {}, 400),
        (METRIC, None, 405),
        (f"/api/v1/export/view/{PNL_VIEW}", {}, 405),
        (f"/api/v1/export/cube/{PNL}", {}, 404),
        ("/", None, 404),
    ],
)
def test_what_cannot_be_exported_is_refused(client: Http2Client, path: str, body: Any, status: int) -> None:
    got = client.ask(path, body)
    assert (got.status, got.end) == (status, "END_STREAM")
    assert json.loads(got.body)["status"] == status
    assert len(got.body) == int(got.headers["content-length"])


def test_413_names_the_way_out(client: Http2Client) -> None:
    assert "Use block export API instead" in client.ask(f"/api/export/view/{BIG_VIEW}").text


VALUE = {"metricId": REVENUE, "condition": {"type": "Equal", "value": 1}}
DIMENSION = {"dimensionId": COUNTRIES, "modalityIds": [NOBODY]}
FILTER = {
    "type": "And",
    "and": [{"type": "Or", "or": [{"type": "Value", "value": VALUE}, {"type": "Dimension", "dimension": DIMENSION}]}],
}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("list", {"listFilter": [NOBODY], "propertyFilters": [{"propertyTechnicalName": "x", "modalityIds": []}]}),
        ("metric", {"exportFilter": FILTER, "filters": [DIMENSION], "scenarios": None, "encoding": None}),
        ("table", {"exportFilter": {"type": "Value", "value": {**VALUE, "condition": {"type": "IsNotBlank"}}}}),
    ],
)
def test_what_the_published_document_allows_is_taken(kind: str, body: dict[str, Any]) -> None:
    assert problems_of(kind, body) == []


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("list", [], "body: not an object"),
        ("list", 0, "body: not an object"),
        ("list", {"metrics": []}, "body.metrics: unknown"),
        ("list", {"DateFormat": "Iso8601"}, "body.DateFormat: unknown"),
        ("list", {"dateFormat": "ISO8601"}, "body.dateFormat: 'ISO8601' is not one of"),
        ("list", {"dateFormat": ["Iso8601"]}, "body.dateFormat:"),
        ("list", {"friendlyHeaders": "true"}, "body.friendlyHeaders: not a boolean"),
        ("list", {"listFilter": NOBODY}, "body.listFilter: not an array"),
        ("list", {"listFilter": ["1111"]}, "body.listFilter[0]: '1111' is not a UUID"),
        ("list", {"propertyTechnicalNames": [1]}, "body.propertyTechnicalNames[0]: not a text"),
        ("list", {"propertyFilters": [{}]}, "body.propertyFilters[0].propertyTechnicalName: missing"),
        ("metric", {"fields": []}, "body.fields: unknown"),
        ("metric", {"filters": [{"dimensionId": COUNTRIES}]}, "body.filters[0].modalityIds: missing"),
        ("metric", {"exportFilter": {"and": []}}, "body.exportFilter.type: missing"),
        ("metric", {"exportFilter": {"type": "Or", "and": []}}, "the field of type Or is missing"),
        ("metric", {"exportFilter": {"type": "And", "and": [{"type": "Not"}]}}, "body.exportFilter.and[0].type"),
        (
            "metric",
            {"exportFilter": {"type": "Value", "value": {**VALUE, "x": 1}}},
            "body.exportFilter.value.x: unknown",
        ),
        ("table", {"fields": [{"type": "ValueField"}]}, "body.fields[0].sourceId: missing"),
        ("table", {"fields": [{"type": "DimensionField", "sourceId": None}]}, "every other field needs one"),
        ("table", {"fields": [{"type": "ScenarioField", "sourceId": NOBODY}]}, "every other field needs one"),
        ("table", {"fields": [{"type": "Field", "sourceId": NOBODY}]}, "body.fields[0].type"),
        ("table", {"metrics": [None]}, "body.metrics[0]: None is not a UUID"),
    ],
)
def test_what_it_does_not_allow_is_a_bad_request_that_says_where(
    client: Http2Client, kind: str, body: Any, problem: str
) -> None:
    block = {"list": COUNTRIES, "metric": REVENUE, "table": PNL}[kind]
    got = client.ask(f"/api/v1/export/{kind}/{block}", body)
    assert got.status == 400
    assert problem in json.loads(got.body)["detail"]


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "Equal"},
        {"type": "Equal", "value": None},
        {"type": "Equal", "value": [1]},
        {"type": "IsNotBlank", "value": 1},
        {"type": "IsNotBlank", "value": None},
    ],
)
def test_a_condition_has_a_value_just_where_it_compares(condition: dict[str, Any]) -> None:
    body = {"exportFilter": {"type": "Value", "value": {"metricId": REVENUE, "condition": condition}}}
    assert problems_of("metric", body)


@pytest.mark.parametrize(
    ("kind", "block", "body"),
    [
        ("list", COUNTRIES, {"propertyTechnicalNames": ["name", "colour"]}),
        ("table", PNL, {"metrics": [NOBODY]}),
        ("table", PNL, {"fields": [{"type": "ValueField", "sourceId": NOBODY}]}),
        ("metric", REVENUE, b"{not json"),
        ("metric", REVENUE, b"\xff"),
    ],
)
def test_what_the_block_has_not_is_a_bad_request_too(client: Http2Client, kind: str, block: str, body: Any) -> None:
    assert client.ask(f"/api/v1/export/{kind}/{block}", body).status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(NOBODY),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "and", "value", "condition", "exportFilter", "fields", "sourceId", "x"]),
            inner | st.sampled_from(["And", "Value", "IsNotBlank", "ScenarioField"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(["list", "metric", "table"]), body=JSON)
def test_any_json_is_judged_and_never_crashes_the_judge(kind: str, body: Any) -> None:
    problems = problems_of(kind, body)
    assert all(isinstance(problem, str) for problem in problems)
    assert isinstance(body, dict) or problems


# Keys, metadata, limits


@pytest.mark.parametrize(
    ("authorization", "metadata", "export"),
    [
        (f"Bearer {DEMO_KEY}", 200, 200),
        (f"Bearer {EXPORT_ONLY_KEY}", 401, 200),
        (f"Bearer {EXPIRED_KEY}", 401, 401),
        ("Bearer somebody-elses", 401, 401),
        ("Bearer ", 401, 401),
        (None, 401, 401),
    ],
)
def test_a_key_does_what_its_scopes_allow(
    client: Http2Client, authorization: str | None, metadata: int, export: int
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    assert client.ask("/api/v1/applications", headers=headers).status == metadata
    assert client.ask(METRIC, {}, headers).status == export


def test_a_key_of_metadata_only_exports_nothing_and_a_bad_body_comes_after_the_key(
    pigment: Pigment, client: Http2Client
) -> None:
    pigment.keys["reader"] = Key(frozenset({"metadata"}))
    assert client.ask("/api/v1/blocks", headers={"authorization": "Bearer reader"}).status == 200
    assert client.ask(METRIC, {}, {"authorization": "Bearer reader"}).status == 401
    assert client.ask(METRIC, b"{", {}).status == 401


def test_requests_are_remembered_without_their_keys(pigment: Pigment, client: Http2Client) -> None:
    headers = {**BEARER, "x-pigment-api-key": DEMO_KEY, "user-agent": "a-test"}
    client.ask(f"{METRIC}?a=b", {"encoding": "Utf8WithBom"}, headers)
    (seen,) = pigment.requests
    assert (seen.method, seen.path, seen.protocol) == ("POST", METRIC, "HTTP/2")
    assert (seen.query, seen.body) == ({"a": "b"}, {"encoding": "Utf8WithBom"})
    assert seen.headers == {"user-agent": "a-test"}
    assert DEMO_KEY not in repr(pigment.requests)


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/api/v1/applications", {APPLICATION, PEOPLE_APPLICATION}),
        ("/api/v1/blocks", {COUNTRIES, MONTHS, ORDERS, TEAMS, REVENUE, COST, PNL}),
        (f"/api/v1/blocks?applicationId={PEOPLE_APPLICATION}", {TEAMS}),
        (f"/api/v1/blocks?applicationId={NOBODY}", set()),
        ("/api/v1/views", {PNL_VIEW, BIG_VIEW, BOARD_VIEW, MINE_VIEW}),
        (f"/api/v1/views?blockId={PNL}", {PNL_VIEW, BIG_VIEW, MINE_VIEW}),
        (f"/api/v1/views?applicationId={APPLICATION}&blockId={BOARD}", {BOARD_VIEW}),
        (f"/api/v1/views?applicationId={PEOPLE_APPLICATION}", set()),
    ],
)
def test_metadata_is_filtered_as_asked(client: Http2Client, path: str, ids: set[str]) -> None:
    got = client.ask(path)
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert {item["id"] for item in json.loads(got.body)} == ids
    assert all(item["name"] for item in json.loads(got.body))


def test_metadata_has_the_published_types(client: Http2Client) -> None:
    blocks = {item["id"]: item["type"] for item in json.loads(client.ask("/api/v1/blocks").body)}
    assert set(blocks.values()) == {"DimensionList", "TransactionList", "Metric", "Table"}
    views = {item["id"]: item["type"] for item in json.loads(client.ask("/api/v1/views").body)}
    assert (views[PNL_VIEW], views[MINE_VIEW]) == ("Public", "Personal")
    assert client.ask("/api/v1/blocks?applicationId=finance").status == 400


def test_the_rate_limit_frees_as_its_window_passes(pigment: Pigment, client: Http2Client) -> None:
    seconds = 1000.0
    pigment.clock = lambda: seconds
    pigment.switches.limit = 3
    assert [client.ask("/api/v1/applications").status for _ in range(4)] == [200, 200, 200, 429]
    assert "retry-after" not in client.ask("/api/v1/applications").headers
    pigment.switches.retry_after = "17"
    assert client.ask(METRIC, {}).headers["retry-after"] == "17"
    seconds += WINDOW_SECONDS
    assert client.ask(METRIC, {}).status == 200


def test_pigments_own_limit_is_500_requests_in_five_minutes() -> None:
    assert (WINDOW_REQUESTS, WINDOW_SECONDS) == (500, 300)


# Sizes and streams


def test_rows_and_columns_may_change_between_calls(pigment: Pigment, client: Http2Client) -> None:
    block = pigment.model.blocks[REVENUE]
    block.rows = 0
    assert client.ask(METRIC, {}).text == "Country;Month;Revenue\n"
    block.rows = 2
    block.columns["Note"] = Column("Note", "text")
    assert client.ask(METRIC, {}).rows == [
        ["Country", "Month", "Revenue", "Note"],
        ["France", "Jan 20", "0", "text 0"],
        ["Deutschland", "Feb 21", "2639.6666666667", "text 1"],
    ]


@pytest.mark.parametrize("rows", [1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE])
def test_a_block_has_just_as_many_rows_as_it_was_told(pigment: Pigment, client: Http2Client, rows: int) -> None:
    pigment.model.blocks[REVENUE].rows = rows
    assert client.ask(METRIC, {}).body.count(b"\n") == rows + 1


def test_the_same_request_gives_the_same_bytes_whatever_the_window(pigment: Pigment, authority: Authority) -> None:
    pigment.model.blocks[REVENUE].rows = 50_000
    digests = set()
    for window_bytes in (100, 65_535, 1_000_000):
        with Http2Client(pigment, authority.ca_file, window_bytes=window_bytes) as client:
            digests.add(hashlib.sha256(client.ask(METRIC, {}).body).hexdigest())
    assert len(digests) == 1


def test_no_byte_goes_out_beyond_the_clients_window_and_the_connection_outlives_a_reset(
    pigment: Pigment, authority: Authority
) -> None:
    pigment.model.blocks[REVENUE].rows = 10**9  # tens of gigabytes: never made, never sent
    with Http2Client(pigment, authority.ca_file, keeps_reading=False, window_bytes=1000) as client:
        stream = client.send(METRIC, {})
        while len(client.streams[stream].body) < 1000:
            client.receive()
        client.h2.ping(b"anybody?")
        client.flush()
        data = client.socket.recv(65536)  # its answer, and no DATA
        assert [type(event) for event in client.h2.receive_data(data)] == [h2.events.PingAckReceived]
        client.h2.reset_stream(stream)
        client.flush()
        assert client.ask("/api/v1/export/view/mine").status == 400


def test_a_stream_that_is_reset_before_its_turn_gets_no_answer(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("late", path="applications", seconds=LONG_SECONDS))
    waiting = client.send("/api/v1/applications")
    behind = client.send(METRIC, {})
    client.h2.reset_stream(behind)
    client.h2.reset_stream(waiting)
    client.flush()
    assert client.ask("/api/v1/blocks").status == 200
    assert [seen.path for seen in pigment.requests] == ["/api/v1/applications", "/api/v1/blocks"]
    assert (client.streams[waiting].body, client.streams[behind].body) == (b"", b"")


def test_requests_on_one_connection_are_answered_one_after_the_other(client: Http2Client) -> None:
    streams = [client.send(METRIC, {}), client.send("/api/v1/applications"), client.send(METRIC, {})]
    got = [client.wait_for(stream) for stream in streams]
    assert [one.end for one in got] == ["END_STREAM"] * 3
    assert got[0].body == got[2].body


def test_a_request_of_a_megabyte_is_read_within_the_servers_window(pigment: Pigment, client: Http2Client) -> None:
    body = {"listFilter": [NOBODY] * 27_000}
    assert client.ask(f"/api/v1/export/list/{COUNTRIES}", body).status == 200
    assert pigment.requests[0].body == body


def test_a_chunked_request_body_is_refused_over_http1(pigment: Pigment, session: requests.Session) -> None:
    assert session.post(url(pigment, METRIC), data=iter([b"{}"]), timeout=PATIENCE_SECONDS).status_code == 411
    assert pigment.requests == []


def test_gzip_comes_only_when_it_is_switched_on_and_asked_for(pigment: Pigment, client: Http2Client) -> None:
    plain = client.ask(METRIC, {})
    asking = {**BEARER, "accept-encoding": "gzip, identity"}
    assert "content-encoding" not in client.ask(METRIC, {}, asking).headers
    pigment.switches.gzip = True
    assert client.ask(METRIC, {}).body == plain.body
    packed = client.ask(METRIC, {}, asking)
    assert packed.headers["content-encoding"] == "gzip"
    assert zlib.decompress(packed.body, wbits=31) == plain.body
    assert "content-encoding" not in client.ask("/api/v1/applications", headers=asking).headers


@pytest.mark.parametrize("gzip", [False, True])
def test_a_length_is_that_of_the_bytes_sent(pigment: Pigment, client: Http2Client, *, gzip: bool) -> None:
    pigment.switches.length, pigment.switches.gzip = True, gzip
    got = client.ask(METRIC, {}, {**BEARER, "accept-encoding": "gzip"})
    assert int(got.headers["content-length"]) == len(got.body) > 1000


def test_a_body_over_http1_can_end_with_its_connection(pigment: Pigment, session: requests.Session) -> None:
    pigment.switches.until_close = True
    answer = session.post(url(pigment, METRIC), json={}, timeout=PATIENCE_SECONDS)
    assert (answer.headers["Connection"], answer.text.count("\n")) == ("close", 1001)
    assert not answer.headers.keys() & {"Transfer-Encoding", "Content-Length"}


def test_stopping_ends_every_connection_and_every_thread(authority: Authority) -> None:
    before = threading.active_count()
    with (
        Pigment(authority.server_context(*Pigment.hosts, alpn=["h2", "http/1.1"])) as pigment,
        Http2Client(pigment, authority.ca_file) as idle,
        Http2Client(pigment, authority.ca_file, keeps_reading=False) as blocked,
        Http2Client(pigment, authority.ca_file) as waiting,
        socket.create_connection(pigment.address, timeout=PATIENCE_SECONDS) as silent,
    ):
        pigment.model.blocks[REVENUE].rows = 10**9
        pigment.faults.append(Fault("late", path="applications", seconds=LONG_SECONDS))
        clients = {blocked: blocked.send(METRIC, {}), waiting: waiting.send("/api/v1/applications")}
        while not blocked.streams[clients[blocked]].body or not waiting.pings:
            (waiting if blocked.streams[clients[blocked]].body else blocked).receive()
        stopping = threading.Thread(target=pigment.stop, daemon=True)
        stopping.start()
        stopping.join(PATIENCE_SECONDS)
        assert not stopping.is_alive()
        assert threading.active_count() == before
        assert silent.recv(1) == b""
        for client, stream in clients.items():
            assert client.wait_for(stream).end == "closed"
        while idle.socket.recv(65536):
            pass
        pigment.start = pigment.stop = lambda: None


# Faults


def test_a_status_comes_as_often_as_it_was_told_and_then_all_is_well(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("status", path=r"/metric/", status=502, times=2))
    pigment.faults.append(Fault("status", path=r"/metric/", status=429, retry_after="3"))
    assert client.ask("/api/v1/applications").status == 200
    answers = [client.ask(METRIC, {}) for _ in range(4)]
    assert [got.status for got in answers] == [502, 502, 429, 200]
    assert "retry-after" not in answers[0].headers
    assert answers[2].headers["retry-after"] == "3"


@pytest.mark.parametrize(("kind", "begin"), [("html", b"<!DOCTYPE html"), ("json", b'{"error"')])
def test_an_error_page_can_come_with_200(pigment: Pigment, client: Http2Client, kind: str, begin: bytes) -> None:
    pigment.faults.append(Fault(kind))
    got = client.ask(METRIC, {})
    assert (got.status, got.end, got.body[: len(begin)]) == (200, "END_STREAM", begin)


def test_a_redirect_leads_to_another_origin(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("redirect"))
    got = client.ask(METRIC, {})
    assert (got.status, got.headers["location"]) == (302, "https://elsewhere.example/login")


@pytest.mark.parametrize("code", [0, 2, 8])
@pytest.mark.parametrize("after", [0, 1, 5000])
def test_a_stream_is_reset_with_any_code_after_so_many_bytes(
    pigment: Pigment, client: Http2Client, code: int, after: int
) -> None:
    pigment.faults.append(Fault("reset", after=after, code=code))
    got = client.ask(METRIC, {})
    assert (got.status, got.end, len(got.body)) == (200, f"RST_STREAM {code}", after)
    assert client.ask(METRIC, {}).end == "END_STREAM"


def test_a_fault_after_the_last_byte_still_happens(pigment: Pigment, client: Http2Client) -> None:
    whole = client.ask(METRIC, {})
    pigment.faults += [Fault("reset", after=len(whole.body)), Fault("reset", after=len(whole.body) + 1)]
    for _ in range(2):
        got = client.ask(METRIC, {})
        assert (got.body, got.end) == (whole.body, "RST_STREAM 2")


def test_a_goaway_can_take_the_stream(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("goaway", after=5000, code=2))
    got = client.ask(METRIC, {})
    assert (got.end, len(got.body), client.goodbyes) == ("closed", 5000, [(2, 0)])


def test_a_goaway_can_spare_the_stream_which_then_goes_on(pigment: Pigment, authority: Authority) -> None:
    pigment.faults.append(Fault("spare", after=5000))
    with Http2Client(pigment, authority.ca_file) as client:
        stream = client.send(METRIC, {})
        received = b""
        while b"still on" not in received:  # h2 refuses what comes after a GOAWAY: read by hand
            received += client.socket.recv(65536)
    assert stream == 1
    assert bytes([7, 0]) + bytes(4) + stream.to_bytes(4) + bytes(4) in received
    with Http2Client(pigment, authority.ca_file) as client:
        assert client.ask(METRIC, {}).end == "END_STREAM"


def test_a_body_can_end_cleanly_short_of_its_length(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("cut", after=5000, length=9999))
    stream = client.send(METRIC, {})
    client.h2.config.validate_inbound_headers = False
    with pytest.raises(h2.exceptions.InvalidBodyLengthError) as caught:
        client.wait_for(stream)
    assert (caught.value.expected_length, caught.value.actual_length) == (9999, 5000)


def test_a_body_can_end_cleanly_in_the_middle_of_a_row(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("cut", after=5000))
    got = client.ask(METRIC, {})
    assert (got.end, len(got.body)) == ("END_STREAM", 5000)
    assert not got.text.endswith("\n")


def test_a_gzip_body_can_end_cleanly_without_its_trailer(pigment: Pigment, client: Http2Client) -> None:
    pigment.switches.gzip = True
    pigment.faults.append(Fault("cut", after=2000))
    got = client.ask(METRIC, {}, {**BEARER, "accept-encoding": "gzip"})
    inflating = zlib.decompressobj(31)
    assert inflating.decompress(got.body).startswith(b"Country;Month")
    assert (got.end, len(got.body), inflating.eof) == ("END_STREAM", 2000, False)


@pytest.mark.parametrize("kind", ["stall", "late"])
def test_a_server_that_is_slow_sends_pings_and_then_all_of_it(pigment: Pigment, client: Http2Client, kind: str) -> None:
    whole = client.ask(METRIC, {})
    pigment.faults.append(Fault(kind, after=3000, seconds=0.2))
    got = client.ask(METRIC, {})
    assert (got.body, got.end) == (whole.body, "END_STREAM")
    assert 0 < client.pings <= 0.2 / PING_SECONDS + 1, "an answer to a ping is no reason for the next"


@pytest.mark.parametrize(
    ("kind", "after", "has_headers"), [("late", 0, False), ("stall", 0, True), ("stall", 3000, True)]
)
def test_a_silent_server_has_sent_so_much_and_no_more(
    pigment: Pigment, client: Http2Client, kind: str, after: int, *, has_headers: bool
) -> None:
    pigment.faults.append(Fault(kind, after=after, seconds=LONG_SECONDS))
    stream = client.send(METRIC, {})
    while client.pings < 2:
        client.receive()
    got = client.streams[stream]
    assert (bool(got.status), len(got.body), got.end) == (has_headers, after, "")


def test_a_connection_can_close_in_mid_body(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("close", after=5000))
    got = client.ask(METRIC, {})
    assert (got.end, len(got.body), client.goodbyes) == ("closed", 5000, [])


def test_a_clean_cut_over_http1_is_no_error_to_requests(pigment: Pigment, session: requests.Session) -> None:
    pigment.faults.append(Fault("cut", after=5000))
    assert len(session.post(url(pigment, METRIC), json={}, timeout=PATIENCE_SECONDS).content) == 5000
    pigment.switches.until_close = True
    pigment.faults.append(Fault("close", after=5000))
    assert len(session.post(url(pigment, METRIC), json={}, timeout=PATIENCE_SECONDS).content) == 5000


@pytest.mark.parametrize("fault", [Fault("close", after=5000), Fault("reset", after=5000), Fault("goaway", after=5000),
                                   Fault("cut", after=5000, length=9999)])  # fmt: skip
def test_a_break_over_http1_is_an_error_to_requests(pigment: Pigment, session: requests.Session, fault: Fault) -> None:
    pigment.faults.append(Fault(**vars(fault)))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.post(url(pigment, METRIC), json={}, timeout=PATIENCE_SECONDS)
    assert session.post(url(pigment, METRIC), json={}, timeout=PATIENCE_SECONDS).status_code == 200


@pytest.mark.parametrize("kind", ["stall", "late"])
def test_a_slow_server_over_http1_is_a_timeout_to_requests(
    pigment: Pigment, session: requests.Session, kind: str
) -> None:
    pigment.faults.append(Fault(kind, after=5000, seconds=LONG_SECONDS))
    with pytest.raises((requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError), match="timed out"):
        session.post(url(pigment, METRIC), json={}, timeout=(PATIENCE_SECONDS, 0.3))


def test_a_fault_meets_metadata_calls_too(pigment: Pigment, client: Http2Client) -> None:
    pigment.faults.append(Fault("reset", path="applications$", after=3, code=1))
    got = client.ask("/api/v1/applications")
    assert (got.end, len(got.body)) == ("RST_STREAM 1", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_spelled(kind: str) -> None:
    assert Fault.parse(kind) == Fault(kind)


def test_a_spelling_sets_what_it_names() -> None:
    text = "reset,path=/metric/,after=5000,times=3,code=0,status=500,retry_after=9,seconds=0.5,length=7"
    expected = Fault("reset", "/metric/", 5000, 3, 0, 500, "9", 0.5, 7)
    assert Fault.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "flood", "reset,", "reset,after", "reset,after=many", "reset,kind=cut", "cut,path=["]
)
def test_a_spelling_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Fault.parse(text)
