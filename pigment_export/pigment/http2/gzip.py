"""Decode gzip as a stream: complete members with nothing after them, or an error.

A gzip member proves its own end: its trailer has a checksum and a length, which the decoder compares. A body can have
several members. Anything after the last one is an error, including zero bytes (padding on tapes): no server pads, so
they would be an unknown fault.
Source: RFC 1952 (https://www.rfc-editor.org/rfc/rfc1952).
"""

from collections.abc import Callable, Iterator

from isal import igzip_lib

from pigment_export.pigment.http2.exceptions import BodyCut, UnprovenEnd

ENCODED_BYTES = 128 * 1024  # per read
DECODED_BYTES = 1024 * 1024  # at most, per step: gzip can shrink data a thousandfold


class Inflated:
    """The decoded bytes of a gzip body: `readinto` reads the body itself, `update` decodes bytes that the caller read.

    Args:
        encoded: fills the beginning of a buffer with the body as it came; returns 0 at its end.
        one_member: whether a second member is an error, because nothing else proves the end: a body that is cut between
            two members looks complete.
    """

    def __init__(self, encoded: Callable[[memoryview], int], *, one_member: bool) -> None:
        self._one_member = one_member
        self._decoder = _decoder()
        self._members = 0
        self._within = False  # a member has begun
        self._ended = False
        self._pieces = self._read(encoded)
        self._rest = memoryview(b"")  # decoded, but not yet returned

    def update(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Decode the next bytes of the body, in steps of bounded size. Consume all steps before the next call.

        Args:
            data: as it came; empty at the end.

        Yields:
            Decoded bytes, often none.

        Raises:
            BodyCut: the body is empty, ends within a member, is damaged, or has something after it.
            UnprovenEnd: there is a second member, but only one is allowed.
        """
        if not data:
            if self._within:
                raise BodyCut("the gzip body ended before its trailer: it is cut")
            if self._members == 0:
                raise BodyCut("the body is declared as gzip, but it is empty")
            self._ended = True
        while data or not self._decoder.needs_input:
            self._within = True
            if self._members and self._one_member:
                raise UnprovenEnd(
                    "the gzip body has several members, and nothing but gzip would prove its end: a cut between two "
                    "members would look like the end"
                )
            try:
                decoded = bytes(self._decoder.decompress(data, DECODED_BYTES))  # it keeps its input
            except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stubs call the class an instance
                where = f"after {self._members} whole members" if self._members else "in its first member"
                raise BodyCut(f"the gzip body is broken {where}: {error}") from error
            data = b""
            if self._decoder.eof:
                data = self._decoder.unused_data
                self._decoder = _decoder()
                self._members += 1
                self._within = False
            if decoded:
                yield decoded

    def readinto(self, target: memoryview) -> int:
        """Decode into the beginning of a buffer; raises like `update`.

        Returns:
            How many bytes were filled; 0 only at the end of a complete body.
        """
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                if not self._ended:
                    raise BodyCut("the gzip body failed before")
                return 0
            self._rest = memoryview(piece)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _read(self, encoded: Callable[[memoryview], int]) -> Iterator[bytes]:
        chunk = memoryview(bytearray(ENCODED_BYTES))
        while count := encoded(chunk):
            yield from self.update(chunk[:count])
        yield from self.update(b"")


def _decoder() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
