"""The body of an export as `transfer` reads it: its errors are ours, and it is no page by its beginning."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import requests

from pigment_export.pigment.errors import failure_of
from pigment_export.pigment.evidence import SNIFFED_BYTES, refusal_of_beginning
from pigment_export.pigment.http2.body import ProvenBody, Reader
from pigment_export.pigment.redaction import without
from pigment_export.retry import Deadline

FIRST_TRY_SECONDS = 60.0  # a try that begins this early has the whole call for itself


class Key(Protocol):
    """A Pigment key whose text shows in no `repr`."""

    expires_at: datetime | None

    def reveal(self) -> str:
        """The key's text."""


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
    """A body whose errors are ours, an error page in it among them; its beginning is looked at before any is given."""

    def __init__(self, body: ProvenBody, reader: Reader, delimiter: bytes, tried: Try) -> None:
        self._reader = reader
        self._delimiter = delimiter
        self._tried = tried
        self._beginning: memoryview | None = None  # read, looked at, and not yet given
        self.protocol = body.protocol
        self.evidence = body.evidence

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer's beginning; 0 only at an end that is proven."""
        if self._beginning is None:
            self._beginning = self._begin()
        if not self._beginning:
            return self._read(buffer)
        count = min(len(buffer), len(self._beginning))
        buffer[:count] = self._beginning[:count]
        self._beginning = self._beginning[count:]
        return count

    def _begin(self) -> memoryview:
        room = memoryview(bytearray(SNIFFED_BYTES))
        filled = 0
        while filled < len(room) and (count := self._read(room[filled:])):
            filled += count
        if refusal := refusal_of_beginning(bytes(room[:filled]), self._delimiter):
            raise refusal
        return room[:filled]

    def _read(self, buffer: memoryview) -> int:
        with self._tried.classified():
            return self._reader.readinto(buffer)


class PackedBody:
    """A body that is to be stored as gzip: as it came if it is that already."""

    def __init__(self, body: ProvenBody, delimiter: bytes, tried: Try) -> None:
        self._body = body
        self._delimiter = delimiter
        self._tried = tried
        self._content = CheckedBody(body, body.raw, delimiter, tried)
        self.is_packed = body.is_gzip
        self.protocol = body.protocol
        self.evidence = body.evidence

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer's beginning; 0 only at an end that is proven."""
        if not self.is_packed:
            return self._content.readinto(buffer)
        with self._tried.classified():
            return self._body.raw.readinto(buffer)

    def unpacked(self, packed: Reader) -> Reader:
        """Return a reader of the CSV in what is read beside."""
        return CheckedBody(self._body, self._body.unpacked(packed), self._delimiter, self._tried)
