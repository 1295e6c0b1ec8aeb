"""A peer over real TLS that follows a test's script exactly, valid or not, and a CONNECT proxy to reach it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import trustme
from hpack import Decoder, Encoder
from hyperframe import frame as frames
from hyperframe.frame import Frame

PATIENCE_SECONDS = 20.0  # a test that hangs fails instead
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def settings(**values: int) -> bytes:
    """Return SETTINGS, e.g. `settings(INITIAL_WINDOW_SIZE=10)`."""
    frame = frames.SettingsFrame(0)
    frame.settings = {getattr(frames.SettingsFrame, name): value for name, value in values.items()}
    return frame.serialize()


def headers(status: int | None, *fields: tuple[str, str], end: bool = False, parts: int = 1) -> bytes:
    """Return the HEADERS of an answer, or of trailers if there is no status, in `parts` frames."""
    pseudo = [(":status", str(status))] if status is not None else []
    block = Encoder().encode([*pseudo, *fields])
    cuts = [block[len(block) * i // parts : len(block) * (i + 1) // parts] for i in range(parts)]
    first = frames.HeadersFrame(1, cuts[0], flags=["END_STREAM"] if end else [])
    rest = [frames.ContinuationFrame(1, cut) for cut in cuts[1:]]
    [first, *rest][-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in [first, *rest])


def data(payload: bytes, *, end: bool = False, padding: int | None = None, stream: int = 1) -> bytes:
    """Return one DATA frame."""
    frame = frames.DataFrame(stream, payload, flags=["END_STREAM"] if end else [])
    if padding is not None:
        frame.flags.add("PADDED")
        frame.pad_length = padding
    return frame.serialize()


def raw_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame with any header and payload."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def reset(code: int) -> bytes:
    """Return RST_STREAM."""
    return frames.RstStreamFrame(1, error_code=code).serialize()


def goaway(last: int, code: int = 0) -> bytes:
    """Return GOAWAY."""
    return frames.GoAwayFrame(0, last_stream_id=last, error_code=code, additional_data=b"bye").serialize()


def ping() -> bytes:
    """Return PING."""
    return frames.PingFrame(0, b"12345678").serialize()


def window_update(stream: int, increment: int) -> bytes:
    """Return WINDOW_UPDATE."""
    return frames.WindowUpdateFrame(stream, window_increment=increment).serialize()


class Peer:
    """The server's end of one connection.

    Args:
        sock: the TLS connection.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.alpn = sock.selected_alpn_protocol()
        self.fields: dict[str, str] = {}
        self.body = b""
        self.seen: list[Frame] = []

    def send(self, *chunks: bytes) -> None:
        """Send bytes."""
        self._sock.sendall(b"".join(chunks))

    def more(self) -> bytes:
        """Return the next bytes; empty when the client has hung up."""
        try:
            return self._sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return b""

    def read_exactly(self, count: int) -> bytes:
        """Return that many bytes, or raise EOFError."""
        while len(self._buffer) < count:
            got = self.more()
            if not got:
                raise EOFError
            self._buffer += got
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def frame(self) -> Frame:
        """Return the client's next frame."""
        head = self.read_exactly(9)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self.read_exactly(length)))
        self.seen.append(frame)
        if isinstance(frame, frames.HeadersFrame):
            self.fields = {str(name): str(value) for name, value in Decoder().decode(frame.data)}
        if isinstance(frame, frames.DataFrame):
            self.body += frame.data
        return frame

    def greet(self, *first: bytes) -> None:
        """Read the preface and send SETTINGS."""
        assert self.read_exactly(len(PREFACE)) == PREFACE
        self.send(*(first or (settings(),)))

    def await_headers(self) -> None:
        """Read until the request's headers have arrived."""
        while not self.fields:
            self.frame()

    def await_request(self) -> None:
        """Greet, and read the whole request."""
        self.greet()
        self.await_end()

    def await_end(self) -> None:
        """Read until the request's END_STREAM."""
        while "END_STREAM" not in self.frame().flags:
            pass

    def await_kind(self, kind: type[Frame]) -> Frame:
        """Read until a frame of that kind."""
        while not isinstance(found := self.frame(), kind):
            pass
        return found

    def end(self) -> None:
        """End the sending side, and read until the client hangs up: a reset could lose what was sent."""
        self._sock.shutdown(socket.SHUT_WR)
        self.await_close()

    def await_close(self) -> None:
        """Read until the client hangs up."""
        while self.more():
            pass

    def read_http1(self) -> bytes:
        """Return an HTTP/1.1 request, with a body of its announced length."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read_exactly(1)
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + (self.read_exactly(int(lengths[0].split(b":")[1])) if lengths else b"")


class _Threads:
    """A server of connections, each on a thread, which keeps their errors for the test."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for thread in self._threads[1:]:
            thread.join()
        if error is None and self.failures:
            raise self.failures[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(PATIENCE_SECONDS)
            self._threads.append(threading.Thread(target=self._run, args=(sock,)))
            self._threads[-1].start()

    def _run(self, sock: socket.socket) -> None:
        try:
            with sock:
                self.serve(sock)
        except (EOFError, ConnectionError, ssl.SSLError):
            pass  # the client may hang up at any moment
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self.failures.append(error)

    def serve(self, sock: socket.socket) -> None:
        """Serve one connection."""
        raise NotImplementedError


class ScriptedServer(_Threads):
    """A TLS server that runs a script on every connection.

    Args:
        certificate: for the names that the tests use.
        script: run on each connection, which is closed afterwards.
        alpn: protocols to offer; empty for no ALPN.
    """

    def __init__(
        self, certificate: trustme.LeafCert, script: Callable[[Peer], None], alpn: Sequence[str] = ("h2",)
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        if alpn:
            self._context.set_alpn_protocols(list(alpn))
        self._script = script
        self.peers: list[Peer] = []
        super().__init__()

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}/export"

    def serve(self, sock: socket.socket) -> None:
        """See `_Threads`."""
        with self._context.wrap_socket(sock, server_side=True) as tls:
            self.peers.append(Peer(tls))
            self._script(self.peers[-1])


class ConnectProxy(_Threads):
    """A proxy that opens every tunnel to localhost, for any name.

    Args:
        answer: the answer to CONNECT.
    """

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self._answer = answer
        self.heads: list[bytes] = []
        super().__init__()

    def serve(self, sock: socket.socket) -> None:
        """See `_Threads`."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = sock.recv(1)
            if not byte:
                return
            head += byte
        self.heads.append(head)
        sock.sendall(self._answer)
        if b" 200 " not in self._answer:
            return
        port = int(head.split()[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as onward:
            back = threading.Thread(target=_relay, args=(onward, sock))
            back.start()
            _relay(sock, onward)
            back.join()


def _relay(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def silent_listener() -> Iterator[int]:
    """Yield a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
