"""Runs: started once with their whole plan, and delivered from it by whoever comes.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pigment_export.deadline import Deadline
from pigment_export.delivery import Delivery, Fetch
from pigment_export.errors import Cause, ConfigurationError, ConflictError
from pigment_export.events import Event, log
from pigment_export.exports import Export
from pigment_export.layout import Layout, new_run_id
from pigment_export.plan import Plan, PlannedExport, new_plan
from pigment_export.ports import Files, Records
from pigment_export.receipts import Standing
from pigment_export.settling import Settling
from pigment_export.transfer import Progress


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one deployment.

    Attributes:
        files: the lake's files.
        records: the lake's records.
        now: the lake's clock, by one request.
        layout: where things go.
        deployment: the app's own name.
        time_zone: whose days the snapshot dates are.
        hours: until a run expires.
        fetch: opens the body of an export.
        new_nonce: 16 hexadecimal digits that nobody else has.
    """

    files: Files
    records: Records
    now: Callable[[], datetime]
    layout: Layout
    deployment: str
    time_zone: ZoneInfo
    hours: int
    fetch: Fetch
    new_nonce: Callable[[], str]

    def start(
        self,
        exports: Sequence[Export],
        *,
        trigger: str,
        asked_by: str,
        deadline: Deadline,
        date_asked: date | None = None,
    ) -> Plan:
        """Plan a run and write its plan.

        Args:
            exports: what to export; at least one.
            trigger: what started it.
            asked_by: who asked.
            deadline: of this call.
            date_asked: the snapshot date that the caller named.

        Returns:
            The plan, which is in the lake now.

        Raises:
            ConfigurationError: the date lies in the future.
            ExportError: the lake cannot be used.
        """
        claimed_at = deadline.retry(self.now)
        run_id = new_run_id(claimed_at, self.new_nonce())
        try:
            plan = new_plan(
                exports,
                run_id=run_id,
                layout=self.layout,
                deployment=self.deployment,
                trigger=trigger,
                asked_by=asked_by,
                claimed_at=claimed_at,
                date_asked=date_asked,
                time_zone=self.time_zone,
                hours=self.hours,
            )
        except ValueError as exc:
            raise ConfigurationError([str(exc)], code="date_in_future") from exc
        deadline.retry(lambda: self._write_plan(plan))
        log(Event.RUN_STARTED, run_id=run_id, trigger=trigger, asked_by=asked_by, exports=plan.names)
        return plan

    def deliver(
        self,
        plan: Plan,
        planned: PlannedExport,
        deadline: Deadline,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> Standing:
        """Bring one export of a run to a final receipt; see `Delivery.deliver`.

        Args:
            plan: the run.
            planned: the export.
            deadline: of this call.
            progress: told how far the transfer is.

        Returns:
            The receipt that stands.
        """
        return Delivery(
            self.files,
            self.records,
            plan,
            planned,
            deadline,
            fetch=self.fetch,
            new_nonce=self.new_nonce,
            progress=progress,
        ).deliver()

    def give_up(self, plan: Plan, planned: PlannedExport, cause: Cause, deadline: Deadline) -> Standing:
        """Bring one export of a run to a final receipt without asking Pigment; see `Settling.fail`.

        Args:
            plan: the run.
            planned: the export.
            cause: why it is given up; a file of this run that is there is told as succeeded all the same.
            deadline: of this call.

        Returns:
            The receipt that stands.
        """
        return Settling(self.files, self.records, plan, planned, deadline).fail(cause)

    def _write_plan(self, plan: Plan) -> None:
        try:
            self.records.write(plan.folder.plan, plan.to_json(), {}, replacing=None)
        except ConflictError:
            return  # our own write, whose answer was lost: nobody else can have guessed the id
