"""Pigment's adapter against the stand-in, over TLS: what is asked, what is answered, and each way in which it fails."""

import gzip
import itertools
import logging
import math
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from emulators.network import Authority, Proxy
from emulators.pigment.model import BIG_VIEW, BOARD_VIEW, COUNTRIES, PNL, PNL_VIEW, REVENUE
from emulators.pigment.service import DEMO_KEY, EXPIRED_KEY, EXPORT_ONLY_KEY, Fault, Pigment
from emulators.pigment.service import Key as Scopes
from pigment_export.catalog.exports import Export, from_json
from pigment_export.errors import Cause, ExportError, PermanentError, RetryableError, SetupError, Who
from pigment_export.keys import Key, checked_key
from pigment_export.pigment import client
from pigment_export.pigment.client import Pigment as Adapter
from pigment_export.pigment.http2.adapter import Http2Adapter
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import transfer
from tests.harness import h2_server as peer

KINDS = {"list": COUNTRIES, "metric": REVENUE, "table": PNL, "view": PNL_VIEW}
SCENARIO = "99999999-9999-4999-8999-999999999999"


class Keys:
    """Keys that change when they are read again."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.read_count = 0

    def read(self, name: str | None) -> Key:  # noqa: ARG002
        return checked_key(self._texts[0], "test")

    def read_again(self, name: str | None) -> Key:
        self.read_count += 1
        self._texts = self._texts[1:] or self._texts
        return self.read(name)


@pytest.fixture(params=[["h2", "http/1.1"]], ids=["h2"])
def pigment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pigment]:
    """Pigment under its real name, behind the proxy."""
    authority = Authority(tmp_path)
    with (
        Pigment(authority.server_context("pigment.app", alpn=request.param)) as server,
        Proxy({"pigment.app": server.address}) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address[0]}:{proxy.address[1]}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield server


only_http1 = pytest.mark.parametrize("pigment", [["http/1.1"]], indirect=True, ids=["http1"])


def export(kind: str = "view", **fields: object) -> Export:
    return from_json({"name": "x", "kind": kind, "id": KINDS.get(kind), **fields})


def adapter(*keys: str, idle_seconds: float = 30) -> Adapter:
    return Adapter("https://pigment.app", Keys(*(keys or (DEMO_KEY,))), version="test", idle_seconds=idle_seconds)


def read(
    wanted: Export, adapter: Adapter, deadline: Deadline | float = 60, room: int = 65536
) -> tuple[bytes, str, str]:
    """A whole body, with its protocol and evidence."""
    buffer, body = memoryview(bytearray(room)), bytearray()
    deadline = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    with adapter.open(wanted, deadline) as source:
        while count := source.readinto(buffer):
            body += buffer[:count]
        return bytes(body), source.protocol, source.evidence


def failure(wanted: Export, adapter: Adapter, deadline: Deadline | float = 60) -> ExportError:
    with pytest.raises(ExportError) as raised:
        read(wanted, adapter, deadline)
    return raised.value


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_asked_for_by_its_call_with_the_lakes_defaults(pigment: Pigment, kind: str) -> None:
    body, protocol, evidence = read(export(kind), adapter())
    assert (protocol, evidence) == ("HTTP/2", "END_STREAM")
    assert body.count(b"\n") == pigment.model.blocks[KINDS["table"] if kind == "view" else KINDS[kind]].rows + 1
    (seen,) = pigment.requests
    if kind == "view":
        assert (seen.method, seen.path) == ("GET", f"/api/export/view/{PNL_VIEW}")
        assert seen.query == {"dateFormat": "Iso8601", "fieldDelimiter": "Semicolon"}
    else:
        assert (seen.method, seen.path) == ("POST", f"/api/v1/export/{kind}/{KINDS[kind]}")
        assert seen.body == {
            "dateFormat": "Iso8601",
            "fieldDelimiter": "Semicolon",
            "decimalSeparator": "Dot",
            "encoding": "Utf8WithoutBom",
        }
    assert seen.headers["accept-encoding"] == "gzip"
    assert seen.headers["user-agent"] == "pigment-export/test"


def test_options_arrive_as_they_were_written(pigment: Pigment) -> None:
    options = {
        "scenarios": [SCENARIO],
        "exportFilter": {
            "type": "And",
            "and": [
                {"type": "Dimension", "dimension": {"dimensionId": COUNTRIES, "modalityIds": [SCENARIO]}},
                {"type": "Value", "value": {"metricId": REVENUE, "condition": {"type": "GreaterThan", "value": 10}}},
            ],
        },
        "fields": [{"sourceId": None, "type": "ScenarioField"}, {"sourceId": REVENUE, "type": "ValueField"}],
        "metrics": [REVENUE],
        "friendlyHeaders": True,
        "encoding": "Utf8WithBom",
        "fieldDelimiter": "Comma",
    }
    body, _, _ = read(export("table", options=options), adapter())
    assert body.startswith(b"\xef\xbb\xbfScenario,")
    sent = pigment.requests[0].body
    assert {name: sent[name] for name in options} == options


def test_a_filter_of_a_megabyte_goes_out(pigment: Pigment) -> None:
    options = {"listFilter": [f"{number:08x}-1111-4111-8111-111111111111" for number in range(26_000)]}
    read(export("list", options=options), adapter())
    assert len(pigment.requests[0].body["listFilter"]) == 26_000


@pytest.mark.parametrize(
    ("kind", "fields", "code", "who", "hint"),
    [
        ("view", {"id": "12121212-1212-4212-8212-121212121212"}, "pigment_not_found", Who.EXPORT_OWNER, "id"),
        ("metric", {"id": COUNTRIES}, "pigment_not_found", Who.EXPORT_OWNER, "kind"),
        ("view", {"id": BIG_VIEW}, "pigment_view_too_big", Who.CATALOG, "block"),
        ("view", {"id": BOARD_VIEW}, "pigment_not_exportable", Who.CATALOG, "a list, a metric or a table"),
        ("list", {"options": {"propertyTechnicalNames": ["nope"]}}, "pigment_bad_request", Who.CATALOG, "options"),
    ],
)
def test_what_pigment_refuses_is_told_with_who_must_do_what(
    pigment: Pigment, *, kind: str, fields: dict[str, object], code: str, who: Who, hint: str
) -> None:
    error = failure(export(kind, **fields), adapter())
    assert isinstance(error, PermanentError)
    assert (error.cause.code, error.cause.who) == (code, who)
    assert hint in error.cause.remedy
    assert len(pigment.requests) == 1


@pytest.mark.parametrize("key", ["wrong", "pgm_emulated_expired"])
def test_a_key_that_is_not_accepted_is_read_again_once_and_then_fails(pigment: Pigment, key: str) -> None:
    error = failure(export(), adapter(key))
    assert error.cause.code == "pigment_unauthorized"
    assert "expired" in error.cause.remedy
    assert len(pigment.requests) == 1, "the same key again is not tried again"
    failure(export(), adapter(key, "another"))
    assert len(pigment.requests) == 3


def test_a_rotated_key_is_used_at_once(pigment: Pigment) -> None:
    body, _, _ = read(export(), adapter("old", DEMO_KEY))
    assert body
    assert len(pigment.requests) == 2


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault("status", status=429, retry_after="7"), 7.0),
        (Fault("status", status=429, retry_after="soon"), None),
        (Fault("status", status=429), None),
        (Fault("status", status=503, retry_after="Tue, 24 Nov 2026 06:00:30 GMT"), 30.0),
        (Fault("status", status=500), None),
    ],
)
def test_what_may_pass_is_retryable_and_says_how_long(pigment: Pigment, fault: Fault, seconds: float | None) -> None:
    pigment.faults.append(fault)
    now = datetime(2026, 11, 24, 6, tzinfo=UTC)
    error = failure(export(), Adapter("https://pigment.app", Keys(DEMO_KEY), version="test", now=lambda: now))
    assert isinstance(error, RetryableError)
    assert error.retry_after_seconds == seconds
    assert error.rate_limited == (fault.status == 429)
    assert read(export(), adapter())[0], "then it is fine"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("reset", after=5000, code=2), "pigment_body_cut"),
        (Fault("reset", after=5000, code=0), "pigment_body_cut"),
        (Fault("reset", after=0, code=11), "pigment_body_cut"),
        (Fault("goaway", after=5000), "pigment_body_cut"),
        (Fault("cut", after=5000, length=45_539), "pigment_body_cut"),
        (Fault("cut", after=5000, length=4000), "pigment_body_cut"),
        (Fault("close", after=5000), "pigment_body_cut"),
        (Fault("html"), "pigment_error_page"),
        (Fault("json"), "pigment_error_page"),
    ],
    ids=lambda value: f"{value.kind}-{value.code}-{value.length}" if isinstance(value, Fault) else None,
)
def test_a_body_that_is_cut_or_no_csv_is_a_retryable_failure(pigment: Pigment, fault: Fault, code: str) -> None:
    pigment.faults.append(fault)
    error = failure(export(), adapter())
    assert isinstance(error, RetryableError)
    assert error.cause.code == code


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., threading.Event]]:
    """Have Pigment's name answer with these frames, whatever is asked; tells when the client has hung up."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    with ExitStack() as running:

        def answering(*frames: bytes) -> threading.Event:
            hung_up = threading.Event()

            def script(connection: peer.Peer) -> None:
                connection.await_request()
                connection.send(*frames)
                connection.await_close()
                hung_up.set()

            server = running.enter_context(peer.ScriptedServer(authority.issue_cert("pigment.app"), script))
            proxy = running.enter_context(Proxy({"pigment.app": ("127.0.0.1", server.port)}))
            monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address[0]}:{proxy.address[1]}")
            return hung_up

        yield answering


