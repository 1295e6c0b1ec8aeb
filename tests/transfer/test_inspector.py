"""The inspector against Python's own csv module, on arbitrary bytes cut into arbitrary chunks."""

import csv
import io
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pigment_export.transfer.inspector import _PIECE_BYTES, HEADER_BYTES, Inspection, Inspector
from pigment_export.transfer.records import Note

BOM = b"\xef\xbb\xbf"
HEADER = "Country;Revenue\n"
OPEN_QUOTE = "a quote that opens in its last record is never closed"

# Dense in all that matters: quotes, delimiters, line ends, and sequences of UTF-8, whole and in parts.
fragments = [b'"', b'""', b";", b",", b"\n", b"\r", b"\r\n", b"a", b" ", b"\0", "€".encode(), b"\xe2\x82", b"\xac", BOM]
bodies = (
    st.lists(st.sampled_from(fragments), max_size=40).map(b"".join)
    | st.text(max_size=40).map(str.encode)
    | st.binary(max_size=60)
)
cuts = st.lists(st.integers(1, 9), min_size=1, max_size=30)
delimiters = st.sampled_from([b";", b","])


def inspect(body: bytes, *sizes: int, delimiter: bytes = b";") -> Inspection:
    inspector = Inspector(delimiter)
    position = 0
    for size in itertools.cycle(sizes or (len(body) or 1,)):
        if position >= len(body):
            return inspector.finish()
        inspector.update(body[position : position + size])
        position += size
    raise AssertionError


def by_csv(body: bytes, delimiter: bytes) -> list[list[str]]:
    """The records as csv reads them; an empty line is a record with one empty field."""
    text = io.StringIO(body.removeprefix(BOM).decode(errors="replace"), newline="")
    return [record or [""] for record in csv.reader(text, delimiter=delimiter.decode())]


def ends_in_quotes(body: bytes, delimiter: bytes) -> bool:
    """Whether a line end that follows belongs to the last field: only within quotes it does."""
    return by_csv(body + b"\nz", delimiter)[-1][-1].endswith("\nz")


def has_lone_cr(body: bytes, delimiter: bytes) -> bool:
    """Whether a record ends in a carriage return alone, by csv's own states, byte for byte."""
    state, body = "start", body.removeprefix(BOM)
    for at in range(len(body)):
        byte = body[at : at + 1]
        if state == "quoted":
            state = "closed" if byte == b'"' else "quoted"
        elif byte == b'"' and state in ("start", "closed"):
            state = "quoted"
        elif byte == b"\r" and body[at + 1 : at + 2] != b"\n":
            return True
        else:
            state = "start" if byte in (delimiter, b"\r", b"\n") else "text"
    return False


@settings(max_examples=2000, deadline=None)
@given(bodies, cuts, delimiters)
@example(b'"a"\n"b""c"\n', [1], b";")
@example(b'a"b\r\n"x\r\ny"\r"z', [1], b";")
@example(b'a\n\r"b"\n', [1], b";")  # between the line ends stands a field
@example(b'a\n"b""', [1], b";")
@example(b'"a"x"b";"c', [2], b";")
@example(b'a\n"b"c"d', [3], b";")
@example(b'a;b\n1;2\n";";""\n\n', [3], b";")
@example(b"a;b\r\n1;2\r\n", [4], b";")
@example(b"a;b\n1;2\n1\n", [3], b";")
@example(b"a;b\n1;\xe2\x82\xac\n1;\0\r\n2\n", [6], b";")
@example(b"a;b\n1;2\n1\n1;2;3\n1;2\n", [99], b";")  # one field too few and one too many: right on average
@example(b'"\xe2\x82"\xac', [1], b";")  # half a character in quotes, and its other half behind them
def test_records_and_fields_are_those_of_the_csv_module(body: bytes, sizes: list[int], delimiter: bytes) -> None:
    records = by_csv(body, delimiter)
    found = inspect(body, *sizes, delimiter=delimiter)
    assert max(0, len(records) - 1) == found.rows
    assert tuple(records[0] if records else ()) == found.columns
    width = len(found.columns)
    is_open = bool(records) and ends_in_quotes(body, delimiter)
    assert is_open == (found.problem == OPEN_QUOTE)
    assert (not records or is_open or len(records[-1]) < width) == (found.problem is not None)
    assert any(len(record) < width for record in records) == (Note.RAGGED_ROWS in found.notes)
    assert any(len(record) > width for record in records) == (Note.EXTRA_FIELDS in found.notes)
    others = [number for number, record in enumerate(records) if number and len(record) != width]
    assert len(others) == found.rows_of_other_width
    assert (others[0] if others else None) == found.first_row_of_other_width
    assert (len(records) == 1) == (Note.EMPTY in found.notes)
    has_open_record = bool(records) and (is_open or not body.endswith((b"\n", b"\r")))
    assert has_open_record == (Note.NO_FINAL_NEWLINE in found.notes)
    assert has_lone_cr(body, delimiter) == (Note.LONE_CR in found.notes)


