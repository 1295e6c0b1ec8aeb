"""Occurrences of cron expressions in a time zone, with cronsim. Pure.

When clocks change, a time that does not exist occurs once, right after the gap; a time that exists twice occurs once,
the first time. A schedule for every hour (`*` in the hour field) is not affected: it runs every hour that passes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

NONE = "none"  # in place of an expression: only callers start the export
LONGEST_EXPRESSION = 200  # characters
WIDEST_FOLD = timedelta(hours=3)  # by which a clock goes back at most: two hours at Troll, one or less elsewhere
_ALLOWED = (
    "a cron expression of five fields (minute hour day month weekday), such as '0 6 * * *' for every day at 06:00 "
    "or '0 6 * * 1-5' for working days; or 'none'"
)


def expression_in(text: str) -> str:
    """Read a schedule: five fields with single spaces, or `none`.

    Raises:
        ValueError: it is neither; the message says what is allowed.
    """
    fields = text.split()
    if text.strip().lower() == NONE:
        return NONE
    if len(text) <= LONGEST_EXPRESSION:
        if _is_expression(fields):
            return " ".join(fields)
        if len(fields) == 6 and _is_expression(fields[1:]):  # noqa: PLR2004 - NCRONTAB's
            raise ValueError(
                f"five fields, without the seconds of NCRONTAB: write {' '.join(fields[1:])!r}, which is evaluated in "
                "the time zone, not in UTC"
            )
    raise ValueError(_ALLOWED)


def zone_in(text: str) -> ZoneInfo:
    """Read a time zone.

    Raises:
        ValueError: it is not a time zone; the message says what is allowed.
    """
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError("the name of a time zone in the IANA database, such as Europe/Paris") from exc


def _is_expression(fields: Sequence[str]) -> bool:
    if len(fields) != 5:  # noqa: PLR2004 - cronsim would also take six
        return False
    try:
        next(CronSim(" ".join(fields), datetime(2000, 1, 1)))  # noqa: DTZ001 - checks whether it ever occurs, in any zone
    except (CronSimError, StopIteration, ValueError, TypeError, AssertionError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule in its time zone.

    Attributes:
        expression: five fields, as `expression_in` returns them.
        time_zone: of its fields.
    """

    expression: str
    time_zone: ZoneInfo

    @classmethod
    def of(cls, expression: str, time_zone: ZoneInfo) -> Self | None:
        """Return the schedule, or None for `none`."""
        return None if expression == NONE else cls(expression, time_zone)

    def newest(self, at: datetime) -> datetime | None:
        """Return the newest occurrence at an instant or before it, in UTC; None if there was none in fifty years."""
        return next((moment for moment in self._from(at, reverse=True) if moment <= at), None)

    def next(self, after: datetime) -> datetime | None:
        """Return the first occurrence after an instant, in UTC; None if there is none in fifty years."""
        return next((moment for moment in self._from(after, reverse=False) if moment > after), None)

    def _from(self, at: datetime, *, reverse: bool) -> Iterator[datetime]:
        """Yield occurrences in order from an instant, after a few from the other side of it."""
        at = at.replace(microsecond=0)
        if self.expression.split()[1] == "*":
            start = (at + timedelta(minutes=1) if reverse else at).astimezone(self.time_zone)
        else:
            wall = at.astimezone(self.time_zone).replace(tzinfo=None)
            start = wall + WIDEST_FOLD if reverse else wall
        for moment in CronSim(self.expression, start, reverse=reverse):
            yield moment.astimezone(UTC) if moment.tzinfo else self._instant_of(moment)

    def _instant_of(self, wall: datetime) -> datetime:
        """Return when a clock first shows a time, or the end of the gap that skips it."""
        instant = wall.replace(tzinfo=self.time_zone).astimezone(UTC)
        shown = instant.astimezone(self.time_zone)
        if shown.replace(tzinfo=None) == wall:
            return instant
        # In a gap, an aware time uses the offset before it, so it is too late by the gap: go back to where the offset
        # changes.
        before = instant - (shown.replace(tzinfo=None) - wall)
        while before.astimezone(self.time_zone).utcoffset() != shown.utcoffset():
            before += timedelta(minutes=1)
        return before
