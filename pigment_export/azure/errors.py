"""What Azure's errors mean: whether a retry can help, who must act, and what to do.

The code, the test and `docs/errors-azure.md` use one table per service. The first row that matches applies; the last
one matches everything. No row says whether a write took effect: an error does not show that.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pigment_export.errors import ConflictError, ErrorRow, MissingError, PermanentError, RetryableError, SetupError, Who

SERVER_ERRORS = frozenset(range(500, 600))
NO_ANSWER, UNREADABLE = None, 0  # in place of a status; unreadable: the answer has no request id, or cannot be parsed


@dataclass(frozen=True, slots=True)
class Refusal(ErrorRow):
    """One row: the answers that it matches, and what they mean. A row without statuses and names matches any.

    Attributes:
        statuses: HTTP statuses that it matches, including `NO_ANSWER` and `UNREADABLE`.
        names: the service's error codes that it matches, with any status.
    """

    statuses: AbstractSet[int | None] = frozenset()
    names: AbstractSet[str] = frozenset()


def meaning_of(rows: Sequence[Refusal], status: int | None, names: AbstractSet[str] = frozenset()) -> Refusal:
    """Return the row of an answer.

    Args:
        rows: the service's table.
        status: HTTP status; `NO_ANSWER` if none came, `UNREADABLE` if the answer is not the service's.
        names: the error codes in the answer, inner ones too.
    """
    return next(row for row in rows if status in row.statuses or names & row.names or not (row.statuses or row.names))


# fmt: off
# A table: the head of each row stands on one line.
IDENTITY_NOT_SIGNED_IN = ErrorRow("identity_not_signed_in", SetupError, Who.CALLER,
    "run `az login`, then start again",
    what="this machine is not signed in to Azure")
IDENTITY_REFUSED = ErrorRow("identity_refused", SetupError, Who.ADMINISTRATOR,
    "on a laptop, run `az login` again; elsewhere, look up the AADSTS code, then check AZURE_CLIENT_ID, "
    "AZURE_TENANT_ID and their secret or certificate",
    what="Microsoft Entra did not issue a token for this identity")
IDENTITY_MISSING = ErrorRow("identity_missing", SetupError, Who.ADMINISTRATOR,
    "assign the identity to the app and set IDENTITY_CLIENT_ID to its client id; on a laptop, remove "
    "IDENTITY_CLIENT_ID and run `az login`",
    what="the app does not have this managed identity")
IDENTITY_UNAVAILABLE = ErrorRow("identity_unavailable", RetryableError, Who.NO_ACTION,
    "after a deployment, wait some minutes; if it continues, check that the app's managed identity is enabled, then "
    "restart the app",
    what="the identity endpoint returned no token")

# Source: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret and
# https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
VAULT = (
    Refusal("vault_secret_disabled", PermanentError, Who.KEY_OWNER,
        "enable the secret, or store a new version of it",
        what="the secret's newest version is disabled", names={"SecretDisabled"}),
    Refusal("vault_firewalled", SetupError, Who.ADMINISTRATOR,
        "check the vault's network rules; if public access is disabled, check that the app reaches the vault through "
        "its private endpoint",
        what="the vault does not accept connections from this network",
        names={"ForbiddenByFirewall", "ForbiddenByConnection"}),
    Refusal("vault_unauthenticated", SetupError, Who.ADMINISTRATOR,
        "check that the identity belongs to the vault's tenant (on a laptop: `az login --tenant`), and this "
        "machine's clock",
        what="the vault does not accept the identity's token", statuses={401}),
    Refusal("vault_forbidden", SetupError, Who.ADMINISTRATOR,
        "assign Key Vault Secrets User on the secret to this identity (in a vault with access policies: secret "
        "permission Get); a new assignment takes up to ten minutes",
        what="the identity does not have the role to read the secret", statuses={403}),
    Refusal("vault_secret_missing", PermanentError, Who.KEY_OWNER,
        "store the Pigment key under this name (recover the secret if it was deleted), or correct "
        "PIGMENT_KEY_SECRET or the export's secret",
        what="the vault has no such secret", statuses={404}),
    Refusal("vault_throttled", RetryableError, Who.NO_ACTION,
        "if it happens often, find out which other programs read this vault",
        what="the vault is throttling requests", statuses={429}),
    Refusal("vault_unavailable", RetryableError, Who.NO_ACTION,
        "if it continues, check KEY_VAULT_URL, firewalls and the private endpoint, then Azure's status",
        what="the vault is not available", statuses={NO_ANSWER, 408} | SERVER_ERRORS),
    Refusal("vault_unreadable", RetryableError, Who.NETWORK,
        "check KEY_VAULT_URL, then what answers instead of the vault: a proxy that inspects TLS, or a login page",
        what="the answer is not from the vault", statuses={UNREADABLE}),
    Refusal("vault_unexpected", PermanentError, Who.ADMINISTRATOR,
        "check KEY_VAULT_URL and PIGMENT_KEY_SECRET",
        what="the vault rejected the app's request as invalid"),
)

# For both protocols of the lake. Source: the error list of the Data Lake swagger, and
# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes. The codes of a firewall
# (AuthorizationFailure) and of a missing role (AuthorizationPermissionMismatch):
# https://learn.microsoft.com/troubleshoot/azure/azure-storage/blobs/authentication/storage-troubleshoot-403-errors
# The errors of Delete Blob for a folder: https://github.com/Azure/azure-cli/issues/23062 and
# https://github.com/Azure/azure-sdk-for-net/issues/39065.
LAKE = (
    Refusal("lake_file_system_missing", PermanentError, Who.ADMINISTRATOR,
        "check DATA_LAKE_URL and DATA_LAKE_FILE_SYSTEM, or create the file system",
        what="the file system does not exist",
        names={"FilesystemNotFound", "ContainerNotFound", "FilesystemBeingDeleted", "ContainerBeingDeleted"}),
    Refusal("lake_not_hierarchical", PermanentError, Who.ADMINISTRATOR,
        "use a storage account with a hierarchical namespace",
        what="the storage account is not a data lake, or one of its features disables the dfs endpoint",
        names={"EndpointUnsupportedAccountFeatures"}),
    Refusal("lake_account_disabled", SetupError, Who.ADMINISTRATOR,
        "enable the account's subscription again (it may have expired or reached its spending limit)",
        what="the storage account is disabled", names={"AccountIsDisabled", "ContainerDisabled"}),
    Refusal("lake_read_only", SetupError, Who.ADMINISTRATOR,
        "set DATA_LAKE_URL to the account's primary endpoint (without -secondary), and check whether the account "
        "is in a failover",
        what="the storage account does not allow this at this endpoint", names={"InsufficientAccountPermissions"}),
    Refusal("lake_encryption_key", SetupError, Who.ADMINISTRATOR,
        "check the storage account's customer-managed key: that the key and its vault exist and are enabled, and "
        "that the account's identity has Key Vault Crypto Service Encryption User on it",
        what="the lake cannot reach the key that encrypts it",
        names={"KeyVaultEncryptionKeyNotFound", "KeyVaultAccessTokenCannotBeAcquired", "KeyVaultVaultNotFound"}),
    Refusal("lake_firewalled", SetupError, Who.ADMINISTRATOR,
        "check the storage account's network rules and private endpoints (dfs and blob), then the identity's role",
        what="the lake does not accept connections from this network",
        names={"AuthorizationFailure", "AuthorizationSourceIPMismatch"}),
    Refusal("lake_immutable", PermanentError, Who.ADMINISTRATOR,
        "exclude the app's folders from the policy or the hold, or set DATA_LAKE_FILE_SYSTEM to a container "
        "without one: the app replaces and removes its own files",
        what="an immutability policy or a legal hold protects the path",
        names={
            "BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold", "PathImmutableDueToPolicy",
            "PathImmutableDueToLegalHold",
        }),
    Refusal("lake_leased", PermanentError, Who.ADMINISTRATOR,
        "find the program that takes the lease, then break the lease (az storage blob lease break) and retry",
        what="another program holds a lease on the path, its folder or the container",
        names={
            "LeaseAlreadyPresent", "LeaseIdMismatch", "LeaseIdMismatchWithBlobOperation",
            "LeaseIdMismatchWithContainerOperation", "LeaseIdMismatchWithLeaseOperation", "LeaseIdMissing",
            "LeaseIsAlreadyBroken", "LeaseLost", "LeaseNotPresent", "LeaseNotPresentWithBlobOperation",
            "LeaseNotPresentWithLeaseOperation",
        }),
    Refusal("lake_archived", PermanentError, Who.ADMINISTRATOR,
        "move it to the hot or cool tier, wait until that is done, and exclude the app's folders from the "
        "lifecycle rule that archived it",
        what="the file is in the archive tier", names={"BlobArchived", "BlobBeingRehydrated"}),
    Refusal("lake_path_taken", PermanentError, Who.ADMINISTRATOR,
        "look at the path: it may be a folder where the app writes a file, a file where the app needs a folder, or an "
        "append or page blob; move it away, or change EXPORT_PATH or DATA_LAKE_ROOT",
        what="another program has put something of another kind at the path",
        names={
            "BlobUsesCustomerSpecifiedEncryption", "DirectoryIsNotEmpty", "DirectoryNotEmpty", "InvalidBlobType",
            "InvalidDestinationPath", "InvalidRenameSourcePath", "InvalidSourceOrDestinationResourceType",
            "OperationNotSupportedOnDirectory", "PathConflict", "ResourceTypeMismatch", "SnapshotsPresent",
        }),
    Refusal("lake_parent_missing", MissingError, Who.NO_ACTION,
        "the app creates the folder",
        what="the destination's folder does not exist", names={"RenameDestinationParentPathNotFound"}),
    Refusal("lake_source_missing", MissingError, Who.NO_ACTION,
        "the app checks the destination first: the file may already be there",
        what="the file to move does not exist", names={"SourcePathNotFound"}),
    Refusal("lake_path_missing", MissingError, Who.NO_ACTION,
        "if it continues, find out which program removes files from the app's folders",
        what="the path does not exist", names={"PathNotFound", "BlobNotFound"}),
    Refusal("lake_bytes_missing", RetryableError, Who.NO_ACTION,
        "if it continues, find out which program writes into the app's folders",
        what="the lake does not have all bytes that were appended, or another program has written to the staged file",
        names={"InvalidFlushPosition", "InvalidFlushOperation", "InvalidAppendOperation"}),
    Refusal("lake_unauthenticated", SetupError, Who.ADMINISTRATOR,
        "check that the identity belongs to the tenant of the storage account's subscription (on a laptop: "
        "`az login --tenant`), and this machine's clock",
        what="the lake does not accept the identity's token", statuses={401},
        names={"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}),
    Refusal("lake_forbidden", SetupError, Who.ADMINISTRATOR,
        "assign Storage Blob Data Contributor on the file system's container to this identity; a new assignment "
        "takes up to ten minutes",
        what="the identity does not have the role for this in the lake", statuses={403}),
    Refusal("lake_throttled", RetryableError, Who.NO_ACTION,
        "if it happens often, spread the exports over the day",
        what="the lake is throttling requests", statuses={429}, names={"ServerBusy"}),
    Refusal("lake_unavailable", RetryableError, Who.NO_ACTION,
        "if it continues, check DATA_LAKE_URL, firewalls and private endpoints (dfs and blob), then Azure's status",
        what="the lake is not available", statuses={NO_ANSWER, 408} | SERVER_ERRORS),
    Refusal("lake_conflict", ConflictError, Who.NO_ACTION,
        "the app reads the path again first",
        what="the path has changed since it was read", statuses={409, 412}),
    Refusal("lake_unreadable", RetryableError, Who.NETWORK,
        "check DATA_LAKE_URL, then what answers instead of the lake: a proxy that inspects TLS, or a login page",
        what="the answer is not from the lake", statuses={UNREADABLE}),
    Refusal("lake_unexpected", PermanentError, Who.DEVELOPER,
        "check DATA_LAKE_URL; if it is right, report this error with the id of the request",
        what="the lake rejected the app's request as invalid"),
)

LAKE_RECORD_TOO_LARGE = ErrorRow("lake_record_too_large", PermanentError, Who.ADMINISTRATOR,
    "find out which program wrote this file, and move it away",
    what="the file is too large to be a record of this app")
LAKE_METADATA = ErrorRow("lake_metadata", PermanentError, Who.DEVELOPER,
    "report this error: names and values can have at most 8 KiB of printable ASCII in total",
    what="the lake cannot store this metadata")