@settings(max_examples=1000, deadline=None)
@given(st.booleans(), bodies, cuts, cuts)
def test_nothing_depends_on_where_the_chunks_are_cut(
    has_bom: bool,  # noqa: FBT001 - drawn, not passed
    body: bytes,
    one: list[int],
    other: list[int],
) -> None:
    body = BOM * has_bom + body
    assert inspect(body) == inspect(body, *one) == inspect(body, *other)


@settings(max_examples=500, deadline=None)
@given(st.booleans(), bodies, cuts)
def test_text_is_told_as_it_is(
    has_bom: bool,  # noqa: FBT001 - drawn, not passed
    body: bytes,
    sizes: list[int],
) -> None:
    body = BOM * has_bom + body
    found = inspect(body, *sizes)
    assert body.startswith(BOM) == (Note.BOM in found.notes)
    assert (b"\0" in body) == (Note.NUL in found.notes)
    assert (body.decode(errors="ignore").encode() != body) == (Note.INVALID_UTF8 in found.notes)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=3, max_size=3), max_size=8),
    cuts,
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_writer_wrote_is_whole_and_regular(
    rows: list[list[str]], sizes: list[int], quoting: int, line_end: str
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", quoting=quoting, lineterminator=line_end).writerows([["a", "b", "c"], *rows])
    found = inspect(out.getvalue().encode(), *sizes)
    assert (None, ("a", "b", "c"), len(rows)) == (found.problem, found.columns, found.rows)
    assert {*found.notes} <= {Note.NUL, Note.EMPTY}


def large_bodies() -> Iterator[bytes]:
    """Bodies of several pieces, whose cuts fall everywhere: rows are as long as a prime."""
    for row in (b'"a";"b ""b"";\n";123\n', b'a;"b";5" pipe\r\n', b"abc;d;\xe2\x82\xac;;;\n", b'1;"2";xyz\r\n', b'"a;b'):
        yield b"x;y;z\n" + row * (3 * _PIECE_BYTES // len(row))
    yield b"x;y;z\r\n" + b"1;2;3\r\n" * 20_000 + b"1;2\r3;4;5\r\n" + b'1;"2\r\n";3\r\n' * 20_000


@pytest.mark.parametrize("body", list(large_bodies()))
def test_pieces_within_a_chunk_are_read_as_one(body: bytes) -> None:
    records = by_csv(body, b";") if not body.endswith(b'"a;b') else None
    found = inspect(body)
    assert found == inspect(body, 65_521) == inspect(body, 8_191)
    assert records is None or len(records) - 1 == found.rows


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "it is empty"),
        (BOM, "it has only a byte order mark"),
        (b'Country;"Rev', OPEN_QUOTE),
        (b'Country;Revenue\nFR;"1', OPEN_QUOTE),
        (b'Country;Revenue\nFR;"1""', OPEN_QUOTE),
        (b"Country;Revenue\nFR;1\nDE", "its last record has 1 of 2 fields"),
        (b"Country;Revenue\nFR;1\nDE\n", "its last record has 1 of 2 fields"),
        (b"Country;Revenue\nFR;1\n\n", "its last record has 1 of 2 fields"),
    ],
)
def test_an_ending_that_is_not_whole_is_a_problem(body: bytes, problem: str) -> None:
    for size in (1, 2, 100):
        assert problem == inspect(body, size).problem


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        (HEADER + "FR;1\n", ()),
        (HEADER, ("empty",)),
        (HEADER.strip(), ("no_final_newline", "empty")),
        (HEADER + "FR;1", ("no_final_newline",)),
        (HEADER + "FR;1;2\n", ("extra_fields",)),
        (HEADER + "FR;1;2\nDE\n\nIT;3\n", ("ragged_rows", "extra_fields")),
        ("\ufeff" + HEADER + "FR;1\n", ("bom",)),
        (HEADER + "FR;\0\n", ("nul",)),
        ('"Country";"Rev\nenue"\nFR;"a;b"\n', ()),
        ("A;\n1;2\n", ("unclear_columns",)),
        ("A;A\n1;2\n", ("unclear_columns",)),
        (HEADER + "FR;1\rDE;2\n", ("lone_cr",)),
        ("Country;Revenue\rFR;1\rDE;2\r", ("lone_cr",)),
        ("Country\nFR\n\n", ()),  # of one column, an empty line is one empty field
    ],
)
def test_what_is_no_failure_is_noted(body: str, notes: tuple[str, ...]) -> None:
    for size in (1, 3, 100):
        found = inspect(body.encode(), size)
        assert found.problem is None
        assert notes == found.notes


