"""The runs of one deployment: the parts that they need, and how their records are read.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from pigment_export.delivery.deliver import Fetch
from pigment_export.errors import ErrorRow, PermanentError, Who, shorten
from pigment_export.lake.call import CallLake
from pigment_export.lake.interface import StoredRecord
from pigment_export.lake.paths import Layout, is_run_id
from pigment_export.retry import Deadline
from pigment_export.runs.plan import Plan

UNREADABLE = ErrorRow(
    "record_unreadable",
    PermanentError,
    Who.ADMINISTRATOR,
    "find out who changed it, delete the run's folder, then start a new run",
)


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one deployment, within one call.

    Attributes:
        lake: within this call.
        layout: paths in the lake.
        deployment: the app's own name.
        time_zone: decides a file's date.
        hours: until a run expires.
        schedule: five cron fields, for exports without their own schedule; or `none`.
        fetch: opens the body of an export.
        new_nonce: returns 16 random hexadecimal digits.
    """

    lake: CallLake
    layout: Layout
    deployment: str
    time_zone: ZoneInfo
    hours: int
    schedule: str
    fetch: Fetch
    new_nonce: Callable[[], str]

    @property
    def deadline(self) -> Deadline:
        """The deadline of this call."""
        return self.lake.deadline

    def within(self, deadline: Deadline) -> "Runs":
        """Return the same runs for another call."""
        return replace(self, lake=CallLake(self.lake.once, deadline))

    def plan_of(self, run_id: str) -> Plan | None:
        """Return the plan of a run, or None if there is no run with that id.

        Raises:
            PermanentError: its `run.json` is not in this app's format.
            ExportError: the lake cannot be used.
        """
        if not is_run_id(run_id):
            return None
        path = self.layout.run(run_id).plan
        record = self.lake.read(path)
        return None if record.etag is None else plan_in(record, path)


def plan_in(record: StoredRecord, path: str) -> Plan:
    """Return the plan in a record.

    Args:
        record: a claim or a `run.json`, as read.
        path: its path, for the message.

    Raises:
        PermanentError: it is not in this app's format, or does not exist.
    """
    try:
        return Plan.from_json(record.data)
    except ValueError as exc:
        raise UNREADABLE.raised(f"{path} is not in this app's format: {shorten(str(exc))}") from exc