@pytest.mark.parametrize(
    "page",
    [
        b"<!-- served by a proxy --><html><body>Sign in</body></html>",
        b"\xef\xbb\xbf\r\n <HEAD><title>Sign in</title></HEAD>",
        b'{"error":"too long to be seen whole","details":[' + b'"one more",' * 500 + b'"the last"]}',
        b'[ {"error": "also too long"}' + b', {"error": "one more"}' * 500 + b"]",
        b'["error"]',
        b"{}",
    ],
)
def test_an_error_page_is_known_however_long_it_is_and_however_little_is_read_at_once(
    answering: Callable[..., threading.Event], page: bytes
) -> None:
    answering(peer.headers(200, ("content-type", "text/plain")), peer.data(page, end=True))
    with pytest.raises(RetryableError) as raised, adapter().open(export(), Deadline(60)) as source:
        source.readinto(memoryview(bytearray(1)))
    assert raised.value.cause.code == "pigment_error_page"


@pytest.mark.parametrize(
    "csv",
    [
        b"[Country];{Month}\n[FR];{Jan}\n",
        b'{"Country";Month\nFR;Jan\n',
        b'"{""a"": 1}";b\n1;2\n',
        b"<none>;Month\nFR;Jan\n",
        b"a;b\n" + b"1;2\n" * 1000,
    ],
)
def test_a_csv_is_taken_for_no_page_and_arrives_unchanged(
    answering: Callable[..., threading.Event], csv: bytes
) -> None:
    answering(peer.headers(200, ("content-type", "text/plain")), peer.data(csv, end=True))
    assert read(export(), adapter(), room=7)[0] == csv


