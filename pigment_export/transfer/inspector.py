"""What the bytes of an export were, and whether their ending is whole. Pure, and streaming.

A CSV is read as Python's `csv.reader` reads it (`strict=False`, the text's line ends untouched), on bytes: all that
structures it is ASCII, so no UTF-8 sequence can hide any of it. Two things are ours: a byte order mark is no part of
the first column's name, and an empty line is a record with one empty field. So in a file of one column it is a row
like any other; with more columns it is a ragged one, and fails at the end.

The bytes are taken in pieces that stay in the processor's cache. Of a piece, what stands in quotes is cut out, and of
the rest all is dropped but delimiters and line ends: what is left is compared with what regular rows would leave.
"""

import codecs
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

HEADER_BYTES = 1024 * 1024  # with its line end and BOM: far beyond any real one, and small enough to remember
_PIECE_BYTES = 64 * 1024  # fits a core's cache with all that is made of it; bounds how long the GIL is held, too


class Note(StrEnum):
    """What was noticed and is no failure."""

    BOM = "bom"  # it begins with a byte order mark, which is kept
    NUL = "nul"
    INVALID_UTF8 = "invalid_utf8"
    UNCLEAR_COLUMNS = "unclear_columns"  # a column's name is empty, or there twice
    RAGGED_ROWS = "ragged_rows"  # a record has fewer fields than the header
    EXTRA_FIELDS = "extra_fields"  # a record has more fields than the header
    NO_FINAL_NEWLINE = "no_final_newline"
    EMPTY = "empty"  # a header, and no row


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspector saw.

    Attributes:
        columns: the header's names, unquoted; what is not UTF-8 in them is replaced. None are there if there is no
            header, or one longer than `HEADER_BYTES`.
        rows: records after the header; not counted where the header is too long.
        bytes: all that came.
        sha256: of all that came, hexadecimal.
        notes: what was noticed, in the order of `Note`.
        problem: why this is not a whole CSV; None if it is one.
    """

    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    notes: tuple[Note, ...]
    problem: str | None


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
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._text = _Text()
        self._header = _Header(delimiter)
        self._delimiter = delimiter
        self._records: _Records | None = None

    @property
    def rows(self) -> int:
        """Records after the header that have ended so far; may be asked from any thread."""
        return 0 if self._records is None else self._records.ended

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; nothing of the chunk is kept."""
        self._bytes += len(chunk)
        self._sha256.update(chunk)
        with memoryview(chunk) as view:
            for start in range(0, len(view), _PIECE_BYTES):
                piece = bytes(view[start : start + _PIECE_BYTES])
                self._text.update(piece)
                if self._records is None:
                    piece = self._header.update(piece)
                    if not self._header.has_ended:
                        continue
                    self._records = _Records(self._delimiter, len(self._header.names), after_cr=self._header.ends_in_cr)
                self._records.update(piece)

    def finish(self) -> Inspection:
        """Say what the bytes were, now that all have come."""
        header, records = self._header, self._records
        header.finish()
        noted = self._text.finish()
        if header.has_bom:
            noted.add(Note.BOM)
        if len(set(header.names)) < len(header.names) or "" in header.names:
            noted.add(Note.UNCLEAR_COLUMNS)
        if header.names and (records is None or records.has_open):
            noted.add(Note.NO_FINAL_NEWLINE)
        if header.names and (records is None or not records.rows):
            noted.add(Note.EMPTY)
        problem = header.problem
        if records is not None:
            records.finish()
            noted |= records.notes
            problem = problem or records.problem
        return Inspection(
            columns=header.names,
            rows=0 if records is None else records.rows,
            bytes=self._bytes,
            sha256=self._sha256.hexdigest(),
            notes=tuple(note for note in Note if note in noted),
            problem=problem,
        )


_OPEN_QUOTE = "a quote that opens in its last record is never closed"


class _Text:
    """Whether the bytes are text: UTF-8 without NUL."""

    def __init__(self) -> None:
        self._noted: set[Note] = set()
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def update(self, piece: bytes) -> None:
        if b"\0" in piece:
            self._noted.add(Note.NUL)
        if not piece.isascii() or self._decoder.getstate()[0]:
            self._decode(piece)

    def finish(self) -> set[Note]:
        self._decode(b"", final=True)
        return self._noted

    def _decode(self, piece: bytes, *, final: bool = False) -> None:
        if Note.INVALID_UTF8 in self._noted:
            return
        try:
            self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            self._noted.add(Note.INVALID_UTF8)


