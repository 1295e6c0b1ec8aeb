"""An answer's body, raw and decoded, with a limit on each wait and the evidence of its end."""

import io
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

import requests
from requests import exceptions, structures

from pigment_export.pigment.http2.connection import Connection, Proxy
from pigment_export.pigment.http2.exceptions import BodyCut, DeadlinePassed, RequestDropped, UnprovenEnd
from pigment_export.pigment.http2.exchange import Fields, Timeouts
from pigment_export.pigment.http2.gzip import Inflated
from pigment_export.pigment.http2.http2 import Http2Exchange
from pigment_export.pigment.http2.http11 import Http11Exchange


class Body(io.RawIOBase):
    """The value of `Response.raw`: the body as it comes, with its content encoding. The connection ends with it.

    It reads from the connection only when the caller reads.

    Args:
        connection: for this body alone.
        timeouts: limits of the waits.
        via: the proxy, if there is one.
    """

    def __init__(self, connection: Connection, timeouts: Timeouts, via: Proxy | None) -> None:
        self._connection = connection
        self._exchange = Http2Exchange(connection) if connection.alpn == "h2" else Http11Exchange(connection)
        self._timeouts = timeouts
        self._first_byte_at = time.monotonic() + timeouts.first_byte_seconds
        self._answered = False
        self._begun = False
        self._ended = False
        self.via = via
        self.headers: structures.CaseInsensitiveDict[str] = structures.CaseInsensitiveDict()

    @property
    def protocol(self) -> str:
        """The protocol: `HTTP/2` or `HTTP/1.1`."""
        return self._exchange.protocol

    @property
    def encoding(self) -> str:
        """The content encoding, e.g. `gzip`; `identity` if there is none."""
        encoding = self.headers.get("Content-Encoding", "").strip().lower() or "identity"
        return "gzip" if encoding == "x-gzip" else encoding

    @property
    def evidence(self) -> str:
        """What proves the end once a reader has returned 0, e.g. `END_STREAM + gzip trailer`; empty: nothing would."""
        proofs = self._exchange.proofs
        if self.encoding == "gzip":
            proofs = [*proofs, "gzip trailer" if proofs else "gzip trailer (one member)"]
        return " + ".join(proofs)

    def ask(self, headers: Fields, content: bytes) -> int:
        """Send a request and wait for the final answer's beginning; returns its status."""
        with self._translated():
            status, answered = self._exchange.ask(headers, content, min(self._first_byte_at, self._timeouts.ends_at))
        self._answered = True
        for name, value in answered:
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        return status

    def bound(self, seconds: float) -> None:
        """Limit all further waits to a time from now."""
        ends_at = min(self._timeouts.ends_at, time.monotonic() + seconds)
        self._timeouts = replace(self._timeouts, ends_at=ends_at)

    def decoded(self) -> "Body | Inflated":
        """Return the reader of the content, which returns 0 only at a proven end."""
        is_gzip = self.encoding == "gzip"
        return Inflated(self.readinto, one_member=not self._exchange.proofs) if is_gzip else self

    def readable(self) -> bool:
        """Return True, always."""
        return True

    def readinto(self, target: memoryview, /) -> int:  # type: ignore[override]
        """Fill the beginning of a buffer as soon as a byte is there.

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
        with self._translated():
            count = self._exchange.readinto(target, min(until, self._timeouts.ends_at))
        if count:
            self._begun = True
        else:
            self._ended = True
            self._connection.close()
        return count

    def close(self) -> None:
        """Close the connection, whether the body ended or not."""
        self._connection.close()
        super().close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Close the connection on any error, and translate the system's errors into those of requests."""
        try:
            yield
        except exceptions.RequestException:
            self._connection.close()
            raise
        except OSError as error:
            self._connection.close()
            if isinstance(error, TimeoutError) and error.errno is None:  # the system's own has a number
                raise self._too_late() from error
            if isinstance(error, ssl.SSLError):
                raise exceptions.SSLError(f"TLS failed: {error}") from error
            text = f"the connection was lost: {error}"
            raise (BodyCut(text) if self._answered else RequestDropped(text)) from error

    def _too_late(self) -> exceptions.ReadTimeout:
        if time.monotonic() >= self._timeouts.ends_at:
            return DeadlinePassed("the call's time was up before the end of the body", began=self._begun)
        if self._begun:
            return exceptions.ReadTimeout(f"no more of the body arrived for {self._timeouts.idle_seconds:g} seconds")
        return exceptions.ReadTimeout(
            f"no byte of the body arrived within {self._timeouts.first_byte_seconds:g} seconds"
        )


def body_of(response: requests.Response) -> Body:
    """Return the body of an answer that came through `Http2Adapter`, if something can prove its end.

    Args:
        response: to a request with `stream=True` and `Accept-Encoding: gzip`; its body is not read yet.

    Raises:
        UnprovenEnd: nothing can prove this body's end, or it is neither plain nor gzip.
    """
    body = cast("Body", response.raw)
    if body.encoding not in ("gzip", "identity"):
        raise UnprovenEnd(f"the body is encoded as {body.encoding[:40]!r}, but only gzip was requested")
    if not body.evidence:
        through = f" (the proxy {body.via} is in use)" if body.via else ""
        host = urlsplit(response.url).hostname or "the server"
        # A proxy also writes HTTP/1.1's last chunk after its upstream failed, and a crash also closes the connection.
        ending = "chunked" if "Transfer-Encoding" in body.headers else "connection closed"
        raise UnprovenEnd(
            f"the body's end would prove nothing ({ending}): something between this app and "
            f"{host}{through} uses HTTP/1.1 without a length"
        )
    return body
