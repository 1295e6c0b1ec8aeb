"""What `Lake` promises, kept by the real adapter and by the tests' fake alike."""

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import requests

from emulators.lake.account import Answer, LostReply
from emulators.lake.account import Lake as StandIn
from pigment_export.azure.adls import MOST_RECORD_BYTES, AdlsLake
from pigment_export.errors import ConflictError, ExportError, MissingError, PermanentError, RetryableError
from pigment_export.lake.interface import Lake, PathInfo
from tests.harness.fakes import FakeLake

pytest_plugins = ("tests.harness.emulated_lake", "tests.harness.real_lake")

NOW = datetime(2026, 11, 24, 6, 30, 15, tzinfo=UTC)
STALE = '"0xDEAD"'
PATH = "demo/revenue/dt=2026-11-24/revenue.csv"
STAGED = "demo/revenue/_20261124T060000Z-00.11.partial"


@dataclass
class Subject:
    """One implementation, and what a test may do behind its back."""

    lake: Lake
    now: Callable[[], datetime]
    set_now: Callable[[datetime], None]
    put: Callable[[str, bytes, Mapping[str, str]], None]
    tree: Callable[[], dict[str, bytes]]
    folders: Callable[[], list[str]]

    def staged(self, data: bytes = b"a;b\n1;2\n", path: str = STAGED) -> str:
        """Make a flushed file as `UnpublishedFile` does; returns its ETag."""
        etag = self.lake.create(path)
        if data:
            self.lake.append(path, 0, data)
        return self.lake.flush(path, len(data), etag, content_type="text/csv")


def fake() -> Subject:
    lake = FakeLake(NOW)
    return Subject(
        lake=lake,
        now=lake.now,
        set_now=lambda now: lake.advance(now - lake.now()),
        put=lake.put,
        tree=lambda: {path: lake.content(path) for path in lake.paths()},
        folders=lake.folders,
    )


