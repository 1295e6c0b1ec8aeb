"""gzip, decoded as it streams: whole members with nothing after them, or an error.

A gzip member proves its own end: its trailer has a checksum and a length, which the decoder compares. A body may have
several members. Zero bytes after the last one, which tapes know as padding, are refused like anything else there: no
server pads, so they would be a fault that is not understood yet.
Source: RFC 1952 (https://www.rfc-editor.org/rfc/rfc1952).
"""

from typing import Protocol

from isal import igzip_lib

from pigment_export.pigment.http2.exceptions import BodyCut, UnprovenEnd

ENCODED_BYTES = 128 * 1024  # read at once
DECODED_BYTES = 1024 * 1024  # the most that one step makes of them: gzip shrinks up to a thousandfold


class Encoded(Protocol):
    """Where the encoded bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer's beginning; 0 at the end."""


class Inflated:
    """The decoded bytes of a gzip body.

    Args:
        encoded: the body as it came.
        one_member: whether a second member is an error: nothing else proves the end, and a body that is cut between
            two members looks whole.
    """

    def __init__(self, encoded: Encoded, *, one_member: bool = False) -> None:
        self._one_member = one_member
        self._encoded = encoded
        self._chunk = memoryview(bytearray(ENCODED_BYTES))
        self._input: bytes | memoryview = b""  # not yet given to the decoder, which keeps what it was given
        self._decoder = _decoder()
        self._members = 0
        self._within = False  # a member has begun
        self._ended = False

    def readinto(self, target: memoryview) -> int:
        """Decode into a buffer's beginning.

        Args:
            target: bytes to fill.

        Returns:
            How many were filled; 0 only at the end of a whole body.

        Raises:
            BodyCut: there was no byte, it ended within a member, it is damaged, or something follows it.
            UnprovenEnd: there is a second member, and only one proves the end.
        """
        while not self._ended:
            if self._decoder.eof:
                self._members += 1
                self._input = self._decoder.unused_data
                self._decoder = _decoder()
                self._within = False
            if self._decoder.needs_input and not self._input and not self._fetch():
                break
            data, self._input = self._input, b""
            self._within = self._within or len(data) > 0
            if self._within and self._members and self._one_member:
                raise UnprovenEnd(
                    "the gzip body has several members, and nothing but gzip would prove its end: a cut between two "
                    "members would look like the end"
                )
            decoded = self._decode(data, min(len(target), DECODED_BYTES))
            if decoded:
                target[: len(decoded)] = decoded
                return len(decoded)
        return 0

    def _fetch(self) -> bool:
        count = self._encoded.readinto(self._chunk)
        if count:
            self._input = self._chunk[:count]
            return True
        if self._within:
            raise BodyCut("the gzip body ended before its trailer: it is cut")
        if self._members == 0:
            raise BodyCut("the body is said to be gzip, but it has no byte")
        self._ended = True
        return False

    def _decode(self, data: bytes | memoryview, most: int) -> bytes:
        try:
            return bytes(self._decoder.decompress(data, most))
        except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stubs call the class an instance
            where = f"after {self._members} whole members" if self._members else "in its first member"
            raise BodyCut(f"the gzip body is broken {where}: {error}") from error


def _decoder() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
