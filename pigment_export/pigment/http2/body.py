"""An answer's body: as it comes, each wait bounded; and decoded, with what proves its end."""

import io
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, cast
from urllib.parse import urlsplit

import requests
from requests import exceptions, structures

from pigment_export.pigment.http2.connection import Connection, Proxy
from pigment_export.pigment.http2.exceptions import (
    BodyCut,
    DeadlinePassed,
    ProtocolViolation,
    RequestDropped,
    UnprovenEnd,
)
from pigment_export.pigment.http2.exchange import (
    EndProof,
    ErrorKind,
    Exchange,
    ExchangeError,
    HttpRequest,
    ResponseHead,
)
from pigment_export.pigment.http2.gzip import Inflated
from pigment_export.pigment.http2.http2 import Http2Exchange
from pigment_export.pigment.http2.http11 import Http11Exchange


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an exchange may take; goes where requests takes its `timeout`.

    PING, SETTINGS, interim answers and headers renew none of them.

    Attributes:
        connect_seconds: for TCP, proxy and TLS together.
        first_byte_seconds: from the request until the first byte of the answer's body.
        idle_seconds: for each further byte of the body.
        ends_at: `time.monotonic()` instant past which nothing waits.
    """

    connect_seconds: float = math.inf
    first_byte_seconds: float = math.inf
    idle_seconds: float = math.inf
    ends_at: float = math.inf


class Body(io.RawIOBase):
    """What `Response.raw` is: the body as it comes, content encoding and all. The connection ends with it.

    Nothing is read from the connection unless the caller reads.

    Args:
        connection: for this body alone.
        timeouts: how long to wait.
        via: the proxy in between.
    """

    def __init__(self, connection: Connection, timeouts: Timeouts, via: Proxy | None) -> None:
        self._connection = connection
        self._exchange: Exchange = Http2Exchange(connection) if connection.alpn == "h2" else Http11Exchange(connection)
        self._timeouts = timeouts
        self._first_byte_at = time.monotonic() + timeouts.first_byte_seconds
        self._answered = False
        self._begun = False
        self._ended = False
        self.via = via
        self.headers: structures.CaseInsensitiveDict[str] = structures.CaseInsensitiveDict()

    @property
    def protocol(self) -> str:
        """`HTTP/2` or `HTTP/1.1`."""
        return self._exchange.protocol

    @property
    def ends_by(self) -> EndProof:
        """How this body will end, known from the answer's headers."""
        return self._exchange.ends_by

    @property
    def length(self) -> int | None:
        """How many bytes it must have, as they come; None where nothing says so."""
        return self._exchange.length

    def ask(self, request: HttpRequest) -> ResponseHead:
        """Send the request and wait for the final answer's beginning."""
        try:
            head = self._exchange.ask(request, min(self._first_byte_at, self._timeouts.ends_at))
        except (OSError, ExchangeError) as error:
            self.close()
            raise self._translated(error) from error
        self._answered = True
        for name, value in head.headers:
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        return head

    def bound(self, seconds: float) -> None:
        """Let nothing wait longer than that from now on."""
        ends_at = min(self._timeouts.ends_at, time.monotonic() + seconds)
        self._timeouts = replace(self._timeouts, ends_at=ends_at)

    def readable(self) -> bool:
        """Return True, always."""
        return True

    def readinto(self, target: memoryview, /) -> int:  # type: ignore[override]
        """Fill a buffer's beginning as soon as a byte is there.

        Args:
            target: bytes to fill.

        Returns:
            How many were filled; 0 only at the body's end.

        Raises:
            RequestException: see `exceptions`.
        """
        if self.closed:
            raise ValueError("the body is closed")
        if self._ended or not len(target):
            return 0
        until = time.monotonic() + self._timeouts.idle_seconds if self._begun else self._first_byte_at
        try:
            count = self._exchange.readinto(target, min(until, self._timeouts.ends_at))
        except (OSError, ExchangeError) as error:
            self._connection.close()
            raise self._translated(error) from error
        if count:
            self._begun = True
        else:
            self._ended = True
            self._connection.close()
        return count

    def stream(self, chunk_bytes: int, decode_content: bool = True) -> Iterator[bytes]:  # noqa: FBT001, FBT002 - as requests calls it
        """Yield the body in pieces, as `iter_content` takes it: for small answers, whose end need not be proven."""
        gzipped = decode_content and _encoding(self.headers) == "gzip"
        source = Inflated(self) if gzipped else self
        buffer = memoryview(bytearray(chunk_bytes))
        while count := source.readinto(buffer):
            yield bytes(buffer[:count])

    def close(self) -> None:
        """Close the connection, whether the body ended or not."""
        self._connection.close()
        super().close()

    def _translated(self, error: OSError | ExchangeError) -> exceptions.RequestException:
        if isinstance(error, ExchangeError):
            if error.kind is ErrorKind.VIOLATION:
                return ProtocolViolation(str(error))
            if error.kind is ErrorKind.HTTP1_REQUIRED:
                return UnprovenEnd(f"{error}, where no end of a body would be proven")
            return BodyCut(str(error)) if self._answered else RequestDropped(str(error))
        if isinstance(error, TimeoutError) and error.errno is None:  # the system's own has a number
            return self._too_late()
        if isinstance(error, ssl.SSLError):
            return exceptions.SSLError(f"TLS failed: {error}")
        text = f"the connection was lost: {error}"
        return BodyCut(text) if self._answered else RequestDropped(text)

    def _too_late(self) -> exceptions.ReadTimeout:
        if time.monotonic() >= self._timeouts.ends_at:
            return DeadlinePassed("the call's time was over before the body's end", began=self._begun)
        if self._begun:
            return exceptions.ReadTimeout(f"nothing more of the body came for {self._timeouts.idle_seconds:g} seconds")
        return exceptions.ReadTimeout(f"no byte of a body came within {self._timeouts.first_byte_seconds:g} seconds")