@pytest.fixture(params=["fake", "adapter"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        return fake()
    lake: StandIn = request.getfixturevalue("lake")
    adapter: AdlsLake = request.getfixturevalue("real_lake")
    lake.clock = lambda: NOW

    def set_now(now: datetime) -> None:
        lake.clock = lambda: now

    return Subject(
        lake=adapter,
        now=adapter.now,
        set_now=set_now,
        put=lake.write,
        tree=lambda: {path: lake.read(path) for path in lake.tree()},
        folders=lake.folders,
    )


def code_of(call: Callable[[], object], kind: type[ExportError]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return caught.value.cause.code


# The clock


def test_now_is_the_lakes_clock_and_no_machines(subject: Subject) -> None:
    subject.set_now(NOW + timedelta(days=3))
    assert subject.now() == NOW + timedelta(days=3)


def test_a_look_tells_the_lakes_clock_where_something_is_and_where_nothing_is(subject: Subject) -> None:
    subject.put(PATH, b"x", {})
    subject.set_now(NOW + timedelta(seconds=7))
    assert subject.lake.look(PATH).now == NOW + timedelta(seconds=7)
    assert subject.lake.look("nothing") == PathInfo(NOW + timedelta(seconds=7))


# Files


def test_a_look_tells_size_metadata_and_an_etag_that_holds_as_a_condition(subject: Subject) -> None:
    subject.put(PATH, b"12345", {"pigment_run_id": "r1", "note": "a%20b"})
    found = subject.lake.look(PATH)
    assert (found.size, found.metadata) == (5, {"pigment_run_id": "r1", "note": "a%20b"})
    assert found.etag
    assert found.etag.startswith('"')
    subject.lake.describe(PATH, {}, found.etag)


def test_a_folder_in_the_way_looks_like_something_that_is_not_ours(subject: Subject) -> None:
    subject.lake.make_folder(PATH)
    found = subject.lake.look(PATH)
    assert found.etag is not None
    assert set(found.metadata) <= {"hdi_isfolder"}


def test_a_new_file_is_empty_and_has_its_folders(subject: Subject) -> None:
    etag = subject.lake.create(STAGED)
    assert subject.lake.look(STAGED) == PathInfo(NOW, etag, 0, {})
    assert subject.folders() == ["demo", "demo/revenue"]


def test_create_refuses_a_path_that_is_taken_and_leaves_it_alone(subject: Subject) -> None:
    subject.put(PATH, b"precious", {"a": "b"})
    assert code_of(lambda: subject.lake.create(PATH), ConflictError) == "lake_conflict"
    assert subject.tree() == {PATH: b"precious"}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_is_appended(subject: Subject, kind: Callable[[bytes], bytes]) -> None:
    etag = subject.lake.create(STAGED)
    subject.lake.append(STAGED, 0, kind(b"abc" * 100_000))
    subject.lake.flush(STAGED, 300_000, etag, content_type="text/csv")
    assert subject.tree() == {STAGED: b"abc" * 100_000}


def test_a_slice_of_a_buffer_is_appended_and_no_more(subject: Subject) -> None:
    etag = subject.lake.create(STAGED)
    subject.lake.append(STAGED, 0, memoryview(bytearray(b"0123456789"))[2:5])
    subject.lake.flush(STAGED, 3, etag, content_type="text/csv")
    assert subject.tree() == {STAGED: b"234"}


def test_appends_may_come_at_once_in_any_order_and_twice(subject: Subject) -> None:
    chunks = [bytes([65 + number]) * 1000 for number in range(8)]
    etag = subject.lake.create(STAGED)
    calls = [*reversed(list(enumerate(chunks))), (3, chunks[3])]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: subject.lake.append(STAGED, call[0] * 1000, call[1]), calls))
    subject.lake.flush(STAGED, 8000, etag, content_type="text/csv")
    assert subject.tree() == {STAGED: b"".join(chunks)}


def test_what_is_appended_is_not_there_before_the_flush(subject: Subject) -> None:
    etag = subject.lake.create(STAGED)
    subject.lake.append(STAGED, 0, b"abc")
    assert subject.lake.look(STAGED).size == 0
    assert subject.lake.look(STAGED).etag == etag


def test_an_empty_file_can_be_flushed(subject: Subject) -> None:
    subject.staged(b"")
    assert subject.tree() == {STAGED: b""}


def test_append_and_flush_need_the_file(subject: Subject) -> None:
    assert code_of(lambda: subject.lake.append(STAGED, 0, b"a"), MissingError) == "lake_path_missing"
    assert (
        code_of(lambda: subject.lake.flush(STAGED, 0, STALE, content_type="text/csv"), MissingError)
        == "lake_path_missing"
    )


def test_a_flush_changes_the_etag_and_a_stale_one_flushes_nothing(subject: Subject) -> None:
    etag = subject.lake.create(STAGED)
    subject.lake.append(STAGED, 0, b"abc")
    assert (
        code_of(lambda: subject.lake.flush(STAGED, 3, STALE, content_type="text/csv"), ConflictError) == "lake_conflict"
    )
    assert subject.lake.look(STAGED).size == 0
    flushed = subject.lake.flush(STAGED, 3, etag, content_type="text/csv")
    assert flushed != etag
    assert subject.lake.look(STAGED).etag == flushed


@pytest.mark.parametrize("appended", [(), (0,), (4,), (0, 8)])
def test_a_flush_with_bytes_missing_is_refused(subject: Subject, appended: tuple[int, ...]) -> None:
    etag = subject.lake.create(STAGED)
    for position in appended:
        subject.lake.append(STAGED, position, b"abcd")
    assert (
        code_of(lambda: subject.lake.flush(STAGED, 12, etag, content_type="text/csv"), RetryableError)
        == "lake_bytes_missing"
    )
    assert subject.tree() == {STAGED: b""}


def test_describe_replaces_all_metadata_and_changes_the_etag(subject: Subject) -> None:
    etag = subject.staged()
    described = subject.lake.describe(STAGED, {"pigment_rows": "1", "old": "x"}, etag)
    again = subject.lake.describe(STAGED, {"pigment_rows": "2"}, described)
    assert len({etag, described, again}) == 3
    assert subject.lake.look(STAGED) == PathInfo(NOW, again, 8, {"pigment_rows": "2"})


def test_describe_refuses_a_stale_etag_and_a_missing_file(subject: Subject) -> None:
    subject.staged()
    assert code_of(lambda: subject.lake.describe(STAGED, {"a": "b"}, STALE), ConflictError) == "lake_conflict"
    assert subject.lake.look(STAGED).metadata == {}
    assert code_of(lambda: subject.lake.describe("no", {}, STALE), MissingError) == "lake_path_missing"


def test_a_rename_to_where_nothing_is_keeps_bytes_metadata_and_etag(subject: Subject) -> None:
    etag = subject.lake.describe(STAGED, {"pigment_run_id": "r1"}, subject.staged())
    subject.lake.make_folder("demo/revenue/dt=2026-11-24")
    subject.lake.rename(STAGED, PATH, source_etag=etag, replacing=None)
    assert subject.lake.look(PATH) == PathInfo(NOW, etag, 8, {"pigment_run_id": "r1"})
    assert subject.tree() == {PATH: b"a;b\n1;2\n"}


def test_a_rename_replaces_exactly_the_file_that_was_seen(subject: Subject) -> None:
    subject.put(PATH, b"old", {})
    seen = subject.lake.look(PATH).etag
    assert seen
    etag = subject.staged(b"new")
    subject.lake.rename(STAGED, PATH, source_etag=etag, replacing=seen)
    assert subject.tree() == {PATH: b"new"}


@pytest.mark.parametrize("replacing", [None, STALE])
def test_a_rename_over_another_file_than_was_seen_changes_nothing(subject: Subject, replacing: str | None) -> None:
    subject.put(PATH, b"theirs", {})
    etag = subject.staged(b"new")
    call = lambda: subject.lake.rename(STAGED, PATH, source_etag=etag, replacing=replacing)  # noqa: E731 - used once
    assert code_of(call, ConflictError) == "lake_conflict"
    assert subject.tree() == {PATH: b"theirs", STAGED: b"new"}


def test_a_rename_over_a_file_that_has_gone_changes_nothing(subject: Subject) -> None:
    subject.lake.make_folder("demo/revenue/dt=2026-11-24")
    etag = subject.staged(b"new")
    with pytest.raises(ConflictError):
        subject.lake.rename(STAGED, PATH, source_etag=etag, replacing=STALE)
    assert subject.tree() == {STAGED: b"new"}


def test_a_rename_of_another_file_than_was_staged_changes_nothing(subject: Subject) -> None:
    subject.put(PATH, b"old", {})
    seen = subject.lake.look(PATH).etag
    subject.staged(b"new")
    with pytest.raises(ConflictError):
        subject.lake.rename(STAGED, PATH, source_etag=STALE, replacing=seen)
    assert subject.tree() == {PATH: b"old", STAGED: b"new"}


def test_a_rename_tells_a_missing_parent_from_a_missing_source(subject: Subject) -> None:
    etag = subject.staged()
    parent = lambda: subject.lake.rename(STAGED, PATH, source_etag=etag, replacing=None)  # noqa: E731 - used once
    assert code_of(parent, MissingError) == "lake_parent_missing"
    source = lambda: subject.lake.rename("no", "x", source_etag=etag, replacing=None)  # noqa: E731 - used once
    assert code_of(source, MissingError) == "lake_source_missing"


def test_making_a_folder_twice_makes_it_once_with_its_parents_and_keeps_what_is_in_it(subject: Subject) -> None:
    subject.lake.make_folder("a/b/c")
    subject.put("a/b/c/x", b"1", {})
    subject.lake.make_folder("a/b/c")
    assert subject.folders() == ["a", "a/b", "a/b/c"]
    assert subject.tree() == {"a/b/c/x": b"1"}


def test_a_deleted_file_is_gone_and_may_be_deleted_again(subject: Subject) -> None:
    subject.staged()
    subject.lake.delete(STAGED)
    subject.lake.delete(STAGED)
    assert subject.tree() == {}


def test_a_file_that_was_never_flushed_is_deleted_with_what_was_appended_to_it(subject: Subject) -> None:
    subject.lake.create(STAGED)
    subject.lake.append(STAGED, 0, b"abc")
    subject.lake.delete(STAGED)
    assert subject.tree() == {}
    etag = subject.lake.create(STAGED)
    subject.lake.flush(STAGED, 0, etag, content_type="text/csv")
    assert subject.tree() == {STAGED: b""}


def test_a_delete_leaves_the_folders(subject: Subject) -> None:
    subject.staged()
    subject.lake.delete(STAGED)
    assert subject.folders() == ["demo", "demo/revenue"]


def test_a_read_gives_the_first_bytes_of_the_file_that_was_seen(subject: Subject) -> None:
    etag = subject.staged(b"0123456789")
    assert subject.lake.read_range(STAGED, 4, etag) == b"0123"
    assert subject.lake.read_range(STAGED, 4000, etag) == b"0123456789"
    assert code_of(lambda: subject.lake.read_range(STAGED, 4, STALE), ConflictError) == "lake_conflict"
    assert code_of(lambda: subject.lake.read_range("no", 4, etag), MissingError) == "lake_path_missing"


def test_a_read_of_an_empty_file_gives_nothing(subject: Subject) -> None:
    assert subject.lake.read_range(STAGED, 4, subject.staged(b"")) == b""


# Records


def test_a_record_that_is_not_there_reads_as_nothing_by_the_lakes_clock(subject: Subject) -> None:
    record = subject.lake.read("_runs/x.json")
    assert (record.now, record.etag, record.data) == (NOW, None, b"")


def test_a_record_is_written_with_its_folders_and_read_back(subject: Subject) -> None:
    subject.lake.write("_runs/dt=2026-11-24/x.json", b'{"a": 1}', {"state": "failed"}, replacing=None)
    record = subject.lake.read("_runs/dt=2026-11-24/x.json")
    assert (record.now, record.data) == (NOW, b'{"a": 1}')
    assert subject.lake.look("_runs/dt=2026-11-24/x.json") == PathInfo(NOW, record.etag, 8, {"state": "failed"})


def test_a_record_is_written_only_over_the_one_that_was_read(subject: Subject) -> None:
    write = subject.lake.write
    write("x", b"1", {"a": "b"}, replacing=None)
    assert code_of(lambda: write("x", b"2", {}, replacing=None), ConflictError) == "lake_conflict"
    assert code_of(lambda: write("x", b"2", {}, replacing=STALE), ConflictError) == "lake_conflict"
    assert subject.tree() == {"x": b"1"}
    first = subject.lake.read("x").etag
    write("x", b"3", {"c": "d"}, replacing=first)
    assert subject.lake.look("x").metadata == {"c": "d"}
    assert code_of(lambda: write("x", b"4", {}, replacing=first), ConflictError) == "lake_conflict"
    assert subject.tree() == {"x": b"3"}


def test_a_record_that_has_gone_is_not_written_over(subject: Subject) -> None:
    with pytest.raises(ConflictError):
        subject.lake.write("x", b"2", {}, replacing=STALE)
    assert subject.tree() == {}


def test_of_many_writers_one_wins(subject: Subject) -> None:
    def write(number: int) -> bool:
        try:
            subject.lake.write("x", str(number).encode(), {}, replacing=None)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(write, range(8)))
    assert won.count(True) == 1
    assert subject.tree() == {"x": str(won.index(True)).encode()}


