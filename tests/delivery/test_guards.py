"""When a whole file is held for a person to decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigment_export.delivery.guards import Guards, objection


@pytest.mark.parametrize(
    ("guards", "rows", "latest", "hint"),
    [
        (Guards(minimum_rows=3), 2, None, "minimum_rows: 2 rows came, at least 3"),
        (Guards(minimum_rows=3), 3, None, None),
        (Guards(minimum_rows=0), 0, 10, None),
        (Guards(maximum_shrink=0.5), 49, 100, "maximum_shrink: 49 rows came after 100, more than 50%"),
        (Guards(maximum_shrink=0.5), 50, 100, None),
        (Guards(maximum_shrink=0.5), 0, None, None),
        (Guards(maximum_shrink=0.18), 123, 150, None),  # 27 of 150 are gone: 18 %, and in floats a bit more
        (Guards(maximum_shrink=0.18), 122, 150, "more than 18% of them are gone"),
        (Guards(maximum_shrink=0.005), 1, 1000, "more than 0.5% of them are gone"),
        (Guards(maximum_shrink=0.0), 99, 100, "maximum_shrink"),
        (Guards(maximum_shrink=1.0), 0, 100, None),
        (Guards(), 0, 10, "only a header came, after 10 rows"),
        (Guards(), 0, 0, None),
        (Guards(), 0, None, None),
        (Guards(), 1, 1_000_000, None),
        (Guards(columns=("A", "B")), 0, 10, "only a header came"),
    ],
)
def test_rows_that_vanished_are_held(guards: Guards, rows: int, latest: int | None, hint: str | None) -> None:
    found = objection(guards, rows=rows, columns=("A", "B"), latest_rows=latest)
    assert found is None if hint is None else found is not None and hint in found


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        (("A", "B"), None),
        (("B", "A"), "another order"),
        (("A",), "missing: B"),
        (("A", "B", "C"), "new: C"),
        (("A", "b"), "missing: B; new: b"),
    ],
)
def test_a_header_that_differs_is_held(columns: tuple[str, ...], hint: str | None) -> None:
    found = objection(Guards(columns=("A", "B")), rows=5, columns=columns, latest_rows=5)
    assert found is None if hint is None else found is not None and hint in found


@given(st.integers(0, 10**9), st.none() | st.integers(0, 10**9))
def test_without_guards_only_an_empty_file_after_one_with_rows_is_held(rows: int, latest: int | None) -> None:
    found = objection(Guards(), rows=rows, columns=("A",), latest_rows=latest)
    assert (found is not None) == (rows == 0 and bool(latest))
