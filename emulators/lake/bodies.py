"""The bytes of the lake stand-in: each request body is one file on disk, gone when nothing refers to it.

A file of the lake is a sequence of bodies. So an append costs no copy, parallel appends never touch each other,
whoever reads a file keeps the bytes that it had when the reading began, and memory holds one buffer per request.
"""

import hashlib
import itertools
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

BUFFER_BYTES = 1 << 20


class Source(Protocol):
    """Where a body comes from: a socket's buffered reader, or bytes in memory."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer as far as there is something; 0 at the end."""


class Body:
    """Bytes that arrived with one request; their file is removed with the last reference to this object."""

    def __init__(self, path: Path, length: int, *, removed: bool = True) -> None:
        self.path = path
        self.length = length
        if removed:
            weakref.finalize(self, path.unlink, missing_ok=True)

    def md5(self) -> bytes:
        """Return the MD5 of the bytes (made on demand: most bodies are never asked for it)."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


class ShortBodyError(Exception):
    """The other side went away before its body was whole."""


class Spool:
    """Makes bodies in one folder.

    Args:
        folder: where the files lie; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def receive(self, source: Source, length: int) -> Body:
        """Take exactly `length` bytes from the source.

        Raises:
            ShortBodyError: the source ended early.
        """
        if not length:
            return Body(Path(os.devnull), 0, removed=False)
        path = self._folder / f"{next(self._numbers):08d}.body"
        buffer = memoryview(bytearray(min(BUFFER_BYTES, length)))
        left = length
        with path.open("wb", buffering=0) as file:
            while left:
                count = source.readinto(buffer[: min(left, len(buffer))])
                if not count:
                    break
                file.write(buffer[:count])
                left -= count
        body = Body(path, length - left)
        if left:
            raise ShortBodyError
        return body


def length_of(bodies: Sequence[Body]) -> int:
    """Return how many bytes the bodies have together."""
    return sum(body.length for body in bodies)


def read(bodies: Sequence[Body], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` up to, not including, `end` in pieces of bounded size."""
    for body in bodies:
        if start < min(body.length, end):
            with body.path.open("rb") as file:
                file.seek(start)
                yield from _pieces(file, min(body.length, end) - start)
        start, end = max(0, start - body.length), end - body.length
        if end <= 0:
            return


def _pieces(file: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        piece = file.read(min(left, BUFFER_BYTES))
        left -= len(piece)
        yield piece