def test_an_empty_record_reads_as_empty_but_there(subject: Subject) -> None:
    subject.put("x", b"", {})
    record = subject.lake.read("x")
    assert record.data == b""
    assert record.etag is not None
    assert record.now == NOW


def test_a_listing_has_files_with_metadata_times_and_sizes_and_no_folders(subject: Subject) -> None:
    subject.lake.write("_runs/r1/receipts/a.json", b"12", {"state": "failed"}, replacing=None)
    subject.put("_runs/r1/run.json", b"123", {})
    subject.put("_runs/r10/run.json", b"1", {})
    rows = list(subject.lake.list("_runs/r1/"))
    assert [(row.path, row.metadata, row.size) for row in rows] == [
        ("_runs/r1/receipts/a.json", {"state": "failed"}, 2),
        ("_runs/r1/run.json", {}, 3),
    ]
    assert {moment for row in rows for moment in (row.created_at, row.written_at)} == {NOW}


def test_names_are_those_of_files_and_folders(subject: Subject) -> None:
    subject.lake.write("_runs/r1/receipts/a.json", b"12", {"state": "failed"}, replacing=None)
    subject.lake.write("_runs/r1/run.json", b"123", {}, replacing=None)
    subject.lake.write("_runs/r10/run.json", b"1", {}, replacing=None)
    assert list(subject.lake.names("_runs/r1/")) == [
        "_runs/r1/receipts",
        "_runs/r1/receipts/a.json",
        "_runs/r1/run.json",
    ]
    assert list(subject.lake.names("nothing/")) == []


