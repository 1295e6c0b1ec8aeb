"""The lake stand-in's DFS protocol, through the real SDK: create, append, flush, rename, delete, list, ACLs."""

import hashlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.filedatalake import ContentSettings, DataLakeServiceClient, FileSystemClient
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.lake.account import Lake
from emulators.lake.bodies import Spool
from emulators.lake.problems import Refused
from emulators.lake.store import Store

pytest_plugins = ("tests.harness.emulated_lake",)

IF_MISSING = MatchConditions.IfMissing
UNCHANGED = MatchConditions.IfNotModified


def refused(error: type[HttpResponseError], code: str, call: Callable[[], Any]) -> None:
    """Expect one class of the SDK and one code of the service."""
    with pytest.raises(error) as caught:
        call()
    assert (code, error) == (caught.value.error_code, type(caught.value))


def staged(files: FileSystemClient, path: str = "sales/_r.partial", content: bytes = b"a;b\n1;2\n") -> Any:
    """Return a client for a file that was created, appended and flushed."""
    client = files.get_file_client(path)
    client.create_file(match_condition=IF_MISSING)
    client.append_data(content, 0)
    client.flush_data(len(content), close=True)
    return client


# Create


def test_create_makes_the_parents_and_an_empty_file(lake: Lake, files: FileSystemClient) -> None:
    files.get_file_client("a/b/c.csv").create_file()
    assert lake.tree() == {"a/b/c.csv": 0}
    assert lake.folders() == ["a", "a/b"]


def test_create_if_missing_refuses_what_is_there(lake: Lake, files: FileSystemClient) -> None:
    client = staged(files)
    refused(ResourceExistsError, "PathAlreadyExists", lambda: client.create_file(match_condition=IF_MISSING))
    refused(
        ResourceExistsError,
        "PathAlreadyExists",
        lambda: files.create_directory("sales", match_condition=IF_MISSING),
    )
    assert lake.read("sales/_r.partial") == b"a;b\n1;2\n"


def test_create_without_a_condition_overwrites_and_forgets_what_was_appended(
    lake: Lake, files: FileSystemClient
) -> None:
    client = staged(files)
    client.append_data(b"more", 8)
    before = client.get_file_properties().etag
    assert client.create_file()["etag"] != before
    assert lake.tree() == {"sales/_r.partial": 0}
    refused(HttpResponseError, "InvalidFlushPosition", lambda: client.flush_data(12))


def test_create_with_a_stale_etag_is_refused(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    stale = client.create_file()["etag"]
    client.create_file()
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.create_file(etag=stale, match_condition=UNCHANGED),
    )


def test_a_file_where_a_folder_is_needed_is_a_conflict(files: FileSystemClient) -> None:
    files.create_file("x")
    refused(ResourceExistsError, "PathConflict", lambda: files.create_file("x/y"))
    refused(ResourceExistsError, "PathConflict", lambda: files.create_directory("x"))


def test_creating_a_folder_again_keeps_what_is_in_it(lake: Lake, files: FileSystemClient) -> None:
    staged(files)
    files.create_directory("sales")
    assert lake.tree() == {"sales/_r.partial": 8}


