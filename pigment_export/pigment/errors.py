"""The meaning of each answer of Pigment, and of each failure on the way to it. Pure.

The code, the test and a part of `docs/errors.md` use these tables.
Source: Pigment's OpenAPI document (v1-external) for 200 to 429; the rest is HTTP's own meaning.
"""

from collections.abc import Mapping
from datetime import datetime

import requests
from requests import exceptions

from pigment_export import network
from pigment_export.catalog.exports import Kind
from pigment_export.errors import ErrorRow, ExportError, PermanentError, RetryableError, Who, shorten
from pigment_export.pigment.http2.exceptions import (
    BodyCut,
    DeadlinePassed,
    ProtocolViolation,
    RedirectRefused,
    RequestDropped,
    UnprovenEnd,
)
from pigment_export.retry import retry_after_seconds

# fmt: off
# A table: the head of each row stands on one line.
_BAD_REQUEST = ErrorRow("pigment_bad_request", PermanentError, Who.CATALOG,
    "correct the export's options in the catalog; Pigment's message names them",
    what="Pigment rejected the request")
_UNAVAILABLE = ErrorRow("pigment_unavailable", RetryableError, Who.NO_ACTION,
    "if it continues, check Pigment's status page, then contact Pigment's support",
    what="Pigment could not answer")
_RATE_LIMITED = ErrorRow("pigment_rate_limited", RetryableError, Who.NO_ACTION,
    "if it happens often, run fewer exports per hour, or use an outbound address that no other app shares",
    what="this address has used up Pigment's limit of 500 requests in 5 minutes")
UNEXPECTED = ErrorRow("pigment_unexpected_status", PermanentError, Who.ADMINISTRATOR,
    "check PIGMENT_BASE_URL, then any proxy between the app and Pigment",
    what="Pigment returned an answer that its API does not document")
ANSWERS: Mapping[int, ErrorRow] = {
    400: _BAD_REQUEST,
    401: ErrorRow("pigment_unauthorized", PermanentError, Who.KEY_OWNER,
        "check in Pigment that the key exists, has the export scope, has not expired (it no longer works on its last "
        "day) and has the new format without dashes; then store it in Key Vault",
        what="Pigment rejected the key, even after the app read it again"),
    403: ErrorRow("pigment_forbidden", PermanentError, Who.KEY_OWNER,
        "check that the key's IP allow list has the app's outbound address, then check the access of the key's owner",
        what="Pigment denied access"),
    404: ErrorRow("pigment_not_found", PermanentError, Who.EXPORT_OWNER,
        "check the id and the kind in the catalog (the id may belong to another kind), then check that the key's owner "
        "can see it",
        what="Pigment has nothing of this kind with this id, or the key's owner cannot see it"),
    408: _UNAVAILABLE,
    413: ErrorRow("pigment_view_too_big", PermanentError, Who.CATALOG,
        "export the block instead of the view: kind list, metric or table, with the block's id",
        what="the view is too big to export"),
    421: _UNAVAILABLE,
    422: ErrorRow("pigment_not_exportable", PermanentError, Who.CATALOG,
        "use a view of a list, a metric or a table",
        what="the view's block is not a list, a metric or a table"),
    425: _UNAVAILABLE,
    429: _RATE_LIMITED,
}
"""By status, for views; `meaning_of` has the rest."""

OF_BLOCKS: Mapping[int, ErrorRow] = {
    413: ErrorRow("pigment_request_too_large", PermanentError, Who.CATALOG,
        "shorten the export's filter, or split the export into several",
        what="Pigment rejected the request as too large"),
    422: _BAD_REQUEST,
}
"""By status, where other calls differ from views."""

ERROR_PAGE = ErrorRow("pigment_error_page", RetryableError, Who.NETWORK,
    "if it continues, check what answers at PIGMENT_BASE_URL: it may be a proxy's page",
    what="Pigment answered 200, but not with CSV")
PARTIAL = ErrorRow("pigment_partial", RetryableError, Who.NETWORK,
    "if it continues, check what answers at PIGMENT_BASE_URL: it may be a cache",
    what="Pigment answered 200, but with only a part of the export")
UNREADABLE_LISTING = ErrorRow("pigment_listing_unreadable", PermanentError, Who.DEVELOPER,
    "check PIGMENT_BASE_URL; if it is right, report this error",
    what="Pigment's answer is not the listing that its API documents")
