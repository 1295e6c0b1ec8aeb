"""The lake stand-in's doors: tokens, Shared Keys, signatures, hosts, TLS and plain HTTP."""

import contextlib
import http.client
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import BlobServiceClient
from azure.storage.filedatalake import (
    DataLakeServiceClient,
    FileSystemSasPermissions,
    generate_file_sas,
    generate_file_system_sas,
)

from emulators.lake.account import Lake
from tests.harness.credential import FAR_FUTURE

pytest_plugins = ("tests.harness.emulated_lake",)

OTHER_KEY = "c29tZWJvZHkgZWxzZSdzIGtleQ=="


class Tokens:
    """Gives one token after the other."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.asked = 0

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        self.asked += 1
        return AccessToken(self.tokens.pop(0), FAR_FUTURE)


def test_a_token_for_something_else_is_challenged(connect: Callable[..., Any]) -> None:
    tokens = Tokens("emulated:https://vault.azure.net:system:00", "emulated:https://storage.azure.com/:system:0a")
    assert connect(tokens).get_file_system_client("planning").exists()
    assert tokens.asked == 2


def test_a_wrong_token_gets_nowhere(connect: Callable[..., Any], lake: Lake) -> None:
    def wrong() -> Tokens:
        return Tokens(*["emulated:https://vault.azure.net:system:00"] * 2)

    file = connect(wrong()).get_file_client("planning", "x")
    blob = connect(wrong(), kind=BlobServiceClient).get_blob_client("planning", "x")
    for call in (file.create_file, lambda: blob.upload_blob(b"")):
        with pytest.raises(ClientAuthenticationError) as caught:
            call()
        assert caught.value.status_code == 401
    assert lake.tree() == {}


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_account_key_opens_both_protocols_with_or_without_tls(
    lake: Lake, connect: Callable[..., Any], scheme: str
) -> None:
    files = connect(lake.account_key, scheme=scheme).get_file_system_client("planning")
    client = files.get_file_client("a/Umsätze x.csv")
    client.create_file(metadata={"b": "1"}, match_condition=MatchConditions.IfMissing)
    client.append_data(b"abc", 0, validate_content=True)
    client.flush_data(3)
    client.set_metadata({"a_b": "1", "ab": "2", "Zz": "3"})
    moved = client.rename_file("planning/a/y", match_condition=MatchConditions.IfMissing)
    assert moved.download_file().readall() == b"abc"
    blob = connect(lake.account_key, scheme=scheme, kind=BlobServiceClient).get_blob_client("planning", "z")
    blob.upload_blob(b"{}", metadata={"state": "x"})
    assert lake.tree() == {"a/y": 3, "z": 2}
    assert lake.metadata("a/y") == {"a_b": "1", "ab": "2", "Zz": "3"}


def test_another_key_is_refused(lake: Lake, connect: Callable[..., Any]) -> None:
    client = connect(OTHER_KEY).get_file_system_client("planning")
    with pytest.raises(ClientAuthenticationError) as caught:
        client.create_file("x")
    assert caught.value.status_code == 403
    assert lake.tree() == {}


def test_without_an_account_key_only_tokens_count(tls: ssl.SSLContext, ca_file: Path) -> None:
    with Lake(tls) as lake:
        url = f"https://127.0.0.1:{lake.address[1]}/{lake.account}"
        with (
            DataLakeServiceClient(url, OTHER_KEY, connection_verify=str(ca_file), retry_total=0) as client,
            pytest.raises(HttpResponseError) as caught,
        ):
            client.get_file_client("planning", "x").create_file()
        assert caught.value.error_code == "KeyBasedAuthenticationNotPermitted"


def test_a_token_needs_tls(lake: Lake) -> None:
    connection = http.client.HTTPConnection(*lake.address, timeout=30)
    with contextlib.closing(connection):
        for headers in ({}, {"Authorization": "Bearer emulated:https://storage.azure.com:system:00"}):
            connection.request("GET", f"/{lake.account}/planning?restype=container", headers=headers)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["x-ms-error-code"]) == (400, "AccountRequiresHttps")
            answer.read()


def test_a_shared_access_signature_holds_for_its_scope_and_time(lake: Lake, connect: Callable[..., Any]) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    lake.clock = lambda: now
    everything = FileSystemSasPermissions(read=True, write=True, create=True, delete=True)
    until = now + timedelta(hours=1)
    wide = generate_file_system_sas(lake.account, "planning", lake.account_key, everything, until)
    narrow = generate_file_sas(lake.account, "planning", "a", "x", lake.account_key, permission="rwcd", expiry=until)
    connect(wide).get_file_client("planning", "a/x").create_file()
    connect(narrow).get_file_client("planning", "a/x").create_file()
    with pytest.raises(ClientAuthenticationError):
        connect(narrow).get_file_client("planning", "a/y").create_file()
    lake.clock = lambda: until
    with pytest.raises(ClientAuthenticationError):
        connect(wide).get_file_client("planning", "a/z").create_file()
    assert lake.tree() == {"a/x": 0}


def test_another_account_is_not_here(lake: Lake) -> None:
    connection = http.client.HTTPConnection(*lake.address, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/someoneelse/planning?restype=container")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["x-ms-error-code"]) == (404, "ResourceNotFound")


def test_a_body_without_a_length_is_refused(lake: Lake) -> None:
    connection = http.client.HTTPConnection(*lake.address, timeout=30)
    with contextlib.closing(connection):
        path = f"/{lake.account}/planning/x?action=append&position=0"
        connection.request("PATCH", path, iter([]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().status == 411


def test_a_client_that_waits_to_send_its_body_is_told_to_go_on(lake: Lake) -> None:
    with socket.create_connection(lake.address, timeout=30) as connection:
        head = (
            f"PUT /{lake.account}/planning/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(12) == b"HTTP/1.1 400"


class _Tunnel(socketserver.BaseRequestHandler):
    """A CONNECT proxy's one connection: every name leads to the lake."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        self.server.asked.add(head.split()[1].decode())
        with socket.create_connection(self.server.target) as lake:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pipe, args=(lake, self.request))
            back.start()
            _pipe(self.request, lake)
            back.join()


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(lake: Lake) -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Tunnel) as server:
        server.target, server.asked = lake.address, set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        lake.stop()
        server.shutdown()
        thread.join()


def test_the_real_host_names_lead_to_both_protocols(
    lake: Lake, proxy: Any, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_address[1]}")
    url = f"https://{lake.account}.dfs.core.windows.net"
    tokens = Tokens(*["emulated:https://storage.azure.com:system:00"] * 2)
    with DataLakeServiceClient(url, tokens, connection_verify=str(ca_file), retry_total=0) as client:
        file = client.get_file_client("planning", "a/x")
        file.create_file(metadata={"a": "b"})
        assert file.get_file_properties().metadata == {"a": "b"}
    assert proxy.asked == {
        f"{lake.account}.dfs.core.windows.net:443",
        f"{lake.account}.blob.core.windows.net:443",
    }
    assert [(call.service, call.operation) for call in lake.calls] == [("dfs", "create"), ("blob", "head")]
