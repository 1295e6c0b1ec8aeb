"""Bytes from a source through the inspector to a sink: whole and in order, or an error and nothing finished."""

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.errors import Cause, PermanentError, RetryableError, Who
from pigment_export.pigment.http2.exceptions import BodyCut
from pigment_export.pigment.http2.gzip import Inflated
from pigment_export.transfer.stream import IN_FLIGHT, Progress, transfer

CAUSE = Cause("x", "x failed", Who.NO_ACTION, "wait")


class Bytes:
    """A source that gives its bytes in pieces of given sizes."""

    protocol = "HTTP/2"
    evidence = "END_STREAM"
    delimiter = b";"
    unpack: Callable[[bytes | bytearray], Iterator[bytes]] | None = None

    def __init__(self, data: bytes, sizes: Sequence[int] = (1 << 20,), error: Exception | None = None) -> None:
        self._data = data
        self._sizes = list(sizes)
        self._error = error

    def readinto(self, buffer: memoryview) -> int:
        self._sizes.append(self._sizes.pop(0))
        size = min(self._sizes[-1], len(buffer))
        piece, self._data = self._data[:size], self._data[size:]
        buffer[: len(piece)] = piece
        if not piece and self._error:
            raise self._error
        return len(piece)


class Kept:
    """A sink that keeps what it gets, by position."""

    def __init__(self) -> None:
        self.opened = 0
        self.pieces: dict[int, bytes] = {}
        self.size: int | None = None

    def open(self) -> None:
        self.opened += 1

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        assert self.opened
        self.pieces[position] = bytes(data)

    def finish(self, size: int) -> None:
        self.size = size

    def content(self) -> bytes:
        content = b""
        for position, piece in sorted(self.pieces.items()):
            assert position == len(content)
            content += piece
        return content


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.text("abc é", max_size=5), st.integers()), max_size=30),
    st.lists(st.integers(1, 50), min_size=1),
    st.integers(1, 64),
)
def test_what_arrives_is_what_was_sent_whatever_the_cuts(
    rows: list[tuple[str, int]], sizes: list[int], chunk_bytes: int
) -> None:
    data = "".join(["name;number\n", *(f"{name};{number}\n" for name, number in rows)]).encode()
    sink = Kept()
    moved = transfer(Bytes(data, sizes), sink, chunk_bytes=chunk_bytes)
    assert sink.content() == data
    assert sink.size == len(data)
    assert sink.opened == 1
    assert all(len(piece) == chunk_bytes for piece in [piece for _, piece in sorted(sink.pieces.items())][:-1])
    assert moved.inspection.rows == len(rows)
    assert moved.sha256 == moved.content_sha256 == hashlib.sha256(data).hexdigest()
    assert (moved.protocol, moved.evidence) == ("HTTP/2", "END_STREAM")


def test_a_body_without_a_byte_opens_nothing() -> None:
    sink = Kept()
    with pytest.raises(RetryableError) as raised:
        transfer(Bytes(b""), sink)
    assert raised.value.cause.code == "ending_not_whole"
    assert not sink.opened


def test_a_body_that_is_not_whole_is_not_finished() -> None:
    sink = Kept()
    with pytest.raises(RetryableError) as raised:
        transfer(Bytes(b'a;b\n1;"2'), sink, chunk_bytes=3)
    assert raised.value.cause.code == "ending_not_whole"
    assert sink.size is None


def test_an_error_of_the_source_is_raised_and_nothing_is_finished() -> None:
    sink, error = Kept(), RetryableError(CAUSE)
    with pytest.raises(RetryableError) as raised:
        transfer(Bytes(b"a;b\n1;2\n", [3], error), sink, chunk_bytes=3)
    assert raised.value is error
    assert sink.size is None


@pytest.mark.parametrize("fails_at", [0, 3, 6])
def test_an_error_of_the_sink_is_raised_and_nothing_is_finished(fails_at: int) -> None:
    error = PermanentError(CAUSE)

    class Failing(Kept):
        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
            if position == fails_at:
                raise error
            super().append(position, data)

    sink = Failing()
    with pytest.raises(PermanentError) as raised:
        transfer(Bytes(b"a;b\n1;2\n3;4\n"), sink, chunk_bytes=3)
    assert raised.value is error
    assert sink.size is None


def test_nothing_is_appended_once_an_error_has_been_raised() -> None:
    appended: list[int] = []

    class Slow(Kept):
        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:  # noqa: ARG002
            barrier.wait(timeout=30)
            appended.append(position)

    barrier = threading.Barrier(IN_FLIGHT)
    with pytest.raises(RetryableError):
        transfer(Bytes(b"a;b\n12", [3], RetryableError(CAUSE)), Slow(), chunk_bytes=3)
    assert appended in ([0, 3], [3, 0])


