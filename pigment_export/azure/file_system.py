"""One file system of an account, as `LakeFiles` and `LakeRecords` reach it, over the Blob and Data Lake protocols."""

from functools import cached_property
from typing import TYPE_CHECKING

from azure.storage.blob import ContainerClient

from pigment_export.azure.boundary import Boundary
from pigment_export.azure.clients import client_options
from pigment_export.azure.identity import Identity
from pigment_export.azure.lake_errors import LAKE

if TYPE_CHECKING:
    from pigment_export.azure.data_lake import FileSystemClient

MOST_RECORD_BYTES = 8 * 1024 * 1024  # the plan of a thousand exports is a tenth of it


class FileSystem:
    """A file system; safe to use from several threads.

    Args:
        account_url: the account's Data Lake address, e.g. `https://mylake.dfs.core.windows.net`; its Blob address
            follows from it.
        name: of the file system.
        identity: whose tokens are sent.
        read_seconds: how long to wait for the next byte of an answer; None for what all clients wait.

    Attributes:
        name: of the file system.
        boundary: to what its clients raise.
        blobs: the client for what the Blob protocol does: reads, properties, metadata, records.
    """

    def __init__(self, account_url: str, name: str, identity: Identity, *, read_seconds: float | None = None) -> None:
        self.name = name
        self.boundary = Boundary(LAKE, f"the file system {name} of {account_url}", identity)
        self._account_url, self._identity = account_url, identity
        self._options = client_options(read_seconds)  # one transport: both clients share its connections
        self.blobs = ContainerClient(
            account_url.replace(".dfs.", ".blob.", 1),
            name,
            credential=identity,
            max_single_get_size=MOST_RECORD_BYTES,
            **self._options,
        )

    @cached_property
    def paths(self) -> "FileSystemClient":
        """The client for what only the Data Lake protocol does: create, append, flush, rename, folders.

        Its library is imported here: nothing of it is needed before Pigment has answered, nor in a tick.
        """
        from pigment_export.azure.data_lake import FileSystemClient  # noqa: PLC0415 - as the docstring says

        return FileSystemClient(self._account_url, self.name, credential=self._identity, **self._options)

    def close(self) -> None:
        """Close the connections."""
        self.blobs.close()
