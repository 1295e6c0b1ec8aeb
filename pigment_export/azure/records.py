"""ADLS Gen2: JSON records, through the Blob protocol, since only its Put Blob writes a whole file in one request.

Azure role: Storage Blob Data Contributor on the file system's container, for every call here.
"""

from collections.abc import Iterator, Mapping

from azure.storage.blob import ContainerClient, ContentSettings

from pigment_export.azure.boundary import Answer, Boundary
from pigment_export.azure.clients import client_options, only_over, sendable
from pigment_export.azure.identity import Identity
from pigment_export.azure.lake_errors import LAKE, LAKE_RECORD_TOO_LARGE
from pigment_export.errors import MissingError
from pigment_export.lake.interface import ListedBlob, StoredRecord

MOST_BYTES = 8 * 1024 * 1024  # of a record: the plan of a thousand exports is a tenth of it
_FOLDER = "hdi_isfolder"  # the metadata by which the Blob protocol shows a folder
_JSON = ContentSettings(content_type="application/json")


class LakeRecords:
    """Records of one file system; safe to use from several threads.

    Args:
        account_url: the account's Data Lake address; its Blob address follows from it.
        file_system: its name.
        identity: whose tokens are sent.
        read_seconds: how long to wait for the next byte of an answer; None for what all clients wait.
    """

    def __init__(
        self,
        account_url: str,
        file_system: str,
        identity: Identity,
        *,
        read_seconds: float | None = None,
    ) -> None:
        self._lake = Boundary(LAKE, f"the file system {file_system} of {account_url}", identity)
        self._client = ContainerClient(
            account_url.replace(".dfs.", ".blob.", 1),
            file_system,
            credential=identity,
            max_single_get_size=MOST_BYTES,
            **client_options(read_seconds),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

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
    if size > MOST_BYTES:
        raise LAKE_RECORD_TOO_LARGE.raised(f"{path} has {size:,} bytes")
