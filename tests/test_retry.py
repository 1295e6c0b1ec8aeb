"""The one retry: how long it waits, and when it gives up."""

import pytest

from pigment_export.errors import Cause, RetryableError, Who
from pigment_export.retry import LONGEST_WAIT_SECONDS, MOST_ATTEMPTS, RATE_WINDOW_SECONDS, Deadline

CAUSE = Cause("x", "x failed", Who.NOBODY, "wait")


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def deadline(self, seconds: float, patience_seconds: float = 120) -> Deadline:
        return Deadline(seconds, patience_seconds=patience_seconds, clock=lambda: self.now, sleep=self.sleep)


def always(error: RetryableError) -> None:
    raise error


def test_waits_grow_up_to_a_longest_and_add_up_to_no_more_than_the_patience() -> None:
    time = Time()
    error = RetryableError(CAUSE)
    with pytest.raises(RetryableError) as raised:
        time.deadline(10_000).retry(lambda: always(error))
    assert raised.value is error
    assert sum(time.waits) <= 120
    assert len(time.waits) > 3
    assert max(time.waits) <= LONGEST_WAIT_SECONDS
    assert time.waits[0] <= 1


def test_what_succeeds_in_the_end_is_returned() -> None:
    time = Time()
    errors = [RetryableError(CAUSE), RetryableError(CAUSE)]

    def call() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert time.deadline(100).retry(call) == "done"
    assert len(time.waits) == 2


def test_a_retry_after_is_honoured() -> None:
    time = Time()
    time.deadline(1000).pause(RetryableError(CAUSE, retry_after_seconds=7), 0)
    assert time.waits == [7]


def test_an_absurd_retry_after_of_a_rate_limit_is_capped_at_its_window() -> None:
    time = Time()
    time.deadline(1000).pause(RetryableError(CAUSE, retry_after_seconds=1e9, rate_limited=True), 0)
    assert time.waits == [RATE_WINDOW_SECONDS]


def test_a_negative_retry_after_waits_not_at_all() -> None:
    time = Time()
    time.deadline(1000).pause(RetryableError(CAUSE, retry_after_seconds=-5), 0)
    assert time.waits == [0]


def test_a_retry_after_beyond_the_patience_is_left_to_the_caller() -> None:
    time = Time()
    with pytest.raises(RetryableError):
        time.deadline(10_000).pause(RetryableError(CAUSE, retry_after_seconds=121), 0)
    assert time.waits == []


def test_a_rate_limit_is_waited_out_though_patience_is_used_up() -> None:
    time = Time()
    deadline = time.deadline(10_000, patience_seconds=0)
    deadline.pause(RetryableError(CAUSE, retry_after_seconds=200, rate_limited=True), 0)
    assert time.waits == [200]


def test_nothing_waits_past_the_end_of_the_call() -> None:
    time = Time()
    with pytest.raises(RetryableError):
        time.deadline(5).pause(RetryableError(CAUSE, retry_after_seconds=5, rate_limited=True), 0)
    assert time.waits == []


def test_attempts_are_capped_however_short_their_waits() -> None:
    time = Time()
    with pytest.raises(RetryableError):
        time.deadline(1e9).retry(lambda: always(RetryableError(CAUSE, retry_after_seconds=0)))
    assert len(time.waits) == MOST_ATTEMPTS


def test_patience_is_one_for_all_that_is_tried_in_a_call() -> None:
    time = Time()
    deadline = time.deadline(10_000, patience_seconds=10)
    deadline.pause(RetryableError(CAUSE, retry_after_seconds=6), 0)
    with pytest.raises(RetryableError):
        deadline.pause(RetryableError(CAUSE, retry_after_seconds=6), 0)


def test_what_remains_never_falls_below_nothing() -> None:
    time = Time()
    deadline = time.deadline(5)
    time.now = 3
    assert deadline.remaining_seconds == 2
    time.now = 30
    assert deadline.remaining_seconds == 0