class Reader(Protocol):
    """Where bytes come from."""

    def readinto(self, target: memoryview, /) -> int:
        """Fill a buffer's beginning; 0 at the end."""


@dataclass(frozen=True, slots=True)
class ProvenBody:
    """A body, decoded, whose end something proves.

    Attributes:
        raw: the body as it comes.
        is_gzip: whether that is gzip.
        one_member: whether nothing but gzip proves the end, so that it must be a single member.
        protocol: what the body came over: `HTTP/2` or `HTTP/1.1`.
        evidence: what proves the end once a reader has given 0, e.g. `END_STREAM + gzip trailer`.
    """

    raw: Reader
    is_gzip: bool
    one_member: bool
    protocol: str
    evidence: str

    def decoded(self) -> Reader:
        """Return the reader of the content, which gives 0 only at an end that is proven."""
        return self.unpacked(self.raw) if self.is_gzip else self.raw

    def unpacked(self, packed: Reader) -> Reader:
        """Return a reader of the content of what `raw` gave, where that is gzip.

        Args:
            packed: gives the same bytes.
        """
        return Inflated(packed, one_member=self.one_member)


def body_of(response: requests.Response) -> ProvenBody:
    """Return the body of an answer that came through `Http2Adapter`, decoded and proven.

    Args:
        response: asked for with `stream=True` and `Accept-Encoding: gzip`; its body is not read yet.

    Raises:
        UnprovenEnd: nothing can prove this body's end, or it is neither plain nor gzip.
    """
    raw = cast("Body", response.raw)
    encoding = _encoding(raw.headers)
    if encoding not in ("gzip", "identity"):
        raise UnprovenEnd(f"the body is encoded as {encoding[:40]!r}, but only gzip was asked for")
    gzipped = encoding == "gzip"
    proofs = [proof.value for proof in (EndProof.END_STREAM,) if raw.ends_by is proof]
    if raw.length is not None:
        proofs.append(EndProof.CONTENT_LENGTH.value)
    if not gzipped and not proofs:
        through = f" (the proxy {raw.via} is in use)" if raw.via else ""
        host = urlsplit(response.url).hostname or "the server"
        raise UnprovenEnd(
            f"the body's end would prove nothing ({raw.ends_by}): something between this app and "
            f"{host}{through} speaks HTTP/1.1 without a length"
        )
    one_member = not proofs
    if gzipped:
        proofs.append("gzip trailer (one member)" if one_member else "gzip trailer")
    return ProvenBody(raw, gzipped, one_member, raw.protocol, " + ".join(proofs))


def _encoding(headers: Mapping[str, str]) -> str:
    encoding = headers.get("Content-Encoding", "").strip().lower() or "identity"
    return "gzip" if encoding == "x-gzip" else encoding
