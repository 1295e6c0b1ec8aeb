"""The network: a certificate authority, and a CONNECT proxy that leads the real host names to local servers.

The proxy refuses every name that it was not told of: an unexpected host fails loudly.
"""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import trustme

RELAY_BYTES = 256 * 1024
IDLE_SECONDS = 900.0  # a tunnel without a byte for so long is closed


class Authority:
    """A certificate authority of its own.

    Args:
        folder: where its certificate is written, for clients to trust.
    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, *hosts: str, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """What a server of these names needs.

        Args:
            hosts: names, `*.` as first label allowed; 127.0.0.1 is added.
            alpn: protocols in order of preference; none for a server that knows no ALPN.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._ca.issue_cert(*hosts, "127.0.0.1").configure_cert(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


class Proxy:
    """A CONNECT proxy on 127.0.0.1.

    Args:
        routes: host name, or `*.` and a suffix, to the address that answers for it; exact names win.
        passthrough: hosts, or suffixes with `*.`, that are let through to themselves.
        port: 0 for a free one.
    """

    def __init__(
        self, routes: Mapping[str, tuple[str, int]], *, passthrough: Collection[str] = (), port: int = 0
    ) -> None:
        self._routes = dict(routes)
        self._passthrough = frozenset(passthrough)
        self.refused: list[str] = []
        self._open = Connections()
        self._server = _Listener(("127.0.0.1", port), _Connect, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def route(self, host: str, port: int) -> tuple[str, int] | None:
        """Where a name leads; None where it is refused."""
        name = host.lower()
        names = [name, f"*.{name.partition('.')[2]}"]
        for pattern in names:
            if pattern in self._routes:
                return self._routes[pattern]
        return (host, port) if self._passthrough & set(names) else None

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, and listen no more."""
        self._server.shutdown()
        self._open.close()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def held(self, connection: socket.socket) -> contextlib.AbstractContextManager[None]:
        """A connection that the proxy closes when it stops."""
        return self._open.held(connection)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler], proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - a client that hung up
        return


class _Connect(socketserver.StreamRequestHandler):
    server: _Listener
    rbufsize = 0  # what follows the request belongs to the tunnel

    def handle(self) -> None:
        with self.server.proxy.held(self.connection):
            self._connect()

    def _connect(self) -> None:
        request = self.rfile.readline(4096).decode("latin-1").split()
        while self.rfile.readline(65536).strip():
            pass
        if len(request) < 2 or request[0] != "CONNECT":
            self._answer(405, "Method Not Allowed")
            return
        host, _, port = request[1].rpartition(":")
        address = self.server.proxy.route(host, int(port)) if port.isdecimal() else None
        if address is None:
            self.server.proxy.refused.append(request[1])
            self._answer(403, "Forbidden")
            return
        try:
            upstream = socket.create_connection(address, timeout=10)
        except OSError:
            self._answer(502, "Bad Gateway")
            return
        with upstream, self.server.proxy.held(upstream):
            self._answer(200, "Connection Established")
            _tunnel(self.connection, upstream)

    def _answer(self, status: int, reason: str) -> None:
        length = "" if status == 200 else "Content-Length: 0\r\n"
        self.wfile.write(f"HTTP/1.1 {status} {reason}\r\n{length}\r\n".encode())


class Connections:
    """What is open, so that all of it can be closed: a thread that waits for a peer would wait for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = False

    @contextlib.contextmanager
    def held(self, connection: socket.socket) -> Iterator[None]:
        """Hold a connection while a thread is busy with it."""
        with self._lock:
            self._open.add(connection)
            if self._closing:
                _hang_up(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    def close(self) -> None:
        """Hang up on all, and on whoever comes later."""
        with self._lock:
            self._closing = True
            for connection in self._open:
                _hang_up(connection)


def _tunnel(client: socket.socket, server: socket.socket) -> None:
    """Carry bytes both ways until both ends are done."""
    for end in (client, server):
        end.settimeout(IDLE_SECONDS)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    upward = threading.Thread(target=_relay, args=(client, server), daemon=True)
    upward.start()
    _relay(server, client)
    upward.join()


def _relay(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes one way; an end is passed on, a failure ends both ways."""
    buffer = bytearray(RELAY_BYTES)
    view = memoryview(buffer)
    try:
        while count := source.recv_into(buffer):
            target.sendall(view[:count])
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _hang_up(source)
        _hang_up(target)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