def test_no_more_than_the_stated_number_of_chunks_is_ever_in_memory() -> None:
    """The source is not asked for more than the ring holds while the lake takes nothing."""
    taken, release = threading.Event(), threading.Event()

    class Stuck(Kept):
        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
            if position == 0:
                taken.set()
                assert release.wait(timeout=30)
            super().append(position, data)

    class Counted(Bytes):
        read = 0

        def readinto(self, buffer: memoryview) -> int:
            Counted.read += 1
            if Counted.read == IN_FLIGHT + 1:
                assert taken.wait(timeout=30)
                threading.Timer(0.05, release.set).start()  # whatever is read meanwhile would show
            assert release.is_set() or Counted.read <= IN_FLIGHT + 1
            return super().readinto(buffer)

    data = b"ab;\n" * 20
    sink = Stuck()
    transfer(Counted(data, [4]), sink, chunk_bytes=4)
    assert sink.content() == data


def test_progress_is_told_after_each_chunk_and_at_the_end() -> None:
    told: list[Progress] = []
    ticks = map(float, range(100))
    transfer(
        Bytes(b"a;b\n1;2\n"),
        Kept(),
        chunk_bytes=4,
        progress=told.append,
        elapsed=lambda: next(ticks),
    )
    assert [progress.bytes for progress in told] == [4, 8, 8]
    assert told[-1].rows == 1
    assert told[-1].seconds > 0


def test_seconds_count_from_the_asking_and_the_first_byte_is_told_apart() -> None:
    """Pigment computes for minutes before its first byte: the time limit counts those, too."""
    now = 100.0

    class Slow(Bytes):
        def readinto(self, buffer: memoryview) -> int:
            nonlocal now
            now += 7
            return super().readinto(buffer)

    moved = transfer(Slow(b"a;b\n1;2\n"), Kept(), elapsed=lambda: now - 50)
    assert moved.first_byte_seconds == 57
    assert moved.seconds == 64


class Packable(Bytes):
    """A source whose content is to be stored as gzip, and which may be gzip already."""

    def __init__(self, data: bytes, sizes: Sequence[int] = (1 << 20,), *, is_packed: bool) -> None:
        super().__init__(data, sizes)
        self.unpack = Inflated(self.readinto, one_member=False).update if is_packed else None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.lists(st.integers(1, 500), min_size=1), st.integers(1, 200), st.booleans())
def test_gzip_is_stored_as_it_came_and_what_is_none_is_packed(
    rows: int,
    sizes: list[int],
    chunk_bytes: int,
    is_packed: bool,  # noqa: FBT001 - drawn, not passed
) -> None:
    content = "".join(["name;number\n", *(f"é{row};{row * 7919}\n" for row in range(rows))]).encode()
    came = gzip.compress(content) if is_packed else content
    sink = Kept()
    moved = transfer(Packable(came, sizes, is_packed=is_packed), sink, gzip=True, chunk_bytes=chunk_bytes)
    stored = sink.content()
    assert gzip.decompress(stored) == content
    assert stored == came or not is_packed
    assert (moved.bytes, moved.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert (moved.content_bytes, moved.content_sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (sink.size, moved.inspection.rows) == (len(stored), rows)
    assert all(len(piece) == chunk_bytes for _, piece in sorted(sink.pieces.items())[:-1])


@pytest.mark.parametrize("cut", [0, 1, 30, 5_000, -1])
def test_gzip_that_is_cut_is_stored_by_no_one(cut: int) -> None:
    """Whether the reader behind fails at once or at the end, while chunks wait for it."""
    whole = gzip.compress(b"".join(hashlib.sha256(bytes([row])).hexdigest().encode() for row in range(256)) * 20)
    sink = Kept()
    with pytest.raises(BodyCut):
        transfer(Packable(whole[:cut], is_packed=True), sink, gzip=True, chunk_bytes=1000)
    assert sink.size is None


def test_a_body_that_is_no_csv_is_not_finished_as_gzip() -> None:
    for is_packed in (True, False):
        content = b"a;b\n1;2\n3"
        sink = Kept()
        with pytest.raises(RetryableError) as raised:
            transfer(
                Packable(gzip.compress(content) if is_packed else content, is_packed=is_packed),
                sink,
                gzip=True,
            )
        assert raised.value.cause.code == "ending_not_whole"
        assert sink.size is None


@pytest.mark.parametrize("is_packed", [True, False])
def test_an_error_of_the_sink_ends_what_is_stored_as_gzip(*, is_packed: bool) -> None:
    error = PermanentError(CAUSE)

    class Failing(Kept):
        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
            del position, data
            raise error

    content = b"a;b\n" + b"1;2\n" * 100_000
    source = Packable(gzip.compress(content, 0) if is_packed else content, is_packed=is_packed)
    with pytest.raises(PermanentError) as raised:
        transfer(source, Failing(), gzip=True, chunk_bytes=1000)
    assert raised.value is error
