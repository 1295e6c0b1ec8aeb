"""HTTP/1.1 of the lake stand-in: connections with and without TLS, requests in, replies out, one port for both hosts.

A request's body is on disk before anything is decided about it, so that an early refusal never meets a client that
is still sending. Not done: chunked request bodies (411), pipelining.
"""

import contextlib
import io
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from typing import Protocol, cast
from urllib.parse import unquote_plus

from emulators.lake import blob as lake_blob
from emulators.lake import dfs as lake_dfs
from emulators.lake.bodies import Body, ShortBodyError, Spool, read
from emulators.lake.messages import Reply, Request, http_date, target_parts
from emulators.lake.problems import Problem
from emulators.lake.store import Store

_DFS_QUERY = frozenset({"resource", "action", "mode", "recursive"})
_TLS_HANDSHAKE = b"\x16"  # the first byte of a TLS connection
_LINE_MOST_BYTES = 65536
_METADATA = "x-ms-meta-"


class Service(Protocol):
    """What a protocol's module offers."""

    NAME: str

    def operation(self, request: Request) -> tuple[str, Callable[[Store, Request], Reply]]:
        """Tell which operation a request is, by name, and what does it."""

    def refusal(self, problem: Problem, detail: str, now: datetime) -> Reply:
        """Return the protocol's answer to what is refused."""

    def error(self, status: int, code: str, detail: str, now: datetime) -> Reply:
        """Return an error answer in the protocol's form."""


class Answerer(Protocol):
    """Does what a request asks for."""

    def __call__(self, request: Request, service: Service, *, encrypted: bool) -> Reply | None:
        """Return the reply; None closes the connection without one."""


class Server(socketserver.ThreadingTCPServer):
    """The listener: a thread per connection, all of them joined at the end.

    Args:
        tls: the certificate.
        account: the account's name, which leads a host name or a path.
        spool: where bodies go.
        answer: does what a request asks for.
        clock: gives the instant of the Date header.
    """

    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self,
        tls: ssl.SSLContext,
        account: str,
        spool: Spool,
        answer: Answerer,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.tls = tls
        self.account = account
        self.spool = spool
        self.answer = answer
        self.clock = clock
        self.port: int = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._open: set[socket.socket] = set()
        self._closing = False
        self._lock = threading.Lock()

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, to be closed at the end."""
        with self._lock:
            self._open.add(connection)
            if self._closing:
                connection.shutdown(socket.SHUT_RDWR)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(connection)

    def start(self) -> None:
        """Accept connections from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the listener and every connection, and wait for their threads."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            self._closing = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    """One connection: TLS or, where its first byte says otherwise, plain; then request after request."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        """Serve until the client goes, a reply is lost, or the lake stops."""
        plain = self.request
        try:
            self.server.opened(plain)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            encrypted = plain.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
            if not encrypted:
                self._serve(plain, encrypted=False)
                return
            with self.server.tls.wrap_socket(plain.dup(), server_side=True, suppress_ragged_eofs=True) as secured:
                self._serve(secured, encrypted=True)
        except (OSError, ShortBodyError, HTTPException):
            return  # the other side went away, or talks no HTTP: nothing to answer to
        finally:
            self.server.closed(plain)

    def _serve(self, connection: socket.socket, *, encrypted: bool) -> None:
        with connection.makefile("rb", buffering=1 << 16) as stream:
            while self._serve_one(connection, cast("io.BufferedReader", stream), encrypted=encrypted):
                pass

    def _serve_one(self, connection: socket.socket, stream: io.BufferedReader, *, encrypted: bool) -> bool:
        """Answer one request; tells whether there may be another."""
        line = stream.readline(_LINE_MOST_BYTES)
        words = line.decode("latin-1").split()
        if len(words) != 3:
            return False
        method, target, _version = words
        fields = parse_headers(stream)
        headers = {name.lower(): value for name, value in fields.items()}
        server = self.server
        length = _content_length(headers)
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = server.spool.receive(stream, length or 0)
        request, service = _request(method, target, fields.items(), body, server.account)
        reply: Reply | None
        if length is None:
            reply = service.refusal(Problem.LENGTH_MISSING, "Content-Length", server.clock())
        elif request is None:
            reply = service.refusal(Problem.ACCOUNT_MISSING, f"the account is {server.account}", server.clock())
        else:
            reply = server.answer(request, service, encrypted=encrypted)
        if reply is None:
            return False
        _send(connection, reply, method, headers, server.clock())
        return length is not None and headers.get("connection", "").lower() != "close"


def _request(
    method: str, target: str, fields: Iterable[tuple[str, str]], body: Body, account: str
) -> tuple[Request | None, Service]:
    """Return the request, None where it is for another account, and the protocol that it speaks."""
    path, _, query_text = target.partition("?")
    pairs = [pair.partition("=") for pair in query_text.split("&") if pair]
    query = {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}
    headers, metadata = {}, {}
    for name, value in fields:
        headers[name.lower()] = value
        if name.lower().startswith(_METADATA):
            metadata[name[len(_METADATA) :]] = value
    parts = target_parts(path)
    named, _, domain = headers.get("host", "").partition(".")
    if named != account or not domain.startswith(("dfs.", "blob.")):
        named, _, domain = parts.pop(0).partition(".") if parts else ("", "", "")
    system, inside = (parts[0], "/".join(parts[1:])) if parts else ("", "")
    request = Request(method, system, inside, query, headers, metadata, body, target)
    by_name = {"dfs": lake_dfs, "blob": lake_blob}.get(domain.partition(".")[0])
    return request if named == account else None, by_name or _service_by_shape(request)


def _content_length(headers: Mapping[str, str]) -> int | None:
    """Return the body's length; None where it isn't told, or told in two ways."""
    if "transfer-encoding" in headers:
        return None
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() else None


def _service_by_shape(request: Request) -> Service:
    """Tell the protocol where no name does: by what only one of them has, else by what is accepted."""
    if request.method == "PATCH" or "x-ms-rename-source" in request.headers or request.query.keys() & _DFS_QUERY:
        return lake_dfs
    if request.query.keys() & {"comp", "restype"} or "x-ms-blob-type" in request.headers:
        return lake_blob
    return lake_dfs if "json" in request.headers.get("accept", "") else lake_blob


def _send(connection: socket.socket, reply: Reply, method: str, asked: Mapping[str, str], now: datetime) -> None:
    start, end = (0, len(reply.body)) if reply.content is None else reply.content[1:]
    length = end - start if reply.length is None else reply.length
    headers = {
        "Server": "lake-stand-in",
        "Date": http_date(now),
        "x-ms-version": asked.get("x-ms-version", ""),
        "x-ms-request-id": "00000000-0000-0000-0000-000000000000",
        "x-ms-client-request-id": asked.get("x-ms-client-request-id", ""),
    } | reply.headers
    if reply.status != 304:
        headers["Content-Length"] = str(length)
    head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
    if method == "HEAD" or reply.status == 304:
        return
    pieces = [reply.body] if reply.content is None else read(*reply.content)
    for piece in pieces:
        connection.sendall(piece)
