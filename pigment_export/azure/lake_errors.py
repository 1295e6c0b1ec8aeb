"""What the lake's refusals mean, over both of its protocols: the table, as `errors` describes it."""

from pigment_export.azure.errors import NO_ANSWER, SERVER_ERRORS, UNREADABLE, Refusal
from pigment_export.errors import ConflictError, ErrorRow, MissingError, PermanentError, RetryableError, SetupError, Who

# fmt: off
# A table: the head of each row stands on one line.
# Source: the error list of the Data Lake swagger, and
# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes. That a firewall shows as
# AuthorizationFailure and a missing role as AuthorizationPermissionMismatch:
# https://learn.microsoft.com/troubleshoot/azure/azure-storage/blobs/authentication/storage-troubleshoot-403-errors
# What Delete Blob says of a folder: https://github.com/Azure/azure-cli/issues/23062 and
# https://github.com/Azure/azure-sdk-for-net/issues/39065.
LAKE = (
    Refusal("lake_file_system_missing", PermanentError, Who.ADMINISTRATOR,
        "check DATA_LAKE_URL and DATA_LAKE_FILE_SYSTEM, or create the file system",
        what="the file system does not exist",
        names={"FilesystemNotFound", "ContainerNotFound", "FilesystemBeingDeleted", "ContainerBeingDeleted"}),
    Refusal("lake_not_hierarchical", PermanentError, Who.ADMINISTRATOR,
        "use a storage account with a hierarchical namespace",
        what="the storage account is no data lake, or one of its features closes the dfs endpoint",
        names={"EndpointUnsupportedAccountFeatures"}),
    Refusal("lake_account_disabled", SetupError, Who.ADMINISTRATOR,
        "enable the account's subscription again (it may have expired or reached its spending limit)",
        what="the storage account is disabled",
        names={"AccountIsDisabled", "ContainerDisabled"}),
    Refusal("lake_read_only", SetupError, Who.ADMINISTRATOR,
        "set DATA_LAKE_URL to the account's primary endpoint (without -secondary), and check whether the account "
        "is in a failover",
        what="the storage account does not allow this at this endpoint",
        names={"InsufficientAccountPermissions"}),
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
        what="the file is in the archive tier",
        names={"BlobArchived", "BlobBeingRehydrated"}),
    Refusal("lake_path_taken", PermanentError, Who.ADMINISTRATOR,
        "look at the path: a folder where this app writes a file, a file where it needs a folder, or an append or "
        "page blob; move it away, or change EXPORT_PATH or DATA_LAKE_ROOT",
        what="another program has put something of another kind at the path",
        names={
            "BlobUsesCustomerSpecifiedEncryption", "DirectoryIsNotEmpty", "DirectoryNotEmpty", "InvalidBlobType",
            "InvalidDestinationPath", "InvalidRenameSourcePath", "InvalidSourceOrDestinationResourceType",
            "OperationNotSupportedOnDirectory", "PathConflict", "ResourceTypeMismatch", "SnapshotsPresent",
        }),
    Refusal("lake_parent_missing", MissingError, Who.NO_ACTION,
        "the app creates the folder",
        what="the destination's folder does not exist",
        names={"RenameDestinationParentPathNotFound"}),
    Refusal("lake_source_missing", MissingError, Who.NO_ACTION,
        "the app looks at the destination first: the file may have been moved there",
        what="the file to move does not exist",
        names={"SourcePathNotFound"}),
    Refusal("lake_path_missing", MissingError, Who.NO_ACTION,
        "if it continues, find out which program removes files from the app's folders",
        what="the path does not exist",
        names={"PathNotFound", "BlobNotFound"}),
    Refusal("lake_bytes_missing", RetryableError, Who.NO_ACTION,
        "if it continues, find out which program writes into the app's folders",
        what="the lake does not have all bytes that were appended, or another program has written to the staged file",
        names={"InvalidFlushPosition", "InvalidFlushOperation", "InvalidAppendOperation"}),
    Refusal("lake_unauthenticated", SetupError, Who.ADMINISTRATOR,
        "check that the identity belongs to the tenant of the storage account's subscription (on a laptop: "
        "`az login --tenant`), and this machine's clock",
        what="the lake does not accept the identity's token",
        statuses={401},
        names={"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}),
    Refusal("lake_forbidden", SetupError, Who.ADMINISTRATOR,
        "assign Storage Blob Data Contributor on the file system's container to this identity; a new assignment "
        "takes up to ten minutes",
        what="the identity does not have the role for this in the lake",
        statuses={403}),
    Refusal("lake_throttled", RetryableError, Who.NO_ACTION,
        "if it happens often, spread the exports over the day",
        what="the lake is throttling requests",
        statuses={429},
        names={"ServerBusy"}),
    Refusal("lake_unavailable", RetryableError, Who.NO_ACTION,
        "if it continues, check DATA_LAKE_URL, firewalls and private endpoints (dfs and blob), then Azure's status",
        what="the lake is not available",
        statuses={NO_ANSWER, 408} | SERVER_ERRORS),
    Refusal("lake_conflict", ConflictError, Who.NO_ACTION,
        "the app reads the path again first",
        what="the path has changed since it was read",
        statuses={409, 412}),
    Refusal("lake_unreadable", RetryableError, Who.NETWORK,
        "check DATA_LAKE_URL, and what answers between the app and the lake: a proxy that inspects TLS, or a login "
        "page",
        what="something answered that is not the lake",
        statuses={UNREADABLE}),
    Refusal("lake_unexpected", PermanentError, Who.DEVELOPER,
        "report it with the id of the request; check DATA_LAKE_URL first",
        what="the lake refused a request of this app as wrong"),
)

LAKE_RECORD_TOO_LARGE = ErrorRow("lake_record_too_large", PermanentError, Who.ADMINISTRATOR,
    "find out which program wrote this file, and move it away",
    what="no record of this app is that large")
LAKE_METADATA = ErrorRow("lake_metadata", PermanentError, Who.DEVELOPER,
    "report it: names and values together may have 8 KiB of printable ASCII",
    what="the lake cannot store this metadata")
