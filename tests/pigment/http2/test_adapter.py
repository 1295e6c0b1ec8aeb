"""The adapter over real TLS, against a peer that does what each test scripts."""

import gzip
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import trustme
from hpack import Encoder
from hyperframe.frame import DataFrame, PingFrame, WindowUpdateFrame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import exceptions

from pigment_export import network
from pigment_export.pigment.http2 import exceptions as http2
from pigment_export.pigment.http2.adapter import Http2Adapter
from pigment_export.pigment.http2.body import body_of
from pigment_export.pigment.http2.connection import Connection
from pigment_export.pigment.http2.exchange import Timeouts
from tests.harness import h2_server as peer
from tests.harness.certificate_folder import NEEDS_OPENSSL, as_folder
from tests.harness.h2_server import ConnectProxy, Peer, ScriptedServer

SHORT = 0.3  # seconds that a test waits for a timeout to strike
LONG = 20.0  # seconds that no test waits
CSV = b"Country;Month\nFR;Jan 21\nDE;Feb 21\n"
SECRET = "s3cret-key"
PATIENT = Timeouts(LONG, LONG, LONG)

Script = Callable[[Peer], None]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("localhost", "pigment.example")


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", Http2Adapter(network.KEEPALIVE))
        yield session


@pytest.fixture
def ask(session: requests.Session, certificate: trustme.LeafCert) -> Iterator[Callable[..., requests.Response]]:
    """Ask a server that runs a script; everything is closed afterwards."""
    opened: list[ScriptedServer] = []
    answers: list[requests.Response] = []

    def ask(
        script: Script, *, alpn: tuple[str, ...] = ("h2",), method: str = "GET", **options: object
    ) -> requests.Response:
        opened.append(ScriptedServer(certificate, script, alpn))
        options.setdefault("timeout", Timeouts(LONG, LONG, LONG))
        options.setdefault("headers", {"Authorization": f"Bearer {SECRET}", "Accept-Encoding": "gzip"})
        answers.append(session.request(method, opened[-1].url, stream=True, **options))  # type: ignore[arg-type]
        return answers[-1]

    yield ask
    for answer in answers:
        answer.close()
    for server in opened:
        server.__exit__(None, None, None)


def answering(*chunks: bytes) -> Script:
    """Send frames once the request is there."""

    def script(connection: Peer) -> None:
        connection.await_request()
        connection.send(*chunks)
        connection.await_close()

    return script


def plain(*chunks: bytes) -> Script:
    """Send bytes of HTTP/1.1 once the request is there, and close."""

    def script(connection: Peer) -> None:
        connection.read_http1()
        connection.send(*chunks)

    return script


def http1_over_h2(connection: Peer) -> None:
    connection.read_exactly(24)
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.await_close()


def read(source: object, room: int = 1000) -> bytes:
    """Everything up to the end."""
    buffer = memoryview(bytearray(room))
    found = b""
    while count := source.readinto(buffer):  # type: ignore[attr-defined]
        found += buffer[:count]
    return found


OK = peer.headers(200, ("content-type", "text/csv"))
SIZED = peer.headers(200, ("content-length", str(len(CSV))))
GZIPPED = peer.headers(200, ("content-encoding", "gzip"))
PACKED = gzip.compress(CSV)


def test_a_body_over_http_2_is_proven_by_end_stream(ask: Callable[..., requests.Response]) -> None:
    response = ask(answering(OK, peer.data(CSV), peer.data(b"", end=True)))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv"
    body = body_of(response)
    assert (body.protocol, read(body.decoded()), body.evidence) == ("HTTP/2", CSV, "END_STREAM")
    assert read(body.decoded()) == b""


@pytest.mark.parametrize(
    ("script", "alpn", "evidence"),
    [
        (answering(SIZED, peer.data(CSV, end=True)), ("h2",), "END_STREAM + Content-Length"),
        (answering(GZIPPED, peer.data(PACKED, end=True)), ("h2",), "END_STREAM + gzip trailer"),
        (
            answering(GZIPPED, peer.data(PACKED[:9]), peer.data(PACKED[9:], end=True)),
            ("h2",),
            "END_STREAM + gzip trailer",
        ),
        (plain(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(CSV), CSV)), ("http/1.1",), "Content-Length"),
        (plain(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(CSV), CSV)), (), "Content-Length"),
        (
            plain(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + PACKED),
            ("http/1.1",),
            "gzip trailer (one member)",
        ),
        (
            plain(
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(PACKED), PACKED),
            ),
            ("http/1.1",),
            "gzip trailer (one member)",
        ),
    ],
)
def test_each_proof_of_an_end_is_named(
    ask: Callable[..., requests.Response], script: Script, alpn: tuple[str, ...], evidence: str
) -> None:
    response = ask(script, alpn=alpn)
    body = body_of(response)
    assert read(body.decoded()) == CSV
    assert body.evidence == evidence
    assert body.protocol == ("HTTP/2" if alpn == ("h2",) else "HTTP/1.1")


