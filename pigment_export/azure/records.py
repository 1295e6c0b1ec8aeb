"""ADLS Gen2: JSON records, through the Blob protocol, since only its Put Blob writes a whole file in one request.

Azure role: Storage Blob Data Contributor on the file system's container, for every call here.
"""

from collections.abc import Iterator, Mapping, Sequence

from azure.storage.blob import ContentSettings

from pigment_export.azure.boundary import Answer
from pigment_export.azure.clients import only_over, sendable
from pigment_export.azure.file_system import MOST_RECORD_BYTES, FileSystem
from pigment_export.azure.lake_errors import LAKE_RECORD_TOO_LARGE
from pigment_export.errors import MissingError
from pigment_export.lake.interface import ListedBlob, StoredRecord

_FOLDER = "hdi_isfolder"  # the metadata by which the Blob protocol shows a folder
_JSON = ContentSettings(content_type="application/json")


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

    def delete(self, path: str) -> None:
        """Remove a record; one that is not there is fine."""
        try:
            with self._lake.doing(f"delete {path}", conditional=False):
                self._client.delete_blob(path)
        except MissingError:
            return


def _check_size(path: str, size: int) -> None:
    if size > MOST_RECORD_BYTES:
        raise LAKE_RECORD_TOO_LARGE.raised(f"{path} has {size:,} bytes")