def test_a_listing_of_what_is_not_there_or_is_empty_has_no_rows(subject: Subject) -> None:
    subject.lake.make_folder("empty/folder")
    assert list(subject.lake.list("empty/")) == []
    assert list(subject.lake.list("nothing/")) == []


def test_a_deleted_record_is_gone_and_may_be_deleted_again(subject: Subject) -> None:
    subject.lake.write("x", b"1", {}, replacing=None)
    subject.lake.delete("x")
    subject.lake.delete("x")
    assert subject.tree() == {}


def test_a_record_is_deleted_only_as_it_was_read_where_that_is_asked(subject: Subject) -> None:
    subject.lake.write("x", b"1", {}, replacing=None)
    read = subject.lake.read("x").etag
    subject.lake.write("x", b"2", {}, replacing=read)
    with pytest.raises(ConflictError):
        subject.lake.delete("x", read)
    assert subject.lake.read("x").data == b"2"
    subject.lake.delete("x", subject.lake.read("x").etag)
    subject.lake.delete("x", read)
    assert subject.tree() == {}


# What only the wire can show

ONE_REQUEST: dict[str, Callable[[AdlsLake, str], object]] = {
    "now": lambda lake, _etag: lake.now(),
    "look": lambda lake, _etag: lake.look(STAGED),
    "look at nothing": lambda lake, _etag: lake.look("no"),
    "create": lambda lake, _etag: lake.create("new"),
    "append": lambda lake, _etag: lake.append(STAGED, 3, b"d" * 9_000_000),
    "flush": lambda lake, etag: lake.flush(STAGED, 3, etag, content_type="text/csv"),
    "describe": lambda lake, etag: lake.describe(STAGED, {"a": "b"}, etag),
    "rename": lambda lake, etag: lake.rename(STAGED, "new", source_etag=etag, replacing=None),
    "make folder": lambda lake, _etag: lake.make_folder("a/b/c"),
    "delete": lambda lake, _etag: lake.delete(STAGED),
    "read bytes": lambda lake, etag: lake.read_range(STAGED, 2, etag),
    "read a record": lambda lake, _etag: lake.read("record"),
    "write": lambda lake, _etag: lake.write("new", b"1" * 5_000_000, {"a": "b"}, replacing=None),
    "names": lambda lake, _etag: lake.names(""),
    "list": lambda lake, _etag: list(lake.list("")),
}