def test_metadata_and_content_settings_of_a_create_are_stored(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file(metadata={"run": "r 1"}, content_settings=ContentSettings(content_type="text/csv"))
    found = client.get_file_properties()
    assert found.metadata == {"run": "r 1"}
    assert found.content_settings.content_type == "text/csv"


@pytest.mark.parametrize(
    ("metadata", "error", "code"),
    [
        ({"a-b": "1"}, ResourceNotFoundError, "InvalidPropertyName"),  # the SDK's own idea of a class
        ({"a": "x" * 9000}, HttpResponseError, "InvalidInput"),
    ],
)
def test_metadata_that_the_service_would_not_take_is_refused(
    files: FileSystemClient, metadata: dict[str, str], error: type[HttpResponseError], code: str
) -> None:
    refused(error, code, lambda: files.create_file("x", metadata=metadata))


# Append and flush


def test_appends_in_any_order_and_parallel_join_at_the_flush(lake: Lake, files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file()
    pieces = [bytes([number]) * 70_000 for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: client.append_data(pieces[number], number * 70_000), reversed(range(12))))
    assert lake.tree() == {"x": 0}
    client.flush_data(12 * 70_000, close=True)
    assert lake.read("x") == b"".join(pieces)


def test_an_append_leaves_the_etag_and_a_flush_changes_it(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    created = client.create_file()["etag"]
    client.append_data(b"abc", 0)
    assert client.get_file_properties().etag == created
    flushed = client.flush_data(3, etag=created, match_condition=UNCHANGED)["etag"]
    assert flushed not in {created, None}
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.flush_data(3, etag=created, match_condition=UNCHANGED),
    )


@pytest.mark.parametrize("position", [2, 4, 7])
def test_a_flush_that_does_not_end_where_an_append_ended_is_refused(
    lake: Lake, files: FileSystemClient, position: int
) -> None:
    client = files.get_file_client("x")
    client.create_file()
    client.append_data(b"abc", 0)
    client.append_data(b"efg", 4)
    refused(HttpResponseError, "InvalidFlushPosition", lambda: client.flush_data(position))
    assert lake.tree() == {"x": 0}


def test_a_flush_below_the_length_is_refused(lake: Lake, files: FileSystemClient) -> None:
    client = staged(files)
    refused(HttpResponseError, "InvalidFlushPosition", lambda: client.flush_data(3))
    assert lake.tree() == {"sales/_r.partial": 8}


def test_what_lies_beyond_a_flush_is_kept_only_if_asked(lake: Lake, files: FileSystemClient) -> None:
    for retain in (True, False):
        client = files.get_file_client(f"retain-{retain}")
        client.create_file()
        client.append_data(b"abc", 0)
        client.append_data(b"def", 3)
        client.flush_data(3, retain_uncommitted_data=retain)
    files.get_file_client("retain-True").flush_data(6)
    refused(
        HttpResponseError,
        "InvalidFlushPosition",
        lambda: files.get_file_client("retain-False").flush_data(6),
    )
    assert lake.tree() == {"retain-True": 6, "retain-False": 3}


def test_an_append_repeated_at_its_position_counts_once(lake: Lake, files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file()
    client.append_data(b"abc", 0)
    client.append_data(b"abc", 0)
    client.flush_data(3)
    assert lake.read("x") == b"abc"


def test_an_empty_append_is_refused(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file()
    refused(HttpResponseError, "InvalidHeaderValue", lambda: client.append_data(b"", 0))


def test_an_append_is_checked_against_its_md5(lake: Lake, files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file()
    client.append_data(b"abc", 0, validate_content=True)
    assert lake.calls[-1].headers["content-md5"]
    refused(
        HttpResponseError,
        "Md5Mismatch",
        lambda: client.append_data(b"abc", 3, headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
    )


def test_appending_to_nothing_to_a_folder_or_to_a_blob_is_refused(lake: Lake, files: FileSystemClient) -> None:
    lake.write("blob", b"abc")
    files.create_directory("folder")
    for path, error, code in [
        ("absent", ResourceNotFoundError, "PathNotFound"),
        ("folder", ResourceExistsError, "ResourceTypeMismatch"),
        ("blob", ResourceExistsError, "InvalidFlushOperation"),
    ]:
        client = files.get_file_client(path)
        refused(error, code, lambda client=client: client.append_data(b"x", 3))
        refused(error, code, lambda client=client: client.flush_data(3))


def test_a_flush_without_a_position_is_refused(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    refused(
        HttpResponseError,
        "MissingRequiredQueryParameter",
        lambda: client.upload_data((piece for piece in [b"abc"]), overwrite=True),
    )


def test_upload_data_without_overwrite_fails_as_the_service_does(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    refused(ResourceNotFoundError, "PathNotFound", lambda: client.upload_data(b"abc"))
    client.create_file()
    refused(ResourceModifiedError, "ConditionNotMet", lambda: client.upload_data(b"abc"))


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
    missing=st.one_of(st.none(), st.integers(0, 7)),
)
def test_a_flush_passes_exactly_when_every_piece_arrived(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], order: Any, missing: int | None
) -> None:
    spool = Spool(tmp_path_factory.getbasetemp())
    store = Store(lambda: datetime(2026, 11, 24, tzinfo=UTC))
    store.create_file_system("planning", {})
    store.create("planning", "x", directory=False)
    starts = [sum(cuts[:number]) for number in range(len(cuts))]
    shuffled = list(enumerate(zip(starts, cuts, strict=True)))
    order.shuffle(shuffled)
    for number, (start, length) in shuffled:
        if number != missing:
            store.append("planning", "x", start, spool.receive([bytes(length)]), None)
    if missing is not None and missing < len(cuts):
        with pytest.raises(Refused):
            store.flush("planning", "x", sum(cuts))
        assert store.node("planning", "x").length == 0
    else:
        assert store.flush("planning", "x", sum(cuts)).length == sum(cuts)


# Rename


def test_a_rename_keeps_etag_metadata_and_creation_time(lake: Lake, files: FileSystemClient) -> None:
    client = staged(files)
    etag = client.set_metadata({"run": "r1"})["etag"]
    before = client.get_file_properties()
    moved = client.rename_file(
        "planning/sales/x.csv",
        match_condition=IF_MISSING,
        source_etag=etag,
        source_match_condition=UNCHANGED,
    )
    after = moved.get_file_properties()
    assert (after.etag, after.metadata, after.creation_time) == (etag, {"run": "r1"}, before.creation_time)
    assert lake.tree() == {"sales/x.csv": 8}
    call = next(call for call in lake.calls if call.operation == "rename")
    assert (call.path, call.source, call.status) == ("sales/x.csv", "sales/_r.partial", 201)


def test_a_rename_needs_its_source_and_the_parent_of_its_destination(lake: Lake, files: FileSystemClient) -> None:
    client = staged(files)
    refused(
        ResourceNotFoundError,
        "RenameDestinationParentPathNotFound",
        lambda: client.rename_file("planning/sales/dt=2026-11-24/x.csv"),
    )
    client.rename_file("planning/sales/x.csv")
    refused(ResourceNotFoundError, "SourcePathNotFound", lambda: client.rename_file("planning/sales/x.csv"))
    assert lake.tree() == {"sales/x.csv": 8}


def test_a_rename_without_a_condition_replaces_the_file(lake: Lake, files: FileSystemClient) -> None:
    lake.write("sales/x.csv", b"old")
    staged(files).rename_file("planning/sales/x.csv")
    assert lake.read("sales/x.csv") == b"a;b\n1;2\n"


def test_a_rename_if_missing_leaves_what_is_there(lake: Lake, files: FileSystemClient) -> None:
    lake.write("sales/x.csv", b"old")
    client = staged(files)
    refused(
        ResourceExistsError,
        "PathAlreadyExists",
        lambda: client.rename_file("planning/sales/x.csv", match_condition=IF_MISSING),
    )
    assert lake.tree() == {"sales/_r.partial": 8, "sales/x.csv": 3}


def test_a_rename_checks_the_etags_of_both_ends(lake: Lake, files: FileSystemClient) -> None:
    client = staged(files)
    lake.write("sales/x.csv", b"old")
    destination = files.get_file_client("sales/x.csv")
    stale = destination.get_file_properties().etag
    current = destination.set_metadata({"run": "other"})["etag"]
    own = client.get_file_properties().etag
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.rename_file("planning/sales/x.csv", etag=stale, match_condition=UNCHANGED),
    )
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.rename_file("planning/sales/absent.csv", etag=stale, match_condition=UNCHANGED),
    )
    refused(
        HttpResponseError,
        "SourceConditionNotMet",
        lambda: client.rename_file("planning/sales/x.csv", source_etag=stale, source_match_condition=UNCHANGED),
    )
    assert lake.read("sales/x.csv") == b"old"
    client.rename_file(
        "planning/sales/x.csv",
        etag=current,
        match_condition=UNCHANGED,
        source_etag=own,
        source_match_condition=UNCHANGED,
    )
    assert lake.read("sales/x.csv") == b"a;b\n1;2\n"


def test_of_many_renames_to_one_path_exactly_one_wins(lake: Lake, files: FileSystemClient) -> None:
    clients = [staged(files, f"sales/_{number}.partial", b"%d" % number) for number in range(6)]

    def publish(client: Any) -> bool:
        try:
            client.rename_file("planning/sales/x.csv", match_condition=IF_MISSING)
        except ResourceExistsError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(publish, clients))
    assert won.count(True) == 1
    assert lake.read("sales/x.csv") == b"%d" % won.index(True)


def test_a_folder_moves_with_all_that_is_in_it(lake: Lake, files: FileSystemClient) -> None:
    staged(files, "old/deep/x")
    files.create_directory("new")
    files.get_directory_client("old").rename_directory("planning/new/name")
    assert lake.tree() == {"new/name/deep/x": 8}
    assert lake.folders() == ["new", "new/name", "new/name/deep"]


def test_a_folder_moves_neither_into_itself_nor_over_a_full_one_nor_over_a_file(
    lake: Lake, files: FileSystemClient
) -> None:
    staged(files, "one/x")
    staged(files, "two/x")
    client = files.get_directory_client("one")
    for target, code in [
        ("one/inside", "InvalidRenameSourcePath"),
        ("two", "DirectoryNotEmpty"),
        ("two/x", "InvalidSourceOrDestinationResourceType"),
    ]:
        refused(ResourceExistsError, code, lambda to=target: client.rename_directory(f"planning/{to}"))
    assert lake.tree() == {"one/x": 8, "two/x": 8}


def test_a_name_needs_no_care(lake: Lake, files: FileSystemClient) -> None:
    name = "dt=2026-11-24/Umsätze + 100%?#.csv"
    files.create_directory("dt=2026-11-24")
    staged(files).rename_file(f"planning/{name}")
    assert lake.tree() == {name: 8}
    assert [entry.name for entry in files.get_paths(recursive=True) if not entry.is_directory] == [name]


# Delete


def test_deleting_a_file_twice_says_that_it_is_gone(lake: Lake, files: FileSystemClient) -> None:
    client = staged(files)
    client.delete_file()
    refused(ResourceNotFoundError, "PathNotFound", client.delete_file)
    assert lake.tree() == {}


def test_a_folder_is_deleted_in_pages(lake: Lake, files: FileSystemClient) -> None:
    for number in range(1500):
        lake.write(f"many/{number}", b"x")
    files.get_directory_client("many").delete_directory()
    assert [call.operation for call in lake.calls] == ["delete", "delete"]
    assert (lake.tree(), lake.folders()) == ({}, [])


def test_a_full_folder_is_not_deleted_as_a_file(lake: Lake, files: FileSystemClient) -> None:
    staged(files)
    refused(ResourceExistsError, "DirectoryNotEmpty", files.get_file_client("sales").delete_file)
    assert lake.tree() == {"sales/_r.partial": 8}


# List


def test_paths_are_listed_in_pages_with_all_their_properties(lake: Lake, files: FileSystemClient) -> None:
    lake.clock = lambda: datetime(2026, 11, 24, 5, 6, 7, tzinfo=UTC)
    for path in ("b/2", "a", "b-c", "b/1"):
        lake.write(path, b"xyz")
    pages = [list(page) for page in files.get_paths(recursive=True, max_results=2).by_page()]
    assert [[entry.name for entry in page] for page in pages] == [["a", "b"], ["b/1", "b/2"], ["b-c"]]
    one = pages[0][0]
    assert (one.is_directory, one.content_length) == (False, 3)
    assert one.creation_time == lake.clock()
    assert pages[0][1].is_directory


def test_a_listing_can_be_of_one_folder_and_not_recursive(lake: Lake, files: FileSystemClient) -> None:
    for path in ("a/b/c", "a/d", "e"):
        lake.write(path, b"")
    assert [entry.name for entry in files.get_paths("a", recursive=False)] == ["a/b", "a/d"]
    refused(ResourceNotFoundError, "PathNotFound", lambda: list(files.get_paths("absent")))


# ACLs


def test_a_new_file_inherits_the_default_acl_of_its_folder(files: FileSystemClient) -> None:
    folder = files.create_directory("sales")
    own = "user::rwx,group::r-x,other::---"
    default = "default:user::rwx,default:user:reader:r-x,default:group::r-x,default:other::---"
    folder.set_access_control(acl=f"{own},{default}")
    client = staged(files)
    assert client.get_access_control()["acl"] == "user::rwx,user:reader:r-x,group::r-x,other::---"
    folder.create_sub_directory("deep")
    assert "default:user:reader:r-x" in files.get_directory_client("sales/deep").get_access_control()["acl"]


def test_an_acl_survives_the_rename_and_nonsense_is_refused(files: FileSystemClient) -> None:
    client = staged(files)
    client.set_access_control(permissions="0640", owner="me")
    moved = client.rename_file("planning/sales/x.csv")
    found = moved.get_access_control()
    assert (found["owner"], found["permissions"]) == ("me", "rw-r-----")
    refused(HttpResponseError, "InvalidHeaderValue", lambda: moved.set_access_control(acl="everyone"))


# File systems


def test_file_systems_come_and_go(lake: Lake, service: DataLakeServiceClient) -> None:
    made = service.create_file_system("other-one")
    refused(ResourceExistsError, "ContainerAlreadyExists", made.create_file_system)
    assert [found.name for found in service.list_file_systems()] == ["other-one", "planning"]
    assert made.exists()
    made.delete_file_system()
    assert not made.exists()
    refused(ResourceNotFoundError, "FilesystemNotFound", lambda: made.create_file("x"))
    assert lake.calls[-1].status == 404


def test_a_name_that_no_file_system_may_have_is_refused(service: DataLakeServiceClient) -> None:
    refused(HttpResponseError, "InvalidResourceName", lambda: service.create_file_system("Upper_Case"))


# Time


def test_the_clock_stands_in_every_date(lake: Lake, files: FileSystemClient) -> None:
    day = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    lake.clock = lambda: day
    client = staged(files)
    lake.clock = lambda: day + timedelta(days=2)
    client.set_metadata({"a": "b"})
    seen: list[str] = []
    found = client.get_file_properties(
        raw_response_hook=lambda response: seen.append(response.http_response.headers["Date"])
    )
    assert seen == ["Mon, 02 Feb 2026 23:59:59 GMT"]
    assert (found.creation_time, found.last_modified) == (day, day + timedelta(days=2))


# Bytes


def test_a_file_reads_back_as_it_was_written_in_pieces_and_whole(files: FileSystemClient) -> None:
    content = hashlib.shake_256(b"seed").digest(5_000_000)
    client = files.get_file_client("x")
    client.create_file()
    for start in range(0, len(content), 700_001):
        client.append_data(content[start : start + 700_001], start)
    client.flush_data(len(content))
    assert client.download_file().readall() == content
    assert client.download_file(offset=699_990, length=1_400_020).readall() == content[699_990:2_100_010]


def test_bodies_leave_the_disk_with_their_file(lake: Lake, files: FileSystemClient, tmp_path: Any) -> None:
    client = staged(files)
    assert list(tmp_path.rglob("*.body"))
    client.delete_file()
    assert not list(tmp_path.rglob("*.body"))
    assert lake.tree() == {}


def test_a_client_that_dies_in_mid_body_leaves_nothing(lake: Lake, files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file()
    head = (
        f"PATCH /{lake.account}/planning/x?action=append&position=0 HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 100\r\n\r\nhalf"
    )
    with socket.create_connection(lake.address) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert "append" not in {call.operation for call in lake.calls}
    refused(HttpResponseError, "InvalidFlushPosition", lambda: client.flush_data(4))
