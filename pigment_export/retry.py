"""How long one call may take, and how much of that may be spent waiting: the only retry there is.

Every retry goes through one `Deadline`, handed down from the entry point:

    for attempt in deadline.attempts():
        with attempt:
            etag = files.create(path)

The block is run until it succeeds. Waits grow, and add up to a stated patience; when it is used up the error is raised
and left to the caller (the queue brings the message back). Progress renews the patience.
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

FUNCTION_TIMEOUT_SECONDS = 3600.0  # after it the host ends the process, with all that runs in it (host.json says so)
CALL_SECONDS = FUNCTION_TIMEOUT_SECONDS - 300.0  # of one export: what comes to its end by itself leaves a reason
HOUSEKEEPING_SECONDS = 2400.0  # of one pass over all runs: well below the hour after which the next one comes
CLAIM_SECONDS = 240.0  # of a trigger: what takes longer is tried again by the host
ANSWER_SECONDS = 45.0  # of an HTTP call: Data Factory waits a minute for an answer, Azure 230 seconds
PATIENCE_SECONDS = 120.0  # between two steps of progress; what takes longer is the queue's to bring back
RATE_WINDOW_SECONDS = 300.0  # Pigment counts 500 requests in 5 minutes: a wait this long always clears it
LONGEST_WAIT_SECONDS = 30.0  # one wait of our own choosing
MOST_ATTEMPTS = 30  # of one thing, however short its waits
_JITTER = 1.1  # of a wait that the other side asked for


class Deadline:
    """The time of one call; safe to use from several threads.

    Its first retry is logged (`retrying_call`), on the thread that made the deadline: the host drops lines of others.

    Args:
        seconds: until the call's end.
        patience_seconds: how much may be spent waiting between two steps of progress.
        is_attended: whether a person waits, who can mend a `SetupError` at once: it is not retried then.
        on_retry: told before each wait what failed and when it is tried again, in one line; on the thread that waits.
        clock: seconds that never go back, as `time.monotonic`.
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
        """Iterate over attempts at one thing until one succeeds; each is a context manager around what is tried.

        What has made progress and fails then has made none: the patience that it renewed is taken back.

        Args:
            also: errors after which the block may be run again, beside `RetryableError`: those that it recovers from
                by looking again.
            most: attempts, at most.

        Yields:
            The next attempt, which gives its number from 1; the first at once, each further one after a wait.

        Raises:
            RetryableError: patience, time or attempts are used up; an error of `also` is its cause then.
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
        """Renew the patience: something was done that is not done again."""
        with self._lock:
            self._left_seconds = self._patience_seconds

    def waits_for(self, error: ExportError, attempt: int) -> bool:
        """Wait before the next attempt, where time and patience allow it.

        Waits grow whatever the other side says: what it asks for (`retry_after_seconds`, up to the rate limit's window)
        can only make one longer. A rate limit that does not say how long is waited out for its window, and whatever
        patience is left: giving up earlier would only ask again sooner.

        Args:
            error: what the attempt raised.
            attempt: its number, from 1.

        Returns:
            Whether it has waited; False where the error is to be raised.
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
        # Spread, and guards nothing: callers that were refused together come back apart.
        wait = max(random.uniform(longest / 2, longest), random.uniform(asked, asked * _JITTER))  # noqa: S311
        with self._lock:
            if wait >= self.remaining_seconds:
                return False
            if not is_rate_limited:
                self._left_seconds -= wait
                if self._left_seconds < 0:  # for all: a loop around this one must not begin anew with what is left
                    return False
            if self._to_log is None:
                fields = error.cause.to_fields()
                self._to_log = {"attempt": attempt + 1, "wait_seconds": round(wait, 1), **fields}
        self._log_first()
        self._on_retry(f"{error.cause.reason}; attempt {attempt + 1} in {wait:.0f} s")
        self._sleep(wait)
        return True

    def _log_first(self) -> None:
        """Log the call's first retry, once, when its own thread comes by."""
        with self._lock:
            if not self._to_log or threading.get_ident() != self._thread:
                return
            fields, self._to_log = self._to_log, {}
        log(Event.RETRYING_CALL, level=logging.WARNING, **fields)

    def retry[T](self, call: Callable[[], T]) -> T:
        """Call until it succeeds; only for what may be done twice, as reads and appends.

        Args:
            call: one request.

        Returns:
            What the call returned.

        Raises:
            RetryableError: the last try's, when patience or time ran out.
        """
        for attempt in self.attempts():
            with attempt:
                answer = call()
        return answer


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
        return float(text[:9])  # what nine digits cannot hold is capped where it is waited
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, a date without a zone, one beyond what a date can be
        return None
