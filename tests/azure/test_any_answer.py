"""Whatever answers, and however: nothing but our own errors leaves an adapter, each with class, who acts and remedy."""

import gc
import json
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ManagedIdentityCredential
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emulators.http1 import Request
from emulators.network import Proxy
from pigment_export.azure import clients
from pigment_export.azure.adls import AdlsLake
from pigment_export.azure.identity import Identity
from pigment_export.azure.vault import Vault
from pigment_export.errors import ExportError
from tests.harness.credential import Giving
from tests.harness.odd_server import OddServer
from tests.harness.told import check_told

pytest_plugins = ("tests.harness.emulated_lake",)

# Bodies that the libraries leave unread, and close with what is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
TOKEN = "b3a2e2t0k3n"
DATE = "Tue, 24 Nov 2026 06:00:00 GMT"


LAKE: dict[str, Callable[[AdlsLake], object]] = {
    "now": lambda lake: lake.now(),
    "look": lambda lake: lake.look("x"),
    "create": lambda lake: lake.create("x"),
    "append": lambda lake: lake.append("x", 0, b"abc"),
    "flush": lambda lake: lake.flush("x", 3, '"e"', content_type="text/csv"),
    "describe": lambda lake: lake.describe("x", {"a": "b"}, '"e"'),
    "rename": lambda lake: lake.rename("x", "y", source_etag='"e"', replacing=None),
    "make_folder": lambda lake: lake.make_folder("x"),
    "delete": lambda lake: lake.delete("x"),
    "read_range": lambda lake: lake.read_range("x", 100, '"e"'),
    "read": lambda lake: lake.read("x"),
    "write": lambda lake: lake.write("x", b"{}", {}, replacing=None),
    "names": lambda lake: lake.names("x"),
    "list": lambda lake: list(lake.list("x")),
}
CALLS = (*LAKE, "vault", "challenge", "identity")


