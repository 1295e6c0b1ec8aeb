"""The inspector against Python's own csv module, on arbitrary text cut into arbitrary chunks."""

import csv
import hashlib
import io
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pigment_export.integrity import HEADER_BYTES, Inspection, Inspector, Note

HEADER = "Country;Revenue\n"

texts = st.text(alphabet=st.sampled_from('ab;,"\n\r\0é€😀 x'), max_size=60) | st.text(max_size=40)
cuts = st.lists(st.integers(1, 9), min_size=1, max_size=30)
delimiters = st.sampled_from([";", ","])


def inspect(data: bytes, *sizes: int, delimiter: str = ";") -> Inspection:
    inspector = Inspector(delimiter.encode())
    position = 0
    for size in itertools.cycle(sizes or (len(data) or 1,)):
        if position >= len(data):
            break
        inspector.update(data[position : position + size])
        position += size
    return inspector.finish()


def by_csv(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def ends_in_quotes(text: str, delimiter: str) -> bool:
    """Whether two more characters would still belong to the same field: only inside quotes a line's end does."""
    marked = by_csv(text + "\nz", delimiter)
    return bool(marked) and bool(marked[-1]) and marked[-1][-1].endswith("\nz")


@settings(max_examples=1500, deadline=None)
@given(texts, cuts, delimiters)
@example('"a"\n"b""c"\n', [1], ";")
@example('a"b\r\n"x\r\ny"\r"z', [1], ";")
@example('\r"a"\n', [1], ";")
@example('"a""', [1], ";")
@example('"a"x"b";"c', [2], ";")
@example('";";""\n\n', [3], ";")
def test_records_and_fields_are_those_of_the_csv_module(text: str, sizes: list[int], delimiter: str) -> None:
    text = text.removeprefix("\ufeff")
    rows = by_csv(text, delimiter)
    found = inspect(text.encode(errors="replace"), *sizes, delimiter=delimiter)
    assert found.rows == max(0, len(rows) - 1)
    if not rows:
        return
    assert list(found.columns) == [name.encode(errors="replace").decode() for name in rows[0]]
    in_quotes = ends_in_quotes(text, delimiter)
    assert (found.problem == "it ends inside a quoted field") == in_quotes
    last_fields = max(1, len(rows[-1]))
    is_short = len(rows) > 1 and last_fields < len(rows[0])
    if not in_quotes:
        assert (found.problem is not None) == is_short
        assert (Note.EXTRA_FIELDS in found.notes) == (len(rows) > 1 and last_fields > len(rows[0]))
        assert (Note.NO_FINAL_NEWLINE in found.notes) == (not text.endswith(("\n", "\r")))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80) | texts.map(lambda text: text.encode(errors="replace")), cuts, cuts, st.booleans())
def test_nothing_depends_on_where_the_chunks_are_cut(
    data: bytes,
    one: list[int],
    other: list[int],
    bom: bool,  # noqa: FBT001 - a fact, drawn
) -> None:
    data = b"\xef\xbb\xbf" * bom + data
    found = inspect(data, *one)
    assert found == inspect(data, *other) == inspect(data)
    assert found.bytes == len(data)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert (Note.NUL in found.notes) == (b"\0" in data)
    assert (Note.BOM in found.notes) == data.startswith(b"\xef\xbb\xbf")
    try:
        data.decode()
    except UnicodeDecodeError:
        assert Note.INVALID_UTF8 in found.notes
    else:
        assert Note.INVALID_UTF8 not in found.notes


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), min_size=1, max_size=8),
    cuts,
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_writer_wrote_is_whole_until_it_is_cut(rows: list[list[str]], sizes: list[int], quoting: int) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", quoting=quoting).writerows([["a", "b", "c"], *rows])
    data = out.getvalue().encode(errors="replace")
    found = inspect(data, *sizes)
    assert found.problem is None
    assert (found.rows, found.columns) == (len(rows), ("a", "b", "c"))
    assert not {Note.RAGGED_ROWS, Note.EXTRA_FIELDS, Note.NO_FINAL_NEWLINE} & set(found.notes)


def test_a_body_without_a_byte_is_not_whole() -> None:
    assert inspect(b"").problem == "there is not a single byte"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (HEADER + 'FR;"1', "it ends inside a quoted field"),
        (HEADER + 'FR;"1""', "it ends inside a quoted field"),
        (HEADER + "FR;1\nDE", "its last record has 1 of 2 fields"),
        (HEADER + "FR;1\n\n", "its last record has 1 of 2 fields"),
        ("\ufeff", "there is no header"),
    ],
)
def test_an_ending_that_is_not_whole_is_told(body: str, problem: str) -> None:
    for size in (1, 2, 100):
        assert inspect(body.encode(), size).problem == problem


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        (HEADER + "FR;1\n", ()),
        (HEADER, ("empty",)),
        (HEADER.strip(), ("empty", "no_final_newline")),
        (HEADER + "FR;1", ("no_final_newline",)),
        (HEADER + "FR;1;2\n", ("ragged_rows", "extra_fields")),
        (HEADER + "FR;1;2\nDE;1\n", ("ragged_rows",)),
        ("\ufeff" + HEADER + "FR;1\n", ("bom",)),
        (HEADER + "FR;\0\n", ("nul",)),
        ('"Country";"Rev\nenue"\nFR;"a;b"\n', ()),
        ("Country\nFR\n\n", ()),  # of one column, an empty line is one empty field
    ],
)
def test_what_passes_is_noted(body: str, notes: tuple[str, ...]) -> None:
    for size in (1, 3, 100):
        found = inspect(body.encode(), size)
        assert found.problem is None
        assert found.notes == notes


def test_a_quoted_header_behind_a_byte_order_mark_is_read() -> None:
    found = inspect('\ufeff"Pays;Land";"Umsatz in €"\nFR;1\n'.encode(), 1)
    assert found.columns == ("Pays;Land", "Umsatz in €")


def test_rows_can_be_followed_while_they_come() -> None:
    inspector = Inspector()
    seen = []
    for chunk in (b"a;b\n1;", b"2\n3;4", b"\n"):
        inspector.update(memoryview(chunk))
        seen.append(inspector.rows)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("name", ["x" * (HEADER_BYTES + 10), "x" * 200_000])
def test_a_header_of_absurd_length_is_a_problem_not_a_guess(name: str) -> None:
    problem = inspect(f"{name};b\n1;2\n".encode(), 65536).problem
    assert problem is not None
    assert "header" in problem


def test_a_header_that_ends_just_within_the_limit_is_read() -> None:
    name = "x" * 1000
    columns = [name] * (HEADER_BYTES // 1001 - 1)
    found = inspect((";".join(columns) + "\n" + ";".join("1" * len(columns)) + "\n").encode() + b"y" * 3, 70_000)
    assert len(found.columns) == len(columns)
