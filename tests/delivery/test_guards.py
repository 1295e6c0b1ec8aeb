"""When a complete file is held for a person to decide, and what is noted of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigment_export.catalog.exports import from_json
from pigment_export.delivery.description import Latest
from pigment_export.delivery.guards import HEADER_CHANGED, SHRINK_UNCHECKED, Verdict, judge
from pigment_export.transfer.inspector import Inspection, Inspector
from pigment_export.transfer.records import Note
from tests.delivery.test_receipt import FILE

AB = ("A", "B")
DEFINITION = {"name": "revenue", "kind": "metric", "id": "22222222-2222-4222-8222-222222222222"}


def judged(
    rows: int,
    before: int | None = None,
    came: tuple[str, ...] = AB,
    known: tuple[str, ...] | None = AB,
    notes: tuple[Note, ...] = (),
    **guards: Any,
) -> Verdict:
    """Judge a file after one that had so many rows, or the first one ever."""
    file = None if before is None else FILE.model_copy(update={"rows": before, "notes": ()})
    latest = None if file is None else Latest.of("p", file, known)
    inspection = Inspection(columns=came, rows=rows, notes=notes, problem=None)
    return judge(from_json({**DEFINITION, **guards}), inspection, latest, None)


def said(verdict: Verdict) -> str:
    return verdict.objection.reason if verdict.objection else ""


@pytest.mark.parametrize(
    ("guards", "rows", "before", "hint"),
    [
        ({"minimum_rows": 3}, 2, None, "minimum_rows: the export has 2 rows, at least 3"),
        ({"minimum_rows": 3}, 3, None, ""),
        ({"minimum_rows": 0}, 0, 10, ""),
        (
            {"maximum_shrink": 0.5},
            49,
            100,
            "maximum_shrink: the export has 49 rows after 100, a loss of over 50%",
        ),
        ({"maximum_shrink": 0.5}, 50, 100, ""),
        ({"maximum_shrink": 0.5}, 0, None, ""),
        ({"maximum_shrink": 0.18}, 123, 150, ""),  # 27 of 150 are gone: 18 %, and in floats a bit more
        ({"maximum_shrink": 0.18}, 122, 150, "a loss of over 18%"),
        ({"maximum_shrink": 0.005}, 1, 1000, "a loss of over 0.5%"),
        ({"maximum_shrink": 0.0}, 99, 100, "maximum_shrink"),
        ({"maximum_shrink": 1.0}, 0, 100, ""),
        ({}, 0, 10, "the export has only a header, after 10 rows"),
        ({}, 0, 0, ""),
        ({}, 0, None, ""),
        ({}, 1, 1_000_000, ""),
        ({"columns": ["A", "B"]}, 0, 10, "the export has only a header"),
    ],
)
def test_rows_that_vanished_are_held(guards: dict[str, Any], rows: int, before: int | None, hint: str) -> None:
    reason = said(judged(rows, before, **guards))
    assert hint in reason if hint else reason == ""


@pytest.mark.parametrize(
    ("came", "hint"),
    [
        (("A", "B"), ""),
        (("B", "A"), "another order"),
        (("A",), "missing: B"),
        (("A", "B", "C"), "new: C"),
        (("A", "b"), "missing: B; new: b"),
        (("A", *map(str, range(30))), "missing: B; new: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more"),
    ],
)
@pytest.mark.parametrize("columns", [["A", "B"], "unchanged"])
def test_a_header_that_differs_is_held(came: tuple[str, ...], hint: str, columns: Any) -> None:
    reason = said(judged(5, 5, came, columns=columns))
    assert hint in reason if hint else reason == ""


def test_the_first_file_ever_has_nothing_to_be_unchanged_from() -> None:
    assert judged(5, None, columns="unchanged") == Verdict()
    assert judged(5, 5, known=None, columns="unchanged") == Verdict()


def test_a_changed_header_is_noted_with_what_came_and_what_went() -> None:
    verdict = judged(5, 5, ("A", "C"))
    assert verdict.objection is None
    assert (verdict.notes, verdict.added, verdict.removed) == ((HEADER_CHANGED,), ("C",), ("B",))
    assert judged(5, 5, ("B", "A")).notes == (HEADER_CHANGED,)


def test_a_header_that_shares_no_column_with_the_last_good_file_is_held_unless_the_catalog_names_it() -> None:
    error_page = ("Internal error: please try again later",)
    assert "it may be an error page" in said(judged(0, 5, error_page, minimum_rows=0))
    assert judged(5, 5, ("C", "D"), columns=["C", "D"]).objection is None


@pytest.mark.parametrize("note", [Note.RAGGED_ROWS, Note.EXTRA_FIELDS, Note.LONE_CR])
def test_ragged_rows_are_held_unless_the_export_publishes_them(note: Note) -> None:
    assert "ragged_rows" in said(judged(5, None, notes=(note,)))
    assert judged(5, None, notes=(note,), ragged_rows="publish").objection is None


def test_a_final_newline_that_every_earlier_file_had_is_missed() -> None:
    cut = (Note.NO_FINAL_NEWLINE,)
    assert "it may have been cut" in said(judged(5, 5, notes=cut))
    assert judged(5, None, notes=cut).objection is None
    came = Inspection(columns=AB, rows=5, notes=cut, problem=None)
    never_had = FILE.model_copy(update={"notes": ("no_final_newline",)})
    latest = Latest.of("p", FILE.model_copy(update={"notes": ()}), AB, Latest.of("q", never_had, AB))
    assert judge(from_json(DEFINITION), came, latest, None).objection is None


@pytest.mark.parametrize(
    "body", [b"C", b"Country;Mon", b"Country;Month", b"Internal error: try again later", b'{"error": "busy"}', b'a"b']
)
def test_one_line_without_a_line_end_is_held_unless_its_names_are_known_beforehand(body: bytes) -> None:
    inspector = Inspector()
    inspector.update(body)
    came = inspector.finish()
    assert "the export is one line without a line end" in said(judge(from_json(DEFINITION), came, None, None))
    assert "one line" in said(judge(from_json({**DEFINITION, "minimum_rows": 0}), came, None, None))
    assert "one line" in said(judge(from_json({**DEFINITION, "columns": "unchanged"}), came, None, None))
    named = from_json({**DEFINITION, "columns": list(came.columns)})
    assert judge(named, came, None, None).objection is None
    released = FILE.model_copy(update={"rows": 0, "notes": ("no_final_newline",)})
    assert judge(from_json(DEFINITION), came, Latest.of("p", released, came.columns), None).objection is None


def test_half_the_header_of_a_file_that_never_had_a_row_or_a_newline_is_held() -> None:
    never_had = FILE.model_copy(update={"rows": 0, "notes": ("no_final_newline",)})
    came = Inspection(columns=("A",), rows=0, notes=(Note.NO_FINAL_NEWLINE, Note.EMPTY), problem=None)
    verdict = judge(from_json(DEFINITION), came, Latest.of("p", never_had, AB), None)
    assert "the export is one line without a line end (A)" in said(verdict)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\nFR;Jan 21"])
def test_a_first_header_with_its_line_end_and_a_first_row_without_one_are_published(end: bytes) -> None:
    inspector = Inspector()
    inspector.update(b"Country;Month" + end)
    assert judge(from_json(DEFINITION), inspector.finish(), None, None).objection is None


def test_a_header_that_ends_in_a_carriage_return_alone_is_held_without_a_word_of_rows_that_never_came() -> None:
    inspector = Inspector()
    inspector.update(b"Country;Month\r")
    reason = said(judge(from_json(DEFINITION), inspector.finish(), None, None))
    assert "some lines end in a carriage return" in reason
    assert "some rows" not in reason


def test_a_page_that_came_as_one_column_name_is_told_in_short() -> None:
    came = Inspection(columns=("x" * 9999,), rows=0, notes=(Note.NO_FINAL_NEWLINE, Note.EMPTY), problem=None)
    reason = said(judge(from_json(DEFINITION), came, None, None))
    assert f"({'x' * 100}…)" in reason


def test_a_shrink_is_measured_by_the_file_at_the_destination_where_no_record_is_and_else_said_to_be_unchecked() -> None:
    export = from_json({**DEFINITION, "maximum_shrink": 0.5})
    came = Inspection(columns=AB, rows=1, notes=(), problem=None)
    assert "maximum_shrink: the export has 1 rows after 3" in said(judge(export, came, None, FILE))
    assert judge(export, came, None, None) == Verdict(notes=(SHRINK_UNCHECKED,))


@given(st.integers(0, 10**9), st.none() | st.integers(0, 10**9))
def test_without_guards_only_an_empty_file_after_one_with_rows_is_held(rows: int, before: int | None) -> None:
    assert (judged(rows, before).objection is not None) == (rows == 0 and bool(before))


def test_rows_of_another_width_are_counted_and_the_first_is_named() -> None:
    inspector = Inspector()
    inspector.update(b"A;B\n1;2\n3\n4;5\n6;7;8\n9;9\n")
    verdict = judge(from_json(DEFINITION), inspector.finish(), None, None)
    assert "2 of 5 rows have more or fewer fields than the header; the first is row 2." in said(verdict)
