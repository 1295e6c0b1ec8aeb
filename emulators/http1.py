"""HTTP/1.1 of all stand-ins, on the h11 library, and the listener below it.

Each connection has its own thread; `stop` joins them all. Some faults need what h11 refuses to send (a body without an
end, a wrong Content-Length): `Http1.raw` sends it.
"""

import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Self

import h11

READ_BYTES = 256 * 1024
_HEAD_MOST_BYTES = 64 * 1024
_TLS_HANDSHAKE = b"\x16"  # the first byte of a TLS connection

LARGEST_PORT = 65_535

type Fields = Mapping[str, str] | Iterable[tuple[str, str]]


def port(text: str) -> int:
    """Parse a port on the command line.

    Raises:
        ValueError: the text is not a port.
    """
    number = int(text)
    if not 0 <= number <= LARGEST_PORT:
        raise ValueError(f"{text} is not a port")
    return number


class PortTakenError(OSError):
    """Another program uses the port."""

    def __str__(self) -> str:
        return str(self.strerror)


class Listener:
    """Accepts connections on 127.0.0.1.

    Args:
        serve: called with each connection, on its own thread; the connection closes when it returns.
        tls: the certificate; None for plain connections.
        plain_too: whether to serve a connection without TLS if it does not begin with a TLS handshake.
        port: 0 for a free one.
        drains: whether `stop` lets answers in progress be sent; otherwise it cuts every connection.
    """

    def __init__(
        self,
        serve: Callable[[socket.socket], None],
        tls: ssl.SSLContext | None = None,
        *,
        plain_too: bool = False,
        port: int = 0,
        drains: bool = False,
    ) -> None:
        self._serve, self._tls, self._plain_too = serve, tls, plain_too
        self._end = socket.SHUT_RD if drains else socket.SHUT_RDWR
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._stopping = False
        try:
            self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            told = (
                f"port {port} of 127.0.0.1 is taken: stop the other program, or choose another port (0 for a free one)"
            )
            raise PortTakenError(error.errno, told) from error
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def start(self) -> None:
        """Start accepting connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, end every connection and wait for its thread."""
        with self._lock:
            self._stopping = True
            threads = set(self._threads)
            for connection in self._open:
                hang_up(connection, self._end)
        if self._thread.is_alive():
            with contextlib.suppress(OSError):
                socket.create_connection(self.address).close()  # wakes the accepting thread
            self._thread.join()
        self._socket.close()
        for thread in threads:
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextlib.contextmanager
    def held(self, connection: socket.socket) -> Iterator[None]:
        """Register a connection while a thread uses it, so that `stop` can end it."""
        with self._lock:
            self._open.add(connection)
            if self._stopping:
                hang_up(connection, self._end)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            with self._lock:
                if self._stopping:
                    connection.close()
                    return
                self._threads.add(thread)
                thread.start()

    def _run(self, connection: socket.socket) -> None:
        # A client that hangs up, or does not speak TLS or HTTP, ends only its own connection.
        with connection, self.held(connection), contextlib.suppress(OSError, h11.RemoteProtocolError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None or (
                self._plain_too and connection.recv(1, socket.MSG_PEEK) not in (_TLS_HANDSHAKE, b"")
            ):
                self._serve(connection)
                return
            # Wrap a copy: wrapping detaches the original socket, which `stop` needs to end the connection.
            with self._tls.wrap_socket(connection.dup(), server_side=True) as secured:
                self._serve(secured)
        with self._lock:
            self._threads.discard(threading.current_thread())


@dataclass(frozen=True)
class Request:
    """The head of a request.

    Attributes:
        method: the HTTP verb.
        target: path and query as sent.
        fields: the header fields as sent, with the case of their names.
    """

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The fields by lower-case name; repeated ones are joined by commas."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name.lower(), []).append(value)
        return {name: ",".join(values) for name, values in found.items()}


class Http1:
    """The server's side of one connection. For each request: `receive`, `body`, then an answer.

    Args:
        connection: with TLS or without.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_MOST_BYTES)
        self._method = ""
        self._head = b""  # goes out with the first bytes of the body

    def receive(self) -> Request | None:
        """Return the next request, or None if the client has gone or sent something that is not HTTP (400)."""
        for _ in self.body():
            pass  # the rest of a body that the last answer did not need
        if self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        if self._h11.our_state is not h11.IDLE:
            return None
        try:
            event = self._next()
        except h11.RemoteProtocolError as error:
            self.reply(error.error_status_hint, {"Connection": "close", "Content-Length": "0"})
            return None
        if not isinstance(event, h11.Request):
            return None
        self._method = event.method.decode("latin-1")
        fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items())
        return Request(self._method, event.target.decode("latin-1"), fields)

    def body(self) -> Iterator[bytes]:
        """Yield the rest of the request's body as it arrives.

        Raises:
            h11.RemoteProtocolError: the client left before the end of the body.
        """
        if self._h11.they_are_waiting_for_100_continue:
            waited = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self._socket.sendall(self._h11.send(waited) or b"")
        while self._h11.their_state is h11.SEND_BODY:
            event = self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def reply(self, status: int, headers: Fields, pieces: Iterable[bytes] = ()) -> None:
        """Send a whole answer. A body without Content-Length is chunked; HEAD, 204 and 304 get none."""
        self.start(status, headers)
        if self._method != "HEAD" and status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            for piece in pieces:
                self.send(piece)
        self.end()

    def start(self, status: int, headers: Fields) -> None:
        """Begin an answer; its head is sent together with the next bytes."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        self._head = self._h11.send(h11.Response(status_code=status, headers=fields, reason=_reason(status))) or b""

    def send(self, data: bytes | memoryview) -> None:
        """Send a piece of the body."""
        parts = self._h11.send_with_data_passthrough(h11.Data(data=bytes(data))) or []
        self._socket.sendall(b"".join([self._head, *parts]))
        self._head = b""

    def flush(self) -> None:
        """Send the head now, before the body."""
        self.raw(b"")

    def end(self) -> None:
        """End the answer.

        Raises:
            h11.LocalProtocolError: the body is shorter than its Content-Length.
        """
        self.raw(self._h11.send(h11.EndOfMessage()) or b"")

    def raw(self, data: bytes | memoryview) -> None:
        """Send bytes unchecked, such as invalid HTTP."""
        if self._head or data:
            self._socket.sendall(self._head + data)
        self._head = b""

    @property
    def early(self) -> bytes:
        """What the client sent after a CONNECT, before the answer."""
        return self._h11.trailing_data[0]

    def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            self._h11.receive_data(self._socket.recv(READ_BYTES))
        return event


def hang_up(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """End a connection that another thread may be using."""
    with contextlib.suppress(OSError):
        connection.shutdown(how)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"
