"""HTTP/1.1 of the host stand-in. Answers are chunked, as the host sends them."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from emulators.http1 import Http1, Listener

_FRAMING = {"content-length", "transfer-encoding", "connection"}  # the host sets these, not the app


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the worker gets it.

    Attributes:
        path: as sent, percent-encoded.
        url: the whole address.
        headers: by lower-case name; repeated ones are joined by commas.
        query: by name as sent; repeated ones are joined by commas.
    """

    method: str
    path: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class HttpServer(Listener):
    """The listener. When it stops, it still sends the answers in progress.

    Args:
        port: 0 for a free one.
        answer: returns the answer to a request; called on the connection's own thread.
    """

    def __init__(self, port: int, answer: Callable[[HttpRequest], HttpAnswer]) -> None:
        super().__init__(self._serve_connection, port=port, drains=True)
        self._respond = answer

    def _serve_connection(self, connection: socket.socket) -> None:
        http = Http1(connection)
        while head := http.receive():
            target = urlsplit(head.target)
            query: dict[str, list[str]] = {}
            for name, value in parse_qsl(target.query, keep_blank_values=True):
                query.setdefault(name, []).append(value)
            request = HttpRequest(
                method=head.method,
                path=target.path,
                url=f"http://{head.headers.get('host', 'localhost')}{head.target}",
                headers=head.headers,
                query={name: ",".join(values) for name, values in query.items()},
                body=b"".join(http.body()),
            )
            answer = self._respond(request)
            http.reply(
                answer.status,
                [(name, value) for name, value in answer.headers if name.lower() not in _FRAMING],
                [answer.body] if answer.body else [],
            )
