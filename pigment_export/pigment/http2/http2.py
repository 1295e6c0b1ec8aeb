"""An exchange over HTTP/2: `Frames` with a connection under it."""

import time

from pigment_export.pigment.http2.connection import Connection
from pigment_export.pigment.http2.exchange import EndProof, ErrorKind, ExchangeError, HttpRequest, ResponseHead
from pigment_export.pigment.http2.frames import Frames

SENT_AT_ONCE_BYTES = 64 * 1024  # of a request's body: an early answer stops the rest
MOST_UNSENT_BYTES = 1024 * 1024  # of answers to PING and the like: a server that reads none of them floods us
# Proxies and Azure's outbound addresses forget a connection after four silent minutes.
# Source: https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource (TCP idle timeout)
PING_SECONDS = 60.0


class Http2Exchange:
    """An exchange over HTTP/2.

    Args:
        connection: for this exchange alone.
    """

    protocol = "HTTP/2"
    ends_by = EndProof.END_STREAM

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames: Frames

    @property
    def length(self) -> int | None:
        """See `Exchange`."""
        return self._frames.length

    def ask(self, request: HttpRequest, until: float) -> ResponseHead:
        """See `Exchange`."""
        pseudo = [
            (b":method", request.method.encode()),
            (b":authority", request.authority.encode()),
            (b":scheme", b"https"),
            (b":path", request.target.encode()),
        ]
        self._frames = Frames([*pseudo, *request.headers], request.body)
        while self._frames.head is None:
            self._turn(until)
        return self._frames.head

    def readinto(self, target: memoryview, until: float) -> int:
        """See `Exchange`."""
        frames = self._frames
        while True:
            count = frames.take(target)
            if count or frames.ended:
                return count
            self._turn(until)

    def _turn(self, until: float) -> None:
        """Send what waits and receive what comes; send a PING after each silence."""
        connection, frames = self._connection, self._frames
        while True:
            connection.write(frames.outgoing(SENT_AT_ONCE_BYTES - connection.unsent_bytes))
            if connection.unsent_bytes > MOST_UNSENT_BYTES:
                raise ExchangeError(ErrorKind.VIOLATION, "the server demands answers and reads none of them")
            ping_at = time.monotonic() + PING_SECONDS
            try:
                count = connection.readinto(frames.space(), min(until, ping_at))
            except TimeoutError as error:
                if error.errno is not None or ping_at >= until:  # the system's own has a number
                    raise
                frames.ping()
                continue
            if count is not None:
                frames.received(count)
            return
