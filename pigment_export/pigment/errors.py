"""What each answer of Pigment means: whether trying again may help, who must act, and what they should do. Pure.

One table is the code, the test and a part of `docs/errors.md`.
Source: Pigment's OpenAPI document (v1-external) for 200 to 429; the rest is HTTP's own meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pigment_export.errors import Cause, ExportError, PermanentError, RetryableError, Who, shorten
from pigment_export.retry import retry_after_seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """The meaning of a status.

    Attributes:
        code: stable name of the error class.
        retryable: whether the same request may succeed later.
        what: the beginning of the reason.
        who: who must act.
        remedy: what they should do.
        rate_limited: whether the wait is for a window of counted requests.
    """

    code: str
    retryable: bool
    what: str
    who: Who
    remedy: str
    rate_limited: bool = False


ANSWERS: Mapping[int, Answer] = {
    400: Answer(
        "pigment_bad_request",
        retryable=False,
        what="Pigment refused the request",
        who=Who.CATALOG,
        remedy="correct the export's options in the catalog: Pigment's message says which",
    ),
    401: Answer(
        "pigment_unauthorized",
        retryable=False,
        what="Pigment did not accept the key, also when it was read anew",
        who=Who.KEY_OWNER,
        remedy="check in Pigment that the key exists, has the export scope, has not expired (its last day no longer "
        "works) and is in the new format without dashes; then store it in Key Vault",
    ),
    403: Answer(
        "pigment_forbidden",
        retryable=False,
        what="Pigment forbade the request",
        who=Who.KEY_OWNER,
        remedy="check the key's IP allow list against the app's outbound address, and its owner's access rights",
    ),
    404: Answer(
        "pigment_not_found",
        retryable=False,
        what="Pigment has nothing with this id that the key's owner can see",
        who=Who.EXPORT_OWNER,
        remedy="check the id and the kind in the catalog, and that the key's owner may see the block or view",
    ),
    408: Answer(
        "pigment_unavailable",
        retryable=True,
        what="Pigment gave up waiting for the request",
        who=Who.NOBODY,
        remedy="wait; it is tried again",
    ),
    413: Answer(
        "pigment_view_too_big",
        retryable=False,
        what="the view is too big to be exported",
        who=Who.CATALOG,
        remedy="export its block instead of the view: kind list, metric or table with the block's id",
    ),
    422: Answer(
        "pigment_not_exportable",
        retryable=False,
        what="the view's block is not a list, a metric or a table",
        who=Who.CATALOG,
        remedy="name a view of a list, a metric or a table",
    ),
    429: Answer(
        "pigment_rate_limited",
        retryable=True,
        what="Pigment's limit of 500 requests in 5 minutes for this address is used up",
        who=Who.NOBODY,
        remedy="wait; if it comes often: fewer exports an hour, or an outbound address that no other app shares",
        rate_limited=True,
    ),
}
_SERVER_ERROR = Answer(
    "pigment_unavailable",
    retryable=True,
    what="Pigment answered with an error of its own",
    who=Who.NOBODY,
    remedy="wait; if it lasts: Pigment's status page, then its support",
)
_UNEXPECTED = Answer(
    "pigment_unexpected_status",
    retryable=False,
    what="Pigment gave an answer that its API does not document",
    who=Who.ADMINISTRATOR,
    remedy="check PIGMENT_BASE_URL, and what stands between the app and Pigment",
)


def meaning_of(status: int) -> Answer:
    """The meaning of a status other than 200.

    Args:
        status: HTTP status code.

    Returns:
        Its row of the table.
    """
    return ANSWERS.get(status, _SERVER_ERROR if status >= 500 else _UNEXPECTED)  # noqa: PLR2004 - HTTP's own classes


def error_for(status: int, message: str, retry_after: str | None, *, now: datetime) -> ExportError:
    """The error of an answer other than 200.

    Args:
        status: HTTP status code.
        message: the beginning of the body, as text, free of secrets.
        retry_after: the header `Retry-After`: seconds or an HTTP date; nonsense is ignored.
        now: to measure a date in it against.

    Returns:
        The error to raise.
    """
    answer = meaning_of(status)
    said = shorten(message)
    reason = f"{answer.what} (HTTP {status})" + (f": {said}" if said else "")
    cause = Cause(answer.code, reason, answer.who, answer.remedy)
    if not answer.retryable:
        return PermanentError(cause)
    wait = retry_after_seconds(retry_after, now=now)
    return RetryableError(cause, retry_after_seconds=wait, rate_limited=answer.rate_limited)
