"""Runs: claimed once with their whole plan, repeated without harm, delivered from the plan by whoever comes.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pigment_export.catalog.exports import Export
from pigment_export.delivery.deliver import Delivery, Fetch
from pigment_export.delivery.receipt import Standing, result_fields
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.errors import (
    Cause,
    ConfigurationError,
    ConflictError,
    RefusedError,
    RetryableError,
    UnreadableError,
    Who,
    shorten,
)
from pigment_export.events import Event, log
from pigment_export.lake.interface import Files, Lake, Record, Records
from pigment_export.lake.paths import Layout, is_run_id, new_run_id
from pigment_export.retry import Deadline
from pigment_export.runs.finish import end_run, pending_in, standings_in
from pigment_export.runs.follow import RunSeen, runs_seen
from pigment_export.runs.plan import Header, Plan, PlannedExport, new_plan
from pigment_export.transfer.stream import Progress

RECENT_DAYS, MOST_RECENT = 7, 50  # that a list of runs shows

type Choose = Callable[[], Sequence[Export]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What asks for a run.

    Attributes:
        trigger: `schedule`, `http` or `cli`: nobody can spell another's key.
        key: what makes it one and the same run when it is asked for again.
        asked_by: who asks.
        request: what is asked for, as JSON, normalised: a repeat must ask for the same.
        occurrence: of the schedule.
        date_asked: the snapshot date that the caller named.
    """

    trigger: str
    key: str
    asked_by: str
    request: Mapping[str, Any] = field(default_factory=dict)
    occurrence: datetime | None = None
    date_asked: date | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of asking.

    Attributes:
        plan: the run's, new or of an earlier claim.
        now: the lake's clock.
        pending: the exports that have no final receipt and are to be enqueued; none once the run has ended or expired.
        is_planned: whether the run has a plan that anybody can follow; False only where it expired before.
    """

    plan: Plan
    now: datetime
    pending: tuple[str, ...]
    is_planned: bool = True

    @property
    def is_expired(self) -> bool:
        """Whether nothing is fetched for it any more."""
        return self.now >= self.plan.expires_at


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is.

    Attributes:
        plan: the run's.
        result: of `result.json`, once every receipt is final; else None.
        standings: of the receipts that are there, by export; only looked for while there is no result.
    """

    plan: Plan
    result: Mapping[str, Any] | None
    standings: Mapping[str, Standing]


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

    def claim(self, asked: Asked, choose: Choose, deadline: Deadline) -> Claimed:
        """Claim a run, or find the one that was claimed with the same key: that is healed, and nothing is asked twice.

        Args:
            asked: by whom, and what makes it one run.
            choose: reads the catalog and chooses the exports; only called where nothing is claimed yet.
            deadline: of this call.

        Returns:
            The run, and what is to be enqueued.

        Raises:
            ConfigurationError: there is nothing to claim: catalog, choice or date are wrong; nothing was touched.
            RefusedError: the key was used for another request.
            ExportError: the lake cannot be used.
        """
        path = self.layout.claim("/".join(quote(part, safe="") for part in (asked.trigger, self.deployment, asked.key)))
        chosen: Sequence[Export] | None = None
        attempt = 0
        while True:
            record = deadline.retry(lambda: self.records.read(path))
            if record.etag is not None:
                return self._again(asked, path, record, deadline)
            chosen = choose() if chosen is None else chosen
            plan = self._plan(asked, chosen, record.now)
            try:
                self.records.write(path, plan.to_json(), plan.header.to_metadata(), replacing=None)
            except (ConflictError, RetryableError) as error:
                deadline.again(error, attempt)  # somebody else's claim, or our own whose answer was lost
                attempt += 1
            else:
                self.publish_plan(plan, deadline)
                return Claimed(plan, record.now, plan.names)

    def claim_occurrence(self, occurrence: datetime | None, choose: Choose, deadline: Deadline) -> Claimed:
        """Claim the run of one occurrence of the schedule, however often and however late the timer fires for it.

        Where its run has expired, and today is later than its snapshot date, it runs once more on such a day: an outage
        of days ends with the present, not with a gap.

        Args:
            occurrence: what the host says is due; None where it doesn't say: then it is the present minute's.
            choose: as for `claim`.
            deadline: of this call.

        Returns:
            The run, and what is to be enqueued.

        Raises:
            ConfigurationError: as for `claim`.
            ExportError: the lake cannot be used.
        """
        due = occurrence or deadline.retry(self.now).replace(second=0)
        asked = Asked("schedule", due.isoformat(), "schedule", {"occurrence": due.isoformat()}, occurrence=due)
        claimed = self.claim(asked, choose, deadline)
        today = claimed.now.astimezone(self.time_zone).date()
        if claimed.is_expired and today > claimed.plan.snapshot_date:
            claimed = self.claim(replace(asked, key=f"{asked.key}/{today}"), choose, deadline)
        return claimed

    def _again(self, asked: Asked, path: str, record: Record, deadline: Deadline) -> Claimed:
        plan = _plan_in(record, path)
        if plan.request != asked.request:
            raise RefusedError(
                Cause(
                    "key_used_otherwise",
                    f"this key has claimed the run {plan.run_id}, with another request",
                    Who.CATALOG,
                    "take a new key for a new request, and the same one only to repeat the same",
                )
            )
        if deadline.retry(lambda: self.records.read(plan.folder.result)).etag is not None:
            return Claimed(plan, record.now, ())
        if record.now >= plan.expires_at:
            planned = deadline.retry(lambda: self.records.read(plan.folder.plan)).etag is not None
            return Claimed(plan, record.now, (), is_planned=planned)
        self.publish_plan(plan, deadline)
        return Claimed(plan, record.now, self.pending(plan, deadline))

    def _plan(self, asked: Asked, chosen: Sequence[Export], now: datetime) -> Plan:
        try:
            return new_plan(
                chosen,
                run_id=new_run_id(now, self.new_nonce()),
                layout=self.layout,
                deployment=self.deployment,
                trigger=asked.trigger,
                asked_by=asked.asked_by,
                request=asked.request,
                claimed_at=now,
                occurrence=asked.occurrence,
                date_asked=asked.date_asked,
                time_zone=self.time_zone,
                hours=self.hours,
            )
        except ValueError as exc:
            raise ConfigurationError([f"date: {exc}"], code="date_in_future") from exc

    def publish_plan(self, plan: Plan, deadline: Deadline) -> None:
        """Copy a claim's plan to where everybody finds it by the run's id, unless it is there.

        Args:
            plan: of the claim.
            deadline: of this call.
        """

        def write() -> bool:
            try:
                self.records.write(plan.folder.plan, plan.to_json(), plan.header.to_metadata(), replacing=None)
            except ConflictError:
                return False  # another has copied it, or we had and the answer was lost
            return True

        if deadline.retry(write):
            log(
                Event.RUN_STARTED,
                run_id=plan.run_id,
                deployment=plan.deployment,
                trigger=plan.trigger,
                asked_by=plan.asked_by,
                snapshot_date=str(plan.snapshot_date),
                exports=plan.names,
            )

    def pending(self, plan: Plan, deadline: Deadline) -> tuple[str, ...]:
        """The exports of a run that have no final receipt, by one listing."""
        return pending_in(plan, self._standings(plan, deadline))

    def plan_of(self, run_id: str, deadline: Deadline) -> Plan | None:
        """The plan of a run; None where there is none of that id, or it is no id at all.

        Args:
            run_id: any text.
            deadline: of this call.

        Raises:
            UnreadableError: its `run.json` is not what this app writes.
            ExportError: the lake cannot be used.
        """
        if not is_run_id(run_id):
            return None
        path = self.layout.run(run_id).plan
        record = deadline.retry(lambda: self.records.read(path))
        return None if record.etag is None else _plan_in(record, path)

    def claimed_at(self, path: str, deadline: Deadline) -> Plan:
        """The plan in a claim.

        Args:
            path: of the claim.
            deadline: of this call.

        Raises:
            UnreadableError: the claim is not what this app writes, or gone.
            ExportError: the lake cannot be used.
        """
        return _plan_in(deadline.retry(lambda: self.records.read(path)), path)

    def status(self, run_id: str, deadline: Deadline) -> Status | None:
        """How far a run of this deployment is, by at most three requests, whatever its size.

        Args:
            run_id: any text.
            deadline: of this call.

        Returns:
            The status; None where this deployment has no such run.

        Raises:
            UnreadableError: its records are not what this app writes.
            ExportError: the lake cannot be used.
        """
        plan = self.plan_of(run_id, deadline)
        if plan is None or plan.deployment != self.deployment:
            return None
        record = deadline.retry(lambda: self.records.read(plan.folder.result))
        if record.etag is not None:
            return Status(plan, _result_in(record, plan.folder.result), {})
        return Status(plan, None, self._standings(plan, deadline))

    def recent(self, deadline: Deadline) -> list[tuple[Header, RunSeen]]:
        """The newest runs of this deployment, of the last days, by one listing a day.

        Args:
            deadline: of this call.

        Returns:
            Newest first.

        Raises:
            ExportError: the lake cannot be used.
        """
        today = deadline.retry(self.now).date()
        found: list[tuple[Header, RunSeen]] = []
        for days in range(RECENT_DAYS):
            found += deadline.retry(partial(self._claimed_on, today - timedelta(days=days)))
            if len(found) >= MOST_RECENT:
                break
        return found[:MOST_RECENT]

    def _claimed_on(self, day: date) -> list[tuple[Header, RunSeen]]:
        """This deployment's runs of a day (UTC), newest first."""
        seen = list(runs_seen(self.layout, self.records.list(self.layout.runs_of(day))))
        return [(run.header, run) for run in reversed(seen) if run.header and run.header.deployment == self.deployment]

    def deliver(
        self,
        plan: Plan,
        planned: PlannedExport,
        deadline: Deadline,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> Standing:
        """Bring one export of a run to a final receipt, then the run to its end if this was the last.

        Args:
            plan: the run.
            planned: the export.
            deadline: of this call.
            progress: told how far the transfer is.

        Returns:
            The receipt that stands.
        """
        delivery = Delivery(
            Lake(self.files, self.records),
            plan.task(planned),
            deadline,
            fetch=self.fetch,
            new_nonce=self.new_nonce,
            progress=progress,
        )
        receipt = delivery.deliver()
        end_run(self.records, plan, deadline)
        return receipt

    def give_up(self, plan: Plan, causes: Mapping[str, Cause], deadline: Deadline) -> dict[str, Standing]:
        """Bring exports of a run to a final receipt without asking Pigment, then the run to its end if it has come.

        Args:
            plan: the run.
            causes: why each is given up, by its name; a file of this run that is there is told as succeeded all the
                same. With none, only result and marker are made to agree with the receipts.
            deadline: of this call.

        Returns:
            The receipts that stand, by name.
        """
        settled = {
            planned.export.name: self._reconciler(plan, planned, deadline).record_failed(causes[planned.export.name])
            for planned in plan.exports
            if planned.export.name in causes
        }
        end_run(self.records, plan, deadline)
        return settled

    def last_reason(self, plan: Plan, planned: PlannedExport, deadline: Deadline) -> Cause | None:
        """Why the last try of an export failed, as its receipt says; None where it doesn't."""
        standing = self._reconciler(plan, planned, deadline).standing()
        return standing.cause if standing else None

    def _reconciler(self, plan: Plan, planned: PlannedExport, deadline: Deadline) -> Reconciler:
        return Reconciler(Lake(self.files, self.records), plan.task(planned), deadline)

    def _standings(self, plan: Plan, deadline: Deadline) -> Mapping[str, Standing]:
        return standings_in(plan, deadline.retry(lambda: list(self.records.list(f"{plan.folder.path}/"))))


def _plan_in(record: Record, path: str) -> Plan:
    try:
        return Plan.from_json(record.data)
    except ValueError as exc:
        raise _unreadable(path, exc) from exc


def _result_in(record: Record, path: str) -> Mapping[str, Any]:
    try:
        return result_fields(record.data)
    except ValueError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: str, exc: ValueError) -> UnreadableError:
    return UnreadableError(
        Cause(
            "record_unreadable",
            f"{path} is not what this app writes: {shorten(str(exc))}",
            Who.ADMINISTRATOR,
            "see who changed it; delete the folder of this run, and start a new one",
        )
    )
