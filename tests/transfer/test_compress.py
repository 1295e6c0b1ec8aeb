"""gzip at rest: what is stored decompresses to what came, and is proven by hashes of its own."""

import gzip
import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.errors import Cause, RetryableError, Who
from pigment_export.transfer.compress import CompressedSink
from pigment_export.transfer.stream import transfer


class Kept:
    """A sink in memory."""

    def __init__(self, failing_at: int | None = None) -> None:
        self.parts: dict[int, bytes] = {}
        self.size: int | None = None
        self.opened = False
        self._failing_at = failing_at

    def open(self) -> None:
        self.opened = True

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        if self._failing_at is not None and position >= self._failing_at:
            raise RetryableError(Cause("lake_unavailable", "no answer", Who.NO_ACTION, "look"))
        self.parts[position] = bytes(data)

    def finish(self, size: int) -> None:
        self.size = size

    @property
    def data(self) -> bytes:
        return b"".join(self.parts[position] for position in sorted(self.parts))


class Body:
    """A source in memory."""

    protocol = "HTTP/2"
    evidence = "END_STREAM"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readinto(self, buffer: memoryview) -> int:
        chunk, self._data = self._data[: len(buffer)], self._data[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 300), st.randoms(use_true_random=False))
def test_what_is_stored_decompresses_to_what_came(rows: int, chunk_bytes: int, chance: random.Random) -> None:
    body = b"A;B\n" + b"".join(b"%d;%d\n" % (chance.getrandbits(32), row) for row in range(rows))
    kept = Kept()
    sink = CompressedSink(kept, chunk_bytes=chunk_bytes)
    moved = transfer(Body(body), sink, delimiter=b";", chunk_bytes=64)
    assert gzip.decompress(kept.data) == body
    assert all(len(part) <= chunk_bytes for part in kept.parts.values())
    assert (kept.size, sink.bytes) == (len(kept.data), len(kept.data))
    assert sink.sha256 == hashlib.sha256(kept.data).hexdigest()
    assert (moved.inspection.bytes, moved.inspection.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_the_same_body_is_stored_as_the_same_bytes_whenever_that_is() -> None:
    body = b"A;B\n" + b"1;2\n" * 1000
    stored = []
    for _ in range(2):
        kept = Kept()
        transfer(Body(body), CompressedSink(kept), delimiter=b";")
        stored.append(kept.data)
    assert stored[0] == stored[1]


def test_an_append_that_fails_ends_the_transfer_with_its_own_error() -> None:
    noise = [hashlib.sha256(b"%d" % row).hexdigest().encode() for row in range(5000)]  # that hardly shrinks
    rows = b"A;B\n" + b"".join(b"%s;1\n" % row for row in noise)
    kept = Kept(failing_at=1)
    with pytest.raises(RetryableError):
        transfer(Body(rows), CompressedSink(kept, chunk_bytes=100), delimiter=b";", chunk_bytes=1000)
    assert kept.size is None
