"""One TLS connection, through a proxy if there is one; every wait on it has an absolute end.

TLS runs over memory BIOs: one system call reads many records, while a TLS socket needs two calls per record. Pending
bytes are sent while waiting to receive, so that a server can answer before it has read everything. At most one system
call's bytes are read ahead of the caller.
"""

import http
import http.client
import io
import math
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from requests import exceptions

from pigment_export.pigment.http2.exceptions import DeadlinePassed, RequestDropped
from pigment_export.pigment.http2.exchange import Timeouts

type SocketOption = tuple[int, int, int]

RAW_BYTES = 128 * 1024  # per system call; larger reads gained nothing (benchmarks/read_side.py)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that opens tunnels.

    Attributes:
        host: its name.
        port: its port.
        authorization: value of `Proxy-Authorization`; None if the proxy needs none. Never shown.
    """

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    """A TLS connection.

    Args:
        sock: connected; owned by the connection from now on.
        context: for TLS, with the protocols to offer.
        host: the server's name, for its certificate.
        until: `time.monotonic()` instant at which the handshake must be done.

    Raises:
        TimeoutError: the handshake took too long.
        OSError: socket or TLS failed.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str, until: float) -> None:
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._raw = memoryview(bytearray(RAW_BYTES))
        self._unsent = bytearray()
        self._deaf = False  # the server accepts no more bytes; it may still send some
        self._ended = False
        self._selector = selectors.DefaultSelector()
        try:
            sock.settimeout(0)
            self._selector.register(sock, selectors.EVENT_READ)
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            self._shake_hands(until)
        except BaseException:
            self.close()
            raise

    @property
    def alpn(self) -> str | None:
        """The protocol that the server chose."""
        return self._tls.selected_alpn_protocol()

    @property
    def unsent_bytes(self) -> int:
        """Number of bytes that wait to be sent."""
        return len(self._unsent) + self._outgoing.pending

    def write(self, data: bytes) -> None:
        """Queue bytes; `readinto` sends them."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def readinto(self, target: memoryview, until: float) -> int | None:
        """Receive bytes, and send queued ones.

        Args:
            target: bytes to fill.
            until: `time.monotonic()` instant at which waiting ends, even if bytes other than the caller's keep coming.

        Returns:
            How many bytes were filled; 0: the connection ended; None: nothing came yet, but all queued bytes were sent.

        Raises:
            TimeoutError: nothing came in time.
            OSError: socket or TLS failed.
        """
        sending = self.unsent_bytes > 0
        while True:
            self._flush()
            filled = self._decrypt(target)
            if filled or self._ended:
                return filled
            if self._fetch(until):
                continue
            if sending and not self._unsent:
                return None
            self._wait(until)

    def close(self) -> None:
        """Close the connection at once."""
        self._selector.close()
        self._sock.close()

    def _shake_hands(self, until: float) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch(until):
                    self._wait(until)
            else:
                return

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        try:
            if self._unsent and not self._deaf:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:  # read what the server sent before it closed; reading fails in the same way
            self._deaf = True
        if self._deaf:
            self._unsent.clear()

    def _decrypt(self, target: memoryview) -> int:
        filled = 0
        try:
            while filled < len(target):
                count: int = self._tls.read(len(target) - filled, target[filled:])  # type: ignore[assignment]  # typeshed
                if count == 0:
                    self._ended = True
                    break
                filled += count
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._ended = True
        return filled

    def _fetch(self, until: float) -> bool:
        """Pass bytes from the socket to TLS; False if there are none."""
        if time.monotonic() >= until:
            raise TimeoutError
        try:
            count = self._sock.recv_into(self._raw)
        except BlockingIOError:
            return False
        if count:
            self._incoming.write(self._raw[:count])
        else:
            self._incoming.write_eof()
        return True

    def _wait(self, until: float) -> None:
        seconds = _seconds_until(until)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._sock, events)
        if not self._selector.select(seconds):
            raise TimeoutError


def connect(
    host: str,
    port: int,
    *,
    proxy: Proxy | None,
    context: ssl.SSLContext,
    timeouts: Timeouts,
    socket_options: Sequence[SocketOption],
) -> Connection:
    """Connect to a server.

    Args:
        host: its name.
        port: its port.
        proxy: to go through.
        context: for TLS, with the protocols to offer.
        timeouts: limits.
        socket_options: level, name and value of each, as `setsockopt` takes them.

    Raises:
        RequestException: see `exceptions`; a `ProxyError` if the proxy could not be reached, or opened no tunnel.
    """
    until = min(time.monotonic() + timeouts.connect_seconds, timeouts.ends_at)
    try:
        return Connection(_socket_to(host, port, proxy, until, socket_options), context, host, until)
    except exceptions.ProxyError:
        raise
    except TimeoutError as error:
        if time.monotonic() >= timeouts.ends_at:
            raise DeadlinePassed(f"the call's time was up before {host} was reached") from error
        through = f" through the proxy {proxy}" if proxy else ""
        raise exceptions.ConnectTimeout(f"connecting to {host}:{port}{through} timed out") from error
    except ssl.SSLEOFError as error:
        raise RequestDropped(f"{host}:{port} closed the connection during the TLS handshake") from error
    except ssl.SSLError as error:
        raise exceptions.SSLError(f"TLS to {host}:{port} failed: {error}") from error
    except OSError as error:
        raise exceptions.ConnectionError(f"connecting to {host}:{port} failed: {error}") from error


def _socket_to(
    host: str, port: int, proxy: Proxy | None, until: float, options: Sequence[SocketOption]
) -> socket.socket:
    first = (host, port) if proxy is None else (proxy.host, proxy.port)
    try:
        sock = socket.create_connection(first, _seconds_until(until))
    except OSError as error:
        if proxy is None or isinstance(error, TimeoutError):
            raise
        raise exceptions.ProxyError(f"the proxy {proxy} could not be reached: {error}") from error
    try:
        for option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *options):
            sock.setsockopt(*option)
        if proxy is not None:
            _open_tunnel(sock, host, port, proxy, until)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_tunnel(sock: socket.socket, host: str, port: int, proxy: Proxy, until: float) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    authorization = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""

    def read(buffer: memoryview) -> int:  # waits no longer than `until`, even if bytes come in drips
        sock.settimeout(_seconds_until(until))
        return sock.recv_into(buffer)

    answer = http.client.HTTPResponse(Received(RawReader(read)), method="CONNECT")  # type: ignore[arg-type]
    try:
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n".encode("ascii"))
        answer.begin()
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise exceptions.ProxyError(f"the proxy {proxy} opened no tunnel to {target}: {error}") from error
    if answer.status != http.HTTPStatus.OK:
        # In http.client's wording, so that one rule matches both.
        said = f"Tunnel connection failed: {answer.status} {http.client.responses.get(answer.status, '')}".rstrip()
        raise exceptions.ProxyError(f"the proxy {proxy} opened no tunnel to {target}: {said}")


class RawReader(io.RawIOBase):
    """A connection as a file that Python can read.

    Args:
        read: fills a buffer's beginning; 0 at the connection's end.
    """

    def __init__(self, read: Callable[[memoryview], int]) -> None:
        self._read = read

    def readable(self) -> bool:
        """Return True, always."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill the beginning of a buffer."""
        return self._read(buffer)


class Received(io.BufferedReader):
    """Lets http.client read several answers from a connection: interim ones, the final one, and what follows it."""

    def makefile(self, _mode: str) -> Self:
        """Return this object itself, which http.client reads in place of a socket's file."""
        return self

    def close(self) -> None:
        """Stay open, although http.client closes it after each answer."""

    def flush(self) -> None:
        """Do nothing: a garbage-collected answer flushes it, perhaps after the connection below it is gone."""


def _seconds_until(until: float) -> float | None:
    """Return the timeout for a socket or a selector.

    Raises:
        TimeoutError: the instant has passed.
    """
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return None if math.isinf(seconds) else seconds
