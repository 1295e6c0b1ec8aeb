"""What Azure's refusals mean: whether trying again may help, who must act, and what they should do.

One table a service is the code, the test and `docs/errors-azure.md`. Its rows are tried from the top; the last one
takes whatever is left. No row says whether a write took effect: nobody can tell from an error.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from pigment_export.errors import (
    Cause,
    ConflictError,
    ExportError,
    MissingError,
    PermanentError,
    RetryableError,
    Who,
    shorten,
)
from pigment_export.retry import retry_after_seconds

UNAUTHORIZED = 401
SERVER_ERRORS = frozenset(range(500, 600))
NO_ANSWER = None  # stands where a status would


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: which answers it takes, and what they mean. A row with neither statuses nor names takes any.

    Attributes:
        code: stable name of the error class.
        error: the class of the tree, which says what recovers it.
        what: the beginning of the reason.
        who: who must act.
        remedy: what they should do.
        statuses: HTTP statuses that it takes, `NO_ANSWER` among them.
        names: the service's own error codes that it takes, whatever the status.
    """

    code: str
    error: type[ExportError]
    what: str
    who: Who
    remedy: str
    statuses: frozenset[int | None] = frozenset()
    names: frozenset[str] = frozenset()

    def takes(self, status: int | None, names: frozenset[str]) -> bool:
        """Whether an answer belongs to this row."""
        return status in self.statuses or bool(names & self.names) or not (self.statuses or self.names)

    def raised(self, detail: str, *, wait_seconds: float | None = None) -> ExportError:
        """The error to raise.

        Args:
            detail: what was being done, and what was seen.
            wait_seconds: how long the service asked to wait.
        """
        cause = Cause(self.code, f"{self.what}: {detail}", self.who, self.remedy)
        if self.error is RetryableError:
            return RetryableError(cause, retry_after_seconds=wait_seconds)
        return self.error(cause)


type Refusals = tuple[Refusal, ...]

LAKE_UNEXPECTED = Refusal(
    "lake_unexpected",
    PermanentError,
    "the lake gave an answer that is not expected",
    Who.DEVELOPER,
    "check DATA_LAKE_URL and what stands between the app and the lake; else report it with the request's id",
)

# Source: the error list of the Data Lake swagger, and
# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes. That a firewall shows as
# AuthorizationFailure and a missing role as AuthorizationPermissionMismatch:
# https://learn.microsoft.com/troubleshoot/azure/azure-storage/blobs/authentication/storage-troubleshoot-403-errors
LAKE: Refusals = (
    Refusal(
        "lake_unauthenticated",
        RetryableError,
        "there is no token that the lake accepts",
        Who.ADMINISTRATOR,
        "check that the app's identity exists, is assigned to the app (IDENTITY_CLIENT_ID) and belongs to the lake's "
        "tenant; on a laptop: sign in again",
        statuses=frozenset({UNAUTHORIZED}),
    ),
    Refusal(
        "lake_firewalled",
        RetryableError,
        "the lake lets nobody in from this network, or not this way",
        Who.ADMINISTRATOR,
        "check the storage account's network rules and private endpoints (dfs and blob), then the identity's role",
        names=frozenset({"AuthorizationFailure"}),
    ),
    Refusal(
        "lake_forbidden",
        RetryableError,
        "the identity may not do this in the lake",
        Who.ADMINISTRATOR,
        "assign Storage Blob Data Contributor on the file system's container; a new assignment takes ten minutes",
        statuses=frozenset({403}),
    ),
    Refusal(
        "lake_file_system_missing",
        PermanentError,
        "the file system is not there",
        Who.ADMINISTRATOR,
        "check DATA_LAKE_URL and DATA_LAKE_FILE_SYSTEM, or create the file system",
        names=frozenset({"FilesystemNotFound", "ContainerNotFound", "FilesystemBeingDeleted", "ContainerBeingDeleted"}),
    ),
    Refusal(
        "lake_not_hierarchical",
        PermanentError,
        "the storage account is no data lake, or a feature of it closes the dfs endpoint",
        Who.ADMINISTRATOR,
        "use a storage account with a hierarchical namespace",
        names=frozenset({"EndpointUnsupportedAccountFeatures"}),
    ),
    Refusal(
        "lake_parent_missing",
        MissingError,
        "the destination's folder is not there",
        Who.NOBODY,
        "wait; the folder is made",
        names=frozenset({"RenameDestinationParentPathNotFound"}),
    ),
    Refusal(
        "lake_source_missing",
        MissingError,
        "the file to move is not there",
        Who.NOBODY,
        "wait; it is tried again",
        names=frozenset({"SourcePathNotFound"}),
    ),
    Refusal(
        "lake_path_missing",
        MissingError,
        "the path is not there",
        Who.NOBODY,
        "wait; it is tried again",
        names=frozenset({"PathNotFound", "BlobNotFound"}),
    ),
    Refusal(
        "lake_bytes_missing",
        RetryableError,
        "the lake does not have all bytes that were appended",
        Who.NOBODY,
        "wait; it is tried again",
        names=frozenset({"InvalidFlushPosition"}),
    ),
    Refusal(
        "lake_throttled",
        RetryableError,
        "the lake has too much to do",
        Who.NOBODY,
        "wait; if it comes often: spread the exports over the day",
        statuses=frozenset({429}),
        names=frozenset({"ServerBusy"}),
    ),
    Refusal(
        "lake_unavailable",
        RetryableError,
        "the lake did not answer as it should",
        Who.NOBODY,
        "wait; if it lasts: check DATA_LAKE_URL, DNS and private endpoints (dfs and blob), then Azure's status",
        statuses=frozenset({NO_ANSWER, 408}) | SERVER_ERRORS,
    ),
    Refusal(
        "lake_conflict",
        ConflictError,
        "the path is not as it was, or not as this needs it",
        Who.NOBODY,
        "wait; it is looked at and tried again",
        statuses=frozenset({409, 412}),
    ),
    LAKE_UNEXPECTED,
)

