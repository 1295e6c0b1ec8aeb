"""The time limit of one call, and of its waits: the app's only retry.

Every retry uses one `Deadline`, which the entry point passes down:

    for attempt in deadline.attempts():
        with attempt:
            etag = files.create(path)

The block runs until it succeeds. Waits grow, and a patience limits their sum. When it is used up, the error is raised
to the caller (and the queue brings the message back). Progress renews the patience.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pigment_export.errors import ExportError, RetryableError, SetupError
from pigment_export.events import Event, log

FUNCTION_TIMEOUT_SECONDS = 3600.0  # after this the host kills the process (set in host.json)
CALL_SECONDS = FUNCTION_TIMEOUT_SECONDS - 300.0  # of one export: it ends before the host kills it, and records a reason
HOUSEKEEPING_SECONDS = 2400.0  # of one pass over all runs: well below the hour until the next one
CLAIM_SECONDS = 240.0  # of a trigger: the host retries one that takes longer
ANSWER_SECONDS = 45.0  # of an HTTP call: Data Factory waits a minute for an answer, Azure 230 seconds
PATIENCE_SECONDS = 120.0  # between two steps of progress; after that, the queue brings the message back
RATE_WINDOW_SECONDS = 300.0  # Pigment allows 500 requests in 5 minutes: this wait always clears the limit
LONGEST_WAIT_SECONDS = 30.0  # longest wait that the other side did not ask for
MOST_ATTEMPTS = 30  # of one block, however short its waits
_JITTER = 1.1  # on a wait that the other side asked for


class Deadline:
    """The time of one call; safe to use from several threads.

    It logs its first retry (`retrying_call`) on the thread that created it: the host drops lines of other threads.

    Args:
        seconds: until the call's end.
        patience_seconds: most time to spend waiting between two steps of progress.
        is_attended: whether a person waits, who can fix a `SetupError` at once; it is then not retried.
        on_retry: called before each wait, on the waiting thread, with one line: what failed, and when it is retried.
        clock: monotonic seconds, like `time.monotonic`.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        is_attended: bool = False,
        on_retry: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._patience_seconds = self._left_seconds = patience_seconds
        self._is_attended = is_attended
        self._on_retry = on_retry
        self._lock = threading.Lock()  # appends wait on threads of their own
        self._thread = threading.get_ident()
        self._to_log: dict[str, Any] | None = None  # of the first retry; empty once it is logged
        self.began_at = clock()
        self.ends_at = self.began_at + seconds

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the end, never below 0."""
        return max(0.0, self.ends_at - self._clock())

    def attempts(self, *also: type[ExportError], most: int = MOST_ATTEMPTS) -> Iterator[AbstractContextManager[int]]:
        """Iterate over attempts until one succeeds; each is a context manager around the block to retry.

        If an attempt makes progress but fails, the patience that it renewed is taken back.

        Args:
            also: errors besides `RetryableError` after which the block can run again, because it looks again.
            most: largest number of attempts.

        Yields:
            The next attempt, which returns its number, from 1; the first at once, each further one after a wait.

        Raises:
            RetryableError: patience, time or attempts are used up; for an error of `also`, that is its cause.
        """
        retried: tuple[type[ExportError], ...] = (RetryableError, *also)
        again = False

        @contextmanager
        def attempt(number: int) -> Iterator[int]:
            nonlocal again
            left_seconds = self._left_seconds
            try:
                yield number
            except retried as error:
                with self._lock:
                    self._left_seconds = min(self._left_seconds, left_seconds)
                again = number < most and self.waits_for(error, number)
                if not again and isinstance(error, RetryableError):
                    raise
                if not again:
                    raise RetryableError(error.cause) from error

        self._log_first()
        for number in range(1, most + 1):
            again = False
            yield attempt(number)
            if not again:
                return

    def progressed(self) -> None:
        """Renew the patience after progress: something was done that will not be repeated."""
        with self._lock:
            self._left_seconds = self._patience_seconds

    def waits_for(self, error: ExportError, attempt: int) -> bool:
        """Wait before the next attempt, if time and patience allow it.

        Waits always grow; `retry_after_seconds`, up to the rate limit's window, can only make a wait longer. If a rate
        limit does not say how long, the wait is its window. These waits do not use up the patience: giving up earlier
        would only mean asking again sooner.

        Args:
            error: of the attempt.
            attempt: its number, from 1.

        Returns:
            Whether it has waited; False if the error is to be raised.
        """
        if isinstance(error, SetupError) and self._is_attended:
            return False
        is_rate_limited, asked = False, None
        if isinstance(error, RetryableError):
            is_rate_limited, asked = error.rate_limited, error.retry_after_seconds
        if asked is None:
            asked = RATE_WINDOW_SECONDS if is_rate_limited else 0.0
        asked = min(max(asked, 0.0), RATE_WINDOW_SECONDS)
        longest = min(2.0 ** (attempt - 1), RATE_WINDOW_SECONDS if is_rate_limited else LONGEST_WAIT_SECONDS)
        # Jitter, not security: callers that were rejected together retry at different times.
        wait = max(random.uniform(longest / 2, longest), random.uniform(asked, asked * _JITTER))  # noqa: S311
        with self._lock:
            if wait >= self.remaining_seconds:
                return False
            if not is_rate_limited:
                self._left_seconds -= wait
                if self._left_seconds < 0:  # for all loops: an outer one must not start again with the rest
                    return False
            if self._to_log is None:
                fields = error.cause.to_fields()
                self._to_log = {"attempt": attempt + 1, "wait_seconds": round(wait, 1), **fields}
        self._log_first()
        self._on_retry(f"{error.cause.reason}; attempt {attempt + 1} in {wait:.0f} s")
        self._sleep(wait)
        return True

    def _log_first(self) -> None:
        """Log the call's first retry, once, on the call's own thread."""
        with self._lock:
            if not self._to_log or threading.get_ident() != self._thread:
                return
            fields, self._to_log = self._to_log, {}
        log(Event.RETRYING_CALL, level=logging.WARNING, **fields)

    def retry[T](self, call: Callable[[], T]) -> T:
        """Call until it succeeds; only for requests that can be repeated, such as reads and appends.

        Raises:
            RetryableError: of the last attempt, if patience or time is used up.
        """
        for attempt in self.attempts():
            with attempt:
                answer = call()
        return answer


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Return how long a `Retry-After` asks to wait.

    Args:
        value: the header, or None.
        now: the present, for a date in the header.

    Returns:
        Seconds, never below 0; None if the header is missing or not understood.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # longer values are capped at the wait anyway
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # not a date, without a zone, or out of range
        return None
