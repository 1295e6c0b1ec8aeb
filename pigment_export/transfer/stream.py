"""The core: bytes from a source, through the inspector, to a file out of sight; download and upload overlap.

Memory is a constant: `IN_FLIGHT + 1` buffers that go round. One is filled while the others are being appended, hashed
and inspected, each on a thread of its own; a buffer is filled again only when all are done with it. What a source and
a sink are is said here.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pigment_export.errors import ErrorRow, RetryableError, Who
from pigment_export.transfer.gzip import Compressor, Hashed, Reader, Unpacking
from pigment_export.transfer.inspector import Inspection, Inspector

CHUNK_BYTES = 8 * 1024 * 1024  # few and large beat many and small: each append is a request (benchmarks/)
IN_FLIGHT = 2  # appends at once; more gained nothing and costs a buffer each


class Source(Protocol):
    """The body of one answer, decoded."""

    @property
    def protocol(self) -> str:
        """What it came over, e.g. `HTTP/2`."""

    @property
    def evidence(self) -> str:
        """What proved its end; to be asked after the end."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer's beginning; 0 only at an end that is proven, an error at any other."""


@runtime_checkable
class PackedSource(Source, Protocol):
    """The body of an answer that is to be stored as gzip."""

    @property
    def is_packed(self) -> bool:
        """Whether `readinto` gives gzip, as it came; else it gives the content."""

    def unpacked(self, packed: Reader) -> Reader:
        """Return a reader of the content of what `readinto` gave; its end is proven, too."""


class Sink(Protocol):
    """A file that no reader sees yet."""

    def open(self) -> None:
        """Make the file; called when the body's first bytes are there."""

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at a position; called on several threads at once."""

    def finish(self, size: int) -> None:
        """Make sure that all `size` bytes are kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is: bytes read, rows inspected, seconds since it began."""

    bytes: int
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a transfer moved, what proves it, and how long it took: from asking to the end, and to the first byte.

    `bytes` and `sha256` are the stored file's, the others the CSV's: the same unless it is stored as gzip.
    """

    inspection: Inspection
    bytes: int
    sha256: str
    content_bytes: int
    content_sha256: str
    protocol: str
    evidence: str
    seconds: float
    first_byte_seconds: float


NOT_WHOLE = ErrorRow(
    "ending_not_whole",
    RetryableError,
    "the body ended, but it is not whole",
    Who.PIGMENT,
    "export the same block in Pigment by hand, compare, and report the difference to Pigment's support",
)


@dataclass(frozen=True, slots=True)
class Format:
    """What a body is, and how it is stored.

    Attributes:
        delimiter: between the fields of the CSV.
        gzip: whether to store it as gzip; what a `PackedSource` has of it is stored as it came.
    """

    delimiter: bytes
    gzip: bool = False


def stopwatch() -> Callable[[], float]:
    """Return what tells the seconds from now on."""
    began = time.monotonic()
    return lambda: time.monotonic() - began


def transfer(
    source: Source,
    sink: Sink,
    form: Format,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    chunk_bytes: int = CHUNK_BYTES,
    elapsed: Callable[[], float] | None = None,
) -> Transferred:
    """Move a body to a sink and prove it on the way.

    Args:
        source: the body; read on this thread alone.
        sink: where it goes; finished only if the body is whole.
        form: what the body is, and how it is stored.
        progress: called on this thread after each chunk.
        chunk_bytes: of one append.
        elapsed: seconds since the source was asked, so that its preparation counts; None: since now.

    Returns:
        What was moved.

    Raises:
        RetryableError: the body ended, but not as a whole CSV does.
        ExportError: what source or sink raised.
    """
    elapsed = elapsed or stopwatch()
    first_byte_seconds = 0.0
    inspector = Inspector(form.delimiter)
    # Leaving the block waits for what is under way: nothing is appended after an error has been raised.
    with ExitStack() as threads:
        storing = _Storing(sink, threads)
        way: _Plain | _Packing | _Passing = (
            _packed_way(source, storing, inspector, threads, chunk_bytes)
            if form.gzip
            else _Plain(storing, inspector, threads)
        )
        ring: deque[tuple[bytearray, list[Future[None]]]] = deque()
        filled = chunk_bytes
        while filled == chunk_bytes:
            if len(ring) > IN_FLIGHT:
                buffer, busy = ring.popleft()
                _wait(busy)
            else:
                buffer = bytearray(chunk_bytes)  # not before it is needed: most exports fit into one
            filled = _fill(source, buffer, 0, 1 if way.taken == 0 else chunk_bytes)
            if way.taken == 0:
                first_byte_seconds = elapsed()
                filled = filled and _fill(source, buffer, filled, chunk_bytes)
            if filled == 0:
                break
            del buffer[filled:]  # only the last chunk is shorter; it is not filled again
            ring.append((buffer, way.take(buffer)))
            progress(Progress(way.taken, inspector.rows, elapsed()))
        for _, busy in ring:
            _wait(busy)
        way.finish()
    inspection = inspector.finish()
    progress(Progress(way.taken, inspection.rows, elapsed()))
    if inspection.problem is not None:
        raise NOT_WHOLE.raised(f"{inspection.problem}, after {way.content_bytes:,} bytes")
    sink.finish(storing.size)
    return Transferred(
        inspection=inspection,
        bytes=storing.size,
        sha256=storing.sha256,
        content_bytes=way.content_bytes,
        content_sha256=way.content_sha256,
        protocol=source.protocol,
        evidence=source.evidence,
        seconds=elapsed(),
        first_byte_seconds=first_byte_seconds,
    )


