"""gzip bodies: what is whole is decoded, and everything else is an error that says why."""

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.pigment.http2.exceptions import BodyCut, UnprovenEnd
from pigment_export.pigment.http2.gzip import DECODED_BYTES, Inflated


class Pieces:
    """An encoded body that comes in given pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.reads = 0

    def readinto(self, buffer: memoryview, /) -> int:
        self.reads += 1
        if not self._pieces:
            return 0
        piece = self._pieces.pop(0)
        taken = piece[: len(buffer)]
        if len(piece) > len(taken):
            self._pieces.insert(0, piece[len(taken) :])
        buffer[: len(taken)] = taken
        return len(taken)


def inflated(pieces: Pieces, *, one_member: bool = False) -> Inflated:
    return Inflated(pieces.readinto, one_member=one_member)


def decoded(body: Inflated, room: int = 1000) -> bytes:
    """The whole body, read into a buffer of that size."""
    buffer = memoryview(bytearray(room))
    found = b""
    while count := body.readinto(buffer):
        found += buffer[:count]
    assert body.readinto(buffer) == 0  # and stays at its end
    return found


def cut(text: bytes, at: list[int]) -> list[bytes]:
    """A text cut at given places."""
    places = sorted({0, *(place % (len(text) + 1) for place in at), len(text)})
    return [text[a:b] for a, b in pairwise(places)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.lists(st.integers(0, 2000)), st.integers(1, 400))
def test_members_are_decoded_however_the_bytes_are_cut(members: list[bytes], at: list[int], room: int) -> None:
    encoded = b"".join(gzip.compress(member) for member in members)
    assert decoded(inflated(Pieces(*cut(encoded, at))), room) == b"".join(members)
    body = inflated(Pieces())
    pushed = b"".join(step for piece in [*cut(encoded, at), b""] for step in body.update(piece))
    assert pushed == b"".join(members)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_body_cut_anywhere_within_a_member_is_an_error(data: st.DataObject) -> None:
    first, second = gzip.compress(b"Country;Month\n" * 20), gzip.compress(b"FR;Jan 21\n" * 20)
    encoded = first + second
    place = data.draw(st.integers(1, len(encoded) - 1).filter(lambda place: place != len(first)))
    body = inflated(Pieces(encoded[:place]))
    for _ in range(2):  # no end follows an error
        with pytest.raises(BodyCut, match=r"cut|failed before"):
            decoded(body)


def test_a_header_with_a_file_name_is_understood() -> None:
    encoded = bytearray(gzip.compress(b"a;b\n"))
    encoded[3] |= 0x08  # FNAME
    named = bytes(encoded[:10]) + b"export.csv\0" + bytes(encoded[10:])
    assert decoded(inflated(Pieces(*[named[i : i + 1] for i in range(len(named))]))) == b"a;b\n"


def test_a_body_without_a_byte_is_an_error() -> None:
    with pytest.raises(BodyCut):
        decoded(inflated(Pieces()))


def test_an_encoded_empty_text_is_no_error() -> None:
    assert decoded(inflated(Pieces(gzip.compress(b"")))) == b""


@pytest.mark.parametrize("byte", range(-8, 0))
def test_each_byte_of_the_trailer_is_compared(byte: int) -> None:
    encoded = bytearray(gzip.compress(b"a;b\n1;2\n"))
    encoded[byte] ^= 0x01
    with pytest.raises(BodyCut, match="first member"):
        decoded(inflated(Pieces(bytes(encoded))))


@pytest.mark.parametrize("whole_members", [0, 1])
@pytest.mark.parametrize("other", [b"plain text, which is no gzip", zlib.compress(b"zlib has another wrapper")])
def test_anything_but_a_member_is_an_error(whole_members: int, other: bytes) -> None:
    with pytest.raises(BodyCut):
        decoded(inflated(Pieces(gzip.compress(b"a;b\n") * whole_members, other)))


@pytest.mark.parametrize("zeros", [1, 9, 10, 512])
def test_zero_bytes_after_the_last_member_are_refused(zeros: int) -> None:
    with pytest.raises(BodyCut):
        decoded(inflated(Pieces(gzip.compress(b"a;b\n"), bytes(zeros))))


def test_a_bomb_is_decoded_in_bounded_steps_and_nothing_is_read_ahead() -> None:
    bomb = gzip.compress(bytes(200 * DECODED_BYTES), 9)
    pieces = Pieces(bomb)
    body = inflated(pieces)
    buffer = memoryview(bytearray(4 * DECODED_BYTES))
    assert 0 < body.readinto(buffer) <= DECODED_BYTES
    assert pieces.reads == 1


def test_where_only_gzip_proves_the_end_a_second_member_is_refused() -> None:
    """Cut between the two, the body would look whole."""
    one = gzip.compress(b"a;b\n1;2\n")
    assert decoded(inflated(Pieces(one), one_member=True)) == b"a;b\n1;2\n"
    with pytest.raises(UnprovenEnd, match="several members"):
        decoded(inflated(Pieces(one, gzip.compress(b"3;4\n")), one_member=True))
