"""What every request to Azure has in common: no retry of its own, stated timeouts, conditions, the service's clock."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azure.core import MatchConditions

from pigment_export.azure.errors import LAKE_UNEXPECTED, date_of

CONNECT_SECONDS = 20.0
READ_SECONDS = 60.0  # between two bytes; an append of one chunk is answered within seconds


def client_options(read_seconds: float = READ_SECONDS) -> dict[str, Any]:
    """Options of every client.

    The libraries' own retries are off: they turn a rename whose answer was lost into "source not found", and wait
    beside the one `Deadline` that all waiting goes through.

    Args:
        read_seconds: how long to wait for the next byte.
    """
    return {"retry_total": 0, "connection_timeout": CONNECT_SECONDS, "read_timeout": read_seconds}


def only_over(etag: str | None) -> dict[str, Any]:
    """The condition of a write: only over what has this ETag; None: only where nothing is."""
    if etag is None:
        return {"match_condition": MatchConditions.IfMissing}
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def sendable(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata as a request can carry them.

    Raises:
        ValueError: one is not plain printable ASCII: the libraries would fail on it as in an outage.
    """
    for name, value in metadata.items():
        if not (name + value).isascii() or not (name + value).isprintable() or value != value.strip():
            raise ValueError(f"metadata {name!r} cannot be sent: {value!r}")
    return dict(metadata)


class AnswerDate:
    """Keeps the `Date` of an answer, whatever its status: the lake's clock. A client's `raw_response_hook`."""

    def __init__(self) -> None:
        self._date: datetime | None = None

    def __call__(self, response: Any) -> None:
        """Take the date of an answer; the last one counts."""
        self._date = date_of(response.http_response.headers)

    @property
    def now(self) -> datetime:
        """The lake's clock: whole seconds, UTC.

        Raises:
            PermanentError: the answer had no date.
        """
        if self._date is None:
            raise LAKE_UNEXPECTED.raised("an answer without a date")
        return self._date
