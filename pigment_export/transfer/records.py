"""The records of a CSV after its header: how many, and how many fields each has. Pure, and streaming.

One pass over a piece removes everything but delimiters, line ends and quotes. The rest of a regular row is known, so
one comparison checks all rows. A quoted field without a delimiter or line end leaves an even number of adjacent quotes,
which can be ignored. Only if other quotes remain, quoted text has to be cut out first.
"""

import codecs
import re
from collections.abc import Sequence
from enum import StrEnum

_LONE_CR = re.compile(rb"\r(?!\n)")
OPEN_QUOTE = "a quote that opens in its last record is never closed"


class Note(StrEnum):
    """Something noteworthy that is not a failure."""

    BOM = "bom"  # the file begins with a byte order mark, which is kept
    NUL = "nul"
    INVALID_UTF8 = "invalid_utf8"
    UNCLEAR_COLUMNS = "unclear_columns"  # a column's name is empty, or occurs twice
    RAGGED_ROWS = "ragged_rows"  # a record has fewer fields than the header
    EXTRA_FIELDS = "extra_fields"  # a record has more fields than the header
    LONE_CR = "lone_cr"  # a record ends in a carriage return alone
    NO_FINAL_NEWLINE = "no_final_newline"
    EMPTY = "empty"  # a header, but no row


