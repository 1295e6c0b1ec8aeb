"""An exchange over HTTP/2: `Frames` on top of a connection."""

import time

from pigment_export.pigment.http2.connection import Connection
from pigment_export.pigment.http2.exceptions import ProtocolViolation
from pigment_export.pigment.http2.exchange import Fields, Headers
from pigment_export.pigment.http2.frames import Frames

SENT_AT_ONCE_BYTES = 64 * 1024  # of a request's body: an early answer cancels the rest
MOST_UNSENT_BYTES = 1024 * 1024  # of answers to PING and the like: a server that does not read them floods the client
# Proxies and Azure's outbound addresses drop a connection after four minutes of silence.
# Source: https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource (TCP idle timeout)
PING_SECONDS = 60.0


class Http2Exchange:
    """An exchange over HTTP/2.

    Args:
        connection: for this exchange alone.
    """

    protocol = "HTTP/2"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames: Frames

    @property
    def proofs(self) -> list[str]:
        """What proves the body's end; any other end is a reset."""
        return ["END_STREAM"] if self._frames.length is None else ["END_STREAM", "Content-Length"]

    def ask(self, headers: Fields, content: bytes, until: float) -> tuple[int, Headers]:
        """Send a request and wait for its answer.

        Args:
            headers: of the request.
            content: its body, often empty.
            until: `time.monotonic()` instant at which waiting ends.

        Returns:
            The final answer's status and headers.

        Raises:
            RequestException: no answer will come.
            OSError: no answer came in time, or the connection failed.
        """
        self._frames = Frames(headers, content)
        while (status := self._frames.status) is None:
            self._turn(until)
        return status, self._frames.headers

    def readinto(self, target: memoryview, until: float) -> int:
        """Fill the beginning of `target` from the body as soon as a byte is there; 0 at its end. Raises like `ask`."""
        frames = self._frames
        while True:
            count = frames.take(target)
            if count or frames.ended:
                return count
            self._turn(until)

    def _turn(self, until: float) -> None:
        """Send pending bytes and receive what comes; queue a PING after a silence."""
        connection, frames = self._connection, self._frames
        connection.write(frames.outgoing(SENT_AT_ONCE_BYTES - connection.unsent_bytes))
        if connection.unsent_bytes > MOST_UNSENT_BYTES:
            raise ProtocolViolation("the server requests answers, but does not read them")
        ping_at = time.monotonic() + PING_SECONDS
        try:
            count = connection.readinto(frames.space(), min(until, ping_at))
        except TimeoutError as error:
            if error.errno is not None or ping_at >= until:  # the system's own has a number
                raise
            frames.ping()
        else:
            if count is not None:
                frames.received(count)
