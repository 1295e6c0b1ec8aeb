"""Inspection of a CSV: its columns, its rows, and whether its ending is complete. Pure, and streaming.

It reads a CSV like Python's `csv.reader` (`strict=False`, line ends unchanged), but on bytes: delimiters, quotes and
line ends are ASCII, so no UTF-8 sequence can contain them. There are two differences: a byte order mark is not part of
the first column's name, and an empty line is a record with one empty field. So in a file of one column it is a normal
row; with more columns it is a ragged row, and at the end of the file an error.

The bytes are processed in pieces that fit into the processor's cache.
"""

import codecs
import re
from dataclasses import dataclass

from pigment_export.transfer.records import OPEN_QUOTE, Note, Records

HEADER_BYTES = 1024 * 1024  # with its line end and BOM: longer than any real one, and small enough to keep
_PIECE_BYTES = 64 * 1024  # fits into a core's cache with all derived data; also limits how long the GIL is held


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of an inspection.

    Attributes:
        columns: names in the header, unquoted, with invalid UTF-8 replaced. Empty if there is no header, or one longer
            than `HEADER_BYTES`.
        rows: records after the header; not counted if the header is too long.
        notes: in the order of `Note`.
        problem: why this is not a complete CSV, or None.
        rows_of_other_width: number of rows with fewer or more fields than the header.
        first_row_of_other_width: the number of the first of these, where 1 is the first after the header.
    """

    columns: tuple[str, ...]
    rows: int
    notes: tuple[Note, ...]
    problem: str | None
    rows_of_other_width: int = 0
    first_row_of_other_width: int | None = None


class Inspector:
    """An inspector of one CSV, which gets its bytes in order, in chunks of any size.

    Args:
        delimiter: between fields: one ASCII character; not a letter, digit, quote, line end or NUL.

    Raises:
        ValueError: the delimiter is invalid.
    """

    def __init__(self, delimiter: bytes = b";") -> None:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in b'"\r\n\0':
            raise ValueError(f"not a delimiter of fields: {delimiter!r}")
        self._delimiter = delimiter
        self._field = re.compile(
            rb'(?:"((?:[^"]++|"")*+)("?))?+([^%(d)b\r\n]*+)(%(d)b|\r\n?|\n|\Z)' % {b"d": re.escape(delimiter)}
        )
        self._head = bytearray()  # the first bytes, with the header
        self._columns: tuple[str, ...] = ()
        self._problem: str | None = None  # in the header
        self._records: Records | None = None  # once the header has ended

    @property
    def rows(self) -> int:
        """Number of complete records after the header so far; safe from any thread."""
        return 0 if self._records is None else self._records.ended

    def update(self, chunk: bytes | bytearray) -> None:
        """Inspect the next bytes; keep nothing of the chunk."""
        start = 0
        with memoryview(chunk) as view:
            while start < len(view):
                # A line end mostly ends a record, and a piece without an open quoted field is faster to read.
                end = chunk.rfind(b"\n", start, start + _PIECE_BYTES) + 1 or start + _PIECE_BYTES
                with view[start:end] as piece:
                    if self._records is None:
                        self._begin(bytes(piece))
                    else:
                        self._records.update(piece)
                start = end

    def finish(self) -> Inspection:
        """Return the result, after all bytes."""
        if self._records is None and self._problem is None:
            self._read_header(final=True)
        columns = self._columns
        # Without a line end, a carriage return at the end of the header is within quotes.
        records = self._records or Records(self._delimiter, 1, bytes(self._head).rstrip(b"\r"))
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
        """Take the next bytes of the header, and pass on those after its end."""
        if self._problem is not None:
            return  # do not read a header that is too long again and again
        room = HEADER_BYTES - len(self._head)
        self._head += piece[:room]
        end = self._read_header() if b"\n" in piece or b"\r" in piece else None
        if end is not None:
            self._records = Records(self._delimiter, len(self._columns), bytes(self._head[:end]))
            self._records.update(bytes(self._head[end:]) + piece[room:])
        elif room < len(piece):
            self._problem = f"its header has no end within {HEADER_BYTES:,} bytes"

    def _read_header(self, *, final: bool = False) -> int | None:
        """Read the names if the header has ended, as it has if `final`. Return its end, or None."""
        end = len(codecs.BOM_UTF8) if self._head.startswith(codecs.BOM_UTF8) else 0
        if final and end == len(self._head):
            self._problem = "it has only a byte order mark" if end else "it is empty"
            return None
        names: list[str] = []
        for field in self._field.finditer(self._head, end):  # it always matches: each part can be empty
            quoted, closing, rest, after = field.groups()
            # Decoded one by one: a quote ends a character of several bytes.
            parts = ((quoted or b"").replace(b'""', b'"'), rest)
            names.append("".join(part.decode(errors="replace") for part in parts))
            if after != self._delimiter:
                break
        if not after and not final:
            return None
        self._columns = tuple(names)
        if quoted is not None and not closing:
            self._problem = OPEN_QUOTE
        return field.end()