@pytest.mark.parametrize(
    ("head", "rest", "ending"),
    [
        (b"", CSV, "connection closed"),
        (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(CSV), CSV), "chunked"),
    ],
)
def test_an_http_1_1_body_without_a_length_is_refused(
    ask: Callable[..., requests.Response], head: bytes, rest: bytes, ending: str
) -> None:
    script = plain(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + rest)
    with pytest.raises(http2.UnprovenEnd, match=f"\\({ending}\\).*localhost uses HTTP/1.1 without a length"):
        read(body_of(ask(script, alpn=("http/1.1",))).decoded())
    response = ask(script, alpn=("http/1.1",))
    assert read(response.raw) == CSV  # as it is, for small answers


@pytest.mark.parametrize(
    ("script", "alpn", "error"),
    [
        (answering(OK, peer.data(CSV), peer.reset(0)), "h2", http2.BodyCut),
        (answering(OK, peer.data(CSV), peer.reset(2)), "h2", http2.BodyCut),
        (answering(OK, peer.data(CSV), peer.goaway(0)), "h2", http2.BodyCut),
        (answering(SIZED, peer.data(CSV[:-1], end=True)), "h2", http2.BodyCut),
        (answering(SIZED, peer.data(CSV + b"x", end=True)), "h2", http2.BodyCut),
        (answering(OK, peer.data(CSV, stream=3)), "h2", http2.ProtocolViolation),
        (answering(GZIPPED, peer.data(PACKED[:-1], end=True)), "h2", http2.BodyCut),
        (answering(GZIPPED, peer.data(PACKED + b"x" * 20, end=True)), "h2", http2.BodyCut),
        (answering(GZIPPED, peer.data(b"", end=True)), "h2", http2.BodyCut),
        (
            answering(peer.headers(200, ("content-encoding", "br")), peer.data(b"x", end=True)),
            "h2",
            http2.UnprovenEnd,
        ),
        (plain(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + CSV), "http/1.1", http2.BodyCut),
        (plain(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + PACKED[:-3]), "http/1.1", http2.BodyCut),
        (plain(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"), "http/1.1", http2.BodyCut),
        (
            plain(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 34\r\n\r\n" + CSV),
            "http/1.1",
            http2.ProtocolViolation,
        ),
        (
            plain(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + CSV),
            "http/1.1",
            http2.ProtocolViolation,
        ),
        (plain(b"SSH-2.0-OpenSSH\r\n"), "http/1.1", http2.ProtocolViolation),
        (plain(b""), "http/1.1", http2.RequestDropped),
        (lambda connection: connection.await_request(), "h2", http2.RequestDropped),
        (http1_over_h2, "h2", http2.ProtocolViolation),
    ],
)
def test_every_other_end_is_a_named_error(
    ask: Callable[..., requests.Response], script: Script, alpn: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        read(body_of(ask(script, alpn=(alpn,))).decoded())
    assert isinstance(caught.value, exceptions.RequestException)
    assert str(caught.value)
    assert "Authorization" not in repr(caught.value) + str(caught.value)
    assert SECRET not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        (b"", "last chunk"),
        (b"5\r\na;b", "last chunk"),
        (b"4\r\na;b\n\r\n", "last chunk"),
        (b"zz\r\n", "last chunk"),
    ],
)
def test_a_chunked_body_without_its_last_chunk_is_an_error(
    ask: Callable[..., requests.Response], rest: bytes, text: str
) -> None:
    response = ask(plain(b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n" + rest), alpn=("http/1.1",))
    with pytest.raises(http2.BodyCut, match=text):
        read(response.raw)


def test_a_connection_that_is_torn_down_is_lost(ask: Callable[..., requests.Response]) -> None:
    def script(connection: Peer) -> None:
        connection.await_request()
        connection.send(OK, peer.data(CSV))
        connection._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST, not FIN

    with pytest.raises((http2.BodyCut, http2.RequestDropped)):  # a reset overtakes what was sent before it
        read(body_of(ask(script)).decoded())


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_no_redirect_is_followed_nor_its_body_read(
    ask: Callable[..., requests.Response], status: int, alpn: str
) -> None:
    asked = []

    def script(connection: Peer) -> None:
        asked.append(1)
        if alpn == "h2":
            connection.await_request()
            connection.send(peer.headers(status, ("location", "https://elsewhere.example/"), ("content-length", "9")))
        else:
            connection.read_http1()
            connection.send(
                b"HTTP/1.1 %d Go\r\nLocation: https://elsewhere.example/\r\nContent-Length: 9\r\n\r\n" % status
            )
        connection.await_close()  # the body never comes: whoever waited for it would hang

    with pytest.raises(http2.RedirectRefused, match=str(status)):
        ask(script, alpn=(alpn,), allow_redirects=True)
    assert asked == [1]


def test_the_request_carries_what_requests_prepared(ask: Callable[..., requests.Response]) -> None:
    seen: list[dict[str, str]] = []

    def script(connection: Peer) -> None:
        connection.await_request()
        seen.append(connection.fields)
        connection.send(peer.headers(200, end=True))

    response = ask(script, params={"q": "a b"})
    port = response.url.split(":")[2].split("/")[0]
    assert seen[0][":method"] == "GET"
    assert seen[0][":scheme"] == "https"
    assert seen[0][":authority"] == f"localhost:{port}"
    assert seen[0][":path"] == "/export?q=a+b"
    assert seen[0]["authorization"] == f"Bearer {SECRET}"
    assert not seen[0].keys() & {"connection", "host", "transfer-encoding"}


def test_over_http_1_1_too(ask: Callable[..., requests.Response]) -> None:
    seen: list[bytes] = []

    def script(connection: Peer) -> None:
        seen.append(connection.read_http1())
        connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    response = ask(script, alpn=("http/1.1",), method="POST", json={"a": 1})
    assert read(body_of(response).decoded()) == b""
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    port = response.url.split(":")[2].split("/")[0]
    assert lines[0] == b"POST /export HTTP/1.1"
    assert not [line for line in lines if line.startswith(b":")]
    assert [line for line in lines if line.lower().startswith(b"host:")] == [f"Host: localhost:{port}".encode()]
    assert [line for line in lines if line.lower().startswith(b"accept-encoding:")] == [b"accept-encoding: gzip"]
    assert body == b'{"a": 1}'


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_request_body_of_a_megabyte_arrives_whole(ask: Callable[..., requests.Response], alpn: str) -> None:
    sent = bytes(range(256)) * 4096
    seen: list[bytes] = []

    def script(connection: Peer) -> None:
        if alpn == "http/1.1":
            seen.append(connection.read_http1().partition(b"\r\n\r\n")[2])
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        connection.greet(peer.settings(INITIAL_WINDOW_SIZE=70_000))
        while len(connection.body) < len(sent):
            frame = connection.frame()
            if isinstance(frame, DataFrame):
                assert len(frame.data) <= 16_384
                size = len(frame.data)
                connection.send(peer.window_update(0, size))
                if "END_STREAM" not in frame.flags:
                    connection.send(peer.window_update(1, size), peer.ping())
        seen.append(connection.body)
        connection.send(peer.headers(200, end=True))
        connection.await_close()

    assert read(body_of(ask(script, alpn=(alpn,), method="POST", data=sent)).decoded()) == b""
    assert seen == [sent]


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_an_answer_before_the_request_body_is_out_is_returned(ask: Callable[..., requests.Response], alpn: str) -> None:
    def script(connection: Peer) -> None:
        if alpn == "h2":
            connection.greet()
            connection.await_headers()
            connection.send(peer.headers(413), peer.data(b"too big", end=True), peer.reset(0))
            connection.await_close()
            return
        while b"\r\n\r\n" not in connection._buffer:
            connection._buffer += connection.more()
        connection.send(b"HTTP/1.1 413 Too Big\r\nContent-Length: 7\r\n\r\ntoo big")
        connection.await_close()

    response = ask(script, alpn=(alpn,), method="POST", data=bytes(30_000_000))
    assert response.status_code == 413
    assert response.raw.read(100) == b"too big"


def test_a_request_body_goes_out_in_bounded_pieces_to_a_server_that_stays_silent(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    write = Connection.write
    monkeypatch.setattr(Connection, "write", lambda wire, data: (pieces.append(len(data)), write(wire, data))[1])

    def script(connection: Peer) -> None:
        connection.greet(peer.settings(INITIAL_WINDOW_SIZE=2**30), peer.window_update(0, 2**30))
        connection.await_end()
        connection.send(peer.headers(200, end=True))
        connection.await_close()

    assert ask(script, method="POST", data=bytes(3_000_000)).ok
    assert sum(pieces) > 3_000_000
    assert max(pieces) < 70_000


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_an_answer_is_heard_though_the_server_takes_no_more(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch, alpn: str
) -> None:
    sent = [0]
    send = socket.socket.send

    def failing(sock: socket.socket, data: bytes) -> int:
        if sent[0] > 30_000:
            raise BrokenPipeError
        sent[0] += (count := send(sock, data[:20_000]))
        return count

    monkeypatch.setattr(socket.socket, "send", failing)  # only the client sends by it

    def script(connection: Peer) -> None:
        if alpn == "h2":
            connection.greet()
            connection.await_headers()
            connection.send(peer.headers(413), peer.data(b"too big", end=True))
        else:
            while b"\r\n\r\n" not in connection._buffer:
                connection._buffer += connection.more()
            connection.send(b"HTTP/1.1 413 Too Big\r\nContent-Length: 7\r\n\r\ntoo big")
        connection.await_close()

    response = ask(script, alpn=(alpn,), method="POST", data=bytes(1_000_000))
    assert (response.status_code, response.raw.read(100)) == (413, b"too big")


def test_a_reset_before_the_request_body_is_out_is_an_error(ask: Callable[..., requests.Response]) -> None:
    def script(connection: Peer) -> None:
        connection.greet()
        connection.await_headers()
        connection.send(peer.reset(7))
        connection.await_close()

    with pytest.raises(http2.RequestDropped, match="REFUSED_STREAM"):
        ask(script, method="POST", data=bytes(30_000_000))


@pytest.mark.parametrize("body", [iter([b"a"]), {"file": b"x"}])
def test_a_request_body_that_is_no_bytes_is_refused(ask: Callable[..., requests.Response], body: object) -> None:
    options = {"files": body} if isinstance(body, dict) else {"data": body}
    if isinstance(body, dict):
        assert ask(answering(peer.headers(200, end=True)), method="POST", **options).ok  # encoded by requests: bytes
    else:
        with pytest.raises(exceptions.RequestException, match="must be bytes"):
            ask(answering(), method="POST", **options)


def test_an_answer_of_any_status_has_a_body_and_gzip_is_decoded(ask: Callable[..., requests.Response]) -> None:
    packed = gzip.compress(b'{"detail": "no such view"}')
    response = ask(answering(peer.headers(404, ("content-encoding", "gzip")), peer.data(packed, end=True)))
    assert read(response.raw.decoded()) == b'{"detail": "no such view"}'
    response = ask(answering(peer.headers(404), peer.data(b"no such view", end=True)))
    assert read(response.raw.decoded(), 5) == b"no such view"


def test_headers_that_come_twice_are_joined(ask: Callable[..., requests.Response]) -> None:
    response = ask(answering(peer.headers(200, ("vary", "a"), ("vary", "b"), end=True)))
    assert response.headers["Vary"] == "a, b"


def flood(*frames: bytes) -> Script:
    """Answer, then repeat frames until the client is gone."""

    def script(connection: Peer) -> None:
        connection.await_request()
        connection.send(*frames[:-1])
        while True:
            connection.send(frames[-1] * 10)

    return script


IDLE = Timeouts(LONG, LONG, SHORT)
FIRST = Timeouts(LONG, SHORT, LONG)


@pytest.mark.parametrize(
    ("script", "timeouts", "error"),
    [
        (answering(), FIRST, exceptions.ReadTimeout),
        (answering(OK), FIRST, exceptions.ReadTimeout),
        (flood(peer.ping()), FIRST, exceptions.ReadTimeout),
        (flood(peer.settings()), FIRST, exceptions.ReadTimeout),
        (flood(peer.headers(103)), FIRST, exceptions.ReadTimeout),
        (flood(OK, peer.ping()), FIRST, exceptions.ReadTimeout),
        (flood(OK, peer.data(b"", padding=100)), FIRST, exceptions.ReadTimeout),
        (answering(OK, peer.data(CSV)), IDLE, exceptions.ReadTimeout),
        (flood(OK, peer.data(CSV), peer.ping()), IDLE, exceptions.ReadTimeout),
        (flood(OK, peer.data(CSV), peer.settings()), IDLE, exceptions.ReadTimeout),
        (flood(OK, peer.data(CSV), peer.data(b"")), IDLE, exceptions.ReadTimeout),
    ],
)
def test_only_bytes_of_the_body_renew_a_timeout(
    ask: Callable[..., requests.Response], script: Script, timeouts: Timeouts, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"0\.3 seconds") as caught:
        read(body_of(ask(script, timeout=timeouts)).decoded())
    assert isinstance(caught.value, exceptions.ReadTimeout)


@pytest.mark.parametrize("sent", [(), (OK,), (OK, peer.data(CSV))])
def test_no_read_waits_past_the_deadline(ask: Callable[..., requests.Response], sent: tuple[bytes, ...]) -> None:
    with pytest.raises(http2.DeadlinePassed):
        read(body_of(ask(answering(*sent), timeout=Timeouts(LONG, LONG, LONG, time.monotonic() + SHORT))).decoded())


def test_a_deadline_cuts_a_body_that_never_stops(ask: Callable[..., requests.Response]) -> None:
    def script(connection: Peer) -> None:
        connection.await_request()
        connection.send(OK)
        while True:
            connection.send(peer.data(b"FR;Jan 21\n"))
            if connection._sock.pending():  # SETTINGS and windows
                connection.more()

    with pytest.raises(http2.DeadlinePassed):
        read(body_of(ask(script, timeout=Timeouts(ends_at=time.monotonic() + SHORT))).decoded())


def test_http_1_1_knows_the_same_timeouts(ask: Callable[..., requests.Response]) -> None:
    def script(connection: Peer) -> None:
        connection.read_http1()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *([CSV] if connection_has_begun else []))
        connection.await_close()

    connection_has_begun = False
    with pytest.raises(exceptions.ReadTimeout):
        read(body_of(ask(script, alpn=("http/1.1",), timeout=FIRST)).decoded())
    connection_has_begun = True
    with pytest.raises(exceptions.ReadTimeout):
        read(body_of(ask(script, alpn=("http/1.1",), timeout=IDLE)).decoded())


def test_a_pause_of_the_caller_is_no_idleness_of_the_server(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    response = ask(answering(OK, peer.data(CSV), peer.data(CSV, end=True)))
    buffer = memoryview(bytearray(len(CSV)))
    assert response.raw.readinto(buffer) == len(CSV)
    clock[0] += 10 * LONG
    assert response.raw.readinto(buffer) == len(CSV)
    assert response.raw.readinto(buffer) == 0


def test_a_server_that_takes_connections_and_says_nothing_is_a_connect_timeout(session: requests.Session) -> None:
    with peer.silent_listener() as port, pytest.raises(exceptions.ConnectTimeout):
        session.get(f"https://localhost:{port}/", timeout=Timeouts(SHORT, LONG))


def test_a_deadline_that_has_passed_reaches_nobody(session: requests.Session) -> None:
    with peer.silent_listener() as port, pytest.raises(http2.DeadlinePassed):
        session.get(f"https://localhost:{port}/", timeout=Timeouts(ends_at=time.monotonic() - 1))  # type: ignore[arg-type]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nobody_there_is_a_connection_error(session: requests.Session) -> None:
    with pytest.raises(exceptions.ConnectionError, match=r"connecting to localhost:\d+ failed"):
        session.get(f"https://localhost:{free_port()}/")


def test_a_server_that_speaks_no_tls_is_an_ssl_error(session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_say_hello, args=(listener,))
        thread.start()
        with pytest.raises(exceptions.SSLError):
            session.get(f"https://localhost:{listener.getsockname()[1]}/", timeout=PATIENT)
        thread.join()


def _hang_up(listener: socket.socket) -> None:
    listener.accept()[0].close()


def _say_hello(listener: socket.socket) -> None:
    sock, _ = listener.accept()
    with sock:
        sock.recv(10_000)
        sock.sendall(b"220 mail.example ESMTP\r\n")


def test_a_server_that_hangs_up_during_the_handshake_is_lost(session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_hang_up, args=(listener,))
        thread.start()
        with pytest.raises(exceptions.ConnectionError) as caught:
            session.get(f"https://localhost:{listener.getsockname()[1]}/", timeout=PATIENT)
        thread.join()
    assert not isinstance(caught.value, exceptions.SSLError)


def test_a_certificate_without_a_trusted_authority_is_refused_and_no_option_changes_that(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = answering(peer.headers(200, end=True))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(script)
    with pytest.raises(exceptions.SSLError, match="not supported"):
        ask(script, verify=False)


def test_a_certificate_of_another_name_is_refused(authority: trustme.CA, session: requests.Session) -> None:
    with (
        ScriptedServer(authority.issue_cert("other.example"), answering()) as server,
        pytest.raises(exceptions.SSLError, match=r"[Hh]ostname mismatch"),
    ):
        session.get(server.url, timeout=PATIENT)


def test_verify_takes_a_path_and_a_path_that_is_not_there_is_an_error(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    script = answering(peer.headers(200, end=True))
    assert ask(script, verify=bundle).ok
    with pytest.raises(exceptions.SSLError, match="CA certificate bundle"):
        ask(script, verify="/nowhere/ca.pem")


@NEEDS_OPENSSL
def test_a_folder_of_certificates_is_trusted_and_one_without_the_servers_authority_is_not(
    ask: Callable[..., requests.Response], bundle: str, tmp_path: Path
) -> None:
    script = answering(peer.headers(200, end=True))
    assert ask(script, verify=str(as_folder(Path(bundle), tmp_path / "certificates"))).ok
    (tmp_path / "empty").mkdir()
    with pytest.raises(exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(script, verify=str(tmp_path / "empty"))


def test_a_prepared_request_is_checked_by_what_send_is_told(
    session: requests.Session, certificate: trustme.LeafCert, bundle: str
) -> None:
    """`Session.send` reads no bundle from the surroundings: it refuses rather than trusts, unless told."""
    with ScriptedServer(certificate, answering(peer.headers(200, end=True))) as server:
        request = session.prepare_request(requests.Request("GET", server.url))
        with pytest.raises(exceptions.SSLError):
            session.send(request, timeout=PATIENT)
        assert session.send(request, timeout=PATIENT, verify=bundle).ok


@pytest.mark.parametrize("credentials", ["", "me:p%40ss@"])
def test_the_proxy_of_the_surroundings_opens_a_tunnel(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch, credentials: str
) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{credentials}127.0.0.1:{proxy.port}")
        response = ask(answering(OK, peer.data(CSV, end=True)))
        assert read(body_of(response).decoded()) == CSV
        head = proxy.heads[0].decode()
        port = response.url.split(":")[2].split("/")[0]
        assert head.startswith(f"CONNECT localhost:{port} HTTP/1.")
        assert ("Proxy-Authorization: Basic bWU6cEBzcw==" in head) is bool(credentials)
        assert SECRET not in head


def test_no_proxy_is_honoured(ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert read(body_of(ask(answering(OK, peer.data(CSV, end=True)))).decoded()) == CSV
        assert proxy.heads == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 No\r\n\r\n",
        b"",
        b"?\r\n",
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_named_without_its_credentials(
    session: requests.Session, answer: bytes
) -> None:
    with ConnectProxy(answer) as proxy, pytest.raises(exceptions.ProxyError) as caught:
        session.get(
            "https://pigment.example/",
            proxies={"https": f"http://me:passw0rd@127.0.0.1:{proxy.port}"},
            timeout=PATIENT,
            headers={"Authorization": SECRET},
        )
    assert f"127.0.0.1:{proxy.port}" in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert "passw0rd" not in f"{error} {error!r}"
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_a_proxy_that_is_not_there_is_a_proxy_error(session: requests.Session) -> None:
    with pytest.raises(exceptions.ProxyError, match=r"127\.0\.0\.1"):
        session.get("https://pigment.example/", proxies={"https": f"127.0.0.1:{free_port()}"}, timeout=PATIENT)


def test_a_proxy_that_says_nothing_is_a_connect_timeout(session: requests.Session) -> None:
    with peer.silent_listener() as port, pytest.raises(exceptions.ConnectTimeout, match="through the proxy"):
        session.get("https://pigment.example/", proxies={"https": f"127.0.0.1:{port}"}, timeout=Timeouts(SHORT, LONG))


def test_a_proxy_that_answers_by_drops_is_a_connect_timeout(session: requests.Session) -> None:
    class Dripping(ConnectProxy):
        def serve(self, sock: socket.socket) -> None:
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            sock.settimeout(SHORT / 6)
            while True:
                try:
                    sock.recv(1)
                except TimeoutError:
                    sock.sendall(b"x")
                else:
                    given_up.append(True)
                    return

    given_up: list[bool] = []
    with Dripping() as proxy, pytest.raises(exceptions.ConnectTimeout, match="through the proxy"):
        session.get(
            "https://pigment.example/", proxies={"https": f"127.0.0.1:{proxy.port}"}, timeout=Timeouts(SHORT, LONG)
        )
    assert given_up == [True]


@pytest.mark.parametrize("url", ["https://proxy.example:3128", "socks5://proxy.example"])
def test_another_kind_of_proxy_is_refused(session: requests.Session, url: str) -> None:
    with pytest.raises(exceptions.InvalidProxyURL):
        session.get("https://pigment.example/", proxies={"https": url})


def test_an_unproven_end_names_the_proxy_without_its_credentials(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:passw0rd@127.0.0.1:{proxy.port}")
        with (
            ask(plain(b"HTTP/1.1 200 OK\r\n\r\n" + CSV), alpn=("http/1.1",)) as response,
            pytest.raises(http2.UnprovenEnd) as caught,
        ):
            read(body_of(response).decoded())
    assert f"the proxy 127.0.0.1:{proxy.port} is in use" in str(caught.value)
    assert "passw0rd" not in str(caught.value)


def test_only_https_is_spoken(session: requests.Session) -> None:
    session.mount("http://", Http2Adapter())
    with pytest.raises(exceptions.InvalidSchema):
        session.get("http://localhost/")


@pytest.mark.parametrize(
    "key", ["Bearer abc\r\nX: y", "Bearer abc\n", "Bearer k€y", "Bearer k\x00y", " Bearer", b"Bearer \xff"]
)
def test_a_header_that_cannot_be_sent_is_refused_without_being_shown(
    session: requests.Session, key: str | bytes
) -> None:
    def auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = key  # type: ignore[assignment]  # past requests' own check
        return request

    with pytest.raises(exceptions.InvalidHeader) as caught:
        session.get("https://localhost:1/", auth=auth)
    assert str(caught.value) == "the header 'Authorization' has characters that cannot be sent"
    assert caught.value.__context__ is None


def test_the_name_of_a_header_is_checked_too(session: requests.Session) -> None:
    def auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["a b"] = "c"
        return request

    with pytest.raises(exceptions.InvalidHeader, match="'a b'"):
        session.get("https://localhost:1/", auth=auth)


def test_an_answer_that_is_closed_early_closes_the_connection(ask: Callable[..., requests.Response]) -> None:
    gone = threading.Event()

    def script(connection: Peer) -> None:
        connection.await_request()
        connection.send(OK, peer.data(CSV))
        connection.await_close()
        gone.set()

    with ask(script) as response:
        assert response.raw.readinto(memoryview(bytearray(5))) == 5
    assert gone.wait(LONG)
    with pytest.raises(ValueError, match="closed"):
        response.raw.readinto(memoryview(bytearray(5)))


def test_the_connection_ends_with_the_body(ask: Callable[..., requests.Response]) -> None:
    gone = threading.Event()

    def script(connection: Peer) -> None:
        answering(OK, peer.data(CSV, end=True))(connection)
        gone.set()

    response = ask(script)
    assert read(response.raw) == CSV
    assert gone.wait(LONG)


def test_nothing_is_read_that_the_caller_does_not_ask_for(ask: Callable[..., requests.Response]) -> None:
    """A server that sends without end is stopped by the socket's own buffer, and its stream by the window."""
    stuck = threading.Event()
    sent = [0]

    def script(connection: Peer) -> None:
        connection.await_request()
        connection._sock.settimeout(SHORT)
        connection.send(OK)
        try:
            while True:
                connection.send(peer.data(bytes(16_000)))
                sent[0] += 16_000
        except TimeoutError:
            stuck.set()

    response = ask(script)
    assert response.raw.readinto(memoryview(bytearray(1000))) == 1000
    assert stuck.wait(LONG)
    assert sent[0] < 16 * 1024 * 1024


def test_a_server_that_demands_answers_and_reads_none_is_cut_off(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pigment_export.pigment.http2.http2.MOST_UNSENT_BYTES", 100_000)
    with pytest.raises(http2.ProtocolViolation, match="does not read them"):
        read(body_of(ask(flood(OK, peer.ping() * 1000))).decoded())


def test_windows_are_opened_while_a_body_flows(ask: Callable[..., requests.Response]) -> None:
    """40 MB through a server that keeps to its windows: it would hang if they were not given back."""
    total = 40_000_000

    def script(connection: Peer) -> None:
        connection.await_request()
        connection.send(OK)
        left = 16 * 1024 * 1024
        sent = 0
        while sent < total:
            size = min(16_000, total - sent)
            while left < size:
                frame = connection.await_kind(WindowUpdateFrame)
                left += frame.window_increment if frame.stream_id == 1 else 0
            connection.send(peer.data(bytes(size), end=sent + size == total))
            sent += size
            left -= size
        connection.await_close()

    assert len(read(body_of(ask(script)).decoded(), 1_000_000)) == total


def test_a_ping_goes_out_in_each_silence_and_renews_no_timeout(
    ask: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the answer, before its body, and within it."""
    monkeypatch.setattr("pigment_export.pigment.http2.http2.PING_SECONDS", SHORT / 10)
    pings: list[int] = []

    def script(connection: Peer) -> None:
        connection.await_request()
        for chunk in (OK, peer.data(CSV), peer.data(b"", end=True)):
            pings.append(len(connection.await_kind(PingFrame).opaque_data))
            connection.send(peer.raw_frame(6, 1, 0, connection.seen[-1].opaque_data), chunk)
        connection.await_close()

    assert read(body_of(ask(script)).decoded()) == CSV
    assert pings == [8, 8, 8]
    with pytest.raises(exceptions.ReadTimeout, match=r"0\.3 seconds"):
        ask(answering(), timeout=FIRST)


def test_every_connection_is_kept_alive_by_the_system(ask: Callable[..., requests.Response]) -> None:
    """The kernel's own list of connections shows a running keepalive timer, and how long it has left."""
    timers: list[tuple[int, float]] = []

    def script(connection: Peer) -> None:
        connection.await_request()
        port = connection._sock.getpeername()[1]
        until = time.monotonic() + LONG
        while not timers and time.monotonic() < until:
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
                fields = line.split()
                kind, left = fields[5].split(":")
                # An earlier connection may have had the same port (01: established), and the timer is another one
                # (1: retransmission) until the request's last byte is acknowledged.
                ours = int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01"
                if ours and int(kind, 16) != 1:
                    timers.append((int(kind, 16), int(left, 16) / os.sysconf("SC_CLK_TCK")))
        connection.send(peer.headers(200, end=True))
        connection.await_close()

    ask(script)
    assert [kind for kind, _ in timers] == [2]  # 2: keepalive
    assert timers[0][1] <= 60


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("20", ()),
        ("2000", ()),
        ("abc", ()),
        ("-20", ()),
        ("\xb2\xb2\xb2", ()),
        ("200", (("content-length", "-5"),)),
        ("200", (("content-length", "5_0"),)),
        ("200", (("content-length", "9" * 4000),)),
        ("200", (("content-length", "x"),)),
        ("200", (("content-length", "5"), ("content-length", "6"))),
    ],
)
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_status_or_length_that_is_no_number_is_a_violation(
    ask: Callable[..., requests.Response], status: str, fields: tuple[tuple[str, str], ...], alpn: str
) -> None:
    if alpn == "h2":
        block = Encoder().encode([(":status", status), *fields])
        script = answering(peer.raw_frame(1, 4, 1, block), peer.data(b"12345", end=True))
    else:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        script = plain(f"HTTP/1.1 {status} OK\r\n{lines}\r\n12345".encode("latin-1"))
    with pytest.raises(http2.ProtocolViolation):
        read(body_of(ask(script, alpn=(alpn,))).decoded())


@pytest.mark.parametrize("size", [b"-5", b"-0x5", b"zz", b"5;" + b"x" * 70_000])
def test_a_chunk_of_no_size_is_an_error_of_its_own(ask: Callable[..., requests.Response], size: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pytest.raises((http2.BodyCut, http2.ProtocolViolation)):
        read(body_of(ask(plain(head, size, b"\r\n", PACKED), alpn=("http/1.1",))).decoded())


def test_a_body_that_goes_on_beyond_its_length_is_cut_over_http_1_1_too(ask: Callable[..., requests.Response]) -> None:
    script = plain(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(CSV) - 5, CSV))
    with pytest.raises(http2.BodyCut, match="longer than its Content-Length"):
        read(body_of(ask(script, alpn=("http/1.1",))).decoded())


@pytest.mark.parametrize(("value", "fails"), [("0", False), ("13", True), ("x", True)])
def test_trailers_that_tell_a_failure_are_heard(
    ask: Callable[..., requests.Response], value: str, *, fails: bool
) -> None:
    script = answering(OK, peer.data(CSV), peer.headers(None, ("grpc-status", value), end=True))
    body = body_of(ask(script))
    if fails:
        with pytest.raises(http2.BodyCut, match="grpc-status"):
            read(body.decoded())
    else:
        assert read(body.decoded()) == CSV


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ((peer.reset(7),), http2.RequestDropped),
        ((peer.reset(2),), http2.RequestDropped),
        ((peer.goaway(0),), http2.RequestDropped),
        ((peer.reset(13),), http2.UnprovenEnd),
        ((peer.headers(200, *((f"x-{number}", "y" * 4000) for number in range(40))),), http2.ProtocolViolation),
    ],
)
def test_what_ends_before_the_answer_is_told_from_a_body_that_is_cut(
    ask: Callable[..., requests.Response], frames: tuple[bytes, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(answering(*frames))


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://login.example/x?key=abc", "login.example"),
        ("/elsewhere", "another path"),
        ("https://[bad", "an unknown host"),
        ("https://a b/", "an unknown host"),
        ("", "an unknown host"),
    ],
)
def test_a_redirect_names_its_targets_host(ask: Callable[..., requests.Response], location: str, host: str) -> None:
    with pytest.raises(http2.RedirectRefused, match=f"redirect to {host} "):
        ask(answering(peer.headers(302, ("location", location), end=True)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_no_answer_raises_anything_but_an_error_of_requests(
    ask: Callable[..., requests.Response], alpn: str, garbage: bytes
) -> None:
    begun = [b"HTTP/1.1 200 OK\r\n", b""][garbage[:1] < b"\x80"]

    def ending(connection: Peer) -> None:
        connection.await_request()
        connection.send(peer.settings(), garbage)
        connection.end()

    script = ending if alpn == "h2" else plain(begun + garbage)
    with suppress(exceptions.RequestException):
        read(body_of(ask(script, alpn=(alpn,), timeout=Timeouts(LONG, SHORT, SHORT))).decoded())
