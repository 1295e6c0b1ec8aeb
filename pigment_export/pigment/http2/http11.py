"""An exchange over HTTP/1.1, by http.client with a connection under it."""

import http.client
import io
from contextlib import suppress

from pigment_export.pigment.http2.connection import Connection
from pigment_export.pigment.http2.exchange import (
    EndProof,
    ErrorKind,
    ExchangeError,
    HttpRequest,
    ResponseHead,
    length_of,
    status_of,
)

CHUNK_BYTES = 128 * 1024
# What http.client raises over what a server sends; a number that it cannot read is a ValueError.
_BROKEN = (http.client.HTTPException, ValueError, OverflowError)


class Http11Exchange:
    """An exchange over HTTP/1.1.

    Args:
        connection: for this exchange alone.
    """

    protocol = "HTTP/1.1"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reader = _Reader(connection)
        self._buffered = _Buffered(self._reader)
        self._response: http.client.HTTPResponse
        self.length: int | None = None

    @property
    def ends_by(self) -> EndProof:
        """See `Exchange`."""
        if self.length is not None:
            return EndProof.CONTENT_LENGTH
        return EndProof.CHUNKED if self._response.chunked else EndProof.CONNECTION_CLOSED

    def ask(self, request: HttpRequest, until: float) -> ResponseHead:
        """See `Exchange`."""
        self._reader.until = until
        client = http.client.HTTPConnection(request.authority)
        client.sock = self  # all that it needs of a socket: sendall and makefile
        try:
            client.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            client.putheader("Host", request.authority)
            for name, value in request.headers:
                client.putheader(name, value)
            client.endheaders(request.body or None)
            self._response = self._final_answer(request.method)
        except http.client.RemoteDisconnected:  # an OSError, too
            raise
        except _BROKEN as error:
            raise _violation(error) from None  # its text quotes the server, which may quote the request
        fields = self._response.getheaders()
        if [value.strip().lower() for name, value in fields if name.lower() == "transfer-encoding"] not in (
            [],
            ["chunked"],
        ):
            raise ExchangeError(ErrorKind.VIOLATION, "the server broke HTTP/1.1: its transfer encoding is not chunked")
        length_of(fields)  # http.client takes the first of several, and ignores what is no number
        self.length = self._response.length
        return ResponseHead(status_of(str(self._response.status)), fields)

    def readinto(self, target: memoryview, until: float) -> int:
        """See `Exchange`."""
        self._reader.until = until
        try:
            data = self._response.read1(min(len(target), CHUNK_BYTES))
        except http.client.IncompleteRead as error:
            raise ExchangeError(ErrorKind.TOO_SHORT, "the chunked body ended before its last chunk") from error
        except _BROKEN as error:
            raise _violation(error) from None  # its text quotes the server, which may quote the request
        left = self._response.chunk_left  # a text where there are no chunks
        if isinstance(left, int) and left < 0:  # http.client reads "-5" as a size, too
            raise ExchangeError(ErrorKind.VIOLATION, "the server broke HTTP/1.1: a chunk of negative size")
        if not data and self._response.length:  # which http.client does not mind
            missing = f"{self._response.length:,} of the {self.length:,} bytes of its Content-Length are missing"
            raise ExchangeError(ErrorKind.TOO_SHORT, f"the body ended early: {missing}")
        if not data and self.length is not None and self._buffered.has_more:
            raise ExchangeError(ErrorKind.TOO_LONG, f"more came than the {self.length:,} bytes of its Content-Length")
        target[: len(data)] = data
        return len(data)

    def sendall(self, data: bytes) -> None:
        """What http.client sends by; it goes out while the answer is awaited."""
        self._connection.write(data)

    def makefile(self, _mode: str) -> "_Buffered":
        """What http.client reads by: the same for interim answers and the final one."""
        return self._buffered

    def close(self) -> None:
        """http.client may close a socket; this one is the exchange's."""

    def _final_answer(self, method: str) -> http.client.HTTPResponse:
        while True:
            response = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
            response.begin()
            if response.status >= http.HTTPStatus.OK:
                return response
            response.fp = None  # type: ignore[assignment]  # dropped, it would close what the next one reads by


class _Reader(io.RawIOBase):
    """A connection as a raw file."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.until = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while True:
            count = self._connection.readinto(buffer, self.until)
            if count is not None:
                return count


class _Buffered(io.BufferedReader):
    """What http.client reads by, and closes once a body has ended."""

    def __init__(self, reader: _Reader) -> None:
        super().__init__(reader, CHUNK_BYTES)
        self._reader = reader
        self.has_more = False  # something came behind the body, as far as the network had brought it

    def flush(self) -> None:
        """Nothing is ever written; an answer that is collected flushes this, perhaps after it was closed."""

    def close(self) -> None:
        """Look for what came behind the body, without waiting."""
        self._reader.until = 0.0
        with suppress(OSError, ValueError):
            self.has_more = self.has_more or len(self.peek(1)) > 0
        super().close()


def _violation(error: Exception) -> ExchangeError:
    return ExchangeError(ErrorKind.VIOLATION, f"the server broke HTTP/1.1: {type(error).__name__}")
