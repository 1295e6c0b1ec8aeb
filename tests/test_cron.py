"""Cron expressions in a time zone, through a year of days and both changes of the clock."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigment_export.cron import Cron, expression_in, zone_in

# Both hemispheres, a gap at midnight, a shift of half an hour, one of two hours, and a zone without any.
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "America/Santiago",
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Antarctica/Troll",
    "Asia/Tokyo",
)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def occurrences(expression: str, zone: str, first: date, last: date) -> list[datetime]:
    """All of a span of local days."""
    cron = Cron(expression, ZoneInfo(zone))
    found, at = [], datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - HOUR
    while (moment := cron.next(at)) and moment.astimezone(ZoneInfo(zone)).date() <= last:
        at = moment
        if moment.astimezone(ZoneInfo(zone)).date() >= first:
            found.append(moment)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", ["0 0", "30 0", "30 1", "30 2", "45 2", "0 6", "59 23"])
def test_a_daily_schedule_occurs_once_on_every_day_of_a_year(zone: str, time: str) -> None:
    found = occurrences(f"{time} * * *", zone, date(2026, 1, 1), date(2026, 12, 31))
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in found]
    assert days == [date(2026, 1, 1) + number * DAY for number in range(365)]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_of_day_stays_the_same_time_of_day_but_for_a_gap(zone: str) -> None:
    minute, hour = 30, 2
    found = occurrences(f"{minute} {hour} * * *", zone, date(2026, 1, 1), date(2026, 12, 31))
    for moment in found:
        local = moment.astimezone(ZoneInfo(zone))
        if (local.hour, local.minute) != (
            hour,
            minute,
        ):  # right after the gap: a minute before, the clock was ahead of it
            before = (moment - MINUTE).astimezone(ZoneInfo(zone))
            assert before.replace(tzinfo=None) < datetime(local.year, local.month, local.day, hour, minute)  # noqa: DTZ001
            assert before.utcoffset() != local.utcoffset()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 1-2 * * *", "0 * * * *", "*/20 * * * *", "0 0 1 * *"])
def test_the_newest_occurrence_is_the_one_that_came_before_the_next(zone: str, expression: str) -> None:
    cron = Cron(expression, ZoneInfo(zone))
    for first in (date(2026, 3, 7), date(2026, 3, 28), date(2026, 4, 3), date(2026, 9, 5), date(2026, 10, 23)):
        found = occurrences(expression, zone, first, first + 3 * DAY)
        for earlier, later in itertools.pairwise(found):
            assert earlier < later
            for at in (earlier, later - timedelta(microseconds=1)):
                assert cron.newest(at) == earlier, at
                assert cron.next(at) == later, at


def test_an_hour_that_is_jumped_over_occurs_once_right_after_the_gap() -> None:
    expected = [datetime(2026, 3, 29, 1, tzinfo=UTC)]
    assert occurrences("30 2 * * *", "Europe/Paris", date(2026, 3, 29), date(2026, 3, 29)) == expected
    assert occurrences("*/15 2 * * *", "Europe/Paris", date(2026, 3, 29), date(2026, 3, 29)) == expected
    midnight = occurrences("0 0 * * *", "Asia/Beirut", date(2026, 3, 29), date(2026, 3, 29))
    assert [moment.astimezone(ZoneInfo("Asia/Beirut")).hour for moment in midnight] == [1]


def test_an_hour_that_comes_twice_occurs_the_first_time_alone() -> None:
    found = occurrences("30 2 * * *", "Europe/Paris", date(2026, 10, 25), date(2026, 10, 25))
    assert found == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


def test_an_hourly_schedule_goes_by_the_hours_that_pass() -> None:
    lengths = [
        len(occurrences("0 * * * *", "Europe/Paris", day, day))
        for day in (date(2026, 3, 29), date(2026, 6, 1), date(2026, 10, 25))
    ]
    assert lengths == [23, 24, 25]


@pytest.mark.parametrize(
    ("text", "read"),
    [("0 6 * * *", "0 6 * * *"), (" 0  6 * * 1-5 ", "0 6 * * 1-5"), ("*/15 8-18 * * MON-FRI", "*/15 8-18 * * MON-FRI")]
    + [(text, "none") for text in ("none", "None", " NONE ")],
)
def test_five_fields_or_none_are_read(text: str, read: str) -> None:
    assert expression_in(text) == read


@pytest.mark.parametrize(
    ("six", "five"), [("0 0 6 * * *", "0 6 * * *"), ("30 */5 * * * 1-5", "*/5 * * * 1-5"), ("0 0 0 1 7 *", "0 0 1 7 *")]
)
def test_six_fields_are_refused_with_the_five_that_say_the_same(six: str, five: str) -> None:
    with pytest.raises(ValueError, match="NCRONTAB") as caught:
        expression_in(six)
    assert repr(five) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6",
        "@daily",
        "0 6 * *",
        "0 6 * * * * *",
        "60 6 * * *",
        "0 24 * * *",
        "0 6 32 * *",
        "0 6 * 13 *",
        "0 6 * * 8",
        "0 0 31 2 *",
        "0 0 30 FEB *",
        "x 6 * * *",
        "0 6 * * 1-",
        "0 6 * * */0",
        "5-1 * * * *",
        "0 6 * * " + "1," * 200,
        "9" * 150 + " 6 * * *",
        "² 6 * * *",
        "0 6 * * ²L",
    ],
)
def test_what_never_occurs_or_is_no_expression_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="five fields"):
        expression_in(text)


@given(st.text(st.sampled_from("0123456789*/,-#LW MONFEB²"), max_size=40) | st.text(max_size=30))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        expression = expression_in(text)
    except ValueError:
        return
    cron = Cron.of(expression, ZoneInfo("Europe/Paris"))
    assert cron is None or cron.newest(datetime(2026, 6, 1, tzinfo=UTC)) is not None


@pytest.mark.parametrize("text", ["", "Paris", "../etc/passwd", "Europe/Paris\0", "/UTC", "x" * 400])
def test_what_is_no_time_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        zone_in(text)
