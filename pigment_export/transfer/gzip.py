"""gzip at rest: what did not come compressed is compressed on the way, what did is stored as it came and read beside.

Both ways the CSV is inspected, and hashed apart from the stored bytes.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Protocol

from isal import isal_zlib

LEVEL = 1  # of isal's: 330 MB/s, as small as its higher levels make it but for two in a hundred (docs/benchmarks.md)
_GZIP = 31  # zlib's code for gzip's own header and trailer
_DECODED_BYTES = 256 * 1024  # read at once; stays in a core's cache


class Reader(Protocol):
    """Where bytes come from."""

    def readinto(self, target: memoryview, /) -> int:
        """Fill a buffer's beginning; 0 at the end."""


class Compressor:
    """Makes one gzip member of what it takes; the same bytes make the same member.

    Args:
        chunk_bytes: of what it gives, but for the last piece.
    """

    def __init__(self, chunk_bytes: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._packer = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._packed = bytearray()

    def update(self, chunk: bytes | bytearray) -> Iterator[bytearray]:
        """Take the next bytes; yields what is complete."""
        self._packed += self._packer.compress(chunk)
        while len(self._packed) >= self._chunk_bytes:
            yield self._packed[: self._chunk_bytes]
            del self._packed[: self._chunk_bytes]

    def finish(self) -> bytearray:
        """Return the rest, trailer and all."""
        return self._packed + self._packer.flush()


class Hashed:
    """Takes bytes, hashes them, and hands them on.

    Args:
        take: what takes them next.
    """

    def __init__(self, take: Callable[[bytes | bytearray], None]) -> None:
        self._take = take
        self._sha256 = hashlib.sha256()
        self.size = 0

    def update(self, chunk: bytes | bytearray) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        self._sha256.update(chunk)
        self._take(chunk)

    @property
    def sha256(self) -> str:
        """Of all that came, hexadecimal."""
        return self._sha256.hexdigest()


class Unpacking:
    """Reads what is in gzip chunks on a thread of its own, while they are stored.

    Args:
        unpack: makes a reader of the content from one of the chunks.
        take: takes the content.
        threads: ends the thread.
    """

    def __init__(self, unpack: Callable[[Reader], Reader], take: Callable[[bytes], None], threads: ExitStack) -> None:
        self._chunks: SimpleQueue[tuple[bytearray, Future[None]] | None] = SimpleQueue()
        self._unpack = unpack
        self._take = take
        self._chunk: tuple[memoryview, Future[None]] | None = None
        self._ended = False  # no further chunk comes
        self._done = threads.enter_context(ThreadPoolExecutor(1, "unpack")).submit(self._run)
        threads.callback(self._chunks.put, None)  # before the thread is waited for

    def submit(self, chunk: bytearray) -> Future[None]:
        """Take the next chunk; the future is done when it may be filled again."""
        future: Future[None] = Future()
        self._chunks.put((chunk, future))
        return future

    def finish(self) -> None:
        """Wait for the end of the content.

        Raises:
            ExportError: what the reader raised.
        """
        self._chunks.put(None)
        self._done.result()

    def readinto(self, target: memoryview, /) -> int:
        """Give the chunks' bytes, as the thread's reader asks for them."""
        if self._chunk is None:
            following = None if self._ended else self._chunks.get()
            if following is None:
                self._ended = True
                return 0
            self._chunk = memoryview(following[0]), following[1]
        view, future = self._chunk
        count = min(len(target), len(view))
        target[:count] = view[:count]
        rest = view[count:]
        view.release()
        self._chunk = (rest, future) if rest else None
        if not rest:
            rest.release()
            future.set_result(None)
        return count

    def _run(self) -> None:
        try:
            reader = self._unpack(self)
            buffer = memoryview(bytearray(_DECODED_BYTES))
            while count := reader.readinto(buffer):
                self._take(bytes(buffer[:count]))
        except BaseException as error:
            self._refuse_all(error)
            raise

    def _refuse_all(self, error: BaseException) -> None:
        """Fail what waits, and what comes, until the end is told."""
        if self._chunk is not None:
            self._chunk[0].release()
            self._chunk[1].set_exception(error)
        while not self._ended and (following := self._chunks.get()) is not None:
            following[1].set_exception(error)
