"""The bytes of the lake stand-in: each request body is one file on disk, deleted when nothing refers to it.

A file of the lake is a sequence of bodies. So an append needs no copy, parallel appends do not affect each other, a
reader keeps the bytes that the file had when the read began, and memory holds one buffer per request.
"""

import hashlib
import itertools
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

BUFFER_BYTES = 1 << 20


class Body:
    """Bytes that arrived with one request; their file is removed with the last reference to this object."""

    def __init__(self, path: Path, length: int, *, removed: bool = True) -> None:
        self.path = path
        self.length = length
        if removed:
            weakref.finalize(self, path.unlink, missing_ok=True)

    def md5(self) -> bytes:
        """Return the MD5 of the bytes; computed on demand, since most bodies never need it."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


class Spool:
    """Creates bodies in one folder.

    Args:
        folder: for the files; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def receive(self, pieces: Iterable[bytes]) -> Body:
        """Store all pieces of a body; an exception in between leaves no file."""
        path = self._folder / f"{next(self._numbers):08d}.body"
        file: BinaryIO | None = None
        length = 0
        try:
            for piece in pieces:
                file = file or path.open("wb", buffering=0)
                file.write(piece)
                length += len(piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            if file:
                file.close()
        return Body(path, length) if length else Body(Path(os.devnull), 0, removed=False)


def length_of(bodies: Sequence[Body]) -> int:
    """Return the total number of bytes."""
    return sum(body.length for body in bodies)


def read(bodies: Sequence[Body], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end` (exclusive), in pieces of bounded size."""
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
