"""Receipts, descriptions, results and `_latest.json`: what they say, and which may replace which."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.delivery.description import PREDECESSORS, Description, Latest
from pigment_export.delivery.receipt import (
    REASON_BYTES,
    Receipt,
    Standing,
    State,
    is_better,
    result_of,
)
from pigment_export.errors import Cause, Who

FETCHED_AT = datetime(2026, 11, 24, 6, tzinfo=UTC)
FILE = Description(
    run_id="20261124T060000Z-0123456789abcdef",
    nonce="ab" * 8,
    fetched_at=FETCHED_AT,
    snapshot_date=date(2026, 11, 24),
    deployment="local/ann@laptop",
    rows=3,
    columns=2,
    bytes=40,
    sha256="00" * 32,
    protocol="HTTP/2",
    evidence="END_STREAM",
    seconds=1.5,
    notes=("bom", "no_final_newline"),
)
RECEIPT = Receipt(
    run_id=FILE.run_id,
    name="revenue",
    state=State.SUCCEEDED,
    snapshot_date=FILE.snapshot_date,
    deployment=FILE.deployment,
    path="revenue/dt=2026-11-24/revenue.csv",
    folder="revenue",
    owner="finance@example.com",
    file=FILE,
    columns=("Country", "Umsatz in €"),
)

texts = st.text(max_size=40)
files = st.builds(
    Description,
    run_id=texts,
    nonce=texts,
    fetched_at=st.datetimes(timezones=st.just(UTC)),
    snapshot_date=st.dates(),
    deployment=texts,
    rows=st.integers(0),
    columns=st.integers(0),
    bytes=st.integers(0),
    sha256=texts,
    protocol=texts,
    evidence=texts,
    seconds=st.floats(0, 1e6),
    first_byte_seconds=st.none() | st.floats(0, 1e6),
    notes=st.lists(st.from_regex(r"[a-z_]+", fullmatch=True), max_size=3).map(tuple),
)


def test_the_states_of_a_receipt_rank_as_they_may_replace_each_other() -> None:
    rank = {State.RETRYING: 0, State.FAILED: 1, State.HELD: 2, State.SUPERSEDED: 3, State.SUCCEEDED: 3}
    for mine, theirs in product(State, State):
        if rank[mine] != rank[theirs]:
            better = is_better(Standing(mine, None, {}), Standing(theirs, None, {}))
            assert (rank[mine] > rank[theirs]) == better, (mine, theirs)


def test_at_equal_rank_the_later_fetch_is_better_but_superseded_never_replaces_its_equals() -> None:
    early, late = FETCHED_AT, FETCHED_AT + timedelta(seconds=1)
    assert is_better(Standing(State.SUCCEEDED, late, {}), Standing(State.SUCCEEDED, early, {}))
    assert not is_better(Standing(State.SUCCEEDED, early, {}), Standing(State.SUCCEEDED, early, {}))
    assert not is_better(Standing(State.SUCCEEDED, early, {}), Standing(State.SUCCEEDED, late, {}))
    assert is_better(Standing(State.SUCCEEDED, late, {}), Standing(State.SUPERSEDED, early, {}))
    assert not is_better(Standing(State.SUPERSEDED, late, {}), Standing(State.SUCCEEDED, early, {}))
    assert not is_better(Standing(State.SUPERSEDED, late, {}), Standing(State.SUPERSEDED, early, {}))
    assert not is_better(Standing(State.FAILED, None, {}), Standing(State.FAILED, None, {}))


standings = st.builds(
    Standing,
    st.sampled_from(State),
    st.none() | st.sampled_from([FETCHED_AT, FETCHED_AT + timedelta(hours=1)]),
    st.just({}),
)


@settings(max_examples=200, deadline=None)
@given(standings, standings)
def test_no_two_receipts_are_each_better_than_the_other(one: Standing, other: Standing) -> None:
    assert not (is_better(one, other) and is_better(other, one))


@settings(max_examples=200, deadline=None)
@given(files)
def test_a_file_says_of_itself_what_was_written_into_it(file: Description) -> None:
    metadata = file.to_metadata()
    assert Description.from_metadata(metadata) == file
    for name, value in metadata.items():
        assert name.isascii()
        assert name.isidentifier()
        assert name == name.lower()
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"run_id": FILE.run_id},
        {"pigment_run_id": FILE.run_id},
        {**FILE.to_metadata(), "pigment_fetched_at": "yesterday"},
        {**FILE.to_metadata(), "pigment_fetched_at": "2026-11-24T06:00:00"},
        {**FILE.to_metadata(), "pigment_rows": "many"},
        {"hdi_isfolder": "true"},
    ],
)
def test_a_file_that_does_not_describe_itself_is_not_ours(metadata: dict[str, str]) -> None:
    assert Description.from_metadata(metadata) is None


def test_a_receipts_record_and_metadata_tell_the_same_standing() -> None:
    standing = Standing.from_json(RECEIPT.to_json())
    listed = Standing.from_metadata(RECEIPT.to_metadata())
    assert standing is not None
    assert listed is not None
    assert (standing.state, standing.fetched_at) == (State.SUCCEEDED, FETCHED_AT)
    assert (listed.state, listed.fetched_at) == (State.SUCCEEDED, FETCHED_AT)
    assert standing.fields["columns"] == ["Country", "Umsatz in €"]
    assert standing.fields["notes"] == ["bom", "no_final_newline"]
    assert listed.fields["rows"] == "3"
    assert listed.fields["path"] == RECEIPT.path


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=3000))
def test_a_reason_of_any_length_and_script_fits_into_the_metadata(reason: str) -> None:
    failed = replace(RECEIPT, state=State.FAILED, file=None, cause=Cause("x", reason, Who.PIGMENT, "look"))
    metadata = failed.to_metadata()
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 8192
    assert len(metadata["pigment_reason"]) <= REASON_BYTES
    standing = Standing.from_json(failed.to_json())
    assert standing is not None
    assert standing.fields["reason"] == reason


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=50) | st.sampled_from([b"[]", b"{}", b'"state"', b"null", b'{"state":"x"}', b'{"state":1}']))
def test_what_is_no_record_is_none_and_raises_nothing_else(data: bytes) -> None:
    assert Standing.from_json(data) is None
    with pytest.raises(ValueError, match=r".*"):
        Latest.from_json(data)


def test_the_latest_record_remembers_its_predecessors_newest_first_and_not_too_many() -> None:
    latest = Latest("p0", FILE, ("A",))
    for number in range(1, 40):
        latest = Latest.from_json(Latest(f"p{number}", FILE, None).after(latest).to_json())
    assert latest.path == "p39"
    assert latest.columns is None
    assert [entry["path"] for entry in latest.previous] == [f"p{n}" for n in range(38, 38 - PREDECESSORS, -1)]
    assert latest.file == FILE


def test_a_run_has_a_result_only_when_every_receipt_is_final() -> None:
    final = Standing.from_metadata(RECEIPT.to_metadata())
    retrying = Standing(State.RETRYING, None, {"state": "retrying"})
    assert final is not None
    common = (FILE.run_id, FILE.deployment, FILE.snapshot_date, ["a", "b"])
    assert result_of(*common, {"a": final}) is None
    assert result_of(*common, {"a": final, "b": retrying}) is None
    result = result_of(*common, {"b": final, "a": final, "stranger": final})
    assert result is not None
    assert [export["name"] for export in result.exports] == ["a", "b"]
    assert result.succeeded
    assert result.counts == {"succeeded": 2}


@pytest.mark.parametrize(("state", "succeeded"), [("failed", False), ("held", False), ("superseded", True)])
def test_a_run_succeeded_only_if_every_export_did(state: str, *, succeeded: bool) -> None:
    final = Standing(State.SUCCEEDED, None, {"state": "succeeded"})
    other = Standing(State(state), None, {"state": state})
    result = result_of(FILE.run_id, "d", FILE.snapshot_date, ["a", "b"], {"a": final, "b": other})
    assert result is not None
    assert result.succeeded == succeeded
    assert result.counts == {state: 1, "succeeded": 1}