def test_a_quoted_header_behind_a_byte_order_mark_is_read() -> None:
    body = '\ufeff"Pays;Land";"Umsatz in €"\nFR;1\n'.encode()
    assert inspect(body, 1).columns == ("Pays;Land", "Umsatz in €")


def test_rows_can_be_followed_while_they_come() -> None:
    inspector = Inspector()
    seen = []
    for chunk in (b"a;b\n1;", b"2\n3;4", b"\n"):
        inspector.update(chunk)
        seen.append(inspector.rows)
    assert seen == [0, 1, 2]


def test_a_chunk_may_be_changed_and_resized_once_it_was_taken() -> None:
    inspector = Inspector()
    chunk = bytearray(b'a;b\n"1')
    inspector.update(chunk)
    chunk[:] = b'";2\n'
    inspector.update(chunk)
    chunk.clear()
    found = inspector.finish()
    assert (found.problem, found.rows, found.columns) == (None, 1, ("a", "b"))


@pytest.mark.parametrize("size", [HEADER_BYTES, 65_521])
def test_a_header_as_long_as_the_limit_is_read_and_a_longer_one_is_a_problem(size: int) -> None:
    name = "x" * (HEADER_BYTES - len("\n"))
    found = inspect(f"{name}\n1\n".encode(), size)
    assert (None, (name,), 1) == (found.problem, found.columns, found.rows)
    longer = inspect(f"{name}x\n1\n".encode(), size)
    assert inspect(BOM + f"{name}\n1\n".encode(), size).notes == (Note.BOM,)
    assert longer.problem == "its header has no end within 1,048,576 bytes"
    assert (longer.columns, longer.rows) == ((), 0)


def test_columns_of_a_large_file_are_read_from_its_head_alone() -> None:
    head = (HEADER.encode() + b'FR;"1\n";2\n' * HEADER_BYTES)[:HEADER_BYTES]
    assert inspect(head).columns == ("Country", "Revenue")


@pytest.mark.parametrize("delimiter", [b"", b";;", b'"', b"\n", b"\r", b"\0", b"x", "é".encode("latin-1")])
def test_what_cannot_delimit_fields_is_refused(delimiter: bytes) -> None:
    with pytest.raises(ValueError, match="delimiter"):
        Inspector(delimiter)
