"""A small web server, for stand-ins with short answers."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from emulators.http1 import Http1, Listener


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: a JSON value, or a text that is sent unchanged."""

    status: int
    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes to send instead of an answer, HTTP or not; then the connection closes."""

    data: bytes = b""
    seconds: float = 0.0  # to wait before sending


type Answerer = Callable[[Asked], Told | Raw]


class WebServer(Listener):
    """Answers GET; any other method gets 405.

    Args:
        answer: returns the answer to a request; called on several threads.
        tls: the certificate; None for plain HTTP.
        port: 0 for a free one.
    """

    def __init__(self, answer: Answerer, tls: ssl.SSLContext | None = None, *, port: int = 0) -> None:
        super().__init__(self._serve_connection, tls, port=port)
        self._respond = answer
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop listening, end every wait and close every connection."""
        self._stopped.set()
        super().stop()

    def _serve_connection(self, connection: socket.socket) -> None:
        http = Http1(connection)
        while request := http.receive():
            url = urlsplit(request.target)
            asked = Asked(request.method, url.path, dict(parse_qsl(url.query)), request.headers)
            told = self._respond(asked) if request.method == "GET" else Told(405, {"message": "only GET is supported"})
            if isinstance(told, Raw):
                self._stopped.wait(told.seconds)
                http.raw(told.data)
                return
            body = (told.value if isinstance(told.value, str) else json.dumps(told.value)).encode()
            headers = {"Content-Type": "application/json", **told.headers, "Content-Length": str(len(body))}
            http.reply(told.status, headers, [body])
