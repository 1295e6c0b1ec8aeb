"""ADLS Gen2: files, and JSON records. Each method is one request, with the conditions that `lake.interface` names.

Records go through the Blob protocol, since only its Put Blob writes a whole file in one request.

Azure role: Storage Blob Data Contributor on the file system's container, for every call here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContentSettings

from pigment_export.azure.boundary import Answer
from pigment_export.azure.clients import only_over, sendable
from pigment_export.azure.file_system import MOST_RECORD_BYTES, FileSystem
from pigment_export.azure.lake_errors import LAKE_RECORD_TOO_LARGE
from pigment_export.errors import MissingError
from pigment_export.lake.interface import ListedBlob, PathInfo, StoredRecord

if TYPE_CHECKING:
    from pigment_export.azure.data_lake import DataLakeFileClient

MOST_KEPT_FILES = 16  # more than are written at once
_FOLDER = "hdi_isfolder"  # the metadata by which the Blob protocol shows a folder
_JSON = ContentSettings(content_type="application/json")
_RANGE_NOT_SATISFIABLE = 416
_ALREADY_THERE = ("PathAlreadyExists", "ConditionNotMet")  # which of them is not published for folders


class LakeFiles:
    """Files of one file system; safe to use from several threads.

    Args:
        file_system: where they lie.
    """

    def __init__(self, file_system: FileSystem) -> None:
        self._file_system = file_system
        self._lake = file_system.boundary
        self._blobs = file_system.blobs
        # A client is a pipeline of twenty parts, and each append to a file asks for the same one.
        self._file = lru_cache(MOST_KEPT_FILES)(self._new_file)

    def now(self) -> datetime:
        """The lake's clock, by one read of the file system's properties."""
        date = Answer(self._lake)
        with self._lake.doing("read its properties", conditional=False):
            self._blobs.get_container_properties(raw_response_hook=date)
        return date.now

    def look(self, path: str) -> PathInfo:
        """Read a path's properties; a path that is not there is an answer, not an error."""
        date = Answer(self._lake)
        try:
            with self._lake.doing(f"look at {path}", conditional=False):
                properties = self._blobs.get_blob_client(path).get_blob_properties(raw_response_hook=date)
                etag, size = _etag_in({"etag": properties.etag}), int(properties.size)
                metadata = {name.lower(): value for name, value in (properties.metadata or {}).items()}
        except MissingError:
            return PathInfo(date.now)
        return PathInfo(date.now, etag, size, metadata)

    def create(self, path: str) -> str:
        """Create an empty file where nothing is; returns its ETag."""
        with self._lake.doing(f"create {path}"):
            return _etag_in(self._file(path).create_file(**only_over(None)))

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at a position; they are sent from where they lie, without a copy."""
        with self._lake.doing(f"append to {path}", conditional=False):
            self._file(path).append_data(data, position, len(data))  # type: ignore[arg-type] # buffers pass unread

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close what was appended, if the ETag still holds; returns the new ETag."""
        with self._lake.doing(f"flush {path}"):
            settings: Any = ContentSettings(content_type=content_type)  # the Data Lake library's own is the same
            return _etag_in(self._file(path).flush_data(size, close=True, content_settings=settings, **only_over(etag)))

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata, if the ETag still holds; returns the new ETag."""
        sent = sendable(path, metadata)
        with self._lake.doing(f"set the metadata of {path}"):
            return _etag_in(self._blobs.get_blob_client(path).set_blob_metadata(sent, **only_over(etag)))

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step, if both ends are as they were."""
        with self._lake.doing(f"rename {source} to {destination}"):
            self._file(source).rename_file(
                f"{self._file_system.name}/{destination}",
                source_etag=source_etag,
                source_match_condition=only_over(source_etag)["match_condition"],
                **only_over(replacing),
            )

    def make_folder(self, path: str) -> None:
        """Make a folder, its parents too; one that is there already is fine."""
        with self._lake.doing(f"make the folder {path}"):
            try:
                self._file_system.paths.get_directory_client(path).create_directory(**only_over(None))
            except HttpResponseError as exc:
                if getattr(exc, "error_code", None) not in _ALREADY_THERE:  # the storage libraries set it
                    raise

    def delete(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        try:
            with self._lake.doing(f"delete {path}", conditional=False):
                self._file(path).delete_file()
        except MissingError:
            return

    def read(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        """Read up to `length` bytes from an offset, if the ETag still holds; none at the file's end."""
        with self._lake.doing(f"read {path}"):
            try:
                return bytes(self._blobs.download_blob(path, offset, length, **only_over(etag)).readall())
            except HttpResponseError as exc:
                if exc.status_code == _RANGE_NOT_SATISFIABLE:  # an empty file has no first byte
                    return b""
                raise

    def _new_file(self, path: str) -> "DataLakeFileClient":
        return self._file_system.paths.get_file_client(path)


def _etag_in(answer: Mapping[str, Any]) -> str:
    """Return the ETag of an answer.

    Raises:
        ValueError: it has none: no answer of the lake.
    """
    etag = answer["etag"]
    if not isinstance(etag, str) or not etag:
        raise ValueError("an answer without an ETag")
    return etag


class LakeRecords:
    """Records of one file system; safe to use from several threads.

    Args:
        file_system: where they lie.
    """

    def __init__(self, file_system: FileSystem) -> None:
        self._lake = file_system.boundary
        self._client = file_system.blobs

    def read(self, path: str) -> StoredRecord:
        """Read a record; one that is not there is an answer, not an error.

        Raises:
            PermanentError: it is too large to be a record.
        """
        date = Answer(self._lake)
        try:
            with self._lake.doing(f"read {path}", conditional=False):
                # One request for all that a record may be; the library repeats it where a body breaks off or is empty.
                answer = self._client.download_blob(path, raw_response_hook=date)
                _check_size(path, answer.size)
                return StoredRecord(date.now, str(answer.properties.etag), answer.readall())
        except MissingError:
            return StoredRecord(date.now)

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        """Write a record over the one with the ETag `replacing`, or where nothing is."""
        _check_size(path, len(data))
        sent = sendable(path, metadata)
        with self._lake.doing(f"write {path}"):
            # `overwrite` keeps the library from a condition of its own: ours is the only one.
            self._client.upload_blob(
                path,
                data,
                overwrite=True,
                metadata=sent,
                content_settings=_JSON,
                **only_over(replacing),
            )

    def names(self, prefix: str) -> Sequence[str]:
        """List the paths under a prefix, folders too. Each page is one request."""
        with self._lake.doing(f"list {prefix}", conditional=False):
            return tuple(self._client.list_blob_names(name_starts_with=prefix))

    def list(self, prefix: str) -> Iterator[ListedBlob]:
        """List what lies under a prefix, with metadata; folders are left out. Each page is one request."""
        with self._lake.doing(f"list {prefix}", conditional=False):
            for blob in self._client.list_blobs(name_starts_with=prefix, include=["metadata"]):
                metadata = {name.lower(): value for name, value in (blob.metadata or {}).items()}
                if metadata.get(_FOLDER) != "true":
                    yield ListedBlob(blob.name, metadata, blob.creation_time, blob.last_modified, blob.size)

    def delete(self, path: str, etag: str | None = None) -> None:
        """Remove a record, with an ETag only if that still holds; one that is not there is fine."""
        try:
            with self._lake.doing(f"delete {path}", conditional=etag is not None):
                self._client.delete_blob(path, **(only_over(etag) if etag else {}))
        except MissingError:
            return


def _check_size(path: str, size: int) -> None:
    if size > MOST_RECORD_BYTES:
        raise LAKE_RECORD_TOO_LARGE.raised(f"{path} has {size:,} bytes")