# Source: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret and
# https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
VAULT: Refusals = (
    Refusal(
        "vault_unauthenticated",
        RetryableError,
        "there is no token that the vault accepts",
        Who.ADMINISTRATOR,
        "check that the app's identity exists, is assigned to the app (IDENTITY_CLIENT_ID) and belongs to the vault's "
        "tenant; on a laptop: sign in again",
        statuses=frozenset({UNAUTHORIZED}),
    ),
    Refusal(
        "vault_secret_disabled",
        PermanentError,
        "the secret's newest version is disabled",
        Who.KEY_OWNER,
        "enable the secret, or store a new version of it",
        names=frozenset({"SecretDisabled"}),
    ),
    Refusal(
        "vault_firewalled",
        RetryableError,
        "the vault lets nobody in from this network",
        Who.ADMINISTRATOR,
        "check the vault's network rules and private endpoint",
        names=frozenset({"ForbiddenByFirewall"}),
    ),
    Refusal(
        "vault_forbidden",
        RetryableError,
        "the identity may not read the secret",
        Who.ADMINISTRATOR,
        "assign Key Vault Secrets User on the secret (a vault with access policies: secret permission Get); "
        "a new assignment takes ten minutes",
        statuses=frozenset({403}),
    ),
    Refusal(
        "vault_secret_missing",
        PermanentError,
        "the vault has no such secret",
        Who.KEY_OWNER,
        "store the Pigment key under this name, or correct PIGMENT_KEY_SECRET or the export's secret",
        statuses=frozenset({404}),
    ),
    Refusal(
        "vault_throttled",
        RetryableError,
        "the vault has too much to do",
        Who.NOBODY,
        "wait; if it comes often: see who else reads this vault",
        statuses=frozenset({429}),
    ),
    Refusal(
        "vault_unavailable",
        RetryableError,
        "the vault did not answer as it should",
        Who.NOBODY,
        "wait; if it lasts: check KEY_VAULT_URL, DNS and the private endpoint, then Azure's status",
        statuses=frozenset({NO_ANSWER, 408}) | SERVER_ERRORS,
    ),
    Refusal(
        "vault_unexpected",
        PermanentError,
        "the vault gave an answer that is not expected",
        Who.ADMINISTRATOR,
        "check KEY_VAULT_URL and what stands between the app and the vault",
    ),
)


def meaning_of(refusals: Refusals, status: int | None, names: frozenset[str]) -> Refusal:
    """The row of an answer.

    Args:
        refusals: the service's table.
        status: HTTP status; `NO_ANSWER` where none came.
        names: the error codes in the answer, inner ones too.
    """
    return next(row for row in refusals if row.takes(status, names))


@contextmanager
def translated(refusals: Refusals, doing: str) -> Iterator[None]:
    """Raise errors of the Azure libraries as ours.

    Args:
        refusals: the service's table.
        doing: what the block does, e.g. `create revenue/x.partial`.

    Raises:
        ExportError: as the table says.
    """
    try:
        yield
    except AzureError as exc:
        error = error_for(refusals, exc, doing)
        inner = _innermost(exc)
        if isinstance(inner, ValueError) and not _is_of_the_system(inner):
            raise error from None  # requests quotes a header that it refuses: the token would be in the traceback
        raise error from exc


def error_for(refusals: Refusals, error: AzureError, doing: str) -> ExportError:
    """The error to raise for one of the Azure libraries.

    Args:
        refusals: the service's table.
        error: what was raised.
        doing: what was tried.
    """
    response = error.response if isinstance(error, HttpResponseError) else None
    if response is not None:
        status: int | None = response.status_code
    else:
        status = UNAUTHORIZED if isinstance(error, ClientAuthenticationError) else NO_ANSWER
    names = _names(error)
    headers: Mapping[str, str] = getattr(response, "headers", {})
    seen = [f"HTTP {status}" if response is not None else _in_words(_innermost(error)), *sorted(names)]
    if "x-ms-request-id" in headers:
        seen.append(f"request {headers['x-ms-request-id']}")
    answered_at = date_of(headers)
    wait_seconds = retry_after_seconds(headers.get("Retry-After"), now=answered_at) if answered_at else None
    detail = f"{doing} ({shorten(', '.join(seen))})"
    return meaning_of(refusals, status, names).raised(detail, wait_seconds=wait_seconds)


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The instant of an answer, by its own `Date`: a machine's clock may be a day off."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _names(error: AzureError) -> frozenset[str]:
    """The error codes in an answer: storage's own attribute, or OData's code and the one inside."""
    storage = getattr(error, "error_code", None)
    odata = getattr(error, "error", None)
    inner = getattr(odata, "innererror", None)
    found = [
        getattr(storage, "value", storage),
        getattr(odata, "code", None),
        inner.get("code") if isinstance(inner, dict) else None,
    ]
    return frozenset(name for name in found if isinstance(name, str) and name)


def _innermost(error: BaseException) -> BaseException:
    """What went wrong in the first place; the Azure libraries keep it in an attribute of their own."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _is_of_the_system(error: BaseException) -> bool:
    """Whether an error is a system's of its own, whose text is about a connection and never quotes a header."""
    return isinstance(error, OSError) and type(error).__module__.partition(".")[0] in sys.stdlib_module_names


def _in_words(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {error}" if _is_of_the_system(error) and str(error) else name
