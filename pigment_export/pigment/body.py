"""The body of an export as `transfer` reads it: its errors are ours, and it is no page by its beginning."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from pigment_export.keys import Key
from pigment_export.pigment.errors import failure_of
from pigment_export.pigment.evidence import SNIFFED_BYTES, refusal_of_beginning
from pigment_export.pigment.http2.body import Body
from pigment_export.pigment.redaction import without
from pigment_export.retry import Deadline

FIRST_TRY_SECONDS = 60.0  # a try that begins this early has the whole call for itself


class Try:
    """One try: which key it shows, and how its failures are told."""

    def __init__(self, key: Key, deadline: Deadline) -> None:
        self.key = key
        self._first = time.monotonic() - deadline.began_at <= FIRST_TRY_SECONDS

    @contextmanager
    def classified(self) -> Iterator[None]:
        """Turn what the transport raises into our errors."""
        try:
            yield
        except requests.RequestException as exc:
            # Without the chain: the exceptions below quote what the other side sent, which may hold the key.
            raise failure_of(exc, detail=self.redacted(str(exc)), first_try=self._first) from None

    def redacted(self, text: str) -> str:
        """Return a text of the other side without any part of the key."""
        return without(self.key.reveal(), text)


class CheckedBody:
    """A body as `transfer` reads it: its errors are ours, and no page by the beginning of its content.

    Args:
        body: of the answer, proven.
        delimiter: between the fields of the CSV.
        tried: how failures are told.
        keeps_gzip: whether what comes as gzip is given as it came; its content then is what `unpack` makes of it.
    """

    def __init__(self, body: Body, delimiter: bytes, tried: Try, *, keeps_gzip: bool) -> None:
        is_packed = keeps_gzip and body.encoding == "gzip"
        self._body = body if is_packed else body.decoded()
        self._inflated = body.inflated()
        self.delimiter = delimiter
        self._tried = tried
        self._is_begun = False  # the content's beginning was looked at
        self._beginning = bytearray()  # of the content, not yet given
        self.unpack: Callable[[bytes | bytearray], Iterator[bytes]] | None = self._unpack if is_packed else None
        self.protocol = body.protocol
        self.evidence = body.evidence

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer's beginning; 0 only at an end that is proven."""
        if self.unpack:
            return self._read(buffer)
        if not self._is_begun:
            room = memoryview(bytearray(SNIFFED_BYTES))
            while (left := SNIFFED_BYTES - len(self._beginning)) and (count := self._read(room[:left])):
                self._beginning += room[:count]
            self._look_at_beginning()
        if not self._beginning:
            return self._read(buffer)
        count = min(len(buffer), len(self._beginning))
        buffer[:count] = self._beginning[:count]
        del self._beginning[:count]
        return count

    def _read(self, buffer: memoryview) -> int:
        with self._tried.classified():
            return self._body.readinto(buffer)

    def _unpack(self, chunk: bytes | bytearray) -> Iterator[bytes]:
        with self._tried.classified():
            for piece in self._inflated.update(chunk):
                if self._is_begun:
                    yield piece
                    continue
                self._beginning += piece
                if len(self._beginning) >= SNIFFED_BYTES:
                    self._look_at_beginning()
                    yield bytes(self._beginning)
        if not chunk and not self._is_begun:
            self._look_at_beginning()
            yield bytes(self._beginning)

    def _look_at_beginning(self) -> None:
        if refusal := refusal_of_beginning(bytes(self._beginning[:SNIFFED_BYTES]), self.delimiter):
            raise refusal
        self._is_begun = True
