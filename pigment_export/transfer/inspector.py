"""What the bytes of an export were, and whether their ending is whole. Pure, and streaming.

A CSV is read as Python's `csv.reader` reads it (`strict=False`, the text's line ends untouched), on bytes: all that
structures it is ASCII, so no UTF-8 sequence can hide any of it. Two things are ours: a byte order mark is no part of
the first column's name, and an empty line is a record with one empty field. So in a file of one column it is a row
like any other; with more columns it is a ragged one, and fails at the end.

The bytes are taken in pieces that stay in the processor's cache.
"""

import codecs
import re
from dataclasses import dataclass

from pigment_export.transfer.records import OPEN_QUOTE, Note, Records

HEADER_BYTES = 1024 * 1024  # with its line end and BOM: far beyond any real one, and small enough to remember
_PIECE_BYTES = 64 * 1024  # fits a core's cache with all that is made of it; bounds how long the GIL is held, too


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspector saw.

    Attributes:
        columns: the header's names, unquoted; what is not UTF-8 in them is replaced. None are there if there is no
            header, or one longer than `HEADER_BYTES`.
        rows: records after the header; not counted where the header is too long.
        notes: what was noticed, in the order of `Note`.
        problem: why this is not a whole CSV; None if it is one.
        rows_of_other_width: those with fewer or more fields than the header.
        first_row_of_other_width: the number of the first of these, where 1 is the first after the header.
    """

    columns: tuple[str, ...]
    rows: int
    notes: tuple[Note, ...]
    problem: str | None
    rows_of_other_width: int = 0
    first_row_of_other_width: int | None = None


class Inspector:
    """Takes the bytes of one CSV in order, in any cuts; says in the end what they were.

    Args:
        delimiter: between fields: one ASCII character; no letter or digit, quote, line end or NUL.

    Raises:
        ValueError: the delimiter is none.
    """

    def __init__(self, delimiter: bytes = b";") -> None:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in b'"\r\n\0':
            raise ValueError(f"not a delimiter of fields: {delimiter!r}")
        self._delimiter = delimiter
        self._field = re.compile(
            rb'(?:"((?:[^"]++|"")*+)("?))?+([^%(d)b\r\n]*+)(%(d)b|\r\n?|\n|\Z)' % {b"d": re.escape(delimiter)}
        )
        self._head = bytearray()  # as much of the bytes as holds the header
        self._columns: tuple[str, ...] = ()
        self._problem: str | None = None  # of the header
        self._records: Records | None = None  # once the header has ended

    @property
    def rows(self) -> int:
        """Records after the header that have ended so far; may be asked from any thread."""
        return 0 if self._records is None else self._records.ended

    def update(self, chunk: bytes | bytearray) -> None:
        """Take the next bytes; nothing of the chunk is kept."""
        start = 0
        with memoryview(chunk) as view:
            while start < len(view):
                # A piece that ends with a record has no quoted field that is open, which is read faster.
                end = chunk.rfind(b"\n", start, start + _PIECE_BYTES) + 1 or start + _PIECE_BYTES
                with view[start:end] as piece:
                    if self._records is None:
                        self._begin(bytes(piece))
                    else:
                        self._records.update(piece)
                start = end

    def finish(self) -> Inspection:
        """Say what the bytes were, now that all have come."""
        if self._records is None and self._problem is None:
            self._read_header(final=True)
        columns = self._columns
        records = self._records or Records(self._delimiter, 1, bytes(self._head))
        records.finish()
        noted = records.notes
        if self._head.startswith(codecs.BOM_UTF8):
            noted.add(Note.BOM)
        if len(set(columns)) < len(columns) or "" in columns:
            noted.add(Note.UNCLEAR_COLUMNS)
        if columns and (self._records is None or records.has_open):
            noted.add(Note.NO_FINAL_NEWLINE)
        if columns and not records.rows:
            noted.add(Note.EMPTY)
        return Inspection(
            columns=columns,
            rows=records.rows,
            notes=tuple(note for note in Note if note in noted),
            problem=self._problem or records.problem,
            rows_of_other_width=records.of_other_width,
            first_row_of_other_width=records.first_of_other_width,
        )

    def _begin(self, piece: bytes) -> None:
        """Take the next bytes of the header, and what stands behind its end."""
        if self._problem is not None:
            return  # a header that is too long is not read again and again
        room = HEADER_BYTES - len(self._head)
        self._head += piece[:room]
        end = self._read_header() if b"\n" in piece or b"\r" in piece else None
        if end is not None:
            self._records = Records(self._delimiter, len(self._columns), bytes(self._head[:end]))
            self._records.update(bytes(self._head[end:]) + piece[room:])
        elif room < len(piece):
            self._problem = f"its header has no end within {HEADER_BYTES:,} bytes"

    def _read_header(self, *, final: bool = False) -> int | None:
        """Read the names if the header has ended, as it has at the end of all; returns where, None if it has not."""
        end = len(codecs.BOM_UTF8) if self._head.startswith(codecs.BOM_UTF8) else 0
        if final and end == len(self._head):
            self._problem = "it has only a byte order mark" if end else "it is empty"
            return None
        names: list[str] = []
        for field in self._field.finditer(self._head, end):  # which fits anywhere: each part may be empty
            quoted, closing, rest, after = field.groups()
            names.append(((quoted or b"").replace(b'""', b'"') + rest).decode(errors="replace"))
            if after != self._delimiter:
                break
        if not after and not final:
            return None
        self._columns = tuple(names)
        if quoted is not None and not closing:
            self._problem = OPEN_QUOTE
        return field.end()
