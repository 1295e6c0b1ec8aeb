"""What each answer of Pigment means."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import exceptions

from pigment_export.catalog.exports import Kind
from pigment_export.errors import MESSAGE_CHARACTERS, PermanentError, RetryableError, Who, shorten
from pigment_export.pigment.errors import ANSWERS, error_for, failure_of, meaning_of
from pigment_export.pigment.http2.exceptions import DeadlinePassed
from pigment_export.retry import retry_after_seconds

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.mark.parametrize("status", sorted({*range(201, 600)} - {200}))
def test_every_status_has_a_meaning_an_actor_and_a_remedy(status: int) -> None:
    answer = meaning_of(status)
    assert answer.what
    assert answer.remedy
    error = error_for(status, Kind.VIEW, "view x", None, now=NOW)
    assert isinstance(error, RetryableError if answer.retryable else PermanentError)
    assert f"HTTP {status}" in error.cause.reason


@pytest.mark.parametrize(
    ("status", "code", "who", "hint"),
    [
        (400, "pigment_bad_request", Who.CATALOG, "options"),
        (401, "pigment_unauthorized", Who.KEY_OWNER, "expired"),
        (403, "pigment_forbidden", Who.KEY_OWNER, "allow list"),
        (404, "pigment_not_found", Who.EXPORT_OWNER, "id"),
        (413, "pigment_view_too_big", Who.CATALOG, "block"),
        (422, "pigment_not_exportable", Who.CATALOG, "list, a metric or a table"),
        (429, "pigment_rate_limited", Who.NO_ACTION, "fewer exports"),
        (500, "pigment_unavailable", Who.NO_ACTION, "status page"),
        (503, "pigment_unavailable", Who.NO_ACTION, "status page"),
        (302, "pigment_unexpected_status", Who.ADMINISTRATOR, "PIGMENT_BASE_URL"),
    ],
)
def test_who_must_act_on_a_status_and_how(status: int, code: str, who: Who, hint: str) -> None:
    answer = meaning_of(status)
    assert (code, who) == (answer.code, answer.who)
    assert hint in answer.remedy


def test_only_what_may_change_by_itself_is_retried() -> None:
    assert {status for status, answer in ANSWERS.items() if answer.retryable} == {408, 421, 425, 429}
    assert meaning_of(502).retryable


def test_a_retry_after_in_seconds_or_as_a_date_is_understood_and_nonsense_is_not() -> None:
    assert retry_after_seconds(" 30 ", now=NOW) == 30
    assert retry_after_seconds(format_datetime(NOW + timedelta(seconds=90), usegmt=True), now=NOW) == 90
    assert retry_after_seconds(format_datetime(NOW - timedelta(days=1), usegmt=True), now=NOW) == 0
    for nonsense in ("", "soon", "-3", "1.5", "٣", "Mon, 99 Xyz 2026", None):
        assert retry_after_seconds(nonsense, now=NOW) is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_retry_after_raises(value: str) -> None:
    seconds = retry_after_seconds(value, now=NOW)
    assert seconds is None or seconds >= 0


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=1000))
def test_the_words_of_others_become_one_printable_line(message: str) -> None:
    line = shorten(message)
    assert line.isprintable()
    assert len(line) <= MESSAGE_CHARACTERS + 1


def test_pigments_own_words_stand_in_the_reason() -> None:
    assert "unknown property 'x'" in error_for(400, Kind.LIST, "unknown\nproperty 'x'", None, now=NOW).cause.reason


@pytest.mark.parametrize("kind", [Kind.LIST, Kind.METRIC, Kind.TABLE, None])
def test_what_is_no_view_is_not_told_of_views(kind: Kind | None) -> None:
    for status in range(300, 600):
        row = meaning_of(status, kind)
        assert "view" not in row.what + row.remedy


@pytest.mark.parametrize(
    ("first_attempt", "began", "code"),
    [
        (True, True, "deadline_passed"),
        (True, False, "out_of_time"),
        (False, True, "out_of_time"),
        (False, False, "out_of_time"),
    ],
)
def test_the_end_of_a_call_is_final_only_for_a_try_that_had_the_whole_call(
    *, first_attempt: bool, began: bool, code: str
) -> None:
    """An attempt cut twice, or one that met a silent Pigment, may do better in the next call."""
    error = failure_of(DeadlinePassed("x", began=began), first_attempt=first_attempt)
    assert error.cause.code == code
    assert isinstance(error, PermanentError if code == "deadline_passed" else RetryableError)


@pytest.mark.parametrize("cause", [socket.gaierror(-2, "Name or service not known"), OSError("x")])
def test_the_networks_own_errors_come_first(cause: OSError) -> None:
    error = exceptions.ConnectionError("no connection")
    error.__cause__ = cause
    code = "host_unknown" if isinstance(cause, socket.gaierror) else "pigment_unreachable"
    assert failure_of(error, first_attempt=True).cause.code == code
