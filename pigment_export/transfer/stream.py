"""The core: bytes from a source, through the inspector, to a file out of sight; download and upload overlap.

Memory is a constant: `IN_FLIGHT + 1` buffers that go round. One is filled while the others are being appended and
inspected; a buffer is filled again only when both are done with it. What a source and a sink are is said here.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pigment_export.errors import Cause, RetryableError, Who
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
    """What a transfer moved, what proves it, and how long it took: from asking to the end, and to the first byte."""

    inspection: Inspection
    protocol: str
    evidence: str
    seconds: float
    first_byte_seconds: float


def transfer(
    source: Source,
    sink: Sink,
    *,
    delimiter: bytes,
    progress: Callable[[Progress], None] = lambda _: None,
    chunk_bytes: int = CHUNK_BYTES,
    clock: Callable[[], float] = time.monotonic,
    asked_at: float | None = None,
) -> Transferred:
    """Move a body to a sink and prove it on the way.

    Args:
        source: the body; read on this thread alone.
        sink: where it goes; finished only if the body is whole.
        delimiter: between the fields of the CSV.
        progress: called on this thread after each chunk.
        chunk_bytes: of one append.
        clock: seconds that never go back.
        asked_at: when the source was asked, by `clock`, so that its preparation counts; None for now.

    Returns:
        What was moved.

    Raises:
        RetryableError: the body ended, but not as a whole CSV does.
        ExportError: what source or sink raised.
    """
    began = clock() if asked_at is None else asked_at
    inspector = Inspector(delimiter)
    size = 0
    first_byte_seconds = 0.0
    # Leaving the block waits for what is under way: nothing is appended after an error has been raised.
    with ThreadPoolExecutor(1, "inspect") as inspecting, ThreadPoolExecutor(IN_FLIGHT, "append") as appending:
        ring: deque[tuple[bytearray, list[Future[None]]]] = deque()
        while True:
            if len(ring) > IN_FLIGHT:
                buffer, busy = ring.popleft()
                _wait(busy)
            else:
                buffer = bytearray(chunk_bytes)  # not before it is needed: most exports fit into one
            filled = _fill(source, buffer, 0, 1 if size == 0 else chunk_bytes)
            if size == 0:
                first_byte_seconds = clock() - began
                filled = filled and _fill(source, buffer, filled, chunk_bytes)
            if filled == 0:
                break
            if size == 0:
                sink.open()
            del buffer[filled:]  # only the last chunk is shorter; it is not filled again
            futures = [appending.submit(sink.append, size, buffer), inspecting.submit(inspector.update, buffer)]
            ring.append((buffer, futures))
            size += filled
            progress(Progress(size, inspector.rows, clock() - began))
            if filled < chunk_bytes:
                break
        for _, busy in ring:
            _wait(busy)
    inspection = inspector.finish()
    progress(Progress(size, inspection.rows, clock() - began))
    if inspection.problem is not None:
        raise RetryableError(
            Cause(
                "ending_not_whole",
                f"the body ended after {size:,} bytes, but it is not whole: {inspection.problem}",
                Who.PIGMENT,
                "export the same block in Pigment by hand, compare, and report the difference to Pigment's support",
            )
        )
    sink.finish(size)
    return Transferred(inspection, source.protocol, source.evidence, clock() - began, first_byte_seconds)


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
