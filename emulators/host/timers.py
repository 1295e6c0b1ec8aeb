"""Timer triggers: the occurrence that is due, what its function gets, and the status that is kept between starts.

Source: TimerListener and ScheduleMonitor of https://github.com/Azure/azure-webjobs-sdk-extensions
"""

import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from emulators.host.functions import Function, TimerTrigger

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """A timer's status, as its function gets it and as the host stores it."""

    last: datetime
    next: datetime
    last_updated: datetime


@dataclass(slots=True)
class TimerRun:
    """One call of a timer's function, with its retries.

    Attributes:
        info: the function's input, the same for each attempt.
        called_at: the time of the first attempt.
        timer: the schedule of the call; None for a call outside the schedule.
        retry_count: of the current or next attempt.
        due: the time of the next attempt; None while one runs.
        error: of the previous try.
    """

    function: Function
    info: str
    called_at: datetime
    timer: "Timer | None"
    due: datetime | None
    retry_count: int = 0
    error: str = ""
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def again(self, now: datetime, error: str) -> bool:
        """Schedule the next attempt after a failed one; return whether there is one."""
        retry = self.function.retry
        if retry is None or (retry.count is not None and self.retry_count >= retry.count):
            return False
        self.retry_count += 1
        self.error = error
        self.due = now + retry.delay
        return True


class Timer:
    """The schedule of one timer function while the host is up.

    Args:
        function: the function.
        stored: the status from the last start of the host; None at the first start.
        now: the time of the host's start.
    """

    def __init__(self, function: Function, stored: ScheduleStatus | None, now: datetime) -> None:
        if not isinstance(function.trigger, TimerTrigger):
            raise TypeError(f"{function.name} has no timer trigger")
        self.function = function
        self._schedule = function.trigger.schedule
        first = self._schedule.after(now)
        self.monitored = function.trigger.use_monitor and not self._schedule.frequent
        self.past_due = False
        self.busy = False
        self._start_now = function.trigger.run_on_startup
        self.status = ScheduleStatus(NEVER, first, NEVER)
        self.stored: ScheduleStatus | None = None
        if not self.monitored:
            return
        if stored is None:
            self.stored = replace(self.status, last_updated=now)
            return
        self.status = self.stored = self._checked(stored, now)
        self.past_due = now > self.status.next

    @property
    def due(self) -> datetime | None:
        """When the next call is due; None while one runs."""
        if self.busy:
            return None
        return NEVER if self.past_due or self._start_now else self.status.next

    def begin(self, now: datetime) -> TimerRun:
        """Start the call that is due."""
        self.busy = True
        info = timer_info(self.status if self.monitored else None, past_due=self.past_due)
        return TimerRun(self.function, info, called_at=now, timer=self, due=now)

    def end(self, run: TimerRun) -> None:
        """Finish a call after its last attempt. The next occurrence is computed from its first attempt."""
        self.busy = self.past_due = self._start_now = False
        self.status = ScheduleStatus(run.called_at, self._schedule.after(run.called_at), run.called_at)
        if self.monitored:
            self.stored = self.status

    def _checked(self, stored: ScheduleStatus, now: datetime) -> ScheduleStatus:
        """Return the stored status, or a new one if the schedule has changed."""
        expected = self._schedule.after(stored.last_updated if stored.last == NEVER else stored.last)
        if stored.next == expected:
            return stored
        return ScheduleStatus(NEVER, self._schedule.after(now), now)


def timer_info(status: ScheduleStatus | None, *, past_due: bool) -> str:
    """Return the input of a timer's function, as the host sends it."""
    told: dict[str, Any] | None = None
    if status is not None:
        told = {
            "Last": status.last.isoformat(),
            "Next": status.next.isoformat(),
            "LastUpdated": status.last_updated.isoformat(),
        }
    return json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": told, "IsPastDue": past_due})
