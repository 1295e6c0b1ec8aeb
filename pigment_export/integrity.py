"""What the bytes of a CSV were, and whether their ending is whole. Pure, streaming, in constant memory.

Records and fields are those of Python's `csv.reader` with the given delimiter and `"` as quote: a quoted field begins
right behind a delimiter or a line's end, a quote within an unquoted field is a character like any other, and lines end
with LF, CRLF or CR. What is quoted is taken out by one regular expression; the rest is counted, at the speed of C.
"""

import codecs
import csv
import hashlib
import io
import itertools
import re
from dataclasses import dataclass
from enum import Enum, StrEnum

HEADER_BYTES = 1024 * 1024  # a header's longest length: it is kept, and parsed at the end
BOM = codecs.BOM_UTF8


class Note(StrEnum):
    """What was noticed, and is no failure."""

    BOM = "bom"
    NUL = "nul"
    INVALID_UTF8 = "invalid_utf8"
    EMPTY = "empty"  # a header and no row
    RAGGED_ROWS = "ragged_rows"  # not every record has as many fields as the header
    EXTRA_FIELDS = "extra_fields"  # the last record has more
    NO_FINAL_NEWLINE = "no_final_newline"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a body was.

    Attributes:
        columns: the header's names.
        rows: records after the header.
        bytes: of the body.
        sha256: of the body, hexadecimal.
        notes: what was noticed.
        problem: why its ending is not whole; None where it is.
    """

    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    notes: tuple[Note, ...]
    problem: str | None


class _Place(Enum):
    """Where a chunk ended."""

    FIELD_START = "start of a field"
    IN_FIELD = "inside a field without quotes"
    IN_QUOTES = "inside quotes"
    AFTER_QUOTE = "after a quote that closes, unless another follows"


class Inspector:
    """Takes a body's chunks in order, cut anywhere.

    Args:
        delimiter: between fields: one ASCII byte.
    """

    def __init__(self, delimiter: bytes = b";") -> None:
        separators = re.escape(delimiter) + rb"\r\n"
        # The quote comes first and its left neighbour is looked at behind it: so the search runs at memchr's speed.
        self._quoted = re.compile(rb'"(?<=[' + separators + rb']")[^"]*+(?:""[^"]*+)*+"')
        self._unclosed = re.compile(rb'"(?<=[' + separators + rb']")')
        self._separators = delimiter + b"\r\n"
        # A chunk is read as if it began at the start of a field: this in front of it makes that true.
        self._resume = {
            _Place.FIELD_START: delimiter,
            _Place.IN_FIELD: b"x",
            _Place.IN_QUOTES: delimiter + b'"',
            _Place.AFTER_QUOTE: delimiter + b'""',
        }
        self._delimiter = delimiter
        self._hash = hashlib.sha256()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._head = bytearray()
        self._start = b""  # held back until it is clear whether it is a byte order mark
        self._started = False
        self._place = _Place.FIELD_START
        self._after_cr = False
        self._bytes = 0
        self._records = 0  # that have ended
        self._delimiters = 0  # outside quotes, in all
        self._open_delimiters = 0  # of the record that has not ended
        self._open = False  # whether it has a byte
        self._last_fields = 0  # of the last record that has ended
        self._has_bom = False
        self._has_nul = False
        self._is_utf8 = True

    @property
    def rows(self) -> int:
        """Records after the header that have ended so far."""
        return max(0, self._records - 1)

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes.

        Args:
            chunk: any number of them; not kept.
        """
        data = bytes(chunk) if isinstance(chunk, memoryview) else chunk
        self._hash.update(data)
        self._bytes += len(data)
        self._check_text(data)
        if self._started:
            self._count(data)
            return
        self._start += data
        if len(self._start) >= len(BOM):
            self._begin()

    def finish(self) -> Inspection:
        """Say what the body was; to be called once, after its last byte."""
        if not self._started:
            self._begin()
        self._is_utf8 = self._is_utf8 and self._ends_as_text()
        records, last_fields = self._records, self._last_fields
        if self._open:
            records, last_fields = records + 1, self._open_delimiters + 1
        columns, problem = self._header()
        rows = max(0, records - 1)
        if self._bytes == 0:
            problem = "there is not a single byte"
        elif self._place is _Place.IN_QUOTES:
            problem = "it ends inside a quoted field"
        elif problem is None and rows and last_fields < len(columns):
            problem = f"its last record has {last_fields} of {len(columns)} fields"
        seen = {
            Note.BOM: self._has_bom,
            Note.NUL: self._has_nul,
            Note.INVALID_UTF8: not self._is_utf8,
            Note.EMPTY: records == 1,
            Note.RAGGED_ROWS: bool(columns) and self._delimiters != records * (len(columns) - 1),
            Note.EXTRA_FIELDS: bool(rows) and last_fields > len(columns),
            Note.NO_FINAL_NEWLINE: self._open,
        }
        notes = tuple(note for note, is_seen in seen.items() if is_seen)
        return Inspection(columns, rows, self._bytes, self._hash.hexdigest(), notes, problem)

    def _begin(self) -> None:
        self._started = True
        self._has_bom = self._start.startswith(BOM)
        self._count(self._start.removeprefix(BOM))
        self._start = b""

    def _check_text(self, data: bytes | bytearray) -> None:
        self._has_nul = self._has_nul or b"\0" in data
        if self._is_utf8 and not (data.isascii() and not self._utf8.getstate()[0]):
            try:
                self._utf8.decode(data)
            except UnicodeDecodeError:
                self._is_utf8 = False

    def _ends_as_text(self) -> bool:
        try:
            self._utf8.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return True

    def _count(self, data: bytes | bytearray) -> None:
        if not data:
            return
        if len(self._head) < HEADER_BYTES:
            self._head += data[: HEADER_BYTES - len(self._head)]
        skipped = 1 if self._after_cr and data.startswith(b"\n") else 0  # the other half of a CRLF
        outside = self._outside(data)
        has_cr = b"\r" in outside
        ended = outside.count(b"\n") - skipped
        if has_cr:
            ended += outside.count(b"\r") - outside.count(b"\r\n")
        delimiters = outside.count(self._delimiter)
        self._records += ended
        self._delimiters += delimiters
        end = max(outside.rfind(b"\n"), outside.rfind(b"\r") if has_cr else -1)
        if ended:
            after = outside.count(self._delimiter, end + 1)
            line_end = end - 1 if outside[end - 1 : end + 1] == b"\r\n" else end
            before = max(outside.rfind(b"\n", 0, line_end), outside.rfind(b"\r", 0, line_end) if has_cr else -1)
            within = outside.count(self._delimiter, before + 1, line_end)
            alone = ended == 1  # the record that ended had begun in an earlier chunk
            self._last_fields = within + 1 + (self._open_delimiters if alone else 0)
            self._open_delimiters = after
        else:
            self._open_delimiters += delimiters
        self._open = self._place is _Place.IN_QUOTES or end < len(outside) - 1
        self._after_cr = self._place is _Place.FIELD_START and outside.endswith(b"\r")

    def _outside(self, data: bytes | bytearray) -> bytes | bytearray:
        """The data with each quoted field replaced by one letter; notes where it ended."""
        if b'"' not in data and self._place is not _Place.IN_QUOTES and self._place is not _Place.AFTER_QUOTE:
            self._place = _Place.FIELD_START if data[-1] in self._separators else _Place.IN_FIELD
            return data
        resume = self._resume[self._place]
        text = resume + data
        outside = self._quoted.sub(b"x", text)
        unclosed = self._unclosed.search(outside)
        if unclosed:
            self._place = _Place.IN_QUOTES
            outside = outside[: unclosed.start()]
        elif text.endswith(b'"') and not outside.endswith(b'"'):
            self._place = _Place.AFTER_QUOTE
        else:
            self._place = _Place.FIELD_START if outside[-1] in self._separators else _Place.IN_FIELD
        return outside[1:]  # without what made it begin at the start of a field

    def _header(self) -> tuple[tuple[str, ...], str | None]:
        text = self._head.decode("utf-8", errors="replace")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter.decode())
        too_long = f"its header is longer than {HEADER_BYTES:,} bytes, or has a field that is"
        try:
            first = list(itertools.islice(reader, 2))
        except csv.Error:
            return (), too_long
        is_cut = self._bytes - (len(BOM) if self._has_bom else 0) > len(self._head)
        if is_cut and len(first) == 1 and not text.endswith(("\n", "\r")):
            return (), too_long
        return tuple(first[0]) if first else (), None if first else "there is no header"
