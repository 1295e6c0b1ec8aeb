"""Claims: each run is claimed once, with its whole plan. Repeating a claim is safe.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pigment_export.catalog.exports import Export
from pigment_export.errors import ConfigurationError, ConflictError, ErrorRow, PermanentError, Who
from pigment_export.events import Event, log
from pigment_export.lake.interface import StoredRecord
from pigment_export.lake.paths import new_run_id
from pigment_export.runs.deployment import Runs, plan_in
from pigment_export.runs.follow import listing_of
from pigment_export.runs.plan import ClaimRequest, Plan, PlannedExport

type Chosen = Sequence[Export] | Plan
"""Exports to fetch; or, for a release, the plan of the run that fetched, reduced to the held files."""
type Choose = Callable[[], Chosen]

KEY_USED = ErrorRow(
    "key_used_otherwise",
    PermanentError,
    Who.CALLER,
    "use a new Idempotency-Key for a new request, and the same key only to repeat the same request",
    what="this Idempotency-Key belongs to a run with another request",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of a request for a run.

    Attributes:
        plan: of the run, new or from an earlier claim.
        now: the lake's clock.
        pending: the exports to enqueue, which have no final receipt; none once the run has ended or expired.
        has_ended: whether the run has a result.
        is_planned: whether the run has a `run.json` to follow; False only if it expired before that was written.
    """

    plan: Plan
    now: datetime
    pending: tuple[str, ...]
    has_ended: bool = False
    is_planned: bool = True

    @property
    def is_expired(self) -> bool:
        """Whether it has expired: nothing more is fetched for it."""
        return self.now >= self.plan.expires_at


def claim_run(runs: Runs, request: ClaimRequest, choose: Choose) -> Claim:
    """Claim a run, or find and repair the run that was claimed with the same key.

    Args:
        runs: of this deployment.
        request: the request and its key.
        choose: reads the catalog and selects; called only if there is no claim yet.

    Returns:
        The run, and what to enqueue.

    Raises:
        ConfigurationError: there is nothing to claim: catalog, selection or date are wrong; nothing was changed.
        PermanentError: the key was used for another request.
        ExportError: the lake cannot be used.
    """
    path = runs.layout.claim("/".join(quote(part, safe="") for part in (request.trigger, runs.deployment, request.key)))
    chosen: Chosen | None = None
    for attempt in runs.deadline.attempts(ConflictError):  # another call's claim, or our own after a lost answer
        with attempt:
            record = runs.lake.once.read(path)
            if record.etag is not None:
                break
            chosen = _chosen(runs, request, choose, record.now) if chosen is None else chosen
            plan = new_plan(runs, request, chosen, record.now)
            runs.lake.write(path, plan.to_json(), plan.to_metadata(), replacing=None)
    if record.etag is not None:
        return _again(runs, request, path, record)
    publish_plan(runs, plan)
    return Claim(plan, record.now, plan.names)


def publish_plan(runs: Runs, plan: Plan) -> None:
    """Copy a claim's plan to `run.json`, which the run's id leads to, unless it is already there."""
    try:
        runs.deadline.retry(
            lambda: runs.lake.write(plan.folder.plan, plan.to_json(), plan.to_metadata(), replacing=None)
        )
    except ConflictError:
        return  # another call has copied it, or we have, and the answer was lost
    _log(Event.RUN_STARTED, plan, plan.asked_by, snapshot_date=str(plan.snapshot_date), exports=plan.names)


def _again(runs: Runs, request: ClaimRequest, path: str, record: StoredRecord) -> Claim:
    plan = plan_in(record, path)
    if plan.request != request.request:
        raise KEY_USED.raised(f"the run {plan.run_id}")
    claim = _found(runs, plan, record.now)
    state = {"pending": claim.pending, "ended": claim.has_ended, "expired": claim.is_expired}
    _log(Event.RUN_REPEATED, plan, request.asked_by, **state)
    return claim


