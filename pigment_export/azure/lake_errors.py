"""What the lake's refusals mean, over both of its protocols: the table, as `errors` describes it."""

from pigment_export.azure.errors import NO_ANSWER, SERVER_ERRORS, Refusal, Refusals
from pigment_export.errors import ConflictError, ErrorRow, MissingError, PermanentError, RetryableError, SetupError, Who

# Source: the error list of the Data Lake swagger, and
# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes. That a firewall shows as
# AuthorizationFailure and a missing role as AuthorizationPermissionMismatch:
# https://learn.microsoft.com/troubleshoot/azure/azure-storage/blobs/authentication/storage-troubleshoot-403-errors
LAKE = Refusals(
    (
        Refusal(
            "lake_file_system_missing",
            PermanentError,
            "the file system does not exist",
            Who.ADMINISTRATOR,
            "check DATA_LAKE_URL and DATA_LAKE_FILE_SYSTEM, or create the file system",
            names=frozenset(
                {"FilesystemNotFound", "ContainerNotFound", "FilesystemBeingDeleted", "ContainerBeingDeleted"}
            ),
        ),
        Refusal(
            "lake_not_hierarchical",
            PermanentError,
            "the storage account is no data lake, or one of its features closes the dfs endpoint",
            Who.ADMINISTRATOR,
            "use a storage account with a hierarchical namespace",
            names=frozenset({"EndpointUnsupportedAccountFeatures"}),
        ),
        Refusal(
            "lake_account_disabled",
            SetupError,
            "the storage account is disabled",
            Who.ADMINISTRATOR,
            "enable the account's subscription again (it may have expired or reached its spending limit)",
            names=frozenset({"AccountIsDisabled", "ContainerDisabled"}),
        ),
        Refusal(
            "lake_read_only",
            SetupError,
            "the storage account does not allow this at this endpoint",
            Who.ADMINISTRATOR,
            "set DATA_LAKE_URL to the account's primary endpoint (without -secondary), and check whether the account "
            "is in a failover",
            names=frozenset({"InsufficientAccountPermissions"}),
        ),
        Refusal(
            "lake_encryption_key",
            SetupError,
            "the lake cannot reach the key that encrypts it",
            Who.ADMINISTRATOR,
            "check the storage account's customer-managed key: that the key and its vault exist and are enabled, and "
            "that the account's identity has Key Vault Crypto Service Encryption User on it",
            names=frozenset(
                {"KeyVaultEncryptionKeyNotFound", "KeyVaultAccessTokenCannotBeAcquired", "KeyVaultVaultNotFound"}
            ),
        ),
        Refusal(
            "lake_firewalled",
            SetupError,
            "the lake does not accept connections from this network",
            Who.ADMINISTRATOR,
            "check the storage account's network rules and private endpoints (dfs and blob), then the identity's role",
            names=frozenset({"AuthorizationFailure", "AuthorizationSourceIPMismatch"}),
        ),
        Refusal(
            "lake_immutable",
            PermanentError,
            "an immutability policy or a legal hold protects the path",
            Who.ADMINISTRATOR,
            "exclude the app's folders from the policy or the hold, or set DATA_LAKE_FILE_SYSTEM to a container "
            "without one: the app replaces and removes its own files",
            names=frozenset(
                {
                    "BlobImmutableDueToPolicy",
                    "BlobImmutableDueToLegalHold",
                    "PathImmutableDueToPolicy",
                    "PathImmutableDueToLegalHold",
                }
            ),
        ),
        Refusal(
            "lake_leased",
            PermanentError,
            "another program holds a lease on the path, its folder or the container",
            Who.ADMINISTRATOR,
            "find the program that takes the lease, then break the lease (az storage blob lease break) and retry",
            names=frozenset(
                {
                    "LeaseAlreadyPresent",
                    "LeaseIdMismatch",
                    "LeaseIdMismatchWithBlobOperation",
                    "LeaseIdMismatchWithContainerOperation",
                    "LeaseIdMismatchWithLeaseOperation",
                    "LeaseIdMissing",
                    "LeaseIsAlreadyBroken",
                    "LeaseLost",
                    "LeaseNotPresent",
                    "LeaseNotPresentWithBlobOperation",
                    "LeaseNotPresentWithLeaseOperation",
                }
            ),
        ),
        Refusal(
            "lake_archived",
            PermanentError,
            "the file is in the archive tier",
            Who.ADMINISTRATOR,
            "move it to the hot or cool tier, wait until that is done, and exclude the app's folders from the "
            "lifecycle rule that archived it",
            names=frozenset({"BlobArchived", "BlobBeingRehydrated"}),
        ),
        Refusal(
            "lake_path_taken",
            PermanentError,
            "another program has put something of another kind at the path",
            Who.ADMINISTRATOR,
            "look at the path: a folder where this app writes a file, a file where it needs a folder, or an append or "
            "page blob; move it away, or change EXPORT_PATH or DATA_LAKE_ROOT",
            names=frozenset(
                {
                    "BlobUsesCustomerSpecifiedEncryption",
                    "DirectoryNotEmpty",
                    "InvalidBlobType",
                    "InvalidDestinationPath",
                    "InvalidRenameSourcePath",
                    "InvalidSourceOrDestinationResourceType",
                    "PathConflict",
                    "ResourceTypeMismatch",
                    "SnapshotsPresent",
                }
            ),
        ),
        Refusal(
            "lake_parent_missing",
            MissingError,
            "the destination's folder does not exist",
            Who.NO_ACTION,
            "the app creates the folder",
            names=frozenset({"RenameDestinationParentPathNotFound"}),
        ),
        Refusal(
            "lake_source_missing",
            MissingError,
            "the file to move does not exist",
            Who.NO_ACTION,
            "the app looks at the destination first: the file may have been moved there",
            names=frozenset({"SourcePathNotFound"}),
        ),
        Refusal(
            "lake_path_missing",
            MissingError,
            "the path does not exist",
            Who.NO_ACTION,
            "if it continues, find out which program removes files from the app's folders",
            names=frozenset({"PathNotFound", "BlobNotFound"}),
        ),
        Refusal(
            "lake_bytes_missing",
            RetryableError,
            "the lake does not have all bytes that were appended, or another program has written to the staged file",
            Who.NO_ACTION,
            "if it continues, find out which program writes into the app's folders",
            names=frozenset({"InvalidFlushPosition", "InvalidFlushOperation", "InvalidAppendOperation"}),
        ),
        Refusal(
            "lake_unauthenticated",
            SetupError,
            "the lake does not accept the identity's token",
            Who.ADMINISTRATOR,
            "check that the identity belongs to the tenant of the storage account's subscription (on a laptop: "
            "`az login --tenant`), and this machine's clock",
            statuses=frozenset({401}),
            names=frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}),
        ),
        Refusal(
            "lake_forbidden",
            SetupError,
            "the identity does not have the role for this in the lake",
            Who.ADMINISTRATOR,
            "assign Storage Blob Data Contributor on the file system's container to this identity; a new assignment "
            "takes up to ten minutes",
            statuses=frozenset({403}),
        ),
        Refusal(
            "lake_throttled",
            RetryableError,
            "the lake is throttling requests",
            Who.NO_ACTION,
            "if it happens often, spread the exports over the day",
            statuses=frozenset({429}),
            names=frozenset({"ServerBusy"}),
        ),
        Refusal(
            "lake_unavailable",
            RetryableError,
            "the lake is not available",
            Who.NO_ACTION,
            "if it continues, check DATA_LAKE_URL, firewalls and private endpoints (dfs and blob), then Azure's status",
            statuses=frozenset({NO_ANSWER, 408}) | SERVER_ERRORS,
        ),
        Refusal(
            "lake_conflict",
            ConflictError,
            "the path has changed since it was read",
            Who.NO_ACTION,
            "the app reads the path again first",
            statuses=frozenset({409, 412}),
        ),
        Refusal(
            "lake_unexpected",
            PermanentError,
            "the lake refused a request of this app as wrong",
            Who.DEVELOPER,
            "report it with the id of the request; check DATA_LAKE_URL first",
        ),
    ),
    unreadable=ErrorRow(
        "lake_unreadable",
        RetryableError,
        "something answered that is not the lake",
        Who.NETWORK,
        "check DATA_LAKE_URL, and what answers between the app and the lake: a proxy that inspects TLS, or a login "
        "page",
    ),
)

LAKE_RECORD_TOO_LARGE = ErrorRow(
    "lake_record_too_large",
    PermanentError,
    "no record of this app is that large",
    Who.ADMINISTRATOR,
    "find out which program wrote this file, and move it away",
)
LAKE_METADATA = ErrorRow(
    "lake_metadata",
    PermanentError,
    "the lake cannot store this metadata",
    Who.DEVELOPER,
    "report it: names and values together may have 8 KiB of printable ASCII",
)
