"""HTTP/1.1 of the host stand-in: requests in, answers out, one connection each.

Bodies of answers are chunked, as the host sends them.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, override
from urllib.parse import parse_qsl, urlsplit

_SILENCE_SECONDS = 30.0  # a client that sends nothing is let go, so that the host can end
_BODILESS = {204, 304}
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:;.*)?\r?\n")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the worker is told of it.

    Attributes:
        path: as it came, still encoded.
        url: the whole address.
        headers: by lower-case name; what came more than once is joined by commas.
        query: likewise, names as they came.
    """

    method: str
    path: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What is answered."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class HttpServer:
    """The listener, on 127.0.0.1.

    Args:
        port: 0 for any that is free.
        answer: answers a request; is called on a thread of the connection's own.
    """

    def __init__(self, port: int, answer: Callable[[HttpRequest], HttpAnswer]) -> None:
        class Handler(_Handler):
            def answer(self, request: HttpRequest) -> HttpAnswer:
                return answer(request)

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        """Stop listening, let go who has not asked, and wait for the answers under way."""
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        self._server.server_close()


class _Server(ThreadingTCPServer):  # not http.server's own: that one looks its name up
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "functions-host-stand-in"
    sys_version = ""
    timeout = _SILENCE_SECONDS

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer a request."""
        raise NotImplementedError

    @override
    def handle_one_request(self) -> None:
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                self._respond(self.answer(self._request()))
        except (OSError, ValueError):
            self.close_connection = True  # the client went away, or talks no HTTP: nothing to answer to

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the host has a log of its own."""

    def _request(self) -> HttpRequest:
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        target = urlsplit(self.path)
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(target.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        return HttpRequest(
            method=self.command,
            path=target.path,
            url=f"http://{self.headers.get('Host', 'localhost')}{self.path}",
            headers={name: ",".join(values) for name, values in headers.items()},
            query={name: ",".join(values) for name, values in query.items()},
            body=b"".join(self._body()),
        )

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while True:
            size_line = _CHUNK_SIZE.fullmatch(self.rfile.readline())
            if size_line is None:
                raise ValueError("a chunk has no size")
            size = int(size_line[1], 16)
            if not size:
                break
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def _respond(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        bodiless = answer.status in _BODILESS or self.command == "HEAD"
        if not bodiless:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not bodiless:
            if answer.body:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(answer.body), answer.body))
            self.wfile.write(b"0\r\n\r\n")
