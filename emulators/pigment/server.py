"""HTTP/2 and HTTP/1.1 of the Pigment stand-in: passes requests to a function and sends its answers, with their faults.

HTTP/2, with flow control, is the h2 library's; HTTP/1.1 is `emulators.http1`. Limits: streams of one connection
progress one after the other, and HTTP/1.1 does not accept chunked request bodies (411).
"""

import contextlib
import http.client
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from emulators.http1 import Http1, Listener
from emulators.pigment.faults import Fault

PIECE_BYTES = 1024 * 1024  # of a body; between two pieces, it reads what the client sends
READ_BYTES = 64 * 1024
IDLE_SECONDS = 600.0
PING_SECONDS = 0.05  # between two PINGs while an answer is late
LINGER_SECONDS = 5.0  # for a client to read the last bytes and to close the connection itself
LARGEST_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)  # they contain the key
    body: bytes
    protocol: str


@dataclass
class Answer:
    """An answer, with its fault."""

    status: int
    body: Iterator[bytes]
    media_type: str
    headers: dict[str, str] = field(default_factory=dict)
    until_close: bool = False
    fault: Fault | None = None


type Answerer = Callable[[Asked], Answer]


class _HungUp(Exception):  # noqa: N818 - not an error: the client has left, or a fault closes the connection
    """The connection is over."""


