"""Receipts, descriptions, results and `_latest.json`: what they say, and which may replace which."""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.catalog.exports import from_json
from pigment_export.delivery.description import PREDECESSORS, FileDescription, Latest
from pigment_export.delivery.receipt import Receipt, ReceiptSummary, Result, State, is_better, result_of
from pigment_export.delivery.task import Task
from pigment_export.errors import Cause, Who
from pigment_export.lake.paths import Destination
from pigment_export.lake.records import LONGEST_VALUE, Record

FETCHED_AT = datetime(2026, 11, 24, 6, tzinfo=UTC)
FILE = FileDescription(
    run_id="20261124T060000Z-0123456789abcdef",
    nonce="ab" * 8,
    fetched_at=FETCHED_AT,
    snapshot_date=date(2026, 11, 24),
    deployment="local/ann@laptop",
    rows=3,
    number_of_columns=2,
    bytes=40,
    sha256="00" * 32,
    protocol="HTTP/2",
    evidence="END_STREAM",
    seconds=1.5,
    first_byte_seconds=0.25,
    notes=("bom", "no_final_newline"),
)
TASK = Task(
    run_id=FILE.run_id,
    deployment=FILE.deployment,
    export=from_json(
        {
            "name": "revenue",
            "kind": "metric",
            "id": "22222222-2222-4222-8222-222222222222",
            "owner": "finance@example.com",
        }
    ),
    destination=Destination("revenue", "revenue/dt=2026-11-24/revenue.csv", replaces=True),
    receipt_path="_runs/receipts/revenue.json",
    snapshot_date=FILE.snapshot_date,
    replaces_until=FETCHED_AT,
    expires_at=FETCHED_AT,
)
RECEIPT = Receipt.of(TASK, State.SUCCEEDED, FILE, columns=("Country", "Umsatz in €"))

texts = st.text(max_size=3000)
files = st.builds(
    FileDescription,
    run_id=st.from_regex(r"[0-9TZ-]{1,33}", fullmatch=True),
    nonce=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    fetched_at=st.datetimes(timezones=st.just(UTC)),
    snapshot_date=st.dates(),
    deployment=st.text(max_size=80),
    rows=st.integers(0, 2**63),
    number_of_columns=st.integers(0, 2**31),
    bytes=st.integers(0, 2**63),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    protocol=st.text(max_size=40),
    evidence=st.text(max_size=80),
    seconds=st.floats(0, 1e6),
    first_byte_seconds=st.none() | st.floats(0, 1e6),
    notes=st.lists(st.from_regex(r"[a-z_]+", fullmatch=True), max_size=3).map(tuple),
)


def summary(state: State, fetched_at: datetime | None = None, name: str = "a") -> ReceiptSummary:
    return ReceiptSummary(name=name, state=state, fetched_at=fetched_at)


def test_the_states_of_a_receipt_rank_as_they_may_replace_each_other() -> None:
    rank = {State.RETRYING: 0, State.FAILED: 1, State.HELD: 2, State.SUPERSEDED: 3, State.SUCCEEDED: 3}
    for mine, theirs in product(State, State):
        if rank[mine] != rank[theirs]:
            better = is_better(summary(mine), summary(theirs))
            assert (rank[mine] > rank[theirs]) == better, (mine, theirs)


def test_at_equal_rank_the_later_fetch_is_better_but_superseded_never_replaces_its_equals() -> None:
    early, late = FETCHED_AT, FETCHED_AT + timedelta(seconds=1)
    assert is_better(summary(State.SUCCEEDED, late), summary(State.SUCCEEDED, early))
    assert not is_better(summary(State.SUCCEEDED, early), summary(State.SUCCEEDED, early))
    assert not is_better(summary(State.SUCCEEDED, early), summary(State.SUCCEEDED, late))
    assert is_better(summary(State.SUCCEEDED, late), summary(State.SUPERSEDED, early))
    assert not is_better(summary(State.SUPERSEDED, late), summary(State.SUCCEEDED, early))
    assert not is_better(summary(State.SUPERSEDED, late), summary(State.SUPERSEDED, early))
    assert not is_better(summary(State.FAILED), summary(State.FAILED))


summaries = st.builds(
    summary,
    st.sampled_from(State),
    st.none() | st.sampled_from([FETCHED_AT, FETCHED_AT + timedelta(hours=1)]),
)


@settings(max_examples=200, deadline=None)
@given(summaries, summaries)
def test_no_two_receipts_are_each_better_than_the_other(one: ReceiptSummary, other: ReceiptSummary) -> None:
    assert not (is_better(one, other) and is_better(other, one))


@settings(max_examples=200, deadline=None)
@given(files)
def test_a_file_says_of_itself_what_was_written_into_it(file: FileDescription) -> None:
    metadata = file.to_metadata()
    assert FileDescription.from_metadata(metadata) == file
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
    assert FileDescription.from_metadata(metadata) is None


