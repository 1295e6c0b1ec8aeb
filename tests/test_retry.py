"""The one retry: how long it waits, when it gives up, and what is told of it."""

import json
import logging
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigment_export.errors import (
    Cause,
    ConflictError,
    ExportError,
    MissingError,
    PermanentError,
    RetryableError,
    SetupError,
    Who,
)
from pigment_export.retry import (
    LONGEST_WAIT_SECONDS,
    MOST_ATTEMPTS,
    RATE_WINDOW_SECONDS,
    Deadline,
    retry_after_seconds,
)

CAUSE = Cause("x", "x failed", Who.NO_ACTION, "wait")
JITTER = 1.1
NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.told: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def deadline(
        self, seconds: float = 10_000, patience_seconds: float = 120, *, is_attended: bool = False
    ) -> Deadline:
        return Deadline(
            seconds,
            patience_seconds=patience_seconds,
            is_attended=is_attended,
            on_retry=self.told.append,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


@pytest.fixture
def time() -> Time:
    return Time()


class Failing:
    """Raises the errors it is given, one a call, then answers."""

    def __init__(self, *errors: ExportError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def asking(seconds: float | None, *, rate_limited: bool = False) -> RetryableError:
    return RetryableError(CAUSE, retry_after_seconds=seconds, rate_limited=rate_limited)


# What is tried again


def test_what_succeeds_at_once_is_run_once_and_waits_for_nothing(time: Time) -> None:
    call = Failing()
    assert time.deadline().retry(call) == "done"
    assert (call.calls, time.waits, time.told) == (1, [], [])


def test_what_succeeds_in_the_end_is_returned(time: Time) -> None:
    call = Failing(asking(None), asking(None))
    assert time.deadline().retry(call) == "done"
    assert (call.calls, len(time.waits)) == (3, 2)


def test_a_block_that_returns_or_breaks_ends_the_iteration(time: Time) -> None:
    runs = 0
    for attempt in time.deadline().attempts():
        with attempt:
            runs += 1
            break
    assert (runs, time.waits) == (1, [])


def test_attempts_are_numbered_from_one(time: Time) -> None:
    call, numbers = Failing(asking(None), asking(None)), []
    for attempt in time.deadline().attempts():
        with attempt as number:
            numbers.append(number)
            call()
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("kind", [PermanentError, ConflictError, MissingError])
def test_only_what_is_retryable_is_tried_again(kind: type[ExportError], time: Time) -> None:
    call = Failing(kind(CAUSE))
    with pytest.raises(kind):
        time.deadline().retry(call)
    assert (call.calls, time.waits) == (1, [])


def test_errors_that_a_block_recovers_from_are_named(time: Time) -> None:
    call = Failing(ConflictError(CAUSE), MissingError(CAUSE), asking(None))
    for attempt in time.deadline().attempts(ConflictError, MissingError):
        with attempt:
            call()
    assert (call.calls, len(time.waits)) == (4, 3)


def test_a_conflict_that_does_not_end_is_raised_as_retryable_with_its_own_cause(time: Time) -> None:
    error = ConflictError(CAUSE)

    def block() -> None:
        for attempt in time.deadline().attempts(ConflictError, most=3):
            with attempt:
                raise error

    with pytest.raises(RetryableError) as raised:
        block()
    assert raised.value.cause is CAUSE
    assert raised.value.__cause__ is error
    assert len(time.waits) == 2


def test_a_bug_is_not_tried_again(time: Time) -> None:
    with pytest.raises(ZeroDivisionError):
        time.deadline().retry(lambda: 1 // 0)
    assert time.waits == []


# How long it waits


def test_waits_grow_up_to_a_longest_and_add_up_to_no_more_than_the_patience(time: Time) -> None:
    error = asking(None)
    with pytest.raises(RetryableError) as raised:
        time.deadline().retry(Failing(*[error] * 99))
    assert raised.value is error
    assert sum(time.waits) <= 120
    assert len(time.waits) > 3
    assert max(time.waits) <= LONGEST_WAIT_SECONDS
    assert time.waits[0] <= 1


def test_a_retry_after_is_honoured_and_callers_come_back_apart(time: Time) -> None:
    for _ in range(20):
        time.deadline().retry(Failing(asking(30)))
    assert min(time.waits) >= 30
    assert max(time.waits) <= 30 * JITTER
    assert len(set(time.waits)) > 1


@given(st.one_of(st.none(), st.floats(allow_nan=False)), st.booleans())
def test_whatever_is_asked_for_waits_grow_and_requests_are_bounded(seconds: float | None, rate_limited: bool) -> None:  # noqa: FBT001
    time = Time()
    call = Failing(*[asking(seconds, rate_limited=rate_limited)] * 99)
    with pytest.raises(RetryableError):
        time.deadline(1e9).retry(call)
    assert call.calls <= MOST_ATTEMPTS
    for number, wait in enumerate(time.waits):
        assert min(2**number, LONGEST_WAIT_SECONDS) / 2 <= wait <= RATE_WINDOW_SECONDS * JITTER


def test_an_absurd_retry_after_of_a_rate_limit_is_capped_at_its_window(time: Time) -> None:
    time.deadline().retry(Failing(asking(1e9, rate_limited=True)))
    [wait] = time.waits
    assert RATE_WINDOW_SECONDS <= wait <= RATE_WINDOW_SECONDS * JITTER


def test_a_retry_after_beyond_the_patience_is_left_to_the_caller(time: Time) -> None:
    with pytest.raises(RetryableError):
        time.deadline().retry(Failing(asking(121)))
    assert time.waits == []


def test_a_rate_limit_is_waited_out_though_patience_is_used_up(time: Time) -> None:
    time.deadline(patience_seconds=0).retry(Failing(asking(200, rate_limited=True)))
    assert len(time.waits) == 1


def test_nothing_waits_past_the_end_of_the_call(time: Time) -> None:
    with pytest.raises(RetryableError):
        time.deadline(5).retry(Failing(asking(5, rate_limited=True)))
    assert time.waits == []


def test_patience_is_one_for_all_that_is_tried_in_a_call(time: Time) -> None:
    deadline = time.deadline(patience_seconds=10)
    deadline.retry(Failing(asking(6)))
    with pytest.raises(RetryableError):
        deadline.retry(Failing(asking(6)))


def test_patience_that_did_not_suffice_is_used_up_for_the_loops_around_it(time: Time) -> None:
    deadline = time.deadline(patience_seconds=10)
    inner = Failing(*[asking(11)] * 9)
    with pytest.raises(RetryableError):
        deadline.retry(lambda: deadline.retry(inner))
    assert (inner.calls, time.waits) == (1, [])


def test_a_rate_limit_that_does_not_say_how_long_waits_for_its_window(time: Time) -> None:
    time.deadline().retry(Failing(asking(None, rate_limited=True)))
    [wait] = time.waits
    assert RATE_WINDOW_SECONDS <= wait <= RATE_WINDOW_SECONDS * JITTER


def test_progress_renews_the_patience(time: Time) -> None:
    deadline = time.deadline(patience_seconds=10)
    for _ in range(5):
        deadline.retry(Failing(asking(6)))
        deadline.progressed()
    assert len(time.waits) == 5


def test_progress_of_an_attempt_that_fails_is_lost_with_it(time: Time) -> None:
    deadline = time.deadline()

    def fetch_again_and_again() -> None:
        for attempt in deadline.attempts():
            with attempt:
                deadline.progressed()
                raise asking(None)

    with pytest.raises(RetryableError):
        fetch_again_and_again()
    assert sum(time.waits) <= 120


def test_a_setup_that_is_wrong_is_final_for_a_person_who_waits_and_may_still_settle_in_the_app(time: Time) -> None:
    error = SetupError(CAUSE)
    assert time.deadline().retry(Failing(error)) == "done"
    with pytest.raises(RetryableError) as raised:
        time.deadline(is_attended=True).retry(Failing(error))
    assert raised.value is error
    assert len(time.waits) == 1
    assert time.deadline(is_attended=True).retry(Failing(asking(None))) == "done"


def test_what_remains_never_falls_below_nothing(time: Time) -> None:
    deadline = time.deadline(5)
    time.now = 3
    assert deadline.remaining_seconds == 2
    time.now = 30
    assert deadline.remaining_seconds == 0


# What is told of it


def test_a_listener_is_told_of_each_wait_before_it_begins(time: Time) -> None:
    time.deadline().retry(Failing(asking(None), asking(None)))
    assert time.told == [f"x failed; attempt {number} in {wait:.0f} s" for number, wait in enumerate(time.waits, 2)]


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "pigment_export"]


def test_the_first_retry_of_a_call_is_logged_and_no_other(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    deadline = time.deadline()
    with caplog.at_level(logging.INFO, "pigment_export"):
        deadline.retry(Failing(asking(None), asking(None)))
        deadline.retry(Failing(asking(None)))
    expected = {"event": "retrying_call", "attempt": 2, "wait_seconds": round(time.waits[0], 1), **CAUSE.to_fields()}
    assert logged(caplog) == [expected]


def test_a_retry_on_another_thread_is_logged_by_the_calls_own(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    deadline = time.deadline()
    with caplog.at_level(logging.INFO, "pigment_export"):
        appending = threading.Thread(target=deadline.retry, args=(Failing(asking(None)),))
        appending.start()
        appending.join()
        assert logged(caplog) == []
        assert len(time.told) == 1
        deadline.retry(Failing())
    assert [event["event"] for event in logged(caplog)] == ["retrying_call"]
    assert {record.thread for record in caplog.records} == {threading.get_ident()}


# What a Retry-After says


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 400, 999_999_999),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("Tue, 24 Nov 2026 06:01:30 GMT", 90),
        ("Tue, 24 Nov 2026 05:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 06:01:30 +9999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", 251_606_883_599),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Tue, 32 Foo 2026 06:01:30 GMT", None),
        ("Tue, 24 Nov 2026 06:01:30 -0000", None),
    ],
)
def test_what_a_retry_after_says_is_seconds_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@given(st.text())
def test_no_retry_after_however_odd_raises_or_is_negative(value: str) -> None:
    seconds = retry_after_seconds(value, now=NOW)
    assert seconds is None or seconds >= 0