class Records:
    """A counter of the records after the header, and of the fields of each.

    Args:
        delimiter: between fields.
        columns: number of columns in the header.
        header: its bytes with its line end; may end in the middle of a line end.
    """

    def __init__(self, delimiter: bytes, columns: int, header: bytes) -> None:
        self._columns = columns
        self._regular = delimiter * (columns - 1) + b"\n"  # what remains of a regular record
        self._separators = delimiter + b"\r\n"
        self._dropped = bytes(set(range(256)) - set(delimiter + b"\n"))
        self._dropped_at_first = bytes(set(self._dropped) - set(b'\r\0"'))
        # Both patterns begin with the quote and check the text before it with a lookbehind, which finds quotes fast.
        self._behind_text = re.compile(rb'"(?<=[^%b\r\n"]")' % re.escape(delimiter))
        self._quoted = re.compile(rb'"(?<![^%b\r\n]")[^"]*+(?:""[^"]*+)*+"?' % re.escape(delimiter))
        self._context = b""  # represents all earlier bytes: put before a piece, it gives the same state
        self._has_cr = False
        self._after_cr = header.endswith(b"\r")  # a line feed that follows belongs to it
        self._delimiters = 0  # of the unfinished record
        self._last_fields = columns  # of the last finished one
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.ended = 0
        self.of_other_width = 0
        self.first_of_other_width: int | None = None
        self.notes = {Note.NUL} if b"\0" in header else set()
        self._decode(header)
        if self._after_cr:
            self._expect_cr()

    @property
    def has_open(self) -> bool:
        """Whether the last record is unfinished."""
        return bool(self._context or self._delimiters)

    @property
    def rows(self) -> int:
        """Number of records that have begun."""
        return self.ended + self.has_open

    @property
    def problem(self) -> str | None:
        """Why the last record is incomplete, or None."""
        if self._context == b'"':
            return OPEN_QUOTE
        fields = self._delimiters + 1 if self.has_open else self._last_fields
        if fields < self._columns:
            return f"its last record has {fields:,} of {self._columns:,} fields"
        return None

    def finish(self) -> None:
        """Count the last record, after all bytes."""
        self._decode(b"", final=True)
        if self._after_cr and self._context != b'"':
            self.notes.add(Note.LONE_CR)
        if self.has_open:
            self._note((self._delimiters + 1,))

    def update(self, piece: bytes | memoryview) -> None:
        """Count the records in the next bytes."""
        if not piece:
            return
        text = self._context + piece  # the one copy of these bytes
        if not text.isascii() or self._decoder.getstate()[0]:
            self._decode(piece)
        if not self._update_fast(text):
            self._update_slowly(text)

    def _decode(self, piece: bytes | memoryview, *, final: bool = False) -> None:
        if Note.INVALID_UTF8 not in self.notes:
            try:
                self._decoder.decode(piece, final)
            except UnicodeDecodeError:
                self.notes.add(Note.INVALID_UTF8)

    def _expect_cr(self) -> None:
        if not self._has_cr:
            self._has_cr = True
            self._dropped_at_first += b"\r"  # of a line end; others are found before

    def _update_fast(self, text: bytes) -> bool:
        """Count a text in which nothing has to be cut out. Return False, and count nothing, if that is not certain."""
        if self._context == b'"' or text.endswith(b'"'):
            return False
        if self._has_cr and (self._after_cr or _LONE_CR.search(text)):
            return False
        left = text.translate(None, self._dropped_at_first)
        if b"\r" in left:
            self._expect_cr()
            return False
        has_nul = b"\0" in left
        if has_nul:
            left = left.replace(b"\0", b"")
        if b'"' in left and b'"' in (left := _without_pairs(left)):
            return False
        if has_nul:
            self.notes.add(Note.NUL)
        self._context = b"" if text[-1] in self._separators else b"x"
        self._count(left)
        return True

    def _update_slowly(self, text: bytes) -> None:
        if b"\0" in text:
            self.notes.add(Note.NUL)
        if self._after_cr and text.startswith(b"\n", len(self._context)):
            text = self._context + text[len(self._context) + 1 :]
        elif self._after_cr and self._context != b'"':
            self.notes.add(Note.LONE_CR)
        outside, quotes = self._outside(text) if b'"' in text else (text, b"")
        self._context = quotes or (b"x" if text and text[-1] not in self._separators else b"")
        self._after_cr = text.endswith(b"\r")  # also within quotes: a line feed does not count there
        if b"\r" in outside:
            self._expect_cr()
            is_pending = self._after_cr and self._context != b'"'  # the next piece shows whether a line feed follows
            if _LONE_CR.search(outside, 0, len(outside) - is_pending):
                self.notes.add(Note.LONE_CR)
            outside = outside.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._count(outside.translate(None, self._dropped))

    def _outside(self, text: bytes) -> tuple[bytes, bytes]:
        """Return the text outside of quoted fields, and the context of a field that is open or closed at the end."""
        parts = text.split(b'"')
        outside = b'"'.join(parts[::2])
        is_open, is_closed = len(parts) % 2 == 0, not parts[-1]
        if self._behind_text.search(outside + b'"' * is_open):
            # A quote after text is a normal character: it neither opens nor closes. Slower, but always right.
            outside = self._quoted.sub(b"x", text)
            is_open = (len(parts) - 1 - outside.count(b'"')) % 2 == 1
            is_closed = is_closed and not outside.endswith(b'"')
        if is_open:
            return outside, b'"'
        return outside, b'""' if is_closed else b""

    def _count(self, left: bytes) -> None:
        """Count records by their delimiters and line ends."""
        first, line_end, rest = left.partition(b"\n")
        self._delimiters += len(first)
        if not line_end:
            return
        self._last_fields = self._delimiters + 1
        self._note((self._last_fields,))
        self.ended += 1
        end = rest.rfind(b"\n") + 1
        whole = rest[:end]
        self._delimiters = len(rest) - end
        rows, remainder = divmod(end, self._columns)
        # Lengths first: the regular form of very wide records might not fit into memory.
        if remainder or whole != self._regular * rows:
            widths = [len(record) + 1 for record in whole[:-1].split(b"\n")]
            self._note(widths)
            rows = len(widths)
        if rows:
            self._last_fields = len(whole) - whole.rfind(b"\n", 0, -1) - 1
        self.ended += rows

    def _note(self, widths: Sequence[int]) -> None:
        """Note which of these records, not counted yet, have more or fewer fields than the header."""
        others = len(widths) - widths.count(self._columns)
        if not others:
            return
        if self.first_of_other_width is None:
            at = next(at for at, fields in enumerate(widths) if fields != self._columns)
            self.first_of_other_width = self.ended + at + 1
        self.of_other_width += others
        if min(widths) < self._columns:
            self.notes.add(Note.RAGGED_ROWS)
        if max(widths) > self._columns:
            self.notes.add(Note.EXTRA_FIELDS)


def _without_pairs(left: bytes) -> bytes:
    """Remove pairs of adjacent quotes: within a field they open and close it, or all are normal characters."""
    begin, end = left.find(b"\n") + 1, left.rfind(b"\n") + 1
    record = left[begin : left.find(b"\n", begin) + 1]
    if record:
        records, rest = divmod(end - begin, len(record))
        if not rest and left[begin:end] == record * records:  # equally quoted, as records written by a program are
            middle = record.replace(b'""', b"") * records
            return left[:begin].replace(b'""', b"") + middle + left[end:].replace(b'""', b"")
    return left.replace(b'""', b"")