class Adapters:
    """Every adapter, on one server of each scheme."""

    def __init__(self, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.identity_server = OddServer(tls), OddServer(None)
        identity = Identity(lambda: Giving(TOKEN))
        self._lake = AdlsLake(self.server.url, "planning", identity)
        self._identity = identity
        port = self.identity_server.address[1]
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def call(self, name: str, answer: bytes | None) -> object:
        """Make one call, each request of which gets the answer."""
        self.server.answer = self.identity_server.answer = lambda _: answer
        if name in LAKE:
            return LAKE[name](self._lake)
        if name == "identity":
            with ManagedIdentityCredential(retry_total=0) as credential:
                return Identity(lambda: credential).get_token("https://storage.azure.com/.default")
        if name == "vault":
            self.server.answer = lambda request: answer if _has_token(request) else self.server.challenge()
        with closing(Vault(self.server.url, "pigment-key", self._identity)) as vault:
            return vault.read(None)

    def close(self) -> None:
        self._lake.close()


def _has_token(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {TOKEN}"


@pytest.fixture(scope="module")
def adapters(tls: ssl.SSLContext, ca_file: Path) -> Iterator[Adapters]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
        monkeypatch.setattr(clients, "READ_SECONDS", 2)
        monkeypatch.setattr(time, "sleep", lambda _: None)  # the library repeats a broken download, a second apart
        made = Adapters(tls, monkeypatch)
        with made.server, made.identity_server, closing(made):
            yield made


# Answers

BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    b"{",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"<html><body>Sign in</body></html>",
    b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code><Message>no</Message></Error>",
    b"<?xml version='1.0'?><Error><Code/></Error>",
    b"<?xml version='1.0'?><EnumerationResults><Blobs><Blob></Blob></Blobs></EnumerationResults>",
    b"<EnumerationResults><Blobs><Blob><Properties><Creation-Time>soon</Creation-Time></Properties></Blob></Blobs>",
    b"<EnumerationResults><Blobs><Blob><Name>a</Name><Properties/></Blob></Blobs></EnumerationResults>",
    b"<?xml version='1.0'?><EnumerationResults/>",
    b'{"error": "text"}',
    b'{"error": {"code": 5, "message": {}}}',
    b'{"error": {"code": "Forbidden", "innererror": "x"}}',
    b'{"error": {"code": "LeaseIdMissing", "message": "no"}}',
    b'{"value": 5, "id": 7, "attributes": []}',
    b'{"value": "key", "id": "x", "attributes": {"exp": "soon"}}',
    b'{"value": "key", "id": "https://127.0.0.1/secrets/a/1", "attributes": {"exp": 1e400}}',
    b'{"access_token": "a b", "expires_on": "99999999999"}',
    b'{"access_token": 5, "expires_on": "99999999999"}',
    b'{"access_token": "a", "expires_on": "soon"}',
    b'{"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found"}',
    json.dumps({"a": "x" * 70_000}).encode(),
    b"[" * 100_000,
    b'{"error":' * 20_000,
    b"<?xml version='1.0'?>" + b"<Error>" * 30_000,
]
HEADERS: dict[str, list[str]] = {
    "Date": ["", "soon", DATE, "Fri, 31 Dec 9999 23:59:59 -2300", "Fri, 31 Dec 99999 23:59:59 GMT"],
    "ETag": ["", '"e"', "e"],
    "Content-Type": ["", "application/json", "application/xml", "text/html", "nonsense", "text/html; charset=klingon"],
    "Content-Encoding": ["gzip", "deflate", "nonsense", "br"],
    "Content-Length": ["-1", "many", "99999", "0", "2, 3"],
    "Content-Range": ["bytes 0-2/3", "bytes 0-1/99999999999", "nonsense", "bytes */0"],
    "Last-Modified": ["soon", DATE, "Fri, 31 Dec 9999 23:59:59 -2300"],
    "Location": ["https://127.0.0.1:1/", "", "nonsense"],
    "Retry-After": ["0", "-1", "999999999999", DATE, "Fri, 31 Dec 9999 23:59:59 -2300", "soon"],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "nonsense"],
    "WWW-Authenticate": [
        "Bearer",
        "Basic",
        'Bearer authorization="x"',
        'Bearer resource="https://elsewhere.test"',
        ",",
    ],
    "x-ms-blob-type": ["BlockBlob", "PageBlob", "nonsense"],
    "x-ms-creation-time": ["soon", DATE],
    "x-ms-error-code": ["BlobNotFound", "ConditionNotMet", "", "x" * 500, "LeaseIdMissing", "InvalidRange"],
    "x-ms-lease-state": ["nonsense"],
    "x-ms-meta-a": ["", "caf\xe9"],
    "x-ms-request-id": ["r1"],
    "x-ms-server-encrypted": ["maybe"],
    "x-ms-tag-count": ["many"],
}


@st.composite
def answers(draw: st.DrawFn) -> bytes | None:
    """An answer: mostly HTTP, with anything in it."""
    kind = draw(st.sampled_from(["http"] * 8 + ["bytes", "nothing"]))
    if kind == "nothing":
        return None
    if kind == "bytes":
        return draw(st.binary(min_size=1, max_size=200))
    status = draw(
        st.one_of(st.sampled_from([200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 409, 412, 416, 429, 503]))
    )
    status = draw(st.one_of(st.just(status), st.integers(100, 999)))
    body = draw(st.one_of(st.sampled_from(BODIES), st.binary(max_size=100)))
    names = draw(st.sets(st.sampled_from(sorted(HEADERS)), max_size=8))
    headers = {name: draw(st.sampled_from(HEADERS[name])) for name in sorted(names)}
    if draw(st.booleans()):
        headers.setdefault("x-ms-request-id", "r1")
    if draw(st.booleans()) and "Transfer-Encoding" not in headers:
        headers.setdefault("Content-Length", str(len(body)))
    lines = [f"HTTP/1.1 {status} Odd", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_HTML = b"Content-Type: text/html\r\nConnection: close\r\nContent-Length: 20\r\n\r\n<html>sign in</html>"
LOGIN_PAGE = b"HTTP/1.1 200 OK\r\n" + _HTML
EMPTY_403 = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(CALLS), answer=answers())
@example(name="identity", answer=EMPTY_403)
@example(name="identity", answer=LOGIN_PAGE)
@example(name="vault", answer=LOGIN_PAGE)
@example(name="challenge", answer=LOGIN_PAGE)
@example(name="look", answer=LOGIN_PAGE)
@example(name="list", answer=LOGIN_PAGE)
def test_only_our_own_errors_leave_an_adapter_whatever_answers(
    name: str, answer: bytes | None, adapters: Adapters
) -> None:
    error = error_of(adapters, name, answer)
    if error is not None:
        check_told(error, TOKEN)


