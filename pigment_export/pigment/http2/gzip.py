"""gzip, decoded as it streams: whole members with nothing after them, or an error.

A gzip member proves its own end: its trailer has a checksum and a length, which the decoder compares. A body may have
several members. Zero bytes after the last one, which tapes know as padding, are refused like anything else there: no
server pads, so they would be a fault that nobody has understood yet.
Source: RFC 1952 (https://www.rfc-editor.org/rfc/rfc1952).
"""

from typing import Protocol

from isal import igzip_lib
from requests import exceptions

ENCODED_BYTES = 128 * 1024  # read at once
DECODED_BYTES = 1024 * 1024  # the most that one step makes of them: gzip shrinks up to a thousandfold


class GzipEmpty(exceptions.ContentDecodingError):
    """A gzip body without a byte: not even an empty file is encoded so."""


class GzipCut(exceptions.ContentDecodingError):
    """The gzip body ended within a member."""


class GzipBroken(exceptions.ContentDecodingError):
    """The gzip body is damaged, its checksum or length is wrong, or something else follows it."""


class Encoded(Protocol):
    """Where the encoded bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer's beginning; 0 at the end."""


class Inflated:
    """The decoded bytes of a gzip body.

    Args:
        encoded: the body as it came.
    """

    def __init__(self, encoded: Encoded) -> None:
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
            GzipEmpty: there was no byte.
            GzipCut: it ended within a member.
            GzipBroken: it is damaged, or something follows it.
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
            raise GzipCut("the gzip body ended before its trailer: it is cut")
        if self._members == 0:
            raise GzipEmpty("the body is said to be gzip, but it has no byte")
        self._ended = True
        return False

    def _decode(self, data: bytes | memoryview, most: int) -> bytes:
        try:
            return bytes(self._decoder.decompress(data, most))
        except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stubs call the class an instance
            where = f"after {self._members} whole members" if self._members else "in its first member"
            raise GzipBroken(f"the gzip body is broken {where}: {error}") from error


def _decoder() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