NO_METADATA = ErrorRow("pigment_no_metadata", PermanentError, Who.KEY_OWNER,
    "give the key the scope Modeling metadata in Pigment, or use another key",
    what="the key is not allowed to read metadata")
NO_EXPORTS = ErrorRow("pigment_scope_missing", PermanentError, Who.KEY_OWNER,
    "give the key the export scope in Pigment, or store one that has it",
    what="Pigment accepts the key for metadata, but not for exports")
OUT_OF_TIME = ErrorRow("out_of_time", RetryableError, Who.NO_ACTION,
    "if it continues, filter the export (exportFilter), or split it into several")

FAILURES: Mapping[type[requests.RequestException], ErrorRow] = {
    DeadlinePassed: ErrorRow("deadline_passed", PermanentError, Who.CATALOG,
        "export less at once: filter the export (exportFilter), or split it into several",
        what="one attempt takes longer than a call can last"),
    RedirectRefused: ErrorRow("pigment_redirect", PermanentError, Who.ADMINISTRATOR,
        "correct PIGMENT_BASE_URL: the app sends the key to no other address"),
    UnprovenEnd: ErrorRow("pigment_unproven_end", PermanentError, Who.NETWORK,
        "allow HTTP/2 to Pigment (ALPN h2), without TLS inspection and without a proxy that changes answers"),
    ProtocolViolation: ErrorRow("pigment_protocol_error", RetryableError, Who.NETWORK,
        "if it continues, find what changes HTTP between the app and Pigment"),
    exceptions.ReadTimeout: ErrorRow("pigment_timeout", RetryableError, Who.NO_ACTION,
        "if it continues, raise the export's timeout_seconds, or filter the export"),
    BodyCut: ErrorRow("pigment_body_cut", RetryableError, Who.NO_ACTION,
        "nothing was published; if it continues, export less at once, or contact Pigment's support"),
    RequestDropped: ErrorRow("pigment_connection_lost", RetryableError, Who.NO_ACTION,
        "if it continues, check Pigment's status page, then the network between the app and Pigment"),
    requests.RequestException: ErrorRow("pigment_unreachable", RetryableError, Who.NETWORK,
        "if it continues, check the firewall and the proxy between the app and Pigment, then Pigment's status page"),
}
"""By exception; the first match applies, after the rows of `network`."""
# fmt: on


def meaning_of(status: int, kind: Kind | None = Kind.VIEW) -> ErrorRow:
    """Return the row of a status other than 200.

    Args:
        status: HTTP status code.
        kind: of the export; None for any other call.
    """
    if kind is not Kind.VIEW and status in OF_BLOCKS:
        return OF_BLOCKS[status]
    return ANSWERS.get(status, _UNAVAILABLE if status >= 500 else UNEXPECTED)  # noqa: PLR2004 - HTTP's own classes


def error_for(status: int, kind: Kind | None, detail: str, retry_after: str | None, *, now: datetime) -> ExportError:
    """Return the error of an answer other than 200.

    Args:
        status: HTTP status code.
        kind: of the export; None for any other call.
        detail: the request, and Pigment's message; without secrets.
        retry_after: the header `Retry-After`: seconds or an HTTP date; invalid values are ignored.
        now: the present, for a date in it.
    """
    row = meaning_of(status, kind)
    said = f"{shorten(detail)} (HTTP {status})"
    wait_seconds = retry_after_seconds(retry_after, now=now)
    if row is _RATE_LIMITED:
        return RetryableError(row.cause(said), retry_after_seconds=wait_seconds, rate_limited=True)
    return row.raised(said, wait_seconds=wait_seconds)


def failure_of(exc: requests.RequestException, *, detail: str = "", first_attempt: bool) -> ExportError:
    """Return the error of a connection or a body that failed.

    Args:
        exc: the exception.
        detail: its text, without secrets.
        first_attempt: whether the attempt started with the call: no attempt can be longer than this one.
    """
    row = network.row_of(exc) or next(row for raised, row in FAILURES.items() if isinstance(exc, raised))
    if isinstance(exc, DeadlinePassed) and not (first_attempt and exc.began):
        row = OUT_OF_TIME
    return row.raised(shorten(detail) or type(exc).__name__)
