"""Whatever Pigment answers, and however long: nothing but our own errors leaves the adapter, each in its time."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Self

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pigment_export.catalog.exports import from_json
from pigment_export.errors import ExportError
from pigment_export.keys import Key, checked_key
from pigment_export.pigment import client
from pigment_export.pigment.client import Pigment
from pigment_export.retry import Deadline
from tests.harness import h2_server as peer
from tests.harness.told import check_told

KEY = "pgm_b3a2e2t0k3n"
VIEW = from_json({"name": "x", "kind": "view", "id": "44444444-4444-4444-8444-444444444444"})
SILENCE_SECONDS = 0.3
H2, HTTP1 = "h2", "http/1.1"

type Script = Callable[[peer.Peer], None]


class Keys:
    def read(self, name: str | None) -> Key:  # noqa: ARG002
        return checked_key(KEY, "test")

    read_again = read


class Servers:
    """One server of each protocol, which does what it is told."""

    def __init__(self, authority: trustme.CA) -> None:
        self.script: Script = lambda _: None
        self._servers = {
            alpn: peer.ScriptedServer(authority.issue_cert("localhost"), self._run, (alpn,)) for alpn in (H2, HTTP1)
        }

    def _run(self, connection: peer.Peer) -> None:
        if connection.alpn == H2:
            connection.await_request()
        else:
            connection.read_http1()
        self.script(connection)

    def error_of(self, alpn: str, script: Script, call: Callable[[Pigment], object]) -> ExportError | None:
        """What a call raises of ours; anything else comes out."""
        self.script = script
        pigment = Pigment(
            f"https://localhost:{self._servers[alpn].port}", Keys(), version="test", idle_seconds=SILENCE_SECONDS
        )
        try:
            call(pigment)
        except ExportError as error:
            return error
        return None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in self._servers.values():
                stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    authority, ca_file = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
        patched.setenv("NO_PROXY", "localhost")
        patched.setattr(client, "FIRST_BYTE_SECONDS", SILENCE_SECONDS)
        with Servers(authority) as running:
            yield running


def export(pigment: Pigment) -> bytes:
    """Read an export's body, of which so much is kept."""
    buffer, body = memoryview(bytearray(65536)), bytearray()
    with pigment.open(VIEW, Deadline(30)) as source:
        while count := source.readinto(buffer):
            body[:] = (body + buffer[:count])[-65536:]
    return bytes(body)


CALLS: dict[str, Callable[[Pigment], object]] = {
    "export": export,
    "applications": lambda pigment: pigment.applications(Deadline(30)),
    "check_key": lambda pigment: pigment.check_key(None, Deadline(30)),
}
BODIES = [
    b"",
    b"\n",
    b"a;b\n1;2\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe\x00",
    b'"',
    b"{}",
    b"[]",
    b"[" * 5000,
    b'[{"id": 5}]',
    b'[{"id": "a", "name": null}]',
    b'{"detail": ["x"]}',
    b'{"title": {"a": 1}, "errors": {"x": 5}}',
    b'{"detail": "' + KEY.encode() + b'"}',
    b"<html>Sign in</html>",
    b"PK\x03\x04",
    gzip.compress(b"a;b\n1;2\n"),
    gzip.compress(b"a;b\n1;2\n")[:-5],
    b"x" * 70_000,
]
HEADERS: dict[str, list[str]] = {
    "content-type": ["", "text/csv", "text/plain; charset=klingon", "text/html", "application/json", "nonsense"],
    "content-encoding": ["gzip", "br", "identity", "gzip, gzip", ""],
    "content-length": ["-1", "many", "0", "8", "99999", "2, 3"],
    "content-range": ["bytes 0-2/3", "nonsense"],
    "retry-after": ["0", "-1", "999999999999", "soon", "Fri, 31 Dec 9999 23:59:59 -2300"],
    "location": ["https://elsewhere.test/?key=" + KEY, "", "https://[bad"],
    "www-authenticate": ["Bearer", ",", KEY],
    "transfer-encoding": ["chunked", "gzip, chunked", "nonsense"],
    "x-request-id": ["r1", KEY, "caf\xe9", "x" * 500],
}


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, list[tuple[str, str]], bytes, bool]:
    """Status, headers, body, and whether the stream ends cleanly."""
    known = st.sampled_from([200, 201, 204, 206, 302, 304, 400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503])
    names = draw(st.sets(st.sampled_from(sorted(HEADERS)), max_size=6))
    headers = [(name, draw(st.sampled_from(HEADERS[name]))) for name in sorted(names)]
    body = draw(st.sampled_from(BODIES) | st.binary(max_size=100))
    return draw(known | st.integers(100, 999)), headers, body, draw(st.booleans())


