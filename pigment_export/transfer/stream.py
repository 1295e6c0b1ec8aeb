"""The core: bytes from a source, through the inspector, to a file out of sight; download and upload overlap.

Memory is a constant: `IN_FLIGHT + 1` buffers that go round. One is filled while the others are being appended, hashed
and inspected, each on a thread of its own; a buffer is filled again only when all are done with it. What a source and
a sink are is said here.

A file that is stored as gzip is what the source gives if that is gzip already, and its content is read beside; else it
is compressed on the way. Both ways the CSV is inspected, and hashed apart from the stored bytes.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from isal import isal_zlib

from pigment_export.errors import ErrorRow, RetryableError, Who
from pigment_export.transfer.inspector import Inspection, Inspector

CHUNK_BYTES = 8 * 1024 * 1024  # few and large beat many and small: each append is a request (docs/benchmarks.md)
IN_FLIGHT = 2  # appends at once; more gained nothing and costs a buffer each
GZIP_LEVEL = 1  # of isal's: 330 MB/s, as small as its higher levels make it but for two in a hundred
_GZIP = 31  # zlib's code for gzip's own header and trailer

type Chunk = bytes | bytearray


class Source(Protocol):
    """The body of one answer."""

    @property
    def protocol(self) -> str:
        """What it came over, e.g. `HTTP/2`."""

    @property
    def evidence(self) -> str:
        """What proved its end; to be asked after the end."""

    @property
    def delimiter(self) -> bytes:
        """What stands between the fields of the CSV that it gives."""

    @property
    def unpack(self) -> Callable[[Chunk], Iterable[bytes]] | None:
        """What makes the content of what `readinto` gave, chunk by chunk, an empty one last; None: it is the content.

        The chunks are gzip, to be stored as they came. Errors as of `readinto`, since their end is proven, too.
        """

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer's beginning; 0 only at an end that is proven, an error at any other."""


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
    Who.PIGMENT,
    "export the same block in Pigment by hand, compare, and report the difference to Pigment's support",
    what="the body ended, but it is not whole",
)


def stopwatch() -> Callable[[], float]:
    """Return what tells the seconds from now on."""
    began = time.monotonic()
    return lambda: time.monotonic() - began


def transfer(
    source: Source,
    sink: Sink,
    *,
    gzip: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    chunk_bytes: int = CHUNK_BYTES,
    elapsed: Callable[[], float] | None = None,
) -> Transferred:
    """Move a body to a sink and prove it on the way.

    Args:
        source: the body; read on this thread alone.
        sink: where it goes; finished only if the body is whole.
        gzip: whether to store it as gzip.
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
    taken = 0
    # Leaving the block waits for what is under way: nothing is appended after an error has been raised.
    with ExitStack() as threads:
        stored = _Stored(sink, threads)
        pack = _packer(chunk_bytes) if gzip and not source.unpack else _as_it_is
        content = _Content(Inspector(source.delimiter), source.unpack or _as_it_is, threads, hashes=gzip)
        ring: deque[tuple[bytearray, list[Future[None]]]] = deque()
        filled = chunk_bytes
        while filled == chunk_bytes:
            if len(ring) > IN_FLIGHT:
                buffer, busy = ring.popleft()
                _wait(busy)
            else:
                buffer = bytearray(chunk_bytes)  # not before it is needed: most exports fit into one
            filled = _fill(source, buffer, 0, chunk_bytes if taken else 1)
            if not taken:
                first_byte_seconds = elapsed()
                filled = filled and _fill(source, buffer, filled, chunk_bytes)
            if filled:
                del buffer[filled:]  # only the last chunk is shorter; it is not filled again
                taken += filled
                ring.append((buffer, [content.take(buffer), *stored.take(pack(buffer))]))
                progress(Progress(taken, content.inspector.rows, elapsed()))
        # An empty chunk tells that no more comes; of no byte at all, nothing is made.
        ring.append((bytearray(), [content.take(b""), *(stored.take(pack(b"")) if taken else ())]))
        for _, busy in ring:
            _wait(busy)
    inspection = content.inspector.finish()
    progress(Progress(taken, inspection.rows, elapsed()))
    if inspection.problem is not None:
        raise NOT_WHOLE.raised(f"{inspection.problem}, after {content.size:,} bytes")
    sink.finish(stored.size)
    return Transferred(
        inspection=inspection,
        bytes=stored.size,
        sha256=stored.sha256.hexdigest(),
        content_bytes=content.size,
        content_sha256=(content.sha256 or stored.sha256).hexdigest(),
        protocol=source.protocol,
        evidence=source.evidence,
        seconds=elapsed(),
        first_byte_seconds=first_byte_seconds,
    )


class _Stored:
    """Appends chunks and hashes them, each in order, on threads of their own."""

    def __init__(self, sink: Sink, threads: ExitStack) -> None:
        self._sink = sink
        self._appending = threads.enter_context(ThreadPoolExecutor(IN_FLIGHT, "append"))
        self._hashing = threads.enter_context(ThreadPoolExecutor(1, "hash"))
        self.sha256 = hashlib.sha256()
        self.size = 0

    def take(self, chunks: Iterable[Chunk]) -> Iterator[Future[None]]:
        for chunk in filter(len, chunks):
            if self.size == 0:
                self._sink.open()
            position, self.size = self.size, self.size + len(chunk)
            yield self._appending.submit(self._sink.append, position, chunk)
            yield self._hashing.submit(self.sha256.update, chunk)


class _Content:
    """Inspects the CSV on a thread of its own, and hashes it there if what is stored is not it."""

    def __init__(
        self, inspector: Inspector, unpack: Callable[[Chunk], Iterable[Chunk]], threads: ExitStack, *, hashes: bool
    ) -> None:
        self._unpack = unpack
        self._thread = threads.enter_context(ThreadPoolExecutor(1, "inspect"))
        self.inspector = inspector
        self.sha256 = hashlib.sha256() if hashes else None
        self.size = 0

    def take(self, chunk: Chunk) -> Future[None]:
        return self._thread.submit(self._update, chunk)

    def _update(self, chunk: Chunk) -> None:
        for piece in self._unpack(chunk):
            self.size += len(piece)
            if self.sha256:
                self.sha256.update(piece)
            self.inspector.update(piece)


def _as_it_is(chunk: Chunk) -> tuple[Chunk]:
    return (chunk,)


def _packer(chunk_bytes: int) -> Callable[[Chunk], Iterator[Chunk]]:
    """Return what makes one gzip member of chunks, an empty one last; the same bytes make the same member.

    Args:
        chunk_bytes: of what it gives, but for the last piece.
    """
    compressor = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP)
    packed = bytearray()

    def pack(chunk: Chunk) -> Iterator[bytearray]:
        packed.extend(compressor.compress(chunk) if chunk else compressor.flush())
        while len(packed) >= chunk_bytes or (packed and not chunk):
            yield packed[:chunk_bytes]
            del packed[:chunk_bytes]

    return pack


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
