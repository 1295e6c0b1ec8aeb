"""One request and its answer over a connection: HTTP/2 by `frames`, HTTP/1.1 by http.client, behind the same calls."""

import http.client
import io
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pigment_export.pigment.http2.connection import Wire
from pigment_export.pigment.http2.exchange import Answer, Exchange, ExchangeError, Fault

SENT_AT_ONCE_BYTES = 64 * 1024  # of a request's body: an early answer stops the rest
MOST_UNSENT_BYTES = 1024 * 1024  # of answers to PING and the like: a server that reads none of them floods us
HTTP1_CHUNK_BYTES = 128 * 1024


class Ending(StrEnum):
    """How a body ended; only the first two prove anything."""

    END_STREAM = "END_STREAM"
    """HTTP/2's own end of a stream."""
    CONTENT_LENGTH = "Content-Length"
    """HTTP/1.1, with exactly the bytes that were announced."""
    CHUNKED = "chunked"
    """HTTP/1.1's last chunk: a proxy writes it after an upstream that failed, too."""
    CONNECTION_CLOSED = "connection closed"
    """HTTP/1.1 without any length: a crash looks the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request in the terms that both protocols share.

    Attributes:
        method: e.g. `GET`.
        authority: host, and port if it was given.
        target: path and query.
        headers: names in lower case, without host and hop-by-hop ones. Never shown: a key is among them.
        body: often empty.
    """

    method: str
    authority: str
    target: str
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)


class Channel(Protocol):
    """One exchange. Everything may raise `ExchangeError`, `TimeoutError` and `OSError`."""

    @property
    def protocol(self) -> str:
        """`HTTP/2` or `HTTP/1.1`."""

    @property
    def ending(self) -> Ending:
        """How the body ends, known from the answer's headers."""

    @property
    def length(self) -> int | None:
        """How many bytes the body is bound to have; None where nothing says so."""

    def ask(self, request: Request, until: float) -> Answer:
        """Send a request; the final answer's beginning, with its headers."""

    def readinto(self, target: memoryview, until: float) -> int:
        """Fill the beginning of `target` from the body as soon as a byte is there; 0 at its end."""


def open_channel(wire: Wire) -> Channel:
    """The channel for the protocol that the server chose; HTTP/1.1 where it chose none."""
    return Http2Channel(wire) if wire.alpn == "h2" else Http1Channel(wire)


class Http2Channel:
    """An exchange over HTTP/2.

    Args:
        wire: the connection, for this exchange alone.
    """

    protocol = "HTTP/2"
    ending = Ending.END_STREAM

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._exchange: Exchange

    @property
    def length(self) -> int | None:
        """See `Channel`."""
        return self._exchange.length

    def ask(self, request: Request, until: float) -> Answer:
        """See `Channel`."""
        pseudo = [
            (b":method", request.method.encode()),
            (b":authority", request.authority.encode()),
            (b":scheme", b"https"),
            (b":path", request.target.encode()),
        ]
        self._exchange = Exchange([*pseudo, *request.headers], request.body)
        while self._exchange.answer is None:
            self._turn(until)
        return self._exchange.answer

    def readinto(self, target: memoryview, until: float) -> int:
        """See `Channel`."""
        while True:
            count = self._exchange.readinto(target)
            if count or self._exchange.ended:
                return count
            self._turn(until)

    def _turn(self, until: float) -> None:
        wire = self._wire
        wire.write(self._exchange.outgoing(SENT_AT_ONCE_BYTES - wire.unsent_bytes))
        if wire.unsent_bytes > MOST_UNSENT_BYTES:
            raise ExchangeError(Fault.VIOLATION, "the server demands answers and reads none of them")
        count = wire.readinto(self._exchange.space(), until)
        if count is not None:
            self._exchange.received(count)


class Http1Channel:
    """An exchange over HTTP/1.1.

    Args:
        wire: the connection, for this exchange alone.
    """

    protocol = "HTTP/1.1"

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._reader = _Reader(wire)
        self._buffered = _Buffered(self._reader, HTTP1_CHUNK_BYTES)
        self._response: http.client.HTTPResponse
        self.length: int | None = None

    @property
    def ending(self) -> Ending:
        """See `Channel`."""
        if self.length is not None:
            return Ending.CONTENT_LENGTH
        return Ending.CHUNKED if self._response.chunked else Ending.CONNECTION_CLOSED

    def ask(self, request: Request, until: float) -> Answer:
        """See `Channel`."""
        self._reader.until = until
        connection = http.client.HTTPConnection(request.authority)
        connection.sock = self  # all that it needs of a socket: sendall and makefile
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", request.authority)
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.endheaders(request.body or None)
            self._response = self._final_answer(request.method)
        except http.client.RemoteDisconnected:  # an OSError, too
            raise
        except http.client.HTTPException as error:
            raise _violation(error) from error
        fields = self._response.getheaders()
        if _is_ambiguous(fields):
            raise ExchangeError(Fault.VIOLATION, "the server broke HTTP/1.1: it says in two ways where the body ends")
        self.length = self._response.length
        return Answer(self._response.status, fields)

    def readinto(self, target: memoryview, until: float) -> int:
        """See `Channel`."""
        self._reader.until = until
        try:
            data = self._response.read1(min(len(target), HTTP1_CHUNK_BYTES))
        except http.client.IncompleteRead as error:
            raise ExchangeError(Fault.TOO_SHORT, "the chunked body ended before its last chunk") from error
        except http.client.HTTPException as error:
            raise _violation(error) from error
        if not data and self._response.length:  # which http.client does not mind
            missing = f"{self._response.length:,} of the {self.length:,} bytes of its Content-Length are missing"
            raise ExchangeError(Fault.TOO_SHORT, f"the body ended early: {missing}")
        target[: len(data)] = data
        return len(data)

    def sendall(self, data: bytes) -> None:
        """What http.client sends by; it goes out while the answer is awaited."""
        self._wire.write(data)

    def makefile(self, _mode: str) -> "_Buffered":
        """What http.client reads by: the same for interim answers and the final one."""
        return self._buffered

    def close(self) -> None:
        """http.client may close a socket; this one is the wire's."""

    def _final_answer(self, method: str) -> http.client.HTTPResponse:
        while True:
            response = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
            response.begin()
            if response.status >= http.HTTPStatus.OK:
                return response
            response.fp = None  # type: ignore[assignment]  # dropped, it would close what the next one reads by


class _Reader(io.RawIOBase):
    """A wire as a raw file."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.until = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while True:
            count = self._wire.readinto(buffer, self.until)
            if count is not None:
                return count


class _Buffered(io.BufferedReader):
    """What http.client reads by; an answer that is collected flushes it, perhaps after it was closed."""

    def flush(self) -> None:
        """Nothing is ever written."""


def _is_ambiguous(fields: list[tuple[str, str]]) -> bool:
    """Whether others might see the body end elsewhere: http.client takes the first length, and a lone `chunked`."""
    lengths = {value.strip() for name, value in fields if name.lower() == "content-length"}
    codings = [value.strip().lower() for name, value in fields if name.lower() == "transfer-encoding"]
    return len(lengths) > 1 or codings not in ([], ["chunked"])


def _violation(error: http.client.HTTPException) -> ExchangeError:
    return ExchangeError(Fault.VIOLATION, f"the server broke HTTP/1.1: {type(error).__name__}")
