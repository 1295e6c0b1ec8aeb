"""The network: a certificate authority, and a CONNECT proxy that connects the real host names to local servers.

The proxy rejects all other names, so a request to an unexpected host fails visibly.
"""

import socket
import ssl
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme

from emulators.http1 import Http1, Listener, hang_up

RELAY_BYTES = 256 * 1024
IDLE_SECONDS = 900.0  # a tunnel closes after this long without a byte
_EMPTY = {"Content-Length": "0"}


class Authority:
    """A certificate authority of its own.

    Args:
        folder: for the file with its certificate, which clients must trust.
    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, *hosts: str, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """Return a TLS context with a certificate for these names.

        Args:
            hosts: names, which may begin with `*.`; 127.0.0.1 is added.
            alpn: protocols in order of preference; empty for a server without ALPN.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._ca.issue_cert(*hosts, "127.0.0.1").configure_cert(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


@dataclass(frozen=True, slots=True)
class Detour:
    """Another address for one connection.

    Attributes:
        host: name, or `*.` and a suffix, as in the routes.
        address: to connect to; None rejects the connection.
    """

    host: str
    address: tuple[str, int] | None


class Proxy(Listener):
    """A CONNECT proxy on 127.0.0.1.

    Args:
        routes: host name, or `*.` and a suffix, to the address of its server; exact names win.
        passthrough: hosts, or suffixes with `*.`, to connect to the real hosts.
        port: 0 for a free one.

    Attributes:
        refused: the targets of the rejected requests.
        failures: statuses to answer the next requests with, one each; 0 closes the connection without an answer.
        detours: for the next connections to their hosts, one each.
    """

    def __init__(
        self, routes: Mapping[str, tuple[str, int]], *, passthrough: Collection[str] = (), port: int = 0
    ) -> None:
        super().__init__(self._connect, port=port)
        self._routes = dict(routes)
        self._passthrough = frozenset(passthrough)
        self.refused: list[str] = []
        self.failures: list[int] = []
        self.detours: list[Detour] = []

    def lead(self, host: str, address: tuple[str, int] | None) -> None:
        """Change the route of a name, or of `*.` and a suffix, from now on.

        Args:
            host: as in the routes.
            address: to connect to; None rejects the name.
        """
        if address is None:
            self._routes.pop(host, None)
        else:
            self._routes[host] = address

    def route(self, host: str, port: int) -> tuple[str, int] | None:
        """Return the address for a name, or None to reject it."""
        names = _names(host)
        for pattern in names:
            if pattern in self._routes:
                return self._routes[pattern]
        return (host, port) if self._passthrough & set(names) else None

    def _detour(self, host: str) -> Detour | None:
        with self._lock:
            found = next((detour for detour in self.detours if detour.host in _names(host)), None)
            if found:
                self.detours.remove(found)
            return found

    def _connect(self, client: socket.socket) -> None:
        http = Http1(client)
        request = http.receive()
        if request is None:
            return
        if request.method != "CONNECT":
            http.reply(405, _EMPTY)
            return
        if self.failures:
            if status := self.failures.pop(0):
                http.reply(status, _EMPTY)
            return
        host, _, port = request.target.rpartition(":")
        detour = self._detour(host)
        address = detour.address if detour else self.route(host, int(port)) if port.isdecimal() else None
        if address is None:
            self.refused.append(request.target)
            http.reply(403, _EMPTY)
            return
        try:
            upstream = socket.create_connection(address, timeout=10)
        except OSError:
            http.reply(502, _EMPTY)
            return
        with upstream, self.held(upstream):
            http.start(200, {})
            http.flush()
            upstream.sendall(http.early)
            _tunnel(client, upstream)


def _names(host: str) -> list[str]:
    """Return the names under which the routes may have a host, the exact one first."""
    name = host.lower()
    return [name, f"*.{name.partition('.')[2]}"]


def _tunnel(client: socket.socket, server: socket.socket) -> None:
    """Relay bytes in both directions until both have ended."""
    for end in (client, server):
        end.settimeout(IDLE_SECONDS)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    upward = threading.Thread(target=_relay, args=(client, server), daemon=True)
    upward.start()
    _relay(server, client)
    upward.join()


def _relay(source: socket.socket, target: socket.socket) -> None:
    """Relay bytes in one direction. Pass on the end of the stream; on a failure, end both directions."""
    buffer = bytearray(RELAY_BYTES)
    view = memoryview(buffer)
    try:
        while count := source.recv_into(buffer):
            target.sendall(view[:count])
        target.shutdown(socket.SHUT_WR)
    except OSError:
        hang_up(source)
        hang_up(target)
