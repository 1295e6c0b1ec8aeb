"""The lake stand-in's faults and record: what crash tests of other parts rely on."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContainerClient
from azure.storage.filedatalake import FileSystemClient

from emulators.lake.account import Answer, Delay, Dropped, Held, Lake, LostReply, Page

pytest_plugins = ("tests.harness.emulated_lake",)

IF_MISSING = MatchConditions.IfMissing


def lost(call: Callable[[], Any]) -> None:
    """Expect a connection that ended without an answer."""
    with pytest.raises(AzureError) as caught:
        call()
    assert not isinstance(caught.value, HttpResponseError)


def test_an_answer_has_no_effect_and_its_protocols_shape(
    lake: Lake, files: FileSystemClient, blobs: ContainerClient
) -> None:
    client = files.get_file_client("x")
    client.create_file()
    for operation, call in (
        ("append", lambda: client.append_data(b"abc", 0)),
        ("put_blob", lambda: blobs.upload_blob("y", b"abc")),
    ):
        lake.faults.add(operation, then=Answer(503, "ServerBusy", retry_after=7))
        with pytest.raises(HttpResponseError) as caught:
            call()
        assert (caught.value.status_code, caught.value.error_code) == (503, "ServerBusy")
        assert caught.value.response.headers["Retry-After"] == "7"
        assert lake.calls[-1].status == 503
    with pytest.raises(HttpResponseError, match="InvalidFlushPosition"):
        client.flush_data(3)
    assert lake.tree() == {"x": 0}


def test_a_lost_reply_has_its_effect_once(lake: Lake, files: FileSystemClient) -> None:
    client = files.get_file_client("x")
    lake.faults.add("create", then=LostReply())
    lost(lambda: client.create_file(match_condition=IF_MISSING))
    assert lake.tree() == {"x": 0}
    with pytest.raises(ResourceExistsError):
        client.create_file(match_condition=IF_MISSING)
    assert [call.status for call in lake.calls] == [201, 409]


def test_a_rename_whose_reply_is_lost_is_gone_when_repeated(lake: Lake, files: FileSystemClient) -> None:
    lake.write("x", b"abc", {"run": "r1"})
    client = files.get_file_client("x")
    lake.faults.add("rename", "^y$", then=LostReply())
    lost(lambda: client.rename_file("planning/y", match_condition=IF_MISSING))
    with pytest.raises(ResourceNotFoundError) as caught:
        client.rename_file("planning/y", match_condition=IF_MISSING)
    assert caught.value.error_code == "SourcePathNotFound"
    assert lake.metadata("y") == {"run": "r1"}


def test_a_dropped_request_has_no_effect(lake: Lake, blobs: ContainerClient) -> None:
    lake.faults.add("put_blob", then=Dropped())
    lost(lambda: blobs.upload_blob("x", b"abc"))
    assert lake.tree() == {}
    assert [(call.operation, call.status) for call in lake.calls] == [("put_blob", 0)]


def test_a_fault_waits_for_its_path_and_its_turn(lake: Lake, blobs: ContainerClient) -> None:
    lake.faults.add("put_blob", r"\.json$", skip=1, times=2, then=Answer(500, "InternalError"))
    outcomes = []
    for name in ("1.txt", "1.json", "2.json", "3.json", "4.json", "2.txt"):
        try:
            blobs.upload_blob(name, b"")
        except HttpResponseError:
            outcomes.append(name)
    assert outcomes == ["2.json", "3.json"]


def test_a_fault_without_an_end_lasts_until_it_is_cleared(lake: Lake, blobs: ContainerClient) -> None:
    lake.faults.add("any", times=None, then=Answer(403, "AuthorizationPermissionMismatch"))
    for _ in range(3):
        with pytest.raises(HttpResponseError):
            blobs.get_container_properties()
    lake.faults.clear()
    assert blobs.get_container_properties()


@pytest.mark.parametrize("before", [True, False])
def test_a_held_request_waits_before_or_after_its_effect(lake: Lake, blobs: ContainerClient, *, before: bool) -> None:
    held = Held(before, threading.Event(), threading.Event())
    lake.faults.add("put_blob", then=held)
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(blobs.upload_blob, "x", b"abc")
        assert held.reached.wait(30)
        assert lake.tree() == ({} if before else {"x": 3})
        assert lake.calls == []
        held.release.set()
        put.result(30)
    assert lake.tree() == {"x": 3}
    assert [call.status for call in lake.calls] == [201]


def test_clearing_lets_go_what_is_held(lake: Lake, blobs: ContainerClient) -> None:
    held = Held(before=True, reached=threading.Event(), release=threading.Event())
    lake.faults.add("put_blob", then=held)
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(blobs.upload_blob, "x", b"abc")
        assert held.reached.wait(30)
        lake.faults.clear()
        put.result(30)
    assert lake.tree() == {"x": 3}


def test_stopping_ends_every_wait(connect: Callable[..., Any], lake: Lake) -> None:
    client = connect().get_file_system_client("planning")
    held = Held(before=True, reached=threading.Event(), release=threading.Event())
    lake.faults.add("create", "held", then=held)
    lake.faults.add("create", "late", then=Delay(3600))
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(client.create_file, path) for path in ("held", "late")]
        assert held.reached.wait(30)
        lake.stop()
        for call in calls:
            call.exception(30)


def test_the_record_names_every_call_and_no_token(lake: Lake, files: FileSystemClient) -> None:
    client = files.get_file_client("a/x")
    client.create_file()
    client.append_data(b"abc", 0)
    client.flush_data(3, close=True)
    client.set_metadata({"k": "v"})
    client.rename_file("planning/a/y")
    assert [(call.service, call.operation, call.path) for call in lake.calls] == [
        ("dfs", "create", "a/x"),
        ("dfs", "append", "a/x"),
        ("dfs", "flush", "a/x"),
        ("blob", "set_metadata", "a/x"),
        ("dfs", "rename", "a/y"),
    ]
    assert [call.number for call in lake.calls] == [1, 2, 3, 4, 5]
    assert lake.calls[1].query == {"action": "append", "position": "0"}
    assert lake.calls[2].query["close"] == "true"
    assert lake.calls[3].headers["x-ms-meta-k"] == "v"
    assert not any("emulated:" in repr(call) for call in lake.calls)


def test_a_foreign_program_writes_and_deletes(lake: Lake) -> None:
    lake.write("a/x", b"one", {"by": "hand"})
    lake.write("a/x", b"three")
    assert (lake.read("a/x"), lake.metadata("a/x")) == (b"three", {})
    lake.delete("a")
    assert (lake.tree(), lake.folders()) == ({}, [])


def test_a_page_is_a_good_answer_of_somebody_else(lake: Lake, blobs: ContainerClient) -> None:
    lake.faults.add("put_blob", then=Page())
    seen: list[Any] = []
    with pytest.raises(HttpResponseError):
        blobs.upload_blob("y", b"abc", raw_response_hook=lambda answer: seen.append(answer.http_response))
    assert seen[0].status_code == 200
    assert not [name for name in seen[0].headers if name.lower().startswith("x-ms-")]
    assert lake.tree() == {}
