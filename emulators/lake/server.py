"""HTTP/1.1 of the lake stand-in, on one port for both hosts.

A request's whole body is on disk before the request is handled, so a refusal never reaches a client that is still
sending. Not supported: chunked request bodies (411), pipelining.
"""

import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote_plus

from emulators.http1 import Http1, Listener
from emulators.http1 import Request as HttpRequest
from emulators.lake import blob as lake_blob
from emulators.lake import dfs as lake_dfs
from emulators.lake.bodies import Body, Spool, read
from emulators.lake.messages import Reply, Request, http_date, target_parts
from emulators.lake.problems import Problem
from emulators.lake.store import Store

_DFS_QUERY = frozenset({"resource", "action", "mode", "recursive"})
_METADATA = "x-ms-meta-"


class Service(Protocol):
    """The interface of a protocol's module."""

    NAME: str

    def operation(self, request: Request) -> tuple[str, Callable[[Store, Request], Reply]]:
        """Return the name of a request's operation, and its handler."""

    def refusal(self, problem: Problem, detail: str, now: datetime) -> Reply:
        """Return the protocol's answer to a refused request."""

    def error(self, status: int, code: str, detail: str, now: datetime) -> Reply:
        """Return an error answer in the protocol's format."""


class Answerer(Protocol):
    """Handles requests."""

    def __call__(self, request: Request, service: Service, *, encrypted: bool) -> Reply | None:
        """Return the reply; None closes the connection without one."""


class Server(Listener):
    """The listener, with and without TLS.

    Args:
        tls: the certificate.
        account: the account's name, the beginning of a host name or of a path.
        spool: for the bodies.
        answer: handles a request.
        clock: returns the instant for the Date header.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        account: str,
        spool: Spool,
        answer: Answerer,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(self._serve_connection, tls, plain_too=True)
        self._account, self._spool, self._respond, self._clock = account, spool, answer, clock

    def _serve_connection(self, connection: socket.socket) -> None:
        """Serve until the client leaves, a fault closes the connection, or the lake stops."""
        http = Http1(connection)
        while head := http.receive():
            body = self._spool.receive(http.body())
            request, service = _request(head, body, self._account)
            reply: Reply | None
            if "transfer-encoding" in head.headers:
                reply = service.refusal(Problem.LENGTH_MISSING, "Content-Length", self._clock())
            elif request is None:
                reply = service.refusal(Problem.ACCOUNT_MISSING, f"the account is {self._account}", self._clock())
            else:
                reply = self._respond(request, service, encrypted=isinstance(connection, ssl.SSLSocket))
            if reply is None:
                return
            _send(http, reply, head.headers, self._clock())


def _request(head: HttpRequest, body: Body, account: str) -> tuple[Request | None, Service]:
    """Return the request (None if it is for another account), and its protocol."""
    path, _, query_text = head.target.partition("?")
    pairs = [pair.partition("=") for pair in query_text.split("&") if pair]
    query = {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}
    headers = head.headers
    metadata = {name[len(_METADATA) :]: value for name, value in head.fields if name.lower().startswith(_METADATA)}
    parts = target_parts(path)
    named, _, domain = headers.get("host", "").partition(".")
    if named != account or not domain.startswith(("dfs.", "blob.")):
        named, _, domain = parts.pop(0).partition(".") if parts else ("", "", "")
    system, inside = (parts[0], "/".join(parts[1:])) if parts else ("", "")
    request = Request(head.method, system, inside, query, headers, metadata, body, head.target)
    by_name = {"dfs": lake_dfs, "blob": lake_blob}.get(domain.partition(".")[0])
    return request if named == account else None, by_name or _service_by_shape(request)


def _service_by_shape(request: Request) -> Service:
    """Return the protocol of a request without a host name: by its query and headers, else by its Accept header."""
    if request.method == "PATCH" or "x-ms-rename-source" in request.headers or request.query.keys() & _DFS_QUERY:
        return lake_dfs
    if request.query.keys() & {"comp", "restype"} or "x-ms-blob-type" in request.headers:
        return lake_blob
    return lake_dfs if "json" in request.headers.get("accept", "") else lake_blob


def _send(http: Http1, reply: Reply, asked: Mapping[str, str], now: datetime) -> None:
    start, end = (0, len(reply.body)) if reply.content is None else reply.content[1:]
    length = end - start if reply.length is None else reply.length
    own = {
        "Server": "lake-stand-in",
        "Date": http_date(now),
        "x-ms-version": asked.get("x-ms-version", ""),
        "x-ms-request-id": "00000000-0000-0000-0000-000000000000",
        "x-ms-client-request-id": asked.get("x-ms-client-request-id", ""),
    }
    headers = (own if reply.is_own else {}) | reply.headers
    if reply.status != HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(length)
    http.reply(reply.status, headers, [reply.body] if reply.content is None else read(*reply.content))
