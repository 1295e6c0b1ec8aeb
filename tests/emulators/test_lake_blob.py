"""The lake stand-in's Blob protocol, through the real SDK: properties, Put Blob, blocks, ranges, listings, leases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobPrefix, BlobServiceClient, ContainerClient, ContentSettings
from azure.storage.filedatalake import FileSystemClient

from emulators.lake.account import Lake
from emulators.lake.bodies import Spool, read
from emulators.lake.messages import Request, requested_range

pytest_plugins = ("tests.harness.emulated_lake",)

IF_MISSING = MatchConditions.IfMissing
UNCHANGED = MatchConditions.IfNotModified


def refused(error: type[HttpResponseError], code: str, call: Callable[[], Any]) -> None:
    """Expect one class of the SDK and one code of the service."""
    with pytest.raises(error) as caught:
        call()
    assert (code, error) == (caught.value.error_code, type(caught.value))


# Properties


@pytest.mark.parametrize(("system", "code"), [("planning", "BlobNotFound"), ("absent", "ContainerNotFound")])
def test_a_head_of_nothing_has_a_code_and_a_date_and_no_body(lake: Lake, service: Any, system: str, code: str) -> None:
    lake.clock = lambda: datetime(2026, 11, 24, 5, tzinfo=UTC)
    seen: list[Any] = []
    client = service.get_file_client(system, "a/b")
    refused(
        ResourceNotFoundError,
        code,
        lambda: client.get_file_properties(raw_response_hook=lambda found: seen.append(found.http_response)),
    )
    assert seen[0].headers["Date"] == "Tue, 24 Nov 2026 05:00:00 GMT"
    assert seen[0].headers["x-ms-error-code"] == code
    assert seen[0].content == b""


def test_a_folder_shows_itself_as_one(lake: Lake, files: FileSystemClient) -> None:
    lake.write("a/b", b"")
    assert files.get_directory_client("a").get_directory_properties().metadata == {"hdi_isfolder": "true"}
    client = files.get_directory_client("a")
    client.set_metadata({"owner": "me"})
    assert client.get_directory_properties().metadata == {"owner": "me", "hdi_isfolder": "true"}
    assert lake.metadata("a") == {"owner": "me"}


def test_setting_metadata_replaces_all_of_it_and_minds_the_etag(lake: Lake, files: FileSystemClient) -> None:
    lake.write("x", b"abc", {"old": "1"})
    client = files.get_file_client("x")
    etag = client.get_file_properties().etag
    changed = client.set_metadata({"new": "2"}, etag=etag, match_condition=UNCHANGED)["etag"]
    assert changed != etag
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.set_metadata({"late": "3"}, etag=etag, match_condition=UNCHANGED),
    )
    assert lake.metadata("x") == {"new": "2"}


def test_setting_http_headers_clears_those_not_named(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file(content_settings=ContentSettings(content_type="text/csv", cache_control="no-cache"))
    client.set_http_headers(ContentSettings(content_type="text/plain"))
    found = client.get_file_properties().content_settings
    assert (found.content_type, found.cache_control) == ("text/plain", None)


# Put Blob


def test_put_blob_makes_a_whole_file_with_its_parents_and_metadata(lake: Lake, blobs: ContainerClient) -> None:
    blobs.upload_blob(
        "_runs/dt=2026-11-24/r/run.json",
        b"{}",
        metadata={"state": "succeeded"},
        content_settings=ContentSettings(content_type="application/json"),
    )
    assert lake.tree() == {"_runs/dt=2026-11-24/r/run.json": 2}
    assert lake.folders() == ["_runs", "_runs/dt=2026-11-24", "_runs/dt=2026-11-24/r"]
    found = blobs.get_blob_client("_runs/dt=2026-11-24/r/run.json").get_blob_properties()
    assert found.metadata == {"state": "succeeded"}
    assert found.content_settings.content_type == "application/json"
    assert [call.operation for call in lake.calls] == ["put_blob", "head"]


def test_put_blob_if_missing_refuses_what_is_there(lake: Lake, blobs: ContainerClient) -> None:
    client = blobs.get_blob_client("x")
    client.upload_blob(b"first")
    refused(ResourceExistsError, "BlobAlreadyExists", lambda: client.upload_blob(b"second"))
    assert lake.read("x") == b"first"


def test_put_blob_minds_the_etag(lake: Lake, blobs: ContainerClient) -> None:
    client = blobs.get_blob_client("x")
    stale = client.upload_blob(b"first")["etag"]
    current = client.upload_blob(b"second", overwrite=True, etag=stale, match_condition=UNCHANGED)["etag"]
    assert current != stale
    for path in ("x", "absent"):
        refused(
            ResourceModifiedError,
            "ConditionNotMet",
            lambda path=path: blobs.upload_blob(path, b"third", overwrite=True, etag=stale, match_condition=UNCHANGED),
        )
    assert lake.read("x") == b"second"
    assert lake.tree() == {"x": 6}


def test_put_blob_over_a_folder_is_a_conflict(lake: Lake, blobs: ContainerClient) -> None:
    lake.write("a/b", b"")
    refused(ResourceExistsError, "PathConflict", lambda: blobs.upload_blob("a", b"x", overwrite=True))
    refused(ResourceExistsError, "PathConflict", lambda: blobs.upload_blob("a/b/c", b"x", overwrite=True))


def test_put_blob_is_checked_against_its_md5(blobs: ContainerClient) -> None:
    wrong = {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    refused(HttpResponseError, "Md5Mismatch", lambda: blobs.upload_blob("x", b"abc", headers=wrong))


@pytest.mark.parametrize("metadata", [{"a-b": "1"}, {"1a": "1"}])
def test_metadata_names_are_identifiers(blobs: ContainerClient, metadata: dict[str, str]) -> None:
    refused(HttpResponseError, "InvalidMetadata", lambda: blobs.upload_blob("x", b"", metadata=metadata))


def test_metadata_is_eight_kibibytes_at_most(blobs: ContainerClient) -> None:
    blobs.upload_blob("x", b"", metadata={"a": "x" * 8191})
    refused(HttpResponseError, "MetadataTooLarge", lambda: blobs.upload_blob("y", b"", metadata={"a": "x" * 8192}))


def test_other_kinds_of_blobs_are_refused(blobs: ContainerClient) -> None:
    refused(
        HttpResponseError,
        "InvalidHeaderValue",
        lambda: blobs.get_blob_client("x").create_append_blob(),
    )


# Blocks


def test_blocks_join_in_the_order_of_their_list(lake: Lake, blobs: ContainerClient) -> None:
    client = blobs.get_blob_client("a/x")
    for number in (2, 0, 1):
        client.stage_block(f"{number:08d}", b"%d" % number * 3)
    assert lake.tree() == {}
    client.commit_block_list(
        [BlobBlock(f"{number:08d}") for number in range(3)],
        metadata={"a": "b"},
        match_condition=IF_MISSING,
    )
    assert lake.read("a/x") == b"000111222"
    assert lake.metadata("a/x") == {"a": "b"}


def test_a_block_list_that_names_what_was_never_put_is_refused(lake: Lake, blobs: ContainerClient) -> None:
    client = blobs.get_blob_client("x")
    client.stage_block("00000000", b"abc")
    refused(
        HttpResponseError,
        "InvalidBlockList",
        lambda: client.commit_block_list([BlobBlock("00000000"), BlobBlock("00000001")]),
    )
    assert lake.tree() == {}


def test_an_upload_above_the_single_put_goes_by_blocks(lake: Lake, connect: Callable[..., Any]) -> None:
    client = connect(kind=BlobServiceClient, max_single_put_size=1000, max_block_size=1000)
    client.get_blob_client("planning", "x").upload_blob(b"0123456789" * 250)
    assert lake.read("x") == b"0123456789" * 250
    assert [call.operation for call in lake.calls] == ["put_block"] * 3 + ["put_block_list"]


# Get Blob


def test_a_range_is_a_part_and_a_whole_is_a_whole(lake: Lake, blobs: ContainerClient) -> None:
    lake.write("x", b"0123456789")
    client = blobs.get_blob_client("x")
    assert client.download_blob(offset=3, length=4).readall() == b"3456"
    assert client.download_blob(offset=8, length=40).readall() == b"89"
    assert client.download_blob().readall() == b"0123456789"
    assert {call.status for call in lake.calls} == {206}
    assert client.download_blob(offset=0, length=4, validate_content=True).readall() == b"0123"


def test_a_range_of_nothing_is_refused_and_an_empty_file_reads_as_empty(lake: Lake, blobs: ContainerClient) -> None:
    lake.write("x", b"")
    assert blobs.download_blob("x").readall() == b""
    assert [call.status for call in lake.calls] == [416, 200]
    refused(HttpResponseError, "InvalidRange", lambda: blobs.download_blob("x", offset=5, length=2))


@pytest.mark.parametrize("text", ["bytes=5-3", "bytes=50-3", "bytes=-3", "lines=1-2", "bytes=1-2,4-5"])
def test_a_range_that_is_invalid_or_of_another_form_is_ignored(tmp_path: Path, text: str) -> None:
    asked = Request("GET", "planning", "x", {}, {"x-ms-range": text}, {}, Spool(tmp_path).receive(()), "")
    assert requested_range(asked, 10) is None


def test_a_reader_keeps_the_bytes_that_it_began_with(tmp_path: Path) -> None:
    body = Spool(tmp_path).receive([b"a" * 3_000_000])
    path = body.path
    pieces = read((body, body), 1, 5_999_999)
    got = next(pieces)
    del body
    assert path.exists()
    assert got + b"".join(pieces) == b"a" * 5_999_998
    del pieces
    assert not path.exists()


def test_reads_mind_conditions(lake: Lake, blobs: ContainerClient) -> None:
    lake.write("x", b"abc")
    client = blobs.get_blob_client("x")
    etag = client.get_blob_properties().etag
    assert client.download_blob(etag=etag, match_condition=UNCHANGED).readall() == b"abc"
    lake.write("x", b"def")
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.download_blob(etag=etag, match_condition=UNCHANGED),
    )
    current = client.get_blob_properties().etag
    with pytest.raises(HttpResponseError) as caught:
        client.get_blob_properties(etag=current, match_condition=MatchConditions.IfModified)
    assert caught.value.status_code == 304


# Delete


def test_deleting_a_blob_minds_its_etag(lake: Lake, blobs: ContainerClient) -> None:
    client = blobs.get_blob_client("x")
    stale = client.upload_blob(b"1")["etag"]
    client.upload_blob(b"2", overwrite=True)
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: client.delete_blob(etag=stale, match_condition=UNCHANGED),
    )
    client.delete_blob()
    refused(ResourceNotFoundError, "BlobNotFound", client.delete_blob)
    assert lake.tree() == {}


def test_a_full_folder_is_no_blob_to_delete(lake: Lake, blobs: ContainerClient) -> None:
    lake.write("a/b", b"")
    refused(ResourceExistsError, "DirectoryIsNotEmpty", lambda: blobs.delete_blob("a"))


# List Blobs


def test_a_flat_listing_shows_files_and_folders_with_metadata_in_pages(lake: Lake, blobs: ContainerClient) -> None:
    day = datetime(2026, 11, 24, tzinfo=UTC)
    lake.clock = lambda: day
    for number in range(5):
        lake.write(f"r/{number}.json", b"{}", {"state": f"s{number}"})
    lake.clock = lambda: day + timedelta(days=3)
    blobs.get_blob_client("r/0.json").set_blob_metadata({"state": "new"})
    pages = list(blobs.list_blobs("r/", include=["metadata"], results_per_page=2).by_page())
    found = [blob for page in pages for blob in page]
    assert [blob.name for blob in found] == [f"r/{number}.json" for number in range(5)]
    assert [blob.metadata["state"] for blob in found] == ["new", "s1", "s2", "s3", "s4"]
    assert (found[0].creation_time, found[0].last_modified) == (day, day + timedelta(days=3))
    assert {call.operation for call in lake.calls} == {"set_metadata", "list_blobs"}
    folders = [blob for blob in blobs.list_blobs(include=["metadata"]) if blob.metadata.get("hdi_isfolder")]
    assert [blob.name for blob in folders] == ["r"]


def test_a_listing_gives_etags_that_no_condition_accepts(lake: Lake, blobs: ContainerClient) -> None:
    lake.write("x", b"abc")
    listed = next(iter(blobs.list_blobs())).etag
    assert f'"{listed}"' == blobs.get_blob_client("x").get_blob_properties().etag
    refused(
        ResourceModifiedError,
        "ConditionNotMet",
        lambda: blobs.upload_blob("x", b"", overwrite=True, etag=listed, match_condition=UNCHANGED),
    )


def test_a_delimiter_stops_at_folders(lake: Lake, blobs: ContainerClient) -> None:
    for path in ("s/_a.partial", "s/_held/h", "s/_latest.json", "s/dt=1/s.csv", "t/x"):
        lake.write(path, b"")
    found = sorted(blobs.walk_blobs("s/_", delimiter="/"), key=lambda one: one.name)
    assert [(one.name, isinstance(one, BlobPrefix)) for one in found] == [
        ("s/_a.partial", False),
        ("s/_held/", True),
        ("s/_latest.json", False),
    ]
    assert [one.name for one in blobs.walk_blobs(delimiter="/")] == ["s/", "t/"]


def test_a_listing_of_no_file_system_is_refused(connect: Callable[..., Any]) -> None:
    client = connect(kind=BlobServiceClient).get_container_client("absent")
    refused(ResourceNotFoundError, "ContainerNotFound", lambda: list(client.list_blobs()))


# Leases


def test_a_lease_keeps_others_from_writing(lake: Lake, files: FileSystemClient) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    lake.clock = lambda: now
    client = files.get_file_client("x")
    client.create_file()
    lease = client.acquire_lease(15)
    for write in (
        lambda: client.append_data(b"a", 0),
        lambda: client.flush_data(0),
        lambda: client.set_metadata({}),
        client.delete_file,
        lambda: client.rename_file("planning/y"),
        client.create_file,
    ):
        with pytest.raises(HttpResponseError) as caught:
            write()
        assert (caught.value.status_code, caught.value.error_code) == (412, "LeaseIdMissing")
    client.append_data(b"abc", 0, lease=lease)
    client.flush_data(3, lease=lease)
    refused(
        HttpResponseError,
        "LeaseIdMismatch",
        lambda: client.append_data(b"a", 3, lease="00000000-0000-0000-0000-000000000000"),
    )
    lake.clock = lambda: now + timedelta(seconds=15)
    client.set_metadata({"a": "b"})
    assert lake.metadata("x") == {"a": "b"}


def test_a_lease_is_taken_renewed_changed_broken_and_released(lake: Lake, files: FileSystemClient) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    lake.clock = lambda: now
    client = files.get_file_client("x")
    client.create_file()
    lease = client.acquire_lease(-1)
    refused(ResourceExistsError, "LeaseAlreadyPresent", lambda: client.acquire_lease(15))
    assert client.get_file_properties().lease.duration == "infinite"
    lease.renew()
    lease.change("11111111-1111-1111-1111-111111111111")
    assert lease.break_lease(lease_break_period=10) == 10
    assert client.get_file_properties().lease.state == "breaking"
    lake.clock = lambda: now + timedelta(seconds=10)
    assert client.get_file_properties().lease.state == "broken"
    refused(ResourceExistsError, "LeaseIsBrokenAndCannotBeRenewed", lease.renew)
    lease.release()
    assert client.get_file_properties().lease.state == "available"


def test_a_lease_lasts_15_to_60_seconds_or_for_good(files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    client.create_file()
    refused(HttpResponseError, "InvalidHeaderValue", lambda: client.acquire_lease(5))


def test_a_rename_over_a_leased_file_breaks_the_lease(lake: Lake, files: FileSystemClient) -> None:
    lake.write("x", b"old")
    lake.write("y", b"new")
    files.get_file_client("x").acquire_lease(-1)
    files.get_file_client("y").rename_file("planning/x")
    assert lake.read("x") == b"new"
    assert files.get_file_client("x").get_file_properties().lease.state == "available"
