"""One listing of all records, taken in run by run: what is open, what is old, and what each export came to.

Memory holds a claim's path until its run is seen, and otherwise only what is open or to be removed, however many runs
there were.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pigment_export.delivery.receipt import State
from pigment_export.lake.interface import ListedBlob
from pigment_export.lake.paths import claimed_at
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import RunListing, run_listings
from pigment_export.runs.plan import PlanSummary

ORPHANED = timedelta(days=1)  # past its expiry, any deployment ends a run: its app was renamed, its laptop closed
LEFT_SECONDS = 600.0  # of a pass, for the work itself: a listing that takes longer is cut off


@dataclass(slots=True)
class Survey:
    """What one listing of all records told.

    Attributes:
        unplanned: paths of claims whose run has no `run.json`, by run id.
        open: runs that may have to be brought to their end.
        old: ids of runs whose records have been kept long enough.
        old_claims: paths of claims whose runs are gone.
        folders: of the exports that have a receipt anywhere.
        succeeded_at: when each export was last fetched with success.
        held: paths of held files that a receipt names which stays.
        is_whole: whether the listing came to its end; else the newest runs are not in it.
    """

    unplanned: dict[str, str] = field(default_factory=dict)
    open: list[RunListing] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    old_claims: list[str] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    succeeded_at: dict[str, datetime] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    is_whole: bool = True


def take_survey(runs: Runs, now: datetime, retention: timedelta, deadline: Deadline) -> Survey:
    """List everything once.

    Args:
        runs: of this deployment.
        now: the lake's clock.
        retention: how long records and held files are kept.
        deadline: of the pass.

    Raises:
        ExportError: the lake cannot be used.
    """
    return _Survey(runs, now, retention, deadline).take()


def is_mine(runs: Runs, summary: PlanSummary | None, now: datetime) -> bool:
    """Return whether a run is for this deployment to look after; one without a summary has to be read to tell.

    Args:
        runs: of this deployment.
        summary: of the run's plan.
        now: the lake's clock.
    """
    return summary is None or summary.deployment == runs.deployment or is_orphaned(summary, now)


def is_orphaned(summary: PlanSummary, now: datetime) -> bool:
    """Return whether a run expired so long ago that its own deployment must be gone."""
    return now >= summary.expires_at + ORPHANED


@dataclass(slots=True)
class _Survey:
    """The listing as it is taken in."""

    runs: Runs
    now: datetime
    retention: timedelta
    deadline: Deadline
    claims: dict[str, str] = field(default_factory=dict)  # paths by run; they come before all runs
    survey: Survey = field(default_factory=Survey)

    def take(self) -> Survey:
        layout, newest = self.runs.layout, ""
        for seen in run_listings(layout, self._without_claims(self.runs.records.list(layout.runs))):
            if self.deadline.remaining_seconds < LEFT_SECONDS:
                self.survey.is_whole = False
                break
            newest = seen.run_id
            if seen.planned_at is not None or not self._is_young(seen.run_id):
                self.claims.pop(seen.run_id, None)
            self._take_in(seen)
        for run_id, path in self.claims.items():
            if not self._is_young(run_id):
                self.survey.old_claims.append(path)
            elif self.survey.is_whole or run_id < newest:  # a newer run may just not have been seen
                self.survey.unplanned[run_id] = path
        return self.survey

    def _without_claims(self, rows: Iterable[ListedBlob]) -> Iterator[ListedBlob]:
        for row in rows:
            if not row.path.startswith(self.runs.layout.claims):
                yield row
            elif (summary := PlanSummary.from_metadata(row.metadata)) and (
                # Another deployment's is left alone: it may have removed that run's records, and remove the claim next.
                summary.deployment == self.runs.deployment or not self._is_young(summary.run_id)
            ):
                self.claims[summary.run_id] = row.path

    def _take_in(self, seen: RunListing) -> None:
        survey = self.survey
        is_old = not self._is_young(seen.run_id) and (seen.result is not None or seen.planned_at is None)
        for name, receipt in seen.receipts.items():
            if receipt.folder:
                survey.folders.add(receipt.folder)
            if receipt.state is State.HELD and not is_old:  # else the file goes with the receipt, and before it
                survey.held.add(receipt.path)
            if receipt.state.good and receipt.fetched_at:
                survey.succeeded_at[name] = max(receipt.fetched_at, survey.succeeded_at.get(name, receipt.fetched_at))
        if is_old:
            survey.old.append(seen.run_id)
        elif seen.planned_at is not None and not self._is_closed(seen) and is_mine(self.runs, seen.summary, self.now):
            survey.open.append(seen)

    def _is_young(self, run_id: str) -> bool:
        return self.now - claimed_at(run_id) <= self.retention

    def _is_closed(self, seen: RunListing) -> bool:
        """Whether nothing of a run can change any more."""
        if seen.result is None:
            return False  # not even of a run that is marked: a person may have removed it
        return seen.is_marked or (seen.summary is not None and is_orphaned(seen.summary, self.now))