def scripted(alpn: str, answer: tuple[int, list[tuple[str, str]], bytes, bool]) -> Script:
    status, headers, body, ends = answer

    def script(connection: peer.Peer) -> None:
        if alpn == HTTP1:
            lines = [f"HTTP/1.1 {status} Odd", *(f"{name}: {value}" for name, value in headers)]
            connection.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            return
        pieces = [body[at : at + 16_000] for at in range(0, len(body), 16_000)] or [b""]
        sent = [peer.headers(status, *headers), *map(peer.data, pieces[:-1]), peer.data(pieces[-1], end=ends)]
        connection.send(*sent)

    return script


def check(error: ExportError | None) -> None:
    if error is not None:
        check_told(error, KEY)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(CALLS)), answer=answers())
@example(name="export", answer=(200, [("content-type", "text/csv")], b"a;b\n1;2\n", True))
@example(name="applications", answer=(401, [], b"of two\nlines", True))
@pytest.mark.parametrize("alpn", [H2, HTTP1])
def test_only_our_own_errors_leave_the_adapter_whatever_answers(
    alpn: str, name: str, answer: tuple[int, list[tuple[str, str]], bytes, bool], servers: Servers
) -> None:
    check(servers.error_of(alpn, scripted(alpn, answer), CALLS[name]))


ENDLESS: dict[str, tuple[str, bytes, bytes]] = {
    "headers": (HTTP1, b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 1000),
    "a header line": (HTTP1, b"HTTP/1.1 200 OK\r\nx: ", b"y" * 65536),
    "a status line": (HTTP1, b"HTTP/1.1 200 ", b"y" * 65536),
    "interim answers": (HTTP1, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a chunk's size": (HTTP1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "trailers": (HTTP1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n" * 1000),
    "CONTINUATION": (H2, peer.raw_frame(0x1, 0, 1, b""), peer.raw_frame(0x9, 0, 1, b"") * 100),
    "large CONTINUATION": (H2, peer.raw_frame(0x1, 0, 1, b""), peer.raw_frame(0x9, 0, 1, b"\x00" * 16_000)),
    "interim HEADERS": (H2, b"", peer.headers(103, ("link", "x"))),
    "PING": (H2, b"", peer.ping() * 1000),
    "PING in a body": (H2, peer.headers(200), peer.ping() * 1000),
    "SETTINGS": (H2, b"", peer.settings(INITIAL_WINDOW_SIZE=70_000) * 1000),
    "empty DATA": (H2, peer.headers(200), peer.data(b"") * 1000),
    "DATA of padding": (H2, peer.headers(200), peer.data(b"", padding=200) * 100),
    "WINDOW_UPDATE": (H2, peer.headers(200), peer.window_update(0, 1) * 1000),
    "trailers of HTTP/2": (H2, peer.headers(200) + peer.data(b"a;b\n"), peer.headers(None, ("x", "y"))),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_and_is_no_body_is_given_up(name: str, servers: Servers) -> None:
    alpn, begin, more = ENDLESS[name]

    def script(connection: peer.Peer) -> None:
        connection.send(begin)
        while True:  # until the client has gone
            connection.send(more)

    error = servers.error_of(alpn, script, export)
    assert error is not None
    check(error)
