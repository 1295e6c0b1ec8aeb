"""A local folder: a whole file under its name, or none, and nothing replaced."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pigment_export.cli import folder as folder_module
from pigment_export.cli.folder import FolderFile
from pigment_export.errors import ConfigurationError, PermanentError


@pytest.fixture
def file(tmp_path: Path) -> FolderFile:
    return FolderFile(tmp_path, "revenue.csv", nonce="0123456789abcdef")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(file: FolderFile, data: bytes = b"a;b\n1;2\n") -> FolderFile:
    file.open()
    file.append(0, data)
    file.finish(len(data))
    return file


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_has_its_name_only_once_it_is_published(file: FolderFile, tmp_path: Path) -> None:
    file.check()
    written(file)
    assert names(tmp_path) == [".revenue.csv.0123456789abcdef.partial"]
    file.publish()
    assert names(tmp_path) == ["revenue.csv"]
    assert (tmp_path / "revenue.csv").read_bytes() == b"a;b\n1;2\n"


def test_bytes_may_come_at_once_in_any_order_and_twice(file: FolderFile) -> None:
    chunks = [bytes([65 + number]) * 100_000 for number in range(8)]
    file.open()
    calls = [*reversed(list(enumerate(chunks))), (3, chunks[3])]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: file.append(call[0] * 100_000, memoryview(call[1])), calls))
    file.finish(800_000)
    file.publish()
    assert file.path.read_bytes() == b"".join(chunks)


def test_a_file_with_bytes_missing_at_its_end_is_not_finished(file: FolderFile) -> None:
    file.open()
    file.append(0, b"abc")
    with pytest.raises(ValueError, match="4 bytes"):
        file.finish(4)
    file.drop()


def test_all_bytes_are_on_the_disk_before_the_file_is_finished(
    file: FolderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    partial = tmp_path / ".revenue.csv.0123456789abcdef.partial"
    monkeypatch.setattr(os, "fsync", lambda _number: synced.append(partial.read_bytes()))
    written(file, b"abc")
    assert synced == [b"abc"]


def test_a_dropped_file_leaves_nothing_and_may_be_dropped_at_any_time(file: FolderFile, tmp_path: Path) -> None:
    file.drop()
    file.open()
    file.append(0, b"abc")
    file.drop()
    file.drop()
    assert names(tmp_path) == []


def test_dropping_after_publishing_keeps_the_file(file: FolderFile, tmp_path: Path) -> None:
    written(file).publish()
    file.drop()
    assert names(tmp_path) == ["revenue.csv"]


def test_what_cannot_end_well_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_bytes(b"precious")
    for folder, name, reason in (
        (tmp_path, "there.csv", "exists"),
        (tmp_path / "no", "x.csv", "is not a folder"),
        (tmp_path / "there.csv", "x.csv", "is not a folder"),
        (tmp_path, "../x.csv", "is not a file name"),
        (tmp_path, "", "is not a file name"),
        (tmp_path, "x\0.csv", "is not a file name"),
        (tmp_path, "x\n.csv", "is not a file name"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            FolderFile(folder, name, nonce="00").check()
    assert names(tmp_path) == ["there.csv"]


def test_a_link_that_leads_nowhere_is_something_in_the_way_too(file: FolderFile, tmp_path: Path) -> None:
    (tmp_path / "revenue.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="exists"):
        file.check()
    with pytest.raises(PermanentError, match="folder_file_exists"):
        written(file).publish()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appeared_meanwhile_is_not_replaced_and_nothing_is_lost(
    file: FolderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    written(file)
    (tmp_path / "revenue.csv").write_bytes(b"theirs")
    with pytest.raises(PermanentError, match=r"revenue\.csv could not be written: File exists") as caught:
        file.publish()
    assert caught.value.cause.code == "folder_file_exists"
    assert (tmp_path / "revenue.csv").read_bytes() == b"theirs"
    assert (tmp_path / ".revenue.csv.0123456789abcdef.partial").read_bytes() == b"a;b\n1;2\n"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_a_file_system_without_hard_links_will_do(
    number: int, file: FolderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    written(file).publish()
    assert file.path.read_bytes() == b"a;b\n1;2\n"
    assert names(tmp_path) == ["revenue.csv"]


@pytest.mark.parametrize("links", [True, False])
def test_of_many_who_publish_one_name_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", failing(errno.ENOTSUP))
    files = [FolderFile(tmp_path, "x.csv", nonce=str(number)) for number in range(8)]
    for number, file in enumerate(files):
        written(file, str(number).encode())
    start = threading.Barrier(len(files))

    def publish(file: FolderFile) -> bool:
        start.wait()
        try:
            file.publish()
        except PermanentError:
            return False
        return True

    with ThreadPoolExecutor(len(files)) as pool:
        won = list(pool.map(publish, files))
    assert won.count(True) == 1
    assert (tmp_path / "x.csv").read_bytes() == str(won.index(True)).encode()


def test_a_folder_that_cannot_be_synced_is_no_failure(file: FolderFile, monkeypatch: pytest.MonkeyPatch) -> None:
    written(file)
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    file.publish()
    assert file.path.exists()


def test_a_full_disk_is_named_and_the_rest_removed(file: FolderFile, tmp_path: Path) -> None:
    file.open()
    file._opened().close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        file._file = full
        with pytest.raises(PermanentError, match="No space left on device") as caught:
            file.append(0, b"abc")
    assert caught.value.cause.code == "folder_full"
    file.drop()
    assert names(tmp_path) == []


def test_a_disk_that_is_full_only_when_it_is_synced_is_named(
    file: FolderFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(PermanentError, match="folder_full"):
        written(file)
    file.drop()
    assert names(tmp_path) == []


def test_a_folder_that_has_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="folder_missing"):
        FolderFile(tmp_path / "gone", "x.csv", nonce="0").open()


def test_a_name_that_the_file_system_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="folder_failed") as caught:
        FolderFile(tmp_path, "x" * 300, nonce="0").open()
    assert "File name too long" in caught.value.cause.reason
    assert "shorter name" in caught.value.cause.remedy


def test_two_fetches_never_share_a_temporary_file(file: FolderFile, tmp_path: Path) -> None:
    written(file)
    with pytest.raises(PermanentError, match="folder_file_exists"):
        FolderFile(tmp_path, "revenue.csv", nonce="0123456789abcdef").open()


@pytest.mark.parametrize("number", sorted(folder_module._ROWS))
def test_every_known_refusal_says_what_to_do(number: int, file: FolderFile, monkeypatch: pytest.MonkeyPatch) -> None:
    row = folder_module._ROWS[number]
    monkeypatch.setattr(Path, "open", failing(number))
    with pytest.raises(PermanentError) as caught:
        file.open()
    assert (caught.value.cause.code, caught.value.cause.remedy) == (row.code, row.remedy)
    assert os.strerror(number) in caught.value.cause.reason


def test_bytes_for_a_file_that_is_not_open_are_a_bug(file: FolderFile) -> None:
    with pytest.raises(ValueError, match="not open"):
        file.append(0, b"")
