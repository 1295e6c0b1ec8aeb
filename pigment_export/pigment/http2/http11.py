"""An exchange over HTTP/1.1, with http.client on top of a connection."""

import http.client
from contextlib import suppress

from pigment_export.pigment.http2.connection import Connection, RawReader, Received
from pigment_export.pigment.http2.exceptions import BodyCut, ProtocolViolation
from pigment_export.pigment.http2.exchange import Fields, Headers, length_of, status_of

CHUNK_BYTES = 128 * 1024
# What http.client raises for a server's errors; a number that it cannot read is a ValueError.
_BROKEN = (http.client.HTTPException, ValueError, OverflowError)


class Http11Exchange:
    """An exchange over HTTP/1.1.

    Args:
        connection: for this exchange alone.
    """

    protocol = "HTTP/1.1"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._until = 0.0
        self._received = Received(RawReader(self._receive), CHUNK_BYTES)
        self._response: http.client.HTTPResponse
        self._length: int | None = None

    @property
    def proofs(self) -> list[str]:
        """What proves the body's end: its announced length, or nothing."""
        return [] if self._length is None else ["Content-Length"]

    def ask(self, headers: Fields, content: bytes, until: float) -> tuple[int, Headers]:
        """See `Http2Exchange`."""
        self._until = until
        request = dict(headers)
        lines = [b"%s %s HTTP/1.1" % (request[b":method"], request[b":path"]), b"Host: %s" % request[b":authority"]]
        lines += [b"%s: %s" % field for field in headers if not field[0].startswith(b":")]
        self._connection.write(b"\r\n".join([*lines, b"", content]))  # sent while waiting for the answer
        try:
            self._response = self._final_answer()
        except http.client.RemoteDisconnected:  # an OSError, too
            raise
        except _BROKEN as error:
            raise _violation(error) from None  # its text quotes the server, which may quote the request
        fields = self._response.getheaders()
        codings = [value.strip().lower() for name, value in fields if name.lower() == "transfer-encoding"]
        if codings not in ([], ["chunked"]):
            raise ProtocolViolation("the server broke HTTP/1.1: its transfer encoding is not chunked")
        length_of(fields)  # http.client uses the first of several, and ignores one that is not a number
        self._length = self._response.length
        return status_of(str(self._response.status)), fields

    def readinto(self, target: memoryview, until: float) -> int:
        """See `Http2Exchange`."""
        self._until = until
        try:
            data = self._response.read1(min(len(target), CHUNK_BYTES))
        except http.client.IncompleteRead as error:
            raise BodyCut("the chunked body ended before its last chunk") from error
        except _BROKEN as error:
            raise _violation(error) from None  # its text quotes the server, which may quote the request
        left = self._response.chunk_left  # a text if there are no chunks
        if isinstance(left, int) and left < 0:  # http.client reads "-5" as a size, too
            raise ProtocolViolation("the server broke HTTP/1.1: a chunk of negative size")
        if not data and self._response.length:  # http.client does not check this
            missing = f"{self._response.length:,} of the {self._length:,} bytes of its Content-Length are missing"
            raise BodyCut(f"the body ended early: {missing}")
        if not data and self._length is not None and self._has_more():
            raise BodyCut(f"the body is longer than its Content-Length of {self._length:,} bytes")
        target[: len(data)] = data
        return len(data)

    def _final_answer(self) -> http.client.HTTPResponse:
        while True:
            response = http.client.HTTPResponse(self._received)  # type: ignore[arg-type]
            response.begin()
            if response.status >= http.HTTPStatus.OK:
                return response

    def _receive(self, buffer: memoryview) -> int:
        while (count := self._connection.readinto(buffer, self._until)) is None:
            pass
        return count

    def _has_more(self) -> bool:
        """Return whether bytes have already arrived after the body, without waiting."""
        self._until = 0.0
        with suppress(OSError):
            return len(self._received.peek(1)) > 0
        return False


def _violation(error: Exception) -> ProtocolViolation:
    return ProtocolViolation(f"the server broke HTTP/1.1: {type(error).__name__}")
