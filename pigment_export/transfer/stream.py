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
    """The body of one answer; what opened it makes its errors ours."""

    protocol: str
    """What it came over, e.g. `HTTP/2`."""
    evidence: str
    """What proved its end; to be asked after the end."""
    delimiter: bytes
    """What stands between the fields of the CSV that it gives."""
    unpack: Callable[[Chunk], Iterator[bytes]] | None
    """What makes the content of what `readinto` gave, chunk by chunk, an empty one last; None: it is the content.

    The chunks are gzip, to be stored as they came. Errors as of `readinto`, since their end is proven, too.
    """

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer's beginning; 0 only at an end that is proven, and again behind it; an error at any other."""


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


type Listen = Callable[[Progress], None]


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
    "export the block by hand in Pigment, compare the files, and report the difference to Pigment's support",
    what="the body ended, but it is not a complete CSV",
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
    progress: Listen = lambda _: None,
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
        Exception: what source or sink raised, as it is.
    """
    elapsed = elapsed or stopwatch()
    beginning = bytearray(chunk_bytes)
    with memoryview(beginning) as view:
        begun = source.readinto(view)
    first_byte_seconds = elapsed()
    taken = stored_bytes = content_bytes = 0
    stored_sha256 = hashlib.sha256()
    content_sha256 = hashlib.sha256() if gzip else stored_sha256
    inspector = Inspector(source.delimiter)
    unpack = source.unpack or _as_it_is
    pack = _packer(chunk_bytes) if gzip and not source.unpack else _as_it_is

    def inspect(chunk: Chunk) -> None:
        nonlocal content_bytes
        for piece in unpack(chunk):
            content_bytes += len(piece)
            if gzip:
                content_sha256.update(piece)
            inspector.update(piece)

    # Leaving the block waits for what is under way: nothing is appended after an error has been raised.
    with (
        ThreadPoolExecutor(IN_FLIGHT, "append") as appending,
        ThreadPoolExecutor(1, "hash") as hashing,
        ThreadPoolExecutor(1, "inspect") as inspecting,
    ):
        # A generator: once it is over, no name keeps the last piece, which may be as large as a buffer.
        def store(pieces: Iterable[Chunk]) -> Iterator[Future[None]]:
            nonlocal stored_bytes
            for piece in pieces:
                if not stored_bytes:
                    sink.open()
                yield appending.submit(sink.append, stored_bytes, piece)
                yield hashing.submit(stored_sha256.update, piece)
                stored_bytes += len(piece)

        for chunk, busy in _chunks(source, beginning, begun):
            taken += len(chunk)
            busy.append(inspecting.submit(inspect, chunk))
            busy.extend(store(pack(chunk) if taken else ()))  # of no byte at all, nothing is made
            if chunk:
                progress(Progress(taken, inspector.rows, elapsed()))
    inspection = inspector.finish()
    progress(Progress(taken, inspection.rows, elapsed()))
    if inspection.problem is not None:
        raise NOT_WHOLE.raised(f"{inspection.problem}, after {content_bytes:,} bytes")
    sink.finish(stored_bytes)
    return Transferred(
        inspection=inspection,
        bytes=stored_bytes,
        sha256=stored_sha256.hexdigest(),
        content_bytes=content_bytes,
        content_sha256=content_sha256.hexdigest(),
        protocol=source.protocol,
        evidence=source.evidence,
        seconds=elapsed(),
        first_byte_seconds=first_byte_seconds,
    )


def _chunks(source: Source, buffer: bytearray, filled: int) -> Iterator[tuple[bytearray, list[Future[None]]]]:
    """Yield a body's chunks, an empty one last, each with a list for what is begun with it.

    A buffer is filled again once all that is in its list is done; the end is reached once everything is.

    Args:
        source: the body.
        buffer: of the first chunk; all but the last are as long.
        filled: how many bytes of it have been read.
    """
    chunk_bytes = len(buffer)
    ring: deque[tuple[bytearray, list[Future[None]]]] = deque()
    while True:
        with memoryview(buffer) as view:
            while filled < chunk_bytes and (count := source.readinto(view[filled:])):
                filled += count
        if filled:
            del buffer[filled:]  # only the last one is shorter; it is not filled again
            ring.append((buffer, []))
            yield ring[-1]
        if filled < chunk_bytes:
            break
        if len(ring) > IN_FLIGHT:
            buffer, busy = ring.popleft()
            _wait(busy)
        else:
            buffer = bytearray(chunk_bytes)  # not before it is needed: most exports fit into one
        filled = 0
    ring.append((bytearray(), []))
    yield ring[-1]
    for _, busy in ring:
        _wait(busy)


def _wait(busy: list[Future[None]]) -> None:
    for future in busy:
        future.result()


def _as_it_is(chunk: Chunk) -> Iterable[Chunk]:
    return (chunk,) if chunk else ()


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
