"""Leases of the lake stand-in, on files, directories and file systems.

Source: https://learn.microsoft.com/rest/api/storageservices/lease-blob
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulators.lake.problems import Problem, Refused


@dataclass(slots=True)
class Lease:
    """A lease of at most one holder, for a time or without end. `now` is always the lake's clock."""

    id: str | None = None
    duration_seconds: int = 0
    expires: datetime | None = None
    breaks: datetime | None = None

    def state(self, now: datetime) -> str:
        """Return `available`, `leased`, `expired`, `breaking` or `broken`."""
        if self.breaks is not None:
            return "breaking" if now < self.breaks else "broken"
        if self.id is None:
            return "available"
        return "expired" if self.expires is not None and now >= self.expires else "leased"

    def headers(self, now: datetime) -> dict[str, str]:
        """Return the lease's headers among a path's properties."""
        state = self.state(now)
        status = "locked" if state in {"leased", "breaking"} else "unlocked"
        told = {"x-ms-lease-status": status, "x-ms-lease-state": state}
        if state == "leased":
            told["x-ms-lease-duration"] = "infinite" if self.duration_seconds == -1 else "fixed"
        return told

    def check(self, now: datetime, lease_id: str | None) -> None:
        """Refuse a write without the lease's id, or with an id if there is no lease."""
        if self.state(now) in {"leased", "breaking"}:
            if not lease_id:
                raise Refused(Problem.WRITE_LEASE_ID_MISSING)
            self.check_holder(now, lease_id)
        elif lease_id:
            raise Refused(Problem.WRITE_LEASE_NONE)

    def check_holder(self, now: datetime, lease_id: str | None) -> None:
        """Refuse a lease id that is not the holder's. A request without an id passes: reads do not need one."""
        if not lease_id:
            return
        if self.state(now) not in {"leased", "breaking"}:
            raise Refused(Problem.WRITE_LEASE_NONE)
        if not same_id(lease_id, self.id):
            raise Refused(Problem.WRITE_LEASE_OTHER_ID)

    def acquire(self, now: datetime, proposed_id: str | None, duration_seconds: int) -> str:
        """Take the lease for 15 to 60 seconds, or with -1 without end; return its id."""
        if duration_seconds != -1 and not 15 <= duration_seconds <= 60:  # the service's own limits
            raise Refused(Problem.HEADER_VALUE, "x-ms-lease-duration is -1 or 15 to 60")
        state = self.state(now)
        if state == "breaking":
            raise Refused(Problem.LEASE_BREAKING)
        if state == "leased" and not same_id(proposed_id, self.id):
            raise Refused(Problem.LEASE_PRESENT)
        self.id = proposed_id or str(uuid.uuid4())
        self.duration_seconds = duration_seconds
        self.breaks = None
        self._start(now)
        return self.id

    def renew(self, now: datetime, lease_id: str | None) -> None:
        """Restart the lease's time."""
        self._check_is_holder(lease_id)
        if self.state(now) in {"breaking", "broken"}:
            raise Refused(Problem.LEASE_BROKEN)
        self._start(now)

    def change(self, lease_id: str | None, proposed_id: str | None) -> str:
        """Change the lease's id."""
        if not proposed_id:
            raise Refused(Problem.HEADER_MISSING, "x-ms-proposed-lease-id")
        if not same_id(proposed_id, self.id):
            self._check_is_holder(lease_id)
        self.id = proposed_id
        return proposed_id

    def release(self, lease_id: str | None) -> None:
        """Release the lease."""
        self._check_is_holder(lease_id)
        self.forget()

    def break_(self, now: datetime, period_seconds: int | None) -> int:
        """End the lease after its remaining time, or sooner; return the seconds until then."""
        if self.id is None:
            raise Refused(Problem.LEASE_NONE)
        left = 0 if self.expires is None else max(0, int((self.expires - now).total_seconds()))
        if period_seconds is not None:
            left = period_seconds if self.expires is None else min(left, period_seconds)
        self.breaks = now + timedelta(seconds=left)
        return left

    def forget(self) -> None:
        """Reset to the state without a lease."""
        self.id = self.expires = self.breaks = None
        self.duration_seconds = 0

    def _start(self, now: datetime) -> None:
        endless = self.duration_seconds == -1
        self.expires = None if endless else now + timedelta(seconds=self.duration_seconds)

    def _check_is_holder(self, lease_id: str | None) -> None:
        if self.id is None or not same_id(lease_id, self.id):
            raise Refused(Problem.LEASE_OTHER_ID)


def same_id(one: str | None, other: str | None) -> bool:
    """Return whether two lease ids are the same; they are GUIDs, so case does not matter."""
    return one is not None and other is not None and one.lower() == other.lower()
