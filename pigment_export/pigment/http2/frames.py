"""HTTP/2 for one request and its answer, without I/O: bytes in, an answer and its body out.

h2 handles the protocol: HPACK, SETTINGS, HEADERS, PING, RST_STREAM, the request's body. Two kinds of frames bypass it.
DATA, for speed: its payload is copied once, into the caller's buffer, and its flow control is done here (h2 never sees
it, so its own counters cannot overflow). GOAWAY, because after one h2 rejects every later frame, although the stream
continues.

Only END_STREAM ends a body, with as many bytes as its Content-Length if there was one.
Source: RFC 9113 (https://www.rfc-editor.org/rfc/rfc9113), sections 4 to 8.
"""

import struct

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from requests.exceptions import RequestException

from pigment_export.pigment.http2.exceptions import BodyCut, ProtocolViolation, RequestDropped, UnprovenEnd
from pigment_export.pigment.http2.exchange import Fields, Headers, length_of, status_of

BUFFER_BYTES = 256 * 1024  # a larger one is slower: it leaves the CPU cache between decryption and copy
WINDOW_BYTES = 16 * 1024 * 1024  # what the server may send ahead: 100 ms at 1.3 Gbit/s; it is not all kept in memory
MAX_FRAME_BYTES = 16_384  # the protocol's default; servers do not use larger frames
MAX_HEADER_BYTES = 65_536
STREAM = 1  # the client's first and only one

_WINDOW_AT_FIRST = 65_535  # the connection's, independent of SETTINGS (RFC 9113, 6.9.2)
_HEADER = struct.Struct(">HBBBL")
_HEADER_BYTES = 9
_UPDATE = struct.Struct(">HBBBLL")
_DATA, _HEADERS, _PUSH_PROMISE, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0x0, 0x1, 0x5, 0x7, 0x8, 0x9
_END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x4, 0x8
_GOAWAY_BYTES = 8
_PING = b"awaiting"  # eight arbitrary bytes


