"""The boundary to Azure's libraries: only our own errors leave it, each with the place and the identity."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from pigment_export import network
from pigment_export.azure.errors import NO_ANSWER, UNREADABLE, Refusal, meaning_of
from pigment_export.azure.identity import Identity
from pigment_export.errors import ConflictError, ExportError, RetryableError, shorten
from pigment_export.retry import retry_after_seconds

_REQUEST_ID = "x-ms-request-id"  # in every answer of lake and vault, but not in those of a proxy or a login page
_UNAUTHORIZED, _FORBIDDEN, _REFUSED, _FAILED = 401, 403, 400, 500
_YEARS = range(2000, 9000)  # of a plausible clock


@dataclass(frozen=True, slots=True)
class Boundary:
    """One service that the adapters call.

    Attributes:
        refusals: its table; the first row that matches applies.
        place: the service in words, e.g. `the file system planning of mylake.dfs.core.windows.net`.
        identity: for the text of an error, if access was denied.
    """

    refusals: Sequence[Refusal]
    place: str
    identity: Identity

    @contextmanager
    def doing(self, what: str, *, conditional: bool = True) -> Iterator["Answer"]:
        """Translate the libraries' errors into ours; yields an object that keeps the date of an answer.

        Args:
            what: what the block does, e.g. `create revenue/x.partial`.
            conditional: whether a condition was sent; a conflict without one is treated as an outage, and retried.

        Raises:
            ExportError: by the table.
        """
        try:
            yield Answer(self)
        except ExportError:
            raise
        except Exception as exc:  # noqa: BLE001 - nothing else may leave
            error = self.error_for(exc, what)
            if not conditional and isinstance(error, ConflictError):
                error = RetryableError(error.cause)
            # No chain for an AzureError: the reason has its text, and the chain would be a hundred lines. None for a
            # ValueError: it can come from requests, for a header that it rejects, and then quotes the token.
            raise error from None if isinstance(exc, AzureError | ValueError) else exc

    def error_for(self, error: Exception, what: str) -> ExportError:
        """Return the error to raise for one of the libraries.

        Args:
            error: the library's.
            what: the operation, e.g. `create revenue/x.partial`.
        """
        response = error.response if isinstance(error, HttpResponseError) else None
        if response is not None:
            return self._of_answer(error, response, what)
        seen = _in_words(error)
        if row := network.row_of(error):
            return row.raised(f"{what}: {self.place} ({seen})")
        status = NO_ANSWER if isinstance(error, AzureError) else UNREADABLE
        if isinstance(error, ClientAuthenticationError):
            status = _UNAUTHORIZED
        return meaning_of(self.refusals, status, _names(error)).raised(f"{what}: {self._who(status)} ({seen})")

    def _of_answer(self, error: Exception, response: Any, what: str) -> ExportError:
        status, headers, names = int(response.status_code), response.headers, _names(error)
        seen = shorten(", ".join((f"HTTP {status}", *sorted(names))))
        if status < _REFUSED or (status < _FAILED and _REQUEST_ID not in headers):
            return meaning_of(self.refusals, UNREADABLE).raised(f"{what}: {self.place} ({seen})")
        if _REQUEST_ID in headers:
            seen = f"{seen}, request {shorten(headers[_REQUEST_ID])}"
        answered_at = _date_of(headers)
        wait_seconds = retry_after_seconds(headers.get("Retry-After"), now=answered_at) if answered_at else None
        row = meaning_of(self.refusals, status, names)
        return row.raised(f"{what}: {self._who(status)} ({seen})", wait_seconds=wait_seconds)

    def _who(self, status: int | None) -> str:
        """Return the place, with the identity if access was denied."""
        refused = status in (_UNAUTHORIZED, _FORBIDDEN) and self.identity.name
        return f"{self.place}, as {self.identity.name}" if refused else self.place


@dataclass(slots=True)
class Answer:
    """Keeps the `Date` of the last answer of any status: the service's clock. A client's `raw_response_hook`."""

    boundary: Boundary
    date: datetime | None = None

    def __call__(self, response: Any) -> None:
        """Take the date of an answer."""
        check_answer(response)
        self.date = _date_of(response.http_response.headers)

    @property
    def now(self) -> datetime:
        """The service's clock: whole seconds, UTC.

        Raises:
            RetryableError: the answer had no date.
        """
        if self.date is None:
            row = meaning_of(self.boundary.refusals, UNREADABLE)
            raise row.raised(f"{self.boundary.place} (an answer without a date)")
        return self.date


def check_answer(response: Any) -> None:
    """Reject a successful answer that is not from the service, such as a login page. A `raw_response_hook`.

    Raises:
        ValueError: it has no id.
    """
    answer = response.http_response
    if answer.status_code < _REFUSED and _REQUEST_ID not in answer.headers:
        answer.close()  # an unread body would keep its connection open
        raise ValueError("an answer without an id")


def _date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the instant of an answer from its `Date`: a machine's clock can be a day off."""
    try:
        date = parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return date if date.year in _YEARS else None


def _names(error: Exception) -> frozenset[str]:
    """Return the error codes in an answer: storage's own attribute, or OData's code and the one inside."""
    storage, odata = getattr(error, "error_code", None), getattr(error, "error", None)
    inner = getattr(odata, "innererror", None)
    codes = (
        getattr(storage, "value", storage),
        getattr(odata, "code", None),
        inner.get("code") if isinstance(inner, dict) else None,
    )
    return frozenset(code for code in codes if isinstance(code, str) and code)


def _in_words(error: Exception) -> str:
    """Return the first cause; with its text if it is the system's own, because that never quotes a header."""
    *_, cause = network.causes_of(error)
    name = type(cause).__name__
    is_of_the_system = (
        isinstance(cause, OSError) and type(cause).__module__.partition(".")[0] in sys.stdlib_module_names
    )
    return shorten(f"{name}: {cause}") if is_of_the_system and str(cause) else name
