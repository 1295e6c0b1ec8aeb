"""A small HTTP/1.1 server on a thread, for stand-ins whose answers are short."""

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: a JSON value, or text as it is."""

    status: int
    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class WebServer:
    """Serves GET requests on a free port of 127.0.0.1.

    Args:
        answer: from request to answer; called on several threads.
        tls: the certificate; None for plain HTTP.
        port: 0 for a free one.
    """

    def __init__(self, answer: Callable[[Asked], Told], tls: ssl.SSLContext | None = None, *, port: int = 0) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60.0

            def setup(self) -> None:
                if tls is not None:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                super().setup()

            def finish(self) -> None:
                super().finish()
                self.request.close()

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                told = answer(Asked("GET", url.path, dict(parse_qsl(url.query)), headers))
                body = told.value if isinstance(told.value, str) else json.dumps(told.value)
                self.send_response(told.status)
                for name, value in {"Content-Type": "application/json", **told.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                return  # headers may hold tokens

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False  # clients keep their connections open

            def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - clients hang up
                return

        self._server = Listener(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