class _Header:
    """Collects the first record and reads its names."""

    def __init__(self, delimiter: bytes) -> None:
        self._field = re.compile(
            rb'(?:"((?:[^"]++|"")*+)("?))?+([^%(d)b\r\n]*+)(%(d)b|\r\n?|\n|\Z)' % {b"d": re.escape(delimiter)}
        )
        self._delimiter = delimiter
        self._head = bytearray()
        self.names: tuple[str, ...] = ()
        self.has_ended = False
        self.ends_in_cr = False  # a line feed that follows belongs to it
        self.problem: str | None = None

    @property
    def has_bom(self) -> bool:
        return self._head.startswith(codecs.BOM_UTF8)

    def update(self, piece: bytes) -> bytes:
        """Take the next bytes; returns those after the header's end."""
        if self.problem is not None:
            return b""  # a header that is too long is not read again and again
        room = HEADER_BYTES - len(self._head)
        self._head += piece[:room]
        if b"\n" in piece or b"\r" in piece:
            end = self._read()
            if self.has_ended:
                return bytes(self._head[end:]) + piece[room:]
        if room < len(piece):
            self.problem = f"its header has no end within {HEADER_BYTES:,} bytes"
        return b""

    def finish(self) -> None:
        if not self._head:
            self.problem = "it has not one byte"
        elif not self.has_ended and self.problem is None:
            self._read(final=True)

    def _read(self, *, final: bool = False) -> int:
        """Read the names if the record has ended, as it has at the end of all; returns where."""
        end = len(codecs.BOM_UTF8) if self.has_bom else 0
        if final and end == len(self._head):
            self.problem = "it has nothing but a byte order mark"
            return end
        names: list[str] = []
        line_end: bytes | None = None
        while line_end is None:
            field = self._field.match(self._head, end)
            if field is None:  # never: each part of the pattern may be empty
                raise AssertionError("a field of the header was not understood")
            quoted, closing, rest, after = field.groups()
            names.append(((quoted or b"").replace(b'""', b'"') + rest).decode(errors="replace"))
            end = field.end()
            if after != self._delimiter:
                line_end = after
        if line_end or final:
            self.names = tuple(names)
            self.has_ended = bool(line_end)
            self.ends_in_cr = line_end == b"\r"
            if quoted is not None and not closing:
                self.problem = _OPEN_QUOTE
        return end


class _Records:
    """Counts the records after the header, and the fields of each."""

    def __init__(self, delimiter: bytes, columns: int, *, after_cr: bool) -> None:
        self._delimiter = delimiter
        self._columns = columns
        self._regular = delimiter * (columns - 1) + b"\n"  # what a record leaves of itself
        self._separators = delimiter + b"\r\n"
        self._dropped = bytes(set(range(256)) - set(delimiter + b"\n"))
        self._shape = bytes(byte if byte in self._separators + b'"' else ord("x") for byte in range(256))
        # The quote stands first, and what is before it is looked at behind it: so quotes are searched for fast.
        self._quoted = re.compile(rb'"(?<![^%b\r\n]")[^"]*+(?:""[^"]*+)*+"?' % re.escape(delimiter))
        self._context = b""  # stands for all that came before: put in front of a piece, it leads to the same place
        self._after_cr = after_cr
        self._delimiters = 0  # of the record that has not ended
        self._last_fields = columns  # of the last one that has
        self.ended = 0
        self.notes: set[Note] = set()

    @property
    def has_open(self) -> bool:
        """Whether the last record has begun and not ended."""
        return bool(self._context or self._delimiters)

    @property
    def rows(self) -> int:
        return self.ended + self.has_open

    @property
    def problem(self) -> str | None:
        if self._context == b'"':
            return _OPEN_QUOTE
        fields = self._delimiters + 1 if self.has_open else self._last_fields
        if fields < self._columns:
            return f"its last record has {fields:,} of {self._columns:,} fields"
        return None

    def finish(self) -> None:
        if self.has_open:
            self._note(self._delimiters + 1)

    def update(self, piece: bytes) -> None:
        if not piece:
            return
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        text = self._context + piece
        outside, is_open, is_closed = self._outside(text) if b'"' in text else (text, False, False)
        if is_open:
            self._context = b'"'
        elif is_closed:
            self._context = b'""'
        else:
            self._context = b"x" if text and text[-1] not in self._separators else b""
        self._after_cr = text.endswith(b"\r")  # within quotes too: there a line feed counts for nothing anyway
        if b"\r" in outside:
            outside = outside.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._count(outside.translate(None, self._dropped))

    def _outside(self, text: bytes) -> tuple[bytes, bool, bool]:
        """What stands outside of quoted fields, and whether the last of these is open, or just closed, at the end."""
        parts = text.split(b'"')
        outside = b'"'.join(parts[::2])
        is_open = len(parts) % 2 == 0
        if b'x"' not in (outside + b'"' * is_open).translate(self._shape):
            return outside, is_open, not is_open and not parts[-1]
        # A quote behind text is a character like any other: it neither opens nor closes. Slower, and always right.
        outside = self._quoted.sub(b"x", text)
        is_open = (len(parts) - 1 - outside.count(b'"')) % 2 == 1
        return outside, is_open, not is_open and text.endswith(b'"') and not outside.endswith(b'"')

    def _count(self, left: bytes) -> None:
        """Count records by what is left of them: delimiters and line ends."""
        first, line_end, rest = left.partition(b"\n")
        self._delimiters += len(first)
        if not line_end:
            return
        self._last_fields = self._delimiters + 1
        self._note(self._last_fields)
        end = rest.rfind(b"\n") + 1
        whole = rest[:end]
        rows = whole.count(b"\n")
        self._delimiters = len(rest) - end
        if rows:
            self._last_fields = len(whole) - 1 - whole.rfind(b"\n", 0, -1)
            # The lengths first: a regular form of records as wide as they claim to be may not fit into memory.
            if len(whole) != rows * self._columns or whole != self._regular * rows:
                lengths = set(map(len, whole[:-1].split(b"\n")))
                self._note(min(lengths) + 1)
                self._note(max(lengths) + 1)
        self.ended += 1 + rows

    def _note(self, fields: int) -> None:
        if fields < self._columns:
            self.notes.add(Note.RAGGED_ROWS)
        elif fields > self._columns:
            self.notes.add(Note.EXTRA_FIELDS)
