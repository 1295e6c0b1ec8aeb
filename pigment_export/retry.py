"""How long one call may take, and how much of that may be spent waiting: the only retry there is.

Every "again" of the app goes through one `Deadline`, handed down from the entry point: its waits add up to a stated
patience, after which the error is raised and left to whoever calls (the queue brings the message back).
"""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

from pigment_export.errors import ConflictError, RetryableError

FUNCTION_TIMEOUT_SECONDS = 3600.0  # after it the host ends the process, with all that runs in it (host.json says so)
CALL_SECONDS = FUNCTION_TIMEOUT_SECONDS - 300.0  # of one export: what comes to its end by itself leaves a reason
TEND_SECONDS = 2400.0  # of one pass over all runs: well below the hour after which the next one comes
CLAIM_SECONDS = 240.0  # of a trigger: what takes longer is tried again by the host
ANSWER_SECONDS = 45.0  # of an HTTP call: Data Factory waits a minute for an answer, Azure 230 seconds
PATIENCE_SECONDS = 120.0  # in one call; what takes longer is the queue's to bring back
RATE_WINDOW_SECONDS = 300.0  # Pigment counts 500 requests in 5 minutes: a wait this long always clears it
LONGEST_WAIT_SECONDS = 30.0  # one wait of our own choosing
MOST_ATTEMPTS = 30  # of one thing, however short its waits


class Deadline:
    """The time of one call.

    Args:
        seconds: until the call's end.
        patience_seconds: how much may be spent waiting, in all.
        clock: seconds that never go back, as `time.monotonic`.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()  # appends wait on threads of their own
        self.ends_at = clock() + seconds

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the end, never below 0."""
        return max(0.0, self.ends_at - self._clock())

    def pause(self, error: RetryableError, attempt: int) -> None:
        """Wait before trying again, or raise the error where patience or time would not last.

        A rate limit is waited out whatever patience is left: giving up earlier would only ask again sooner.

        Args:
            error: what the last try raised; its `retry_after_seconds` is honoured, up to the rate limit's window.
            attempt: how many tries of the same thing have failed before this one.

        Raises:
            RetryableError: the same error.
        """
        if error.retry_after_seconds is not None:
            wait = min(max(error.retry_after_seconds, 0.0), RATE_WINDOW_SECONDS)
        else:
            longest = min(2.0**attempt, LONGEST_WAIT_SECONDS)
            wait = random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, guards nothing
        with self._lock:
            patient = error.rate_limited or wait <= self._patience_seconds
            if attempt >= MOST_ATTEMPTS or not patient or wait >= self.remaining_seconds:
                raise error
            if not error.rate_limited:
                self._patience_seconds -= wait
        self._sleep(wait)

    def again(self, error: ConflictError | RetryableError, attempt: int) -> None:
        """Wait before looking again; after a first conflict at once, since somebody else has just been here.

        Args:
            error: what a conditional write raised.
            attempt: how many tries have failed before it.

        Raises:
            RetryableError: patience or time is used up.
        """
        if isinstance(error, ConflictError):
            error = RetryableError(error.cause, retry_after_seconds=0 if attempt == 0 else None)
        self.pause(error, attempt)

    def retry[T](self, call: Callable[[], T]) -> T:
        """Call until it succeeds; only for what may be done twice, as reads and appends.

        Args:
            call: one request.

        Returns:
            What the call returned.

        Raises:
            RetryableError: the last try's, when patience or time ran out.
        """
        attempt = 0
        while True:
            try:
                return call()
            except RetryableError as error:
                self.pause(error, attempt)
                attempt += 1


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """How long a `Retry-After` asks to wait.

    Args:
        value: the header; None where there is none.
        now: to measure a date against.

    Returns:
        Seconds, never below 0; None where it says nothing that can be understood.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # what nine digits cannot hold is capped by whoever waits
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None