class Server(Listener):
    """Listens on a port of 127.0.0.1.

    Args:
        answer: returns the answer to a request; called on several threads.
        tls: the certificate, with its ALPN.
        port: 0 for a free one.
    """

    def __init__(self, answer: Answerer, tls: ssl.SSLContext, *, port: int = 0) -> None:
        super().__init__(self._serve_connection, tls, port=port)
        self._respond = answer
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop listening, and close every connection."""
        self._stopped.set()
        super().stop()

    def _serve_connection(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_SECONDS)
        with contextlib.suppress(_HungUp, h2.exceptions.ProtocolError):
            if isinstance(connection, ssl.SSLSocket) and connection.selected_alpn_protocol() == "h2":
                _Http2(connection, self._respond).run()
            else:
                _Http1(connection, self._respond, self._stopped).run()


class _Http2:
    """One HTTP/2 connection."""

    def __init__(self, connection: ssl.SSLSocket, answer: Answerer) -> None:
        self._socket = connection
        self._answer = answer
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self._asked: dict[int, tuple[dict[str, str], bytearray]] = {}
        self._ready: list[int] = []
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        with self._selector:
            self._selector.register(self._socket, selectors.EVENT_READ)
            self._h2.initiate_connection()
            self._send()
            while True:
                while not self._ready:
                    self._receive()
                stream = self._ready.pop(0)
                fields, body = self._asked[stream]
                headers = {name: value for name, value in fields.items() if not name.startswith(":")}
                asked = Asked(fields[":method"], fields[":path"], headers, bytes(body), "HTTP/2")
                self._reply(stream, self._answer(asked))
                self._asked.pop(stream, None)

    def _reply(self, stream: int, answer: Answer) -> None:
        fault = answer.fault
        if fault and fault.kind == "late":
            self._idle(stream, fault.seconds)
        if stream not in self._asked:
            return
        headers = [(":status", str(answer.status)), ("content-type", answer.media_type), *answer.headers.items()]
        self._h2.send_headers(stream, headers)
        self._send()
        for part in _until(answer.body, fault):
            if part is None:
                if fault and self._strike(stream, fault):
                    return
            elif not self._write(stream, part):
                return
        if stream in self._asked:
            self._end(stream)

    def _write(self, stream: int, part: memoryview) -> bool:
        """Send a part as flow control allows; return whether the stream is still open."""
        while part:
            while self._is_readable():
                self._receive()
            if stream not in self._asked:
                return False
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                self._receive()
                continue
            unsent = 0
            while part and room > 0 and unsent < PIECE_BYTES:
                frame, part = part[:room], part[room:]
                self._h2.send_data(stream, bytes(frame))
                unsent += len(frame)
                room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            self._send()
        return stream in self._asked

    def _end(self, stream: int) -> None:
        self._h2.end_stream(stream)
        self._send()

    def _strike(self, stream: int, fault: Fault) -> bool:
        """Apply a fault; return whether the answer is over."""
        match fault.kind:
            case "reset":
                self._h2.reset_stream(stream, fault.code)
                self._send()
            case "goaway":
                self._h2.close_connection(fault.code, last_stream_id=0)
                self._send()
                _leave(self._socket)
            case "close":
                _leave(self._socket)
            case "cut":
                self._end(stream)
            case "stall":
                self._idle(stream, fault.seconds)
                return stream not in self._asked
            case "spare":
                # By hand: h2 sends nothing more on a connection after its GOAWAY.
                goaway = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + stream.to_bytes(4, "big") + bytes(4)
                self._socket.sendall(goaway)
                self._h2.ping(b"still on")
                self._h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
                self._send()
                return False
            case _:
                return False
        return True

    def _idle(self, stream: int, seconds: float) -> None:
        """Send only PINGs for a time, as long as the client waits."""
        now = time.monotonic()
        until, next_ping = now + seconds, now
        while stream in self._asked and now < until:
            if now >= next_ping:
                self._h2.ping(b"patience")
                self._send()
                next_ping = now + PING_SECONDS
            if self._is_readable(max(0.0, min(until, next_ping) - now)):
                self._receive()
            now = time.monotonic()

    def _is_readable(self, seconds: float = 0.0) -> bool:
        return bool(self._socket.pending() or self._selector.select(seconds))

    def _receive(self) -> None:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise _HungUp
        for event in self._h2.receive_data(data):
            match event:
                case h2.events.RequestReceived():
                    fields = {str(name): str(value) for name, value in event.headers}
                    self._asked[event.stream_id] = (fields, bytearray())
                case h2.events.DataReceived():
                    body = self._asked[event.stream_id][1]
                    body.extend(event.data)
                    if len(body) > LARGEST_BODY_BYTES:
                        raise _HungUp
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self._ready.append(event.stream_id)
                case h2.events.StreamReset():
                    self._asked.pop(event.stream_id, None)
                    self._ready = [stream for stream in self._ready if stream != event.stream_id]
                case h2.events.ConnectionTerminated():
                    raise _HungUp
        self._send()

    def _send(self) -> None:
        if data := self._h2.data_to_send():
            self._socket.sendall(data)


class _Http1:
    """One HTTP/1.1 connection; bodies without a length are chunked, or end with the connection."""

    def __init__(self, connection: socket.socket, answer: Answerer, stopped: threading.Event) -> None:
        self._socket = connection
        self._http = Http1(connection)
        self._answer = answer
        self._stopped = stopped

    def run(self) -> None:
        while request := self._http.receive():
            body = b"".join(self._http.body())
            if len(body) > LARGEST_BODY_BYTES:
                raise _HungUp
            if "transfer-encoding" in request.headers:
                self._http.reply(411, {"Connection": "close"}, [b"a length is needed"])
                return
            self._reply(self._answer(Asked(request.method, request.target, request.headers, body, "HTTP/1.1")))

    def _reply(self, answer: Answer) -> None:
        fault = answer.fault
        fields = {"content-type": answer.media_type, **answer.headers}
        if fault and fault.kind == "late":
            self._stopped.wait(fault.seconds)
        # h11 refuses to send a wrong length or a body that ends with the connection, so these bypass it.
        lies = answer.until_close or (fault is not None and "content-length" in fields)
        if lies:
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            reason = http.client.responses.get(answer.status, "Unknown")
            self._http.raw(f"HTTP/1.1 {answer.status} {reason}\r\n{head}connection: close\r\n\r\n".encode())
        else:
            self._http.start(answer.status, fields)
        for part in _until(answer.body, fault):
            if part is None:
                if fault and self._strike(fault):
                    break
            elif lies:
                self._http.raw(part)
            else:
                self._http.send(part)
        if lies:
            _leave(self._socket)
        self._http.end()

    def _strike(self, fault: Fault) -> bool:
        """Apply a fault; return whether the answer is over."""
        self._http.flush()
        if fault.kind in ("reset", "goaway", "close"):
            _leave(self._socket)
        if fault.kind == "stall":
            self._stopped.wait(fault.seconds)
        return fault.kind == "cut"


def _leave(connection: socket.socket) -> NoReturn:
    """Close our side, and let the client read to the end: closing with its bytes unread would reset the connection."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(LINGER_SECONDS)
    while connection.recv(READ_BYTES):
        pass
    raise _HungUp


def _until(body: Iterator[bytes], fault: Fault | None) -> Iterator[memoryview | None]:
    """Yield a body's parts, and None at the point of the fault."""
    left = fault.after if fault else None
    for piece in body:
        view = memoryview(piece)
        if left is not None and left <= len(view):
            if left:
                yield view[:left]
            yield None
            view, left = view[left:], None
        elif left is not None:
            left -= len(view)
        if view:
            yield view
    if left is not None:
        yield None
