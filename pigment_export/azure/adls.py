"""ADLS Gen2, over its two protocols. Each method is one request, with the conditions that `lake.interface` names.

The Blob protocol reads, lists, describes and deletes. It also writes records, because its Put Blob writes a whole
record in one request. The Data Lake protocol does what only it can: create, append, flush, rename, folders.

Azure role: Storage Blob Data Contributor on the file system's container, for every call here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient, ContentSettings

from pigment_export.azure.boundary import Boundary
from pigment_export.azure.clients import client_options
from pigment_export.azure.errors import LAKE, LAKE_METADATA, LAKE_RECORD_TOO_LARGE
from pigment_export.azure.identity import Identity
from pigment_export.errors import MissingError
from pigment_export.lake.interface import ListedBlob, PathInfo, StoredRecord

if TYPE_CHECKING:
    from pigment_export.azure.data_lake import DataLakeFileClient, FileSystemClient

MOST_RECORD_BYTES = 8 * 1024 * 1024  # the plan of a thousand exports is a tenth of it
MOST_METADATA_BYTES = 8 * 1024  # names and values. Source: the Blob service's documentation of Set Blob Metadata
MOST_KEPT_FILES = 16  # more than are written at once
_FOLDER = "hdi_isfolder"  # metadata that marks a folder in the Blob protocol
_JSON = ContentSettings(content_type="application/json")
_RANGE_NOT_SATISFIABLE = 416
_ALREADY_THERE = ("PathAlreadyExists", "ConditionNotMet")  # Azure does not document which of them applies to folders


class AdlsLake:
    """One file system of an account; safe to use from several threads.

    Args:
        account_url: the account's Data Lake address, e.g. `https://mylake.dfs.core.windows.net`; its Blob address
            follows from it.
        file_system: its name.
        identity: for the tokens.
    """

    def __init__(self, account_url: str, file_system: str, identity: Identity) -> None:
        self._account_url, self._file_system, self._identity = account_url, file_system, identity
        self._doing = Boundary(LAKE, f"the file system {file_system} of {account_url}", identity).doing
        self._options = client_options()  # one transport: both clients share its connections
        self._blobs = ContainerClient(
            account_url.replace(".dfs.", ".blob.", 1),
            file_system,
            credential=identity,
            max_single_get_size=MOST_RECORD_BYTES,
            **self._options,
        )

    def close(self) -> None:
        """Close the connections."""
        self._blobs.close()

    def now(self) -> datetime:
        """The lake's clock, by one read of the file system's properties."""
        with self._doing("read its properties", conditional=False) as answer:
            self._blobs.get_container_properties(raw_response_hook=answer)
        return answer.now

    # Files

    def look(self, path: str) -> PathInfo:
        """Read a path's properties; a missing path is not an error."""
        try:
            with self._doing(f"look at {path}", conditional=False) as answer:
                found = self._blobs.get_blob_client(path).get_blob_properties(raw_response_hook=answer)
                return PathInfo(answer.now, _etag_in(found), int(found.size), _lower(found.metadata))
        except MissingError:
            return PathInfo(answer.now)

    def create(self, path: str) -> str:
        """Create an empty file if the path does not exist; returns its ETag."""
        with self._doing(f"create {path}"):
            return _etag_in(self._file(path).create_file(**_only_over(None)))

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        """Append bytes at a position; they are sent without a copy."""
        with self._doing(f"append to {path}", conditional=False):
            self._file(path).append_data(data, position, len(data))  # type: ignore[arg-type] # buffers pass unread

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        """Commit and close the appended bytes if the ETag still matches; returns the new ETag."""
        with self._doing(f"flush {path}"):
            settings: Any = ContentSettings(content_type=content_type)  # the Data Lake library's own is the same
            return _etag_in(
                self._file(path).flush_data(size, close=True, content_settings=settings, **_only_over(etag))
            )

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        """Replace the user metadata if the ETag still matches; returns the new ETag."""
        sent = _sendable(path, metadata)
        with self._doing(f"set the metadata of {path}"):
            return _etag_in(self._blobs.get_blob_client(path).set_blob_metadata(sent, **_only_over(etag)))

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        """Move a file in one atomic step, if source and destination have not changed."""
        with self._doing(f"rename {source} to {destination}"):
            self._file(source).rename_file(
                f"{self._file_system}/{destination}",
                source_etag=source_etag,
                source_match_condition=MatchConditions.IfNotModified,
                **_only_over(replacing),
            )

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents; an existing folder is not an error."""
        with self._doing(f"make the folder {path}"):
            try:
                self._paths.get_directory_client(path).create_directory(**_only_over(None))
            except HttpResponseError as exc:
                if getattr(exc, "error_code", None) not in _ALREADY_THERE:  # the storage libraries set it
                    raise

    def read_range(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        """Read up to `length` bytes from an offset if the ETag still matches; none at the end of the file."""
        with self._doing(f"read {path}"):
            try:
                return bytes(self._blobs.download_blob(path, offset, length, **_only_over(etag)).readall())
            except HttpResponseError as exc:
                if exc.status_code == _RANGE_NOT_SATISFIABLE:  # an empty file has no first byte
                    return b""
                raise

    # Records

    def read(self, path: str) -> StoredRecord:
        """Read a record; a missing record is not an error.

        Raises:
            PermanentError: it is too large to be a record.
        """
        try:
            with self._doing(f"read {path}", conditional=False) as answer:
                # One request for the largest possible record; the library repeats it if a body is cut or empty.
                found = self._blobs.download_blob(path, raw_response_hook=answer)
                _check_size(path, found.size)
                return StoredRecord(answer.now, _etag_in(found.properties), found.readall())
        except MissingError:
            return StoredRecord(answer.now)

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        """Write a record over the one with the ETag `replacing`, or only if there is none (None)."""
        _check_size(path, len(data))
        sent = _sendable(path, metadata)
        with self._doing(f"write {path}"):
            # `overwrite` stops the library from adding its own condition: ours is the only one.
            self._blobs.upload_blob(
                path,
                data,
                overwrite=True,
                metadata=sent,
                content_settings=_JSON,
                **_only_over(replacing),
            )

    # Both

    def names(self, prefix: str) -> Sequence[str]:
        """List the paths under a prefix, folders too. Each page is one request."""
        with self._doing(f"list {prefix}", conditional=False):
            return tuple(self._blobs.list_blob_names(name_starts_with=prefix))

    def list(self, prefix: str) -> Iterator[ListedBlob]:
        """List the blobs under a prefix, with metadata but without folders. Each page is one request."""
        with self._doing(f"list {prefix}", conditional=False):
            for blob in self._blobs.list_blobs(name_starts_with=prefix, include=["metadata"]):
                metadata = _lower(blob.metadata)
                if metadata.get(_FOLDER) != "true":
                    yield ListedBlob(blob.name, metadata, blob.creation_time, blob.last_modified, blob.size)

    def delete(self, path: str, etag: str | None = None) -> None:
        """Delete a file, flushed or not; with an ETag, only if it still matches. A missing file is not an error.

        This would also delete an empty folder; callers use their own paths or those of `list`, which has no folders.
        Source: https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues (Blob storage APIs)
        """
        try:
            with self._doing(f"delete {path}", conditional=etag is not None):
                self._blobs.delete_blob(path, **(_only_over(etag) if etag else {}))
        except MissingError:
            return

    # Within

    @cached_property
    def _paths(self) -> "FileSystemClient":
        """Return the client of the Data Lake protocol.

        Its library is imported here, because nothing needs it before Pigment has answered, nor in a tick.
        """
        from pigment_export.azure.data_lake import FileSystemClient  # noqa: PLC0415 - as the docstring says

        return FileSystemClient(self._account_url, self._file_system, credential=self._identity, **self._options)

    @cached_property
    def _file(self) -> "Callable[[str], DataLakeFileClient]":
        """Return a file's client; cached, because each has a pipeline of twenty parts and each append needs it."""
        return lru_cache(MOST_KEPT_FILES)(self._paths.get_file_client)


def _only_over(etag: str | None) -> dict[str, Any]:
    """Return the condition of a write: only over this ETag, or with None only if the path does not exist."""
    if etag is None:
        return {"match_condition": MatchConditions.IfMissing}
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _sendable(path: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata that a request can carry.

    Raises:
        PermanentError: it is too large, or not printable ASCII; the libraries would report an outage.
    """
    for name, value in metadata.items():
        if not (name + value).isascii() or not (name + value).isprintable() or value != value.strip():
            raise LAKE_METADATA.raised(f"{path}: {name} is not printable ASCII")
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > MOST_METADATA_BYTES:
        raise LAKE_METADATA.raised(f"{path}: {size:,} bytes")
    return dict(metadata)


def _lower(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (metadata or {}).items()}


def _etag_in(answer: Any) -> str:
    """Return the ETag of an answer, or of properties.

    Raises:
        ValueError: it has none, so it is not from the lake.
    """
    etag = answer["etag"]
    if not isinstance(etag, str) or not etag:
        raise ValueError("an answer without an ETag")
    return etag


def _check_size(path: str, size: int) -> None:
    if size > MOST_RECORD_BYTES:
        raise LAKE_RECORD_TOO_LARGE.raised(f"{path} has {size:,} bytes")