def _log(event: Event, plan: Plan, asked_by: str, **fields: Any) -> None:
    log(event, run_id=plan.run_id, deployment=plan.deployment, trigger=plan.trigger, asked_by=asked_by, **fields)


def _found(runs: Runs, plan: Plan, now: datetime) -> Claim:
    if runs.lake.read(plan.folder.result).etag is not None:
        return Claim(plan, now, (), has_ended=True)
    if now >= plan.expires_at:
        planned = runs.lake.read(plan.folder.plan).etag is not None
        return Claim(plan, now, (), is_planned=planned)
    publish_plan(runs, plan)
    return Claim(plan, now, plan.pending(listing_of(runs, plan).receipts))


def _chosen(runs: Runs, request: ClaimRequest, choose: Choose, now: datetime) -> Chosen:
    """Select the exports; an error lists problems of the date together with those of the names."""
    try:
        return choose()
    except ConfigurationError as error:
        problems = date_problems(request.date_asked, now, runs.time_zone)
        if not problems or error.cause.code == "catalog":
            raise
        raise ConfigurationError([*error.problems, *problems], code=error.cause.code) from error


# The plan of a run


def new_plan(runs: Runs, request: ClaimRequest, chosen: Chosen, claimed_at: datetime) -> Plan:
    """Plan a run.

    Args:
        runs: of the deployment; the plan copies its current settings.
        request: for the run.
        chosen: validated, at least one. Held files keep their destination and their day.
        claimed_at: the lake's clock.

    Raises:
        ConfigurationError: the date is in the future.
    """
    run_id = new_run_id(claimed_at, runs.new_nonce())
    day = _day_for(request, claimed_at, runs.time_zone)
    plan = Plan(
        run_id=run_id,
        folder=runs.layout.run(run_id),
        deployment=runs.deployment,
        trigger=request.trigger,
        asked_by=request.asked_by,
        request=dict(request.request),
        claimed_at=claimed_at,
        snapshot_date=day,
        day_ends_at=_end_of(day, runs.time_zone),
        date_asked=request.date_asked is not None,
        expires_at=claimed_at + timedelta(hours=runs.hours),
        exports=(),
    )
    if isinstance(chosen, Plan):
        taken = ("snapshot_date", "day_ends_at", "date_asked", "exports")
        return plan.model_copy(update={name: getattr(chosen, name) for name in taken})
    exports = tuple(_plan_export(runs, request, plan, export) for export in chosen)
    return plan.model_copy(update={"exports": exports})


def _plan_export(runs: Runs, request: ClaimRequest, plan: Plan, export: Export) -> PlannedExport:
    day = _day_for(request, plan.claimed_at, export.zone or runs.time_zone)
    destination = runs.layout.destination(export.name, snapshot_date=day, run_id=plan.run_id, is_compressed=export.gzip)
    own = {"snapshot_date": day, "day_ends_at": _end_of(day, export.zone)} if export.zone else {}
    return PlannedExport(export=export, **asdict(destination), **own)


def date_problems(asked: date | None, now: datetime, zone: ZoneInfo) -> list[str]:
    """Return what is wrong with a requested date.

    Args:
        asked: the date, or None.
        now: the lake's clock.
        zone: the deployment's time zone.
    """
    today = now.astimezone(zone).date()
    if asked is None or asked <= today:
        return []
    return [f"date: {asked} is in the future: in {zone.key} it is {today}, and Pigment has only current data"]


def _day_for(request: ClaimRequest, now: datetime, zone: ZoneInfo) -> date:
    """Return the requested date; or the occurrence's day, if that is not over; or today."""
    today = now.astimezone(zone).date()
    if request.date_asked is not None:
        if problems := date_problems(request.date_asked, now, zone):
            raise ConfigurationError(problems, code="date_in_future")
        return request.date_asked
    day = request.occurrence.astimezone(zone).date() if request.occurrence else today
    return day if now < _end_of(day, zone) else today


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
