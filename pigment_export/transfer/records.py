"""The records of a CSV behind its header: how many, and how many fields each has. Pure, and streaming.

Of a piece, one pass drops all but what structures it: delimiters, line ends, quotes. What is left of regular rows is
known, so one comparison checks each of them. A quoted field without a delimiter or line end in it leaves an even number
of quotes side by side, which change nothing; only where a quote remains, what stands in quotes has to be cut out first.
"""

import codecs
import re
from collections.abc import Sequence
from enum import StrEnum

_LONE_CR = re.compile(rb"\r(?!\n)")
OPEN_QUOTE = "a quote that opens in its last record is never closed"


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


class Records:
    """Counts the records after the header, and the fields of each.

    Args:
        delimiter: between fields.
        columns: of the header.
        header: its bytes, line end and all, which may be in the middle of a line end.
    """

    def __init__(self, delimiter: bytes, columns: int, header: bytes) -> None:
        self._columns = columns
        self._regular = delimiter * (columns - 1) + b"\n"  # what a record leaves of itself
        self._separators = delimiter + b"\r\n"
        self._dropped = bytes(set(range(256)) - set(delimiter + b"\n"))
        self._dropped_at_first = bytes(set(self._dropped) - set(b'\r\0"'))
        # In both, the quote stands first, and what is before it is looked at behind it: so quotes are found fast.
        self._behind_text = re.compile(rb'"(?<=[^%b\r\n"]")' % re.escape(delimiter))
        self._quoted = re.compile(rb'"(?<![^%b\r\n]")[^"]*+(?:""[^"]*+)*+"?' % re.escape(delimiter))
        self._context = b""  # stands for all that came before: put in front of a piece, it leads to the same place
        self._has_cr = False
        self._after_cr = header.endswith(b"\r")  # a line feed that follows belongs to it
        self._delimiters = 0  # of the record that has not ended
        self._last_fields = columns  # of the last one that has
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
        """Whether the last record has begun and not ended."""
        return bool(self._context or self._delimiters)

    @property
    def rows(self) -> int:
        """Records that have begun."""
        return self.ended + self.has_open

    @property
    def problem(self) -> str | None:
        """Why the last record is not whole; None if it is."""
        if self._context == b'"':
            return OPEN_QUOTE
        fields = self._delimiters + 1 if self.has_open else self._last_fields
        if fields < self._columns:
            return f"its last record has {fields:,} of {self._columns:,} fields"
        return None

    def finish(self) -> None:
        """Count the last record, now that all bytes have come."""
        self._decode(b"", final=True)
        if self.has_open:
            self._note((self._delimiters + 1,))

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
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
            self._dropped_at_first += b"\r"  # of a line end; others are looked for before

    def _update_fast(self, text: bytes) -> bool:
        """Take bytes of which nothing has to be cut out; False where this cannot be said, and nothing was taken."""
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
        if self._after_cr and text[len(self._context) :].startswith(b"\n"):
            text = self._context + text[len(self._context) + 1 :]
        outside, quotes = self._outside(text) if b'"' in text else (text, b"")
        self._context = quotes or (b"x" if text and text[-1] not in self._separators else b"")
        self._after_cr = text.endswith(b"\r")  # within quotes too: there a line feed counts for nothing anyway
        if b"\r" in outside:
            self._expect_cr()
            outside = outside.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._count(outside.translate(None, self._dropped))

    def _outside(self, text: bytes) -> tuple[bytes, bytes]:
        """What stands outside of quoted fields, and the context of one that is open, or just closed, at the end."""
        parts = text.split(b'"')
        outside = b'"'.join(parts[::2])
        is_open, is_closed = len(parts) % 2 == 0, not parts[-1]
        if self._behind_text.search(outside + b'"' * is_open):
            # A quote behind text is like any other character: it neither opens nor closes. Slower, and always right.
            outside = self._quoted.sub(b"x", text)
            is_open = (len(parts) - 1 - outside.count(b'"')) % 2 == 1
            is_closed = is_closed and not outside.endswith(b'"')
        if is_open:
            return outside, b'"'
        return outside, b'""' if is_closed else b""

    def _count(self, left: bytes) -> None:
        """Count records by what is left of them: delimiters and line ends."""
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
        # The lengths first: a regular form of records as wide as they claim to be may not fit into memory.
        if remainder or whole != self._regular * rows:
            widths = [len(record) + 1 for record in whole[:-1].split(b"\n")]
            self._note(widths)
            rows = len(widths)
        if rows:
            self._last_fields = len(whole) - whole.rfind(b"\n", 0, -1) - 1
        self.ended += rows

    def _note(self, widths: Sequence[int]) -> None:
        """Take note of records by the fields of each; none of them is counted yet."""
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
    """Drop quotes side by side: an even number within one field opens and closes it, or all are like any character."""
    begin, end = left.find(b"\n") + 1, left.rfind(b"\n") + 1
    record = left[begin : left.find(b"\n", begin) + 1]
    if record:
        records, rest = divmod(end - begin, len(record))
        if not rest and left[begin:end] == record * records:  # quoted alike, as a program's records are
            middle = record.replace(b'""', b"") * records
            return left[:begin].replace(b'""', b"") + middle + left[end:].replace(b'""', b"")
    return left.replace(b'""', b"")