def test_a_receipts_record_and_a_listing_of_it_say_the_same() -> None:
    read, listed = Receipt.from_json(RECEIPT.to_json()), ReceiptSummary.listed("revenue", RECEIPT.to_metadata())
    assert read == RECEIPT
    assert listed is not None
    assert listed.to_fields() == {name: RECEIPT.to_fields()[name] for name in listed.to_fields()}
    assert read.columns == ("Country", "Umsatz in €")
    assert (listed.owner, listed.rows, listed.path) == ("finance@example.com", 3, RECEIPT.path)


@settings(max_examples=100, deadline=None)
@given(texts, texts, texts)
def test_texts_of_any_length_and_script_fit_into_the_metadata(reason: str, remedy: str, owner: str) -> None:
    """The service takes 8 KiB of names and values in all."""
    failed = Receipt.of(TASK, State.FAILED, None, **Cause("x", reason, Who.PIGMENT, remedy).to_fields())
    failed = failed.model_copy(update={"owner": owner, "path": "p" * 1024, "folder": "f" * 1024})
    metadata = failed.to_metadata()
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 8192
    assert len(metadata["pigment_reason"]) <= LONGEST_VALUE
    listed = ReceiptSummary.listed("revenue", metadata)
    assert listed is not None
    assert reason.startswith(listed.reason or "")
    assert Receipt.from_json(failed.to_json()).reason == reason


@settings(max_examples=50, deadline=None)
@given(files, texts)
def test_a_description_of_any_deployment_fits_into_the_metadata(file: FileDescription, deployment: str) -> None:
    metadata = file.model_copy(update={"deployment": deployment}).to_metadata()
    assert sum(len(name) + len(value) for name, value in metadata.items()) < 8192
    assert FileDescription.from_metadata(metadata) is not None


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=50)
    | st.sampled_from([b"[]", b"{}", b'"state"', b"null", b'{"state":"x"}', b'{"state":1}', b"[" * 100_000])
)
def test_what_is_no_record_is_none_and_raises_nothing_else(data: bytes) -> None:
    assert Receipt.found_in(data) is None
    records: tuple[type[Record], ...] = (Latest, Result, Receipt)
    for record in records:
        with pytest.raises(ValueError, match="missing or malformed"):
            record.from_json(data)


def test_a_record_of_a_later_version_is_read_all_the_same() -> None:
    later = RECEIPT.to_json().replace(b"{", b'{"of_a_later_version": {"x": 1},', 1)
    assert Receipt.from_json(later) == RECEIPT


def test_the_latest_record_remembers_its_predecessors_newest_first_and_not_too_many() -> None:
    latest = Latest.of("p0", FILE, ("A",))
    for number in range(1, 40):
        latest = Latest.from_json(Latest.of(f"p{number}", FILE, None, latest).to_json())
    assert latest.path == "p39"
    assert latest.columns is None
    assert [entry.path for entry in latest.previous] == [f"p{n}" for n in range(38, 38 - PREDECESSORS, -1)]
    assert FileDescription(**latest.model_dump(include=set(FileDescription.model_fields))) == FILE


def test_the_latest_record_stays_a_record_however_long_the_headers_are() -> None:
    columns = tuple(f"{number:0100}" for number in range(10_000))  # a megabyte: the longest header that is read
    latest = Latest.of("p0", FILE, columns)
    for number in range(1, 40):
        latest = Latest.of(f"p{number}", FILE, columns, latest)
    assert latest.columns == columns
    assert len(latest.to_json()) < 2 * 1024 * 1024


def test_a_run_has_a_result_only_when_every_receipt_is_final() -> None:
    final, retrying = summary(State.SUCCEEDED), summary(State.RETRYING)
    common = (FILE.run_id, FILE.deployment, FILE.snapshot_date, ["a", "b"])
    assert result_of(*common, {"a": final}) is None
    assert result_of(*common, {"a": final, "b": retrying}) is None
    result = result_of(*common, {"b": summary(State.SUCCEEDED, name="b"), "a": final, "stranger": final})
    assert result is not None
    assert [export.name for export in result.exports] == ["a", "b"]
    assert result.succeeded
    assert result.counts == {"succeeded": 2}


@pytest.mark.parametrize(("state", "succeeded"), [("failed", False), ("held", False), ("superseded", True)])
def test_a_run_succeeded_only_if_every_export_did(state: str, *, succeeded: bool) -> None:
    other = summary(State(state), name="b")
    result = result_of(FILE.run_id, "d", FILE.snapshot_date, ["a", "b"], {"a": summary(State.SUCCEEDED), "b": other})
    assert result is not None
    assert result.succeeded == succeeded
    assert result.counts == {state: 1, "succeeded": 1}