@pytest.mark.parametrize("name", ONE_REQUEST)
def test_every_method_is_one_request(name: str, lake: StandIn, real_lake: AdlsLake) -> None:
    lake.write("record", b"{}")
    etag = real_lake.create(STAGED)
    real_lake.append(STAGED, 0, b"abc")
    etag = real_lake.flush(STAGED, 3, etag, content_type="text/csv")
    before = len(lake.calls)
    ONE_REQUEST[name](real_lake, etag)
    assert len(lake.calls) == before + 1


@pytest.mark.parametrize("name", ONE_REQUEST)
def test_a_refusal_is_not_retried_and_names_its_method_and_path(name: str, lake: StandIn, real_lake: AdlsLake) -> None:
    lake.faults.add("any", times=None, then=Answer(503, "ServerBusy", retry_after=7))
    with pytest.raises(RetryableError) as caught:
        ONE_REQUEST[name](real_lake, STALE)
    assert len(lake.calls) == 1
    assert caught.value.cause.code == "lake_throttled"
    assert caught.value.retry_after_seconds == 7
    assert "HTTP 503, ServerBusy" in caught.value.cause.reason
    assert "request 0000" in caught.value.cause.reason


def test_a_flush_closes_the_file(lake: StandIn, real_lake: AdlsLake) -> None:
    real_lake.flush(STAGED, 0, real_lake.create(STAGED), content_type="text/csv")
    assert lake.calls[-1].query["close"] == "true"