class _Storing:
    """Appends chunks and hashes them, each in order, on threads of their own."""

    def __init__(self, sink: Sink, threads: ExitStack) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self._appending = threads.enter_context(ThreadPoolExecutor(IN_FLIGHT, "append"))
        self._hashing = threads.enter_context(ThreadPoolExecutor(1, "hash"))
        self.size = 0

    def take(self, chunk: bytearray) -> list[Future[None]]:
        if self.size == 0:
            self._sink.open()
        position, self.size = self.size, self.size + len(chunk)
        return [
            self._appending.submit(self._sink.append, position, chunk),
            self._hashing.submit(self._hash.update, chunk),
        ]

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _Plain:
    """Stored as it is read."""

    def __init__(self, storing: _Storing, inspector: Inspector, threads: ExitStack) -> None:
        self._storing = storing
        self._inspector = inspector
        self._inspecting = threads.enter_context(ThreadPoolExecutor(1, "inspect"))
        self.taken = 0

    @property
    def content_bytes(self) -> int:
        return self._storing.size

    @property
    def content_sha256(self) -> str:
        return self._storing.sha256

    def take(self, chunk: bytearray) -> list[Future[None]]:
        self.taken += len(chunk)
        return [*self._storing.take(chunk), self._inspecting.submit(self._inspector.update, chunk)]

    def finish(self) -> None:
        """Nothing is left: what was taken was stored."""


class _Packing:
    """Read as content, stored as gzip."""

    def __init__(self, storing: _Storing, inspector: Inspector, threads: ExitStack, chunk_bytes: int) -> None:
        self._storing = storing
        self._content = Hashed(inspector.update)
        self._inspecting = threads.enter_context(ThreadPoolExecutor(1, "inspect"))
        self._compressor = Compressor(chunk_bytes)
        self._stored: deque[list[Future[None]]] = deque()
        self.taken = 0

    @property
    def content_bytes(self) -> int:
        return self.taken

    @property
    def content_sha256(self) -> str:
        return self._content.sha256

    def take(self, chunk: bytearray) -> list[Future[None]]:
        self.taken += len(chunk)
        reading = self._inspecting.submit(self._content.update, chunk)
        for packed in self._compressor.update(chunk):
            self._store(packed)
        return [reading]

    def finish(self) -> None:
        if self.taken:
            self._store(self._compressor.finish())
        for busy in self._stored:
            _wait(busy)

    def _store(self, packed: bytearray) -> None:
        self._stored.append(self._storing.take(packed))
        if len(self._stored) > IN_FLIGHT:
            _wait(self._stored.popleft())


class _Passing:
    """Read as gzip and stored as it came; the content is read beside."""

    def __init__(self, source: PackedSource, storing: _Storing, inspector: Inspector, threads: ExitStack) -> None:
        self._storing = storing
        self._content = Hashed(inspector.update)
        self._unpacking = Unpacking(source.unpacked, self._content.update, threads)
        self.taken = 0

    @property
    def content_bytes(self) -> int:
        return self._content.size

    @property
    def content_sha256(self) -> str:
        return self._content.sha256

    def take(self, chunk: bytearray) -> list[Future[None]]:
        self.taken += len(chunk)
        return [*self._storing.take(chunk), self._unpacking.submit(chunk)]

    def finish(self) -> None:
        self._unpacking.finish()


def _packed_way(
    source: Source, storing: _Storing, inspector: Inspector, threads: ExitStack, chunk_bytes: int
) -> _Packing | _Passing:
    """Return the way from what is read to what is stored as gzip."""
    if isinstance(source, PackedSource) and source.is_packed:
        return _Passing(source, storing, inspector, threads)
    return _Packing(storing, inspector, threads, chunk_bytes)


def _wait(busy: list[Future[None]]) -> None:
    for future in busy:
        future.result()


def _fill(source: Source, buffer: bytearray, filled: int, enough: int) -> int:
    """Read until the buffer holds enough or the body ended; how many bytes it now holds."""
    with memoryview(buffer) as view:
        while filled < enough:
            read = source.readinto(view[filled:])
            if read == 0:
                break
            filled += read
    return filled
