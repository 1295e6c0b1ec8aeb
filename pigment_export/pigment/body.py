"""The body of an export as `transfer` reads it: with a proven end, and checked for error pages."""

from collections.abc import Callable, Iterator
from functools import partial

import requests

from pigment_export.pigment.evidence import SNIFFED_BYTES, refusal_of_beginning, refusal_of_head
from pigment_export.pigment.http2.body import body_of
from pigment_export.pigment.http2.gzip import Inflated
from pigment_export.transfer.stream import Chunk


class CheckedBody:
    """A body as `transfer` reads it.

    Args:
        response: Pigment's, with status 200.
        delimiter: between the fields of the CSV.
        keeps_gzip: whether to pass on a gzip body as it came; `unpack` then decodes it.

    Raises:
        ExportError: the answer's headers show that it is not a complete CSV.
        UnprovenEnd: nothing would prove its end.
    """

    def __init__(self, response: requests.Response, delimiter: bytes, *, keeps_gzip: bool) -> None:
        if refusal := refusal_of_head(response.headers):
            raise refusal
        body = body_of(response)
        content = body.decoded()
        packed = content if keeps_gzip and isinstance(content, Inflated) else None
        self._body = body if packed else content
        self.delimiter = delimiter
        self._held: bytes | None = b""  # the content's beginning until it is checked, then None
        self._rest = b""  # of the checked beginning, not yet returned by `readinto`
        self.unpack: Callable[[Chunk], Iterator[bytes]] | None = partial(self._unpack, packed) if packed else None
        self.protocol = body.protocol
        self.evidence = body.evidence

    def readinto(self, buffer: memoryview) -> int:
        """Fill the beginning of a buffer; returns 0 only at a proven end."""
        if self.unpack:
            return self._body.readinto(buffer)
        while self._held is not None:
            count = self._body.readinto(buffer[:SNIFFED_BYTES])
            self._rest = self._looked_at(bytes(buffer[:count]))
        if not self._rest:
            return self._body.readinto(buffer)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _unpack(self, packed: Inflated, chunk: Chunk) -> Iterator[bytes]:
        for piece in packed.update(chunk):
            yield self._looked_at(piece)
        if not chunk:
            yield self._looked_at(b"")

    def _looked_at(self, piece: bytes) -> bytes:
        """Add a piece of the content, empty at its end; returns the bytes that are checked by now."""
        if self._held is None:
            return piece
        self._held += piece
        if piece and len(self._held) < SNIFFED_BYTES:
            return b""
        if refusal := refusal_of_beginning(self._held[:SNIFFED_BYTES], self.delimiter):
            raise refusal
        held, self._held = self._held, None
        return held