def test_a_record_is_json_to_whoever_opens_it(lake: StandIn, real_lake: AdlsLake) -> None:
    real_lake.write("x.json", b"{}", {}, replacing=None)
    assert lake.calls[-1].headers["x-ms-blob-content-type"] == "application/json"


def test_the_blob_host_follows_from_the_data_lakes(open_lake: Callable[..., AdlsLake]) -> None:
    opened = open_lake(url="https://mylake.dfs.core.windows.net")
    assert opened._blobs.url == "https://mylake.blob.core.windows.net/planning"


def test_a_listing_goes_on_over_its_pages(lake: StandIn, real_lake: AdlsLake) -> None:
    for number in range(7):
        lake.write(f"many/{number}", b"x", {"number": str(number)})
    pages = real_lake._blobs.list_blobs
    real_lake._blobs.list_blobs = lambda **options: pages(**options, results_per_page=3)
    rows = list(real_lake.list("many/"))
    assert [(row.path, row.metadata["number"]) for row in rows] == [(f"many/{at}", str(at)) for at in range(7)]
    assert [call.operation for call in lake.calls] == ["list_blobs"] * 3


def test_a_listing_whose_second_page_is_refused_is_an_error_and_no_short_list(
    lake: StandIn, real_lake: AdlsLake
) -> None:
    for number in range(4):
        lake.write(f"many/{number}", b"x")
    pages = real_lake._blobs.list_blobs
    real_lake._blobs.list_blobs = lambda **options: pages(**options, results_per_page=3)
    lake.faults.add("list_blobs", skip=1, then=Answer(500, "InternalError"))
    rows = iter(real_lake.list("many/"))
    assert len(list(itertools.islice(rows, 3))) == 3
    assert code_of(lambda: next(rows), RetryableError) == "lake_unavailable"


def test_a_file_too_large_to_be_a_record_is_named_and_not_read_on(lake: StandIn, real_lake: AdlsLake) -> None:
    lake.write("huge.json", bytes(MOST_RECORD_BYTES + 1))
    with pytest.raises(PermanentError, match=r"huge\.json") as caught:
        real_lake.read("huge.json")
    assert caught.value.cause.code == "lake_record_too_large"
    assert len(lake.calls) == 1


def test_a_record_of_the_largest_size_is_written_and_read(lake: StandIn, real_lake: AdlsLake) -> None:
    real_lake.write("large.json", bytes(MOST_RECORD_BYTES), {}, replacing=None)
    assert len(real_lake.read("large.json").data) == MOST_RECORD_BYTES
    assert len(lake.calls) == 2


def test_a_record_that_could_not_be_read_back_is_not_written(lake: StandIn, real_lake: AdlsLake) -> None:
    with pytest.raises(PermanentError, match=r"huge\.json"):
        real_lake.write("huge.json", bytes(MOST_RECORD_BYTES + 1), {}, replacing=None)
    assert lake.calls == []


@pytest.mark.parametrize("value", ["Zürich", "two\nlines", " space", "nul\0", "x" * 8192])
def test_metadata_that_cannot_be_sent_are_a_permanent_error_and_no_outage(
    value: str, lake: StandIn, real_lake: AdlsLake
) -> None:
    assert code_of(lambda: real_lake.describe(STAGED, {"a": value}, STALE), PermanentError) == "lake_metadata"
    write = partial(real_lake.write, "x", b"", {"a": value}, replacing=None)
    assert code_of(write, PermanentError) == "lake_metadata"
    assert lake.calls == []


def test_metadata_of_eight_kibibytes_pass(real_lake: AdlsLake) -> None:
    etag = real_lake.create(STAGED)
    real_lake.describe(STAGED, {"a": "x" * 8191}, etag)


