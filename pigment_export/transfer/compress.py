"""A sink that compresses on the way to another: gzip at rest, whatever the source sends."""

import hashlib
import threading

from isal import isal_zlib

from pigment_export.transfer.stream import CHUNK_BYTES, Sink

_GZIP = 31  # window bits: the largest window, in a gzip frame whose header has neither a time nor a name
LEVEL = 1  # of isal's 0 to 3: higher ones made CSV a tenth smaller for twice the time


class CompressedSink:
    """Compresses what is appended, in order, and appends it to another sink; the file's own proofs are kept here.

    Args:
        sink: takes the gzip stream.
        chunk_bytes: of one append to it.
    """

    def __init__(self, sink: Sink, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._sink = sink
        self._chunk_bytes = chunk_bytes
        self._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._digest = hashlib.sha256()
        self._waiting = bytearray()  # compressed, and not yet enough for an append
        self._turn = threading.Condition()  # appends come on several threads, and a stream has one order
        self._next = 0  # position of the bytes that are compressed next
        self._is_broken = False
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of the compressed bytes so far, hexadecimal."""
        return self._digest.hexdigest()

    def open(self) -> None:
        """Make the other sink's file."""
        self._sink.open()

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Compress bytes when all before them have been compressed.

        Args:
            position: of the first of them, uncompressed.
            data: the bytes.
        """
        with self._turn:
            self._turn.wait_for(lambda: self._next == position or self._is_broken)
            if self._is_broken:
                return  # another thread has raised why; nothing of this stream is finished
            self._is_broken = True  # until this has been appended
            self._keep(self._compressor.compress(data))
            self._next += len(data)
            self._is_broken = False
            self._turn.notify_all()

    def finish(self, size: int) -> None:
        """Write the end of the stream, and make sure that all of it is kept.

        Args:
            size: of what was appended, uncompressed.
        """
        if size != self._next:
            raise AssertionError(f"{self._next:,} of {size:,} bytes were compressed")
        self._keep(self._compressor.flush(), least=1)
        self._sink.finish(self.bytes)

    def _keep(self, compressed: bytes, *, least: int | None = None) -> None:
        """Append what is there in chunks, as long as there are at least so many bytes."""
        self._digest.update(compressed)
        self._waiting += compressed
        while len(self._waiting) >= (least or self._chunk_bytes):
            chunk = bytes(self._waiting[: self._chunk_bytes])
            self._sink.append(self.bytes, chunk)
            self.bytes += len(chunk)
            del self._waiting[: len(chunk)]
