"""The core: bytes stream from a source through the inspector to a staged file; download and upload overlap.

Memory is constant: `IN_FLIGHT + 1` buffers in rotation. One is filled while the others are appended, hashed and
inspected, each on its own thread; a buffer is filled again only when all are done with it. The interfaces of a source
and a sink are defined here.

For a file stored as gzip, the source's bytes are stored unchanged if they are gzip already, and decoded for inspection;
otherwise they are compressed on the way. In both cases the CSV is inspected, and hashed separately from the stored
bytes.
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

CHUNK_BYTES = 8 * 1024 * 1024  # few large appends beat many small ones: each is a request (docs/benchmarks.md)
IN_FLIGHT = 2  # parallel appends; more gain nothing, and cost a buffer each
GZIP_LEVEL = 1  # isal's: 330 MB/s; higher levels save only another 2 %
_GZIP = 31  # zlib's value for gzip's header and trailer

type Chunk = bytes | bytearray


class Source(Protocol):
    """The body of one answer. It may raise the transport's errors: the block that opened it translates them."""

    protocol: str
    """Protocol, e.g. `HTTP/2`."""
    evidence: str
    """What proved its end; valid after the end."""
    delimiter: bytes
    """Delimiter between the fields of the CSV."""
    unpack: Callable[[Chunk], Iterator[bytes]] | None
    """Decodes the chunks of `readinto`, the last one empty; None if the chunks are the content itself.

    The chunks are gzip then, and are stored as they came. It raises like `readinto`, because it proves their end, too.
    """

    def readinto(self, buffer: memoryview) -> int:
        """Fill the beginning of a buffer. Return 0 only at and after a proven end, and raise at any other end."""


class Sink(Protocol):
    """A file that readers do not see yet."""

    def open(self) -> None:
        """Create the file; called when the body's first bytes have come."""

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Append bytes at a position; called on several threads at once."""

    def finish(self, size: int) -> None:
        """Commit all `size` bytes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a transfer: bytes read, rows inspected, seconds since it began."""

    bytes: int
    rows: int
    seconds: float


type Listen = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Transferred:
    """The result of a transfer: sizes, hashes, evidence, and the time from the request to first byte and end.

    `bytes` and `sha256` are those of the stored file, the others those of the CSV; they differ only for gzip.
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
    """Return a function that returns the seconds since now."""
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
    """Transfer a body to a sink, and prove it on the way.

    Args:
        source: the body; read only on this thread.
        sink: its target; finished only if the body is complete.
        gzip: whether to store it as gzip.
        progress: called on this thread after each chunk.
        chunk_bytes: of one append.
        elapsed: returns seconds since the request, so that the source's preparation counts; None: since now.

    Raises:
        RetryableError: the body ended, but is not a complete CSV.
        Exception: any error of source or sink, unchanged.
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

    # Leaving the block waits for running tasks: nothing is appended after an error was raised.
    with (
        ThreadPoolExecutor(IN_FLIGHT, "append") as appending,
        ThreadPoolExecutor(1, "hash") as hashing,
        ThreadPoolExecutor(1, "inspect") as inspecting,
    ):
        # A generator, so that no name keeps the last piece, which can be as large as a buffer.
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
            busy.extend(store(pack(chunk) if taken else ()))  # for an empty body, no file is created
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
    """Yield a body's chunks, the last one empty, each with a list for the tasks that use it.

    A buffer is filled again when all tasks in its list are done; the iteration ends when all tasks are.

    Args:
        source: the body.
        buffer: of the first chunk; all chunks but the last have its length.
        filled: number of bytes already read into it.
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
            buffer = bytearray(chunk_bytes)  # only when needed: most exports fit into one
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
    """Return a function that compresses chunks into one gzip member, the last chunk empty; its output is deterministic.

    Args:
        chunk_bytes: size of its pieces, except the last.
    """
    compressor = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP)
    packed = bytearray()

    def pack(chunk: Chunk) -> Iterator[bytearray]:
        packed.extend(compressor.compress(chunk) if chunk else compressor.flush())
        while len(packed) >= chunk_bytes or (packed and not chunk):
            yield packed[:chunk_bytes]
            del packed[:chunk_bytes]

    return pack
