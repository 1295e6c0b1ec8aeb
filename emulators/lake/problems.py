"""The lake stand-in's refusals, with their codes in both protocols.

Source: the error list of the Data Lake swagger and of the Blob REST reference
(https://learn.microsoft.com/rest/api/storageservices/data-lake-storage-gen2,
https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes). For most codes the situation is
published; where it is not, the member says "guess".
"""

from enum import Enum


class Problem(Enum):
    """One refusal: its HTTP status, its code on the DFS host and its code on the Blob host."""

    FILE_SYSTEM_MISSING = (404, "FilesystemNotFound", "ContainerNotFound")
    FILE_SYSTEM_EXISTS = (409, "FilesystemAlreadyExists", "ContainerAlreadyExists")
    PATH_MISSING = (404, "PathNotFound", "BlobNotFound")
    PATH_EXISTS = (409, "PathAlreadyExists", "BlobAlreadyExists")
    PATH_CONFLICT = (409, "PathConflict", "PathConflict")
    """A part of the path is a file where a directory is needed, or the reverse."""
    WRONG_TYPE = (409, "ResourceTypeMismatch", "ResourceTypeMismatch")
    """A file operation on a directory (guess: it might be PathConflict)."""
    NOT_EMPTY = (409, "DirectoryNotEmpty", "DirectoryIsNotEmpty")
    SOURCE_MISSING = (404, "SourcePathNotFound", "SourcePathNotFound")
    SOURCE_INVALID = (409, "InvalidRenameSourcePath", "InvalidRenameSourcePath")
    PARENT_MISSING = (404, "RenameDestinationParentPathNotFound", "RenameDestinationParentPathNotFound")
    RENAME_TYPES = (409, "InvalidSourceOrDestinationResourceType", "InvalidSourceOrDestinationResourceType")
    FLUSH_POSITION = (400, "InvalidFlushPosition", "InvalidFlushPosition")
    WRITTEN_AS_BLOB = (409, "InvalidFlushOperation", "InvalidFlushOperation")
    BLOCK_LIST = (400, "InvalidInput", "InvalidBlockList")
    CONDITION = (412, "ConditionNotMet", "ConditionNotMet")
    SOURCE_CONDITION = (412, "SourceConditionNotMet", "SourceConditionNotMet")
    NOT_MODIFIED = (304, "ConditionNotMet", "ConditionNotMet")
    TWO_CONDITIONS = (400, "MultipleConditionHeadersNotSupported", "MultipleConditionHeadersNotSupported")
    LEASE_PRESENT = (409, "LeaseAlreadyPresent", "LeaseAlreadyPresent")
    LEASE_BREAKING = (409, "LeaseIsBreakingAndCannotBeAcquired", "LeaseIsBreakingAndCannotBeAcquired")
    LEASE_BROKEN = (409, "LeaseIsBrokenAndCannotBeRenewed", "LeaseIsBrokenAndCannotBeRenewed")
    LEASE_OTHER_ID = (409, "LeaseIdMismatchWithLeaseOperation", "LeaseIdMismatchWithLeaseOperation")
    LEASE_NONE = (409, "LeaseNotPresentWithLeaseOperation", "LeaseNotPresentWithLeaseOperation")
    WRITE_LEASE_ID_MISSING = (412, "LeaseIdMissing", "LeaseIdMissing")
    WRITE_LEASE_OTHER_ID = (412, "LeaseIdMismatch", "LeaseIdMismatchWithBlobOperation")
    WRITE_LEASE_NONE = (412, "LeaseNotPresent", "LeaseNotPresentWithBlobOperation")
    RANGE = (416, "InvalidRange", "InvalidRange")
    MD5 = (400, "Md5Mismatch", "Md5Mismatch")
    NAME = (400, "InvalidResourceName", "InvalidResourceName")
    METADATA_NAME = (400, "InvalidPropertyName", "InvalidMetadata")
    METADATA_VALUE = (400, "InvalidInput", "InvalidMetadata")
    METADATA_SIZE = (400, "InvalidInput", "MetadataTooLarge")
    """More than 8 KiB (guess for DFS)."""
    HEADER_VALUE = (400, "InvalidHeaderValue", "InvalidHeaderValue")
    HEADER_MISSING = (400, "MissingRequiredHeader", "MissingRequiredHeader")
    HEADER_UNSUPPORTED = (400, "UnsupportedHeader", "UnsupportedHeader")
    QUERY_MISSING = (400, "MissingRequiredQueryParameter", "MissingRequiredQueryParameter")
    QUERY_VALUE = (400, "InvalidQueryParameterValue", "InvalidQueryParameterValue")
    QUERY_RANGE = (400, "OutOfRangeQueryParameterValue", "OutOfRangeQueryParameterValue")
    QUERY_UNSUPPORTED = (400, "UnsupportedQueryParameter", "UnsupportedQueryParameter")
    INPUT = (400, "InvalidInput", "InvalidInput")
    SOURCE_URI = (400, "InvalidSourceUri", "InvalidSourceUri")
    BODY_NOT_EMPTY = (400, "ContentLengthMustBeZero", "ContentLengthMustBeZero")
    LENGTH_MISSING = (411, "MissingContentLengthHeader", "MissingContentLengthHeader")
    VERB = (405, "UnsupportedHttpVerb", "UnsupportedHttpVerb")
    ACCOUNT_MISSING = (404, "ResourceNotFound", "ResourceNotFound")
    HTTPS_NEEDED = (400, "AccountRequiresHttps", "AccountRequiresHttps")
    TOKEN_MISSING = (401, "NoAuthenticationInformation", "NoAuthenticationInformation")
    TOKEN_INVALID = (401, "InvalidAuthenticationInfo", "InvalidAuthenticationInfo")
    SIGNATURE = (403, "AuthenticationFailed", "AuthenticationFailed")
    NO_ACCOUNT_KEY = (403, "KeyBasedAuthenticationNotPermitted", "KeyBasedAuthenticationNotPermitted")

    def __init__(self, status: int, dfs_code: str, blob_code: str) -> None:
        self.status = status
        self.dfs_code = dfs_code
        self.blob_code = blob_code


class Refused(Exception):  # noqa: N818 - it is an answer of the service, not an error of the stand-in
    """The service refuses a request.

    Args:
        problem: the refusal.
        detail: what is wrong with this request, for the answer's message.
    """

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail or problem.name.lower().replace("_", " ")