def test_a_key_that_cannot_be_read_anew_leaves_no_connection_open(
    answering: Callable[..., threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(*_: object) -> Key:
        raise RetryableError(Cause("vault_unreachable", "out", Who.NETWORK, "wait"))

    monkeypatch.setattr(Keys, "read_again", out_of_reach)
    hung_up = answering(peer.headers(401))
    error = failure(export(), adapter())
    assert error.cause.code == "vault_unreachable"
    assert hung_up.wait(peer.PATIENCE_SECONDS)


def test_the_connection_of_a_refused_key_is_closed_before_the_newer_key_is_tried(
    answering: Callable[..., threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    hung_up = answering(peer.headers(401, end=True))
    closed_before: list[bool] = []
    send = Http2Adapter.send

    def sending(*args: Any, **options: Any) -> Any:
        closed_before.append(not closed_before or hung_up.wait(peer.PATIENCE_SECONDS))
        return send(*args, **options)

    monkeypatch.setattr(Http2Adapter, "send", sending)
    assert failure(export(), adapter("old", "new")).cause.code == "pigment_unauthorized"
    assert closed_before == [True, True]


def test_an_error_whose_text_never_ends_is_told_by_what_came_of_it(
    answering: Callable[..., threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing else bounds the wait: it would never end."""
    monkeypatch.setattr(client, "ERROR_SECONDS", 0.3)
    answering(peer.headers(403), peer.data(b"no access"))
    error = failure(export(), adapter(idle_seconds=math.inf), math.inf)
    assert f"view {PNL_VIEW}: no access (HTTP 403)" in error.cause.reason


def test_a_goaway_that_spares_the_stream_is_no_failure(pigment: Pigment) -> None:
    whole = read(export(), adapter())
    pigment.faults.append(Fault("spare", after=5000))
    assert read(export(), adapter()) == whole


def test_a_redirect_is_not_followed(pigment: Pigment) -> None:
    pigment.faults.append(Fault("redirect"))
    error = failure(export(), adapter())
    assert isinstance(error, PermanentError)
    assert error.cause.code == "pigment_redirect"


def test_a_body_that_stalls_is_given_up_though_pings_go_on(pigment: Pigment) -> None:
    pigment.faults.append(Fault("stall", after=5000, seconds=30))
    error = failure(export(), adapter(idle_seconds=0.3))
    assert isinstance(error, RetryableError)
    assert error.cause.code == "pigment_timeout"


def test_the_first_byte_has_a_time_of_its_own_that_pings_do_not_renew(pigment: Pigment) -> None:
    pigment.faults.append(Fault("late", seconds=30))
    error = failure(export(timeout_seconds=1), adapter())
    assert error.cause.code == "pigment_timeout"
    assert "timeout_seconds" in error.cause.remedy


def test_no_read_waits_past_the_calls_deadline(pigment: Pigment) -> None:
    pigment.faults.append(Fault("stall", after=5000, seconds=30))
    error = failure(export(), adapter(), 1)
    assert isinstance(error, PermanentError)
    assert error.cause.code == "deadline_passed"
    assert "exportFilter" in error.cause.remedy


def test_gzip_is_decoded_and_its_trailer_is_part_of_the_evidence(pigment: Pigment) -> None:
    plain, _, _ = read(export(), adapter())
    pigment.switches.gzip = True
    body, _, evidence = read(export(), adapter())
    assert body == plain
    assert evidence == "END_STREAM + gzip trailer"


def test_half_a_gzip_body_with_a_clean_end_is_a_failure(pigment: Pigment) -> None:
    pigment.switches.gzip = True
    pigment.faults.append(Fault("cut", after=3000))
    error = failure(export(), adapter())
    assert error.cause.code == "pigment_body_cut"
    assert "gzip" in error.cause.reason


@only_http1
def test_over_http1_an_end_that_nothing_proves_is_refused_before_its_first_byte(pigment: Pigment) -> None:
    error = failure(export(), adapter())
    assert isinstance(error, PermanentError)
    assert error.cause.code == "pigment_unproven_end"
    assert "127.0.0.1" in error.cause.reason, "the proxy in between is named"
    assert len(pigment.requests) == 1


@only_http1
@pytest.mark.parametrize("proof", ["gzip", "length"])
def test_over_http1_a_length_or_a_gzip_trailer_proves_the_end(pigment: Pigment, proof: str) -> None:
    setattr(pigment.switches, proof, True)
    body, protocol, evidence = read(export(), adapter())
    assert body.count(b"\n") == 1001
    assert protocol == "HTTP/1.1"
    assert evidence == {"gzip": "gzip trailer (one member)", "length": "Content-Length"}[proof]


@only_http1
@pytest.mark.parametrize(
    ("gzip", "fault"),
    [
        (True, Fault("cut", after=3000)),
        (False, Fault("cut", after=5000, length=45_539)),
        (True, Fault("close", after=3000)),
    ],
    ids=["clean_cut_in_gzip", "shorter_than_its_length", "closed_in_gzip"],
)
def test_over_http1_a_cut_is_a_failure_too(pigment: Pigment, fault: Fault, *, gzip: bool) -> None:
    pigment.switches.gzip = gzip
    pigment.faults.append(fault)
    error = failure(export(), adapter())
    assert isinstance(error, RetryableError)


def test_nobody_there_names_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.delenv("HTTPS_PROXY", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        host = f"https://127.0.0.1:{unused.getsockname()[1]}"
        error = failure(export(), Adapter(host, Keys(DEMO_KEY), version="test"))
    assert isinstance(error, RetryableError)
    assert (error.cause.code, error.cause.who) == ("pigment_unreachable", Who.NETWORK)


def test_the_key_shows_in_no_error_however_it_fails(pigment: Pigment, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults = [Fault("status", status=400), Fault("reset", after=10), Fault("redirect"), Fault("html")]
    for fault in faults:
        pigment.faults.append(fault)
        text = "".join(traceback.format_exception(failure(export(), adapter()), chain=True))
        assert DEMO_KEY not in text
    failure(export(), adapter("pgm_wrong_key"))
    assert "pgm_wrong_key" not in caplog.text
    assert DEMO_KEY not in caplog.text


def test_a_netrc_entry_does_not_replace_the_key(
    pigment: Pigment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine pigment.app login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert read(export(), adapter())[0]
    assert len(pigment.requests) == 1


@pytest.mark.parametrize(("key", "reads_metadata"), [(DEMO_KEY, True), (EXPORT_ONLY_KEY, False)])
def test_a_key_that_may_export_is_told_from_one_that_may_read_metadata_too(
    pigment: Pigment, key: str, *, reads_metadata: bool
) -> None:
    assert adapter(key).check_key(None, Deadline(60)) is reads_metadata
    assert all(seen.method == "GET" for seen in pigment.requests)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (EXPIRED_KEY, "pigment_unauthorized"),
        ("pgm_invented", "pigment_unauthorized"),
        ("pgm_metadata", "pigment_scope_missing"),
    ],
)
def test_a_key_that_may_not_export_is_no_good_key(pigment: Pigment, key: str, code: str) -> None:
    pigment.keys["pgm_metadata"] = Scopes(frozenset({"metadata"}))
    with pytest.raises(PermanentError) as raised:
        adapter(key).check_key(None, Deadline(60))
    assert (raised.value.cause.code, raised.value.cause.who) == (code, Who.KEY_OWNER)
    assert key not in str(raised.value)


@pytest.mark.parametrize("path", ["export", "applications"])
@pytest.mark.parametrize("status", [200, 302, 400, 403, 429, 500])
def test_an_answer_that_says_nothing_of_the_key_is_no_proof_of_it(pigment: Pigment, path: str, status: int) -> None:
    """But for metadata, which a key need not see."""
    pigment.faults.append(Fault("status", path=path, status=status))
    if path == "applications" and status in (200, 403):
        adapter().check_key(None, Deadline(60))
    else:
        with pytest.raises(ExportError):
            adapter().check_key(None, Deadline(60))


def test_a_key_is_checked_as_it_is_stored_now(pigment: Pigment) -> None:
    keys = Keys(EXPIRED_KEY, DEMO_KEY)
    assert Adapter("https://pigment.app", keys, version="test").check_key(None, Deadline(60))
    assert len(pigment.requests) == 2


@pytest.mark.parametrize("cut", range(8, 60, 5))
def test_a_key_that_is_echoed_shows_in_nothing_that_is_told(
    answering: Callable[..., threading.Event], cut: int
) -> None:
    """Whether the excerpt's end cuts it, or it comes in pieces."""
    key = "pgm_a_key_of_forty_characters_0123456789"
    said = "x" * (4096 - cut) + key
    pieces = [said[at : at + 1000].encode() for at in range(0, len(said), 1000)]
    answering(peer.headers(403), *map(peer.data, pieces), peer.data(b"", end=True))
    error = failure(export(), adapter(key))
    text = "".join(traceback.format_exception(error, chain=True))
    assert error.cause.code == "pigment_forbidden"
    assert not [at for at in range(len(key) - 7) if key[at : at + 8] in text]


@pytest.mark.parametrize("location", ["https://{}.example/", "https://{}/"])
def test_a_key_in_a_header_of_the_answer_shows_in_nothing_that_is_told(
    answering: Callable[..., threading.Event], location: str
) -> None:
    key = "pgm-a-key-of-forty-characters-0123456789"
    answering(peer.headers(302, ("location", location.format(key)), end=True))
    text = "".join(traceback.format_exception(failure(export(), adapter(key)), chain=True))
    assert key[:8] not in text


def test_pigments_own_words_are_read_whole_when_they_come_in_pieces(
    answering: Callable[..., threading.Event],
) -> None:
    pieces = [b'{"detail": "unknown', b" property", b" 'x'\"}"]
    answering(peer.headers(400), *map(peer.data, pieces), peer.data(b"", end=True))
    error = failure(export(), adapter())
    assert f"view {PNL_VIEW}: unknown property 'x' (HTTP 400)" in error.cause.reason


@pytest.mark.parametrize("status", [201, 203, 206])
def test_rows_of_the_export_stand_in_no_message(answering: Callable[..., threading.Event], status: int) -> None:
    answering(peer.headers(status, ("content-type", "text/csv")), peer.data(b"Country;Revenue\nFR;12345\n", end=True))
    error = failure(export(), adapter())
    assert error.cause.code == "pigment_unexpected_status"
    assert "12345" not in str(error)


@pytest.mark.parametrize(("kind", "status"), [("list", 413), ("metric", 413), ("table", 422)])
def test_what_is_no_view_is_not_told_of_one(answering: Callable[..., threading.Event], kind: str, status: int) -> None:
    answering(peer.headers(status), peer.data(b"no", end=True))
    error = failure(export(kind), adapter())
    assert isinstance(error, PermanentError)
    assert "view" not in str(error)
    assert f"{kind} {KINDS[kind]}: no (HTTP {status})" in error.cause.reason


@pytest.mark.parametrize("status", [408, 421, 425, 500, 503])
@pytest.mark.parametrize(
    "retry_after",
    ["0", "-1", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 99 Nov 2026", "Tue, 24 Nov 2026 06:00:30 +9999", "9" * 400],
)
def test_no_retry_after_raises_anything_but_our_own_errors(
    answering: Callable[..., threading.Event], status: int, retry_after: str
) -> None:
    answering(peer.headers(status, ("retry-after", retry_after)), peer.data(b"", end=True))
    error = failure(export(), adapter())
    assert isinstance(error, RetryableError)
    assert error.cause.code == "pigment_unavailable"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((peer.reset(7),), "pigment_connection_lost"),
        ((peer.goaway(0),), "pigment_connection_lost"),
        ((peer.reset(13),), "pigment_unproven_end"),
        ((peer.headers(200, *((f"x-{number}", "y" * 4000) for number in range(40))),), "pigment_protocol_error"),
        ((peer.headers(200, ("content-range", "bytes 0-9/20"), end=True),), "pigment_partial"),
        ((peer.headers(200, ("content-type", "application/pdf"), end=True),), "pigment_error_page"),
        ((peer.headers(200, ("content-encoding", "br"), end=True),), "pigment_unproven_end"),
    ],
)
def test_each_misbehaviour_has_a_class_that_fits(
    answering: Callable[..., threading.Event], frames: tuple[bytes, ...], code: str
) -> None:
    answering(*frames)
    error = failure(export(), adapter())
    assert error.cause.code == code
    assert "export less" not in error.cause.remedy


def test_a_try_that_began_late_in_its_call_ends_with_the_call_and_comes_again(pigment: Pigment) -> None:
    pigment.faults.append(Fault("stall", after=5000, seconds=30))
    deadline = Deadline(1)
    deadline.began_at -= 100  # other attempts, and waits between them
    error = failure(export(), adapter(), deadline)
    assert isinstance(error, RetryableError)
    assert error.cause.code == "out_of_time"


def test_a_pigment_that_hangs_until_the_calls_end_is_no_export_that_is_too_large(pigment: Pigment) -> None:
    pigment.faults.append(Fault("late", seconds=30))
    error = failure(export(), adapter(), 1)
    assert isinstance(error, RetryableError)
    assert error.cause.code == "out_of_time"


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy_forbids", PermanentError),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy_credentials", PermanentError),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy_unreachable", RetryableError),
    ],
)
def test_a_proxy_that_refuses_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, code: str, error: type[ExportError]
) -> None:
    with peer.ConnectProxy(answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret-word@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        raised = failure(export(), adapter())
    assert isinstance(raised, error)
    assert raised.cause.code == code
    assert "s3cret-word" not in "".join(traceback.format_exception(raised))


@pytest.mark.parametrize(
    "address", ["https://me:s3cret@proxy:1", "socks5://me:s3cret@proxy:1", "http://me:s3#cret@p:1"]
)
def test_a_proxys_address_that_cannot_be_used_is_told_without_it(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.delenv("NO_PROXY", raising=False)
    error = failure(export(), adapter())
    assert isinstance(error, PermanentError)
    assert error.cause.code == "proxy_address"
    text = "".join(traceback.format_exception(error))
    assert "s3" not in text.replace("requests", "")


@pytest.mark.parametrize(
    "content", [None, b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_bundle_that_cannot_be_used_is_told_with_its_remedy(
    pigment: Pigment,  # noqa: ARG001 - the proxy
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    error = failure(export(), adapter())
    assert isinstance(error, PermanentError)
    assert error.cause.code == "ca_bundle_unusable"
    assert "REQUESTS_CA_BUNDLE" in error.cause.remedy


def test_an_authority_that_is_not_trusted_is_told_with_its_remedy(
    pigment: Pigment,  # noqa: ARG001 - the proxy
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    error = failure(export(), adapter())
    assert isinstance(error, PermanentError)
    assert error.cause.code == "certificate_untrusted"


def test_a_name_that_does_not_resolve_is_the_setups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    error = failure(export(), Adapter("https://pigment.invalid", Keys(DEMO_KEY), version="test"))
    assert isinstance(error, SetupError)
    assert error.cause.code == "host_unknown"


def test_applications_blocks_and_views_are_listed(pigment: Pigment) -> None:
    model, api, deadline = pigment.model, adapter(), Deadline(60)
    applications = api.applications(deadline)
    assert {found.id: found.name for found in applications} == model.applications
    blocks = [found for application in applications for found in api.blocks(deadline, application)]
    assert {"list", "metric", "table"} == {str(found.kind) for found in blocks}
    assert set(api.blocks(deadline, applications[0])) < set(blocks)
    assert {(found.application, found.application_id) for found in blocks} == {(a.name, a.id) for a in applications}
    views = api.views(deadline, applications[0], block=PNL)
    assert PNL_VIEW in {found.id for found in views}
    assert set(views) <= set(api.views(deadline, applications[0]))
    assert {found.kind for found in views} == {"view"}
    assert pigment.requests[-1].headers["accept"] == "application/json"


def test_a_key_without_the_scope_is_told_so(pigment: Pigment) -> None:
    assert pigment.keys[EXPORT_ONLY_KEY]
    with pytest.raises(PermanentError) as raised:
        adapter(EXPORT_ONLY_KEY).applications(Deadline(60))
    assert (raised.value.cause.code, raised.value.cause.who) == ("pigment_no_metadata", Who.KEY_OWNER)


@pytest.mark.parametrize(
    "listing",
    [b"", b"{}", b"[1]", b'[{"id": "1"}]', b'[{"id": 1, "name": "x"}]', b"null", b"[" * 100_000, b"\xff", b'"x"'],
)
def test_a_listing_that_is_none_is_an_error_of_ours(answering: Callable[..., threading.Event], listing: bytes) -> None:
    answering(peer.headers(200, ("content-type", "application/json")), *pieces_of(listing), peer.data(b"", end=True))
    with pytest.raises(PermanentError) as raised:
        adapter().applications(Deadline(60))
    assert raised.value.cause.code == "pigment_listing_unreadable"


def pieces_of(body: bytes) -> list[bytes]:
    return [peer.data(body[at : at + 16_000]) for at in range(0, len(body), 16_000)]


@pytest.mark.parametrize("gzip_sent", [True, False])
def test_an_export_that_is_stored_as_gzip_is_given_as_it_came(pigment: Pigment, *, gzip_sent: bool) -> None:
    plain, _, _ = read(export(), adapter())
    pigment.switches.gzip = gzip_sent
    kept = bytearray()

    class Sink:
        def open(self) -> None: ...

        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
            kept[position:] = data

        def finish(self, size: int) -> None:
            assert size == len(kept)

    with adapter().open(export(gzip=True), Deadline(60)) as source:
        moved = transfer(source, Sink(), gzip=True)
    assert gzip.decompress(kept) == plain
    assert moved.content_bytes == len(plain)
    assert moved.evidence == ("END_STREAM + gzip trailer" if gzip_sent else "END_STREAM")


def test_a_page_that_came_compressed_is_refused_though_it_would_be_stored_as_it_came(
    answering: Callable[..., threading.Event],
) -> None:
    page = gzip.compress(b"<html>Sign in</html>")
    answering(peer.headers(200, ("content-encoding", "gzip")), peer.data(page, end=True))
    with adapter().open(export(gzip=True), Deadline(60)) as source:
        assert source.unpack
        with pytest.raises(RetryableError) as raised:
            list(itertools.chain(source.unpack(page[:10]), source.unpack(page[10:]), source.unpack(b"")))
    assert raised.value.cause.code == "pigment_error_page"


@pytest.mark.parametrize("rows", [1, 50, 5_000])
def test_content_of_any_length_is_read_beside_what_is_stored_as_it_came(
    answering: Callable[..., threading.Event], rows: int
) -> None:
    """Its beginning is held back until it can be looked at, and none of it is lost by that."""
    content = b"a;b\n" + b"1;22222222222222222\n" * rows
    packed = gzip.compress(content)
    answering(peer.headers(200, ("content-encoding", "gzip")), *pieces_of(packed), peer.data(b"", end=True))
    kept, buffer = bytearray(), memoryview(bytearray(7))
    with adapter().open(export(gzip=True), Deadline(60)) as source:
        assert source.unpack
        found = bytearray()
        while count := source.readinto(buffer):
            kept += buffer[:count]
            found += b"".join(source.unpack(bytes(buffer[:count])))
        found += b"".join(source.unpack(b""))
    assert (bytes(kept), bytes(found)) == (packed, content)
