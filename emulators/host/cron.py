"""NCRONTAB: the schedules of timer triggers, in UTC.

Day and day of the week must both match (unlike in Unix cron), names may be shortened (`Mon`; `M` is the first match),
and `5/10` runs from 5 to the field's end.

Source: https://github.com/atifaziz/NCrontab and
https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SEARCH_YEARS = 28  # after that the calendar repeats: what has not occurred (31 February) never does


class ScheduleError(ValueError):
    """The text is not a schedule."""


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule: the matching values of each field, in order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def frequent(self) -> bool:
        """Whether it occurs more than once in every minute; the host then keeps no status.

        Source: TimerSchedule.ShouldDisableScheduleMonitor of https://github.com/Azure/azure-webjobs-sdk-extensions
        """
        values = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        every = all(
            len(fitting) == field.most - field.least + 1 for fitting, field in zip(values, _FIELDS[1:], strict=True)
        )
        return every and len(self.seconds) > 1

    def after(self, instant: datetime) -> datetime:
        """Return the first occurrence after an instant.

        Raises:
            ScheduleError: there is no occurrence.
        """
        earliest = (instant.astimezone(UTC) + timedelta(seconds=1)).replace(microsecond=0)
        for day in self._days_from(earliest):
            for hour in self.hours:
                for minute in self.minutes:
                    if day.replace(hour=hour, minute=minute, second=59) < earliest:
                        continue
                    for second in self.seconds:
                        found = day.replace(hour=hour, minute=minute, second=second)
                        if found >= earliest:
                            return found
        raise ScheduleError("the schedule has no occurrence")

    def _days_from(self, instant: datetime) -> Iterator[datetime]:
        day = instant.replace(hour=0, minute=0, second=0)
        for _ in range(_SEARCH_YEARS * 366):
            weekday = day.isoweekday() % 7
            if day.month in self.months and day.day in self.days and weekday in self.weekdays:
                yield day
            day += timedelta(days=1)


def parse(text: str) -> Schedule:
    """Parse a schedule of six fields, or of five, without the seconds (0).

    Raises:
        ScheduleError: the text is not a schedule, or the stand-in does not support it (see README.md).
    """
    words = text.split()
    if len(words) == len(_FIELDS) - 1:
        words.insert(0, "0")
    if len(words) != len(_FIELDS):
        raise ScheduleError(f"{text!r} has {len(words)} fields instead of six")
    parsed = (_parse_field(word, field) for word, field in zip(words, _FIELDS, strict=True))
    schedule = Schedule(*parsed)
    schedule.after(datetime(2000, 1, 1, tzinfo=UTC))
    return schedule


def _parse_field(text: str, field: _Field) -> tuple[int, ...]:
    fitting: set[int] = set()
    for item in text.split(","):
        values, slash, step_text = item.partition("/")
        first_text, dash, last_text = values.partition("-")
        if slash and not (step_text.isdecimal() and int(step_text)):
            raise ScheduleError(f"{item!r} in the field {field.name}: a step must be a number, at least 1")
        if values == "*":
            first, last = field.least, field.most
        else:
            first = _parse_value(first_text, field)
            last = _parse_value(last_text, field) if dash else field.most if slash else first
        if first > last:
            raise ScheduleError(f"{item!r} in the field {field.name} runs backwards")
        fitting.update(range(first, last + 1, int(step_text) if slash else 1))
    return tuple(sorted(fitting))


def _parse_value(text: str, field: _Field) -> int:
    value = None
    if text.isascii() and text.isdecimal():
        value = int(text)
    elif text:
        named = (number for number, name in enumerate(field.names, field.least) if name.startswith(text.lower()))
        value = next(named, None)
    if value is None or not field.least <= value <= field.most:
        raise ScheduleError(f"{text!r} is not a {field.name} ({field.least} to {field.most})")
    return value