@pytest.mark.parametrize(("status", "name"), [(409, "PathAlreadyExists"), (412, "ConditionNotMet")])
def test_a_folder_that_is_there_is_fine_however_the_service_says_so(
    status: int, name: str, lake: StandIn, real_lake: AdlsLake
) -> None:
    lake.faults.add("create_directory", then=Answer(status, name))
    real_lake.make_folder("a/b")


def test_a_file_where_a_folder_is_needed_is_for_an_administrator(lake: StandIn, real_lake: AdlsLake) -> None:
    lake.write("a", b"file")
    with pytest.raises(PermanentError, match=r"PathConflict.*lake_path_taken"):
        real_lake.make_folder("a/b")


def test_a_folder_with_files_in_it_is_not_deleted_and_told_as_what_it_is(lake: StandIn, real_lake: AdlsLake) -> None:
    lake.write("a/b", b"file")
    with pytest.raises(PermanentError, match=r"DirectoryIsNotEmpty.*lake_path_taken"):
        real_lake.delete("a")
    assert list(lake.tree()) == ["a/b"]


LOST: dict[str, tuple[Callable[[AdlsLake, str], object], Callable[[StandIn], bool]]] = {
    "create": (ONE_REQUEST["create"], lambda lake: "new" in lake.tree()),
    "flush": (ONE_REQUEST["flush"], lambda lake: lake.tree()[STAGED] == 3),
    "set_metadata": (ONE_REQUEST["describe"], lambda lake: lake.metadata(STAGED) == {"a": "b"}),
    "rename": (ONE_REQUEST["rename"], lambda lake: "new" in lake.tree() and STAGED not in lake.tree()),
    "create_directory": (ONE_REQUEST["make folder"], lambda lake: "a/b/c" in lake.folders()),
    "delete": (ONE_REQUEST["delete"], lambda lake: STAGED not in lake.tree()),
    "put_blob": (ONE_REQUEST["write"], lambda lake: "new" in lake.tree()),
}


@pytest.mark.parametrize("operation", LOST)
def test_a_write_whose_answer_is_lost_has_happened_once_and_is_retryable(
    operation: str, lake: StandIn, real_lake: AdlsLake
) -> None:
    etag = real_lake.create(STAGED)
    real_lake.append(STAGED, 0, b"abc")
    call, happened = LOST[operation]
    lake.faults.add(operation, then=LostReply())
    with pytest.raises(RetryableError) as caught:
        call(real_lake, etag)
    assert caught.value.cause.code == "lake_unavailable"
    assert happened(lake)
    assert [recorded.operation for recorded in lake.calls].count(operation) == (2 if operation == "create" else 1)


def test_a_published_file_has_the_content_type_that_its_flush_gave_it(
    lake: StandIn, real_lake: AdlsLake, ca_file: Path, token: str
) -> None:
    etag = real_lake.create(STAGED)
    real_lake.append(STAGED, 0, b"a;b\n")
    etag = real_lake.flush(STAGED, 4, etag, content_type="text/csv")
    etag = real_lake.describe(STAGED, {"pigment_run_id": "r1"}, etag)
    real_lake.rename(STAGED, "revenue.csv", source_etag=etag, replacing=None)
    address = f"https://127.0.0.1:{lake.address[1]}/{lake.account}/planning/revenue.csv"
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2024-11-04"}
    answer = requests.get(address, headers=headers, verify=str(ca_file), timeout=10)
    assert (answer.headers["Content-Type"], answer.content) == ("text/csv", b"a;b\n")


def test_a_file_is_read_from_any_offset(real_lake: AdlsLake) -> None:
    etag = real_lake.create(STAGED)
    real_lake.append(STAGED, 0, b"abcdef")
    etag = real_lake.flush(STAGED, 6, etag, content_type="text/csv")
    assert real_lake.read_range(STAGED, 3, etag, offset=2) == b"cde"
    assert real_lake.read_range(STAGED, 3, etag, offset=5) == b"f"
    assert real_lake.read_range(STAGED, 3, etag, offset=6) == b""