class Frames:
    """One request and its answer.

    Write received bytes into `space()` and report them with `received`; send what `outgoing` returns. `status` is set
    when the answer's headers have come, and `take` returns the body. Call `space` only after `take` returned nothing.

    Args:
        headers: of the request.
        body: of the request; sent as the server's windows allow, and only until it answers.
    """

    def __init__(self, headers: Fields, body: bytes = b"") -> None:
        self.status: int | None = None
        self.headers: Headers = []
        self.length: int | None = None  # the answer's Content-Length
        self.ended = False
        self._unsent = memoryview(body)
        self._h2 = _client()
        self._h2.initiate_connection()
        self._h2.send_headers(STREAM, headers, end_stream=not body)
        self._updates = _window_update(0, WINDOW_BYTES - _WINDOW_AT_FIRST)
        self._window = WINDOW_BYTES  # the same for stream and connection: nothing else is sent on it
        self._consumed = 0  # bytes of the window not yet returned to the server
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._flow = 0  # length of the current DATA frame, padding included
        self._payload_left = 0
        self._padding_left = 0
        self._last = False  # it ends the stream
        self._in_headers = False  # a header block is incomplete: no other frame is allowed
        self._body_bytes = 0  # of all payloads announced by frame headers
        self._goaway: int | None = None  # code of one that spared this stream
        self._failure: RequestException | None = None

    def outgoing(self, body_bytes: int) -> bytes:
        """Return the bytes to send now, often none.

        Args:
            body_bytes: at most, of the request's body.
        """
        while self._unsent and self.status is None:
            window = self._h2.local_flow_control_window(STREAM)
            size = min(len(self._unsent), window, self._h2.max_outbound_frame_size, body_bytes)
            if size <= 0:
                break
            chunk, self._unsent = self._unsent[:size], self._unsent[size:]
            self._h2.send_data(STREAM, chunk, end_stream=not self._unsent)
            body_bytes -= size
        updates, self._updates = self._updates, b""
        return self._h2.data_to_send() + updates

    def ping(self) -> None:
        """Queue a PING, to have traffic while the server is silent."""
        self._h2.ping(_PING)

    def space(self) -> memoryview:
        """Return the buffer for the next received bytes."""
        if self._start:
            rest = bytes(self._view[self._start : self._end])  # at most a part of one frame
            self._view[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """Process bytes that were written into `space()`.

        Args:
            count: how many; 0: the connection ended.

        Raises:
            RequestException: the answer will not come.
        """
        if count == 0:
            after = "" if self._goaway is None else f", after a GOAWAY ({_name(self._goaway)})"
            raise self._lost(f"the connection ended {self._where()}{after}")
        self._end += count
        while self.status is None and self._next_frame():
            pass

    def take(self, target: memoryview) -> int:
        """Copy the received part of the answer's body; bytes from before a failure are returned first.

        Args:
            target: bytes to fill.

        Returns:
            How many were filled; 0: more must be received, or the body has `ended`.

        Raises:
            RequestException: the body will not come.
        """
        if self._failure is not None:
            raise self._failure
        filled = 0
        try:
            while self._payload_left or self._advance():
                count = min(self._payload_left, self._end - self._start, len(target) - filled)
                if count == 0:
                    break
                target[filled : filled + count] = self._view[self._start : self._start + count]
                self._start += count
                self._payload_left -= count
                filled += count
        except RequestException as error:
            if not filled:
                raise
            self._failure = error
        return filled

    def _advance(self) -> bool:
        """Advance to the next byte of payload; False if more must be received or the body has ended."""
        while not self.ended:
            if self._payload_left:
                return True
            if self._padding_left:
                count = min(self._padding_left, self._end - self._start)
                if count == 0:
                    return False
                self._start += count
                self._padding_left -= count
            elif self._last:
                self._finish_body()
            else:
                self._consumed += self._flow
                self._flow = 0
                if self._consumed >= WINDOW_BYTES // 2:  # rarely, because each costs the server as much as a frame
                    self._updates += _window_update(0, self._consumed) + _window_update(STREAM, self._consumed)
                    self._window += self._consumed
                    self._consumed = 0
                if not self._next_frame():
                    return False
        return False

    def _next_frame(self) -> bool:
        """Begin a DATA frame, or process any other frame; False if more must be received."""
        available = self._end - self._start - _HEADER_BYTES
        if available < 0:
            return False
        high, low, kind, flags, stream = _HEADER.unpack_from(self._buffer, self._start)
        length = high << 8 | low
        stream &= 0x7FFF_FFFF
        if length > MAX_FRAME_BYTES:
            raise self._violation(f"a frame of {length:,} bytes; at most {MAX_FRAME_BYTES:,} are allowed")
        if kind == _DATA:
            return self._begin_data(length, flags, stream, available)
        if available < length:
            return False
        frame = bytes(self._view[self._start : self._start + _HEADER_BYTES + length])
        self._start += len(frame)
        if kind == _GOAWAY:
            self._take_goaway(frame, stream)
            return True
        if kind in (_HEADERS, _PUSH_PROMISE, _CONTINUATION):
            self._in_headers = not flags & _END_HEADERS
        try:
            events = self._h2.receive_data(frame)
        except H2Error as error:
            raise self._violation(f"{error} ({type(error).__name__})") from error
        for event in events:
            self._take_event(event)
        return True

    def _begin_data(self, length: int, flags: int, stream: int, available: int) -> bool:
        if self._in_headers:
            raise self._violation("DATA within a header block")
        if stream != STREAM:
            raise self._violation(f"DATA on stream {stream}, which was never opened")
        if self.status is None:
            raise self._violation("DATA before the answer's headers")
        padding = 0
        if flags & _PADDED:
            if available < 1 <= length:
                return False
            padding = 1 + self._buffer[self._start + _HEADER_BYTES] if length else 1
            if padding > length:
                raise self._violation("more padding than its frame holds")
        if length > self._window:
            raise self._violation("more DATA than the window allows")
        self._start += _HEADER_BYTES + (1 if padding else 0)
        self._window -= length
        self._flow = length
        self._payload_left = length - padding
        self._padding_left = padding - 1 if padding else 0
        self._last = bool(flags & _END_STREAM)
        self._body_bytes += self._payload_left
        if self.length is not None and self._body_bytes > self.length:
            raise BodyCut(f"the body is longer than its Content-Length of {self.length:,} bytes")
        return True

    def _finish_body(self) -> None:
        if self.length is not None and self._body_bytes != self.length:
            said = f"{self._body_bytes:,} of the {self.length:,} bytes of its Content-Length"
            raise BodyCut(f"the body ended after {said}")
        self.ended = True

    def _take_goaway(self, frame: bytes, stream: int) -> None:
        if self._in_headers or stream != 0 or len(frame) < _HEADER_BYTES + _GOAWAY_BYTES:
            raise self._violation("a malformed GOAWAY")
        last, code = struct.unpack_from(">LL", frame, _HEADER_BYTES)
        if last & 0x7FFF_FFFF < STREAM:
            raise self._lost(f"the server dropped the request with a GOAWAY ({_name(code)}) {self._where()}")
        self._goaway = code

    def _take_event(self, event: Event) -> None:
        """Process an event of h2; interim answers, PING, SETTINGS and WINDOW_UPDATE need nothing further."""
        if isinstance(event, ResponseReceived):
            fields = [(str(name), str(value)) for name, value in event.headers or ()]
            self.headers = [(name, value) for name, value in fields if not name.startswith(":")]
            self.length = length_of(self.headers)
            self.status = status_of(dict(fields).get(":status", ""))
        elif isinstance(event, TrailersReceived):
            trailers = {str(name): str(value) for name, value in event.headers or ()}
            said = trailers.get("grpc-status", "0").strip()
            if said != "0":
                raise self._lost(f"the server reports a failure (grpc-status {said[:20]})")
        elif isinstance(event, StreamEnded):
            self._finish_body()
        elif isinstance(event, StreamReset):
            if not event.remote_reset:  # h2 abandoned the stream
                raise self._violation("a window that was opened too far")
            code = int(event.error_code or 0)
            text = f"the server reset the stream ({_name(code)}) {self._where()}"
            if code == ErrorCodes.HTTP_1_1_REQUIRED:
                raise UnprovenEnd(f"{text}, and nothing would prove the end of its body")
            raise self._lost(text)

    def _where(self) -> str:
        if self.status is None:
            return "before it answered"
        received = self._body_bytes - self._payload_left
        return f"after {received:,} bytes of the body"

    def _lost(self, text: str) -> RequestException:
        return RequestDropped(text) if self.status is None else BodyCut(text)

    def _violation(self, what: str) -> ProtocolViolation:
        return ProtocolViolation(f"the server broke HTTP/2 {self._where()}: {what}")


def _client() -> H2Connection:
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
    connection.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
            SettingCodes.MAX_FRAME_SIZE: MAX_FRAME_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
        },
    )
    return connection


def _window_update(stream: int, increment: int) -> bytes:
    return _UPDATE.pack(0, 4, _WINDOW_UPDATE, 0, stream, increment)


def _name(code: int) -> str:
    return ErrorCodes(code).name if code in ErrorCodes else f"{code:#x}"
