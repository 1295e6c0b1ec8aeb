"""The progress of runs: of one, and of all from a listing of `_runs/`, without reading a record.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from pigment_export.delivery.receipt import ReceiptSummary, State
from pigment_export.lake.interface import ListedBlob
from pigment_export.lake.paths import Layout, RunFolder
from pigment_export.lake.records import decode
from pigment_export.runs.deployment import Runs
from pigment_export.runs.plan import Plan, PlanSummary

RECENT_DAYS, MOST_RECENT = 7, 50  # shown in a list of runs


@dataclass(frozen=True, slots=True)
class RunListing:
    """A run as a listing shows it.

    Attributes:
        run_id: the run.
        summary: of its plan; None if there is no `run.json`, or one without its metadata.
        planned_at: when `run.json` was written; None if there is none.
        receipts: their summaries, by export.
        written_at: when each was written.
        result: the metadata of `result.json`; None if there is none.
        ended_at: when the result was written.
        is_marked: whether there is a `_SUCCESS`.
    """

    run_id: str
    summary: PlanSummary | None = None
    planned_at: datetime | None = None
    receipts: Mapping[str, ReceiptSummary] = field(default_factory=dict)
    written_at: Mapping[str, datetime] = field(default_factory=dict)
    result: Mapping[str, str] | None = None
    ended_at: datetime | None = None
    is_marked: bool = False

    @property
    def state(self) -> str:
        """`running`, or the state in its result."""
        return "running" if self.result is None else self.result.get("state", str(State.FAILED))


def run_listings(layout: Layout, rows: Iterable[ListedBlob]) -> Iterator[RunListing]:
    """Group a listing's rows by run, as they come; memory holds one run at a time.

    Args:
        layout: paths in the lake.
        rows: of a listing, in its order; claims and files that are not records of runs are skipped.
    """
    for run_id, records in itertools.groupby(rows, lambda row: layout.run_at(row.path)):
        if run_id is not None:
            yield run_listing(layout.run(run_id), run_id, records)


def run_listing(folder: RunFolder, run_id: str, rows: Iterable[ListedBlob]) -> RunListing:
    """Return a run from the rows of its folder, without receipts that lost their metadata."""
    receipts: dict[str, ReceiptSummary] = {}
    written_at: dict[str, datetime] = {}
    others: dict[str, ListedBlob] = {}
    for row in rows:
        name = folder.name_of(row.path)
        if name is None:
            others[row.path] = row
        elif receipt := ReceiptSummary.listed(name, row.metadata):
            receipts[name] = receipt
            written_at[name] = row.written_at
    plan, result = others.get(folder.plan), others.get(folder.result)
    return RunListing(
        run_id=run_id,
        summary=PlanSummary.from_metadata(plan.metadata) if plan else None,
        planned_at=plan.written_at if plan else None,
        receipts=receipts,
        written_at=written_at,
        result=decode(result.metadata) if result else None,
        ended_at=result.written_at if result else None,
        is_marked=folder.success in others,
    )


def progress_of(runs: Runs, run_id: str) -> tuple[Plan, RunListing] | None:
    """Return the progress of a run of this deployment, with two requests for any size.

    Returns:
        Its plan, and the listing of its records; None if this deployment has no such run.

    Raises:
        PermanentError: its plan is not in this app's format.
        ExportError: the lake cannot be used.
    """
    plan = runs.plan_of(run_id)
    if plan is None or plan.deployment != runs.deployment:
        return None
    return plan, listing_of(runs, plan)


def listing_of(runs: Runs, plan: Plan) -> RunListing:
    """Return the listing of a run's records."""
    return run_listing(plan.folder, plan.run_id, runs.lake.list(f"{plan.folder.path}/"))


def recent_runs(
    runs: Runs, *, limit: int = MOST_RECENT, state: str | None = None, of_all: bool = False
) -> list[tuple[PlanSummary, RunListing]]:
    """Return the newest runs of this deployment, of the last days, with one listing per day.

    Args:
        runs: of this deployment.
        limit: largest number of runs.
        state: only runs in this state.
        of_all: include the runs of every deployment on this lake.

    Returns:
        The runs, newest first.

    Raises:
        ExportError: the lake cannot be used.
    """
    today = runs.lake.now().date()
    found: list[tuple[PlanSummary, RunListing]] = []
    for days in range(RECENT_DAYS):
        seen = runs.deadline.retry(partial(_claimed_on, runs, today - timedelta(days=days)))
        found += [
            (summary, run)
            for summary, run in seen
            if state in (None, run.state) and (of_all or summary.deployment == runs.deployment)
        ]
        if len(found) >= limit:
            break
    return found[:limit]


def _claimed_on(runs: Runs, day: date) -> list[tuple[PlanSummary, RunListing]]:
    """Return every deployment's runs of a day (UTC), newest first."""
    seen = list(run_listings(runs.layout, runs.lake.once.list(runs.layout.runs_of(day))))
    return [(run.summary, run) for run in reversed(seen) if run.summary]