def error_of(adapters: Adapters, name: str, answer: bytes | None) -> ExportError | None:
    """What a call raises of ours; anything else comes out."""
    try:
        adapters.call(name, answer)
    except ExportError as error:
        return error
    return None


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("answer", [LOGIN_PAGE, LOGIN_PAGE.replace(b"200 OK", b"403 Forbidden")])
def test_a_login_page_is_no_answer_whatever_its_status(name: str, answer: bytes, adapters: Adapters) -> None:
    with pytest.raises(ExportError) as caught:
        adapters.call(name, answer)
    assert caught.value.cause.code in {"lake_unreadable", "vault_unreadable", "identity_unavailable"}


@pytest.mark.parametrize("name", ["look", "create", "flush", "describe", "read"])
def test_an_answer_without_an_etag_is_none_of_the_lakes(name: str, adapters: Adapters) -> None:
    """It would become the condition of a later write."""
    body = "{}" if name == "read" else ""
    headers = f"Connection: close\r\nDate: {DATE}\r\nx-ms-request-id: r1\r\nContent-Range: bytes 0-1/2\r\n"
    answer = f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
    with pytest.raises(ExportError) as caught:
        adapters.call(name, answer.encode())
    assert caught.value.cause.code == "lake_unreadable"


# Silence


@pytest.fixture
def keepalives(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Whether each connection that is made is kept alive, after how long a silence, and how often."""
    found: list[tuple[int, int, int]] = []
    connect = socket.socket.connect

    def watched(connection: socket.socket, address: Any) -> None:
        connect(connection, address)
        options = (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        )
        found.append(tuple(connection.getsockopt(*option) for option in options))

    monkeypatch.setattr(socket.socket, "connect", watched)
    return found


@pytest.mark.parametrize("name", ["look", "create", "write", "vault"])
def test_a_long_silence_on_a_connection_is_not_forgotten_by_the_network(
    name: str, adapters: Adapters, keepalives: list[tuple[int, int, int]]
) -> None:
    with pytest.raises(ExportError):
        adapters.call(name, None)
    assert keepalives
    assert set(keepalives) == {(1, 60, 30)}


def test_a_connection_through_a_proxy_is_kept_alive_too(
    adapters: Adapters, keepalives: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy({"*.dfs.core.windows.net": adapters.server.address}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.address[1]}")
        lake = AdlsLake("https://lake.dfs.core.windows.net", "planning", Identity(lambda: Giving(TOKEN)))
        with closing(lake), pytest.raises(ExportError, match="lake_unavailable"):
            lake.create("x")
    assert (1, 60, 30) in keepalives


# What is left behind


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_is_not_the_services_leaves_no_connection_to_the_garbage_collector(
    adapters: Adapters, name: str
) -> None:
    page = b"x" * 1_000_000
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
    gc.collect()  # what earlier tests have left is not this one's
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(ExportError) as raised:
            adapters.call(name, answer)
        del raised
        gc.collect()
    assert [str(warning.message) for warning in left] == []
