"""One listing of all records, processed run by run: open runs, old runs, and each export's last success.

Memory holds a claim's path until its run is seen, and otherwise only what is open or to be removed, for any number of
runs.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from pigment_export.delivery.receipt import State
from pigment_export.lake.interface import ListedBlob
from pigment_export.lake.paths import claimed_at
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import RunListing, run_listings
from pigment_export.runs.plan import PlanSummary

ORPHANED = timedelta(days=1)  # after its expiry, any deployment ends a run: its app was renamed, or its laptop closed
CUT_OFF = timedelta(days=7)  # of a claim to repair: RETENTION_DAYS is at least 8, so run.json was not deleted
LEFT_SECONDS = 600.0  # of a pass, kept for the work itself: a longer listing is cut off


@dataclass(slots=True)
class Survey:
    """The result of one listing of all records, at one instant.

    Attributes:
        runs: of this deployment.
        now: the lake's clock.
        retention: how long records and held files are kept.
        unplanned: paths of claims whose trigger was cut off before `run.json`, by run id; during the listing, of all
            whose run was not yet seen.
        open: runs that may have to be ended.
        old: ids of runs whose records have been kept long enough.
        old_claims: paths of claims whose runs are deleted, by run id.
        folders: of the exports that have a receipt anywhere.
        succeeded_at: when each export last succeeded.
        held: paths of held files of receipts that stay.
        is_whole: whether the listing is complete; otherwise the newest runs are missing.
    """

    runs: Runs
    now: datetime
    retention: timedelta
    unplanned: dict[str, str] = field(default_factory=dict)
    open: list[RunListing] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    old_claims: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    succeeded_at: dict[str, datetime] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    is_whole: bool = True

    def take(self) -> Self:
        """List everything once.

        Raises:
            ExportError: the lake cannot be used.
        """
        layout, newest = self.runs.layout, ""
        for seen in run_listings(layout, self._without_claims(self.runs.lake.once.list(layout.runs))):
            if self.runs.deadline.remaining_seconds < LEFT_SECONDS:
                self.is_whole = False
                break
            newest = seen.run_id
            if seen.planned_at is not None or not self._is_young(seen.run_id):
                self.unplanned.pop(seen.run_id, None)
            self._take_in(seen)
        # A run that is newer than the last one in a listing that was cut off may be missing from it.
        claims = {run_id: path for run_id, path in self.unplanned.items() if self.is_whole or run_id < newest}
        self.old_claims = {run_id: path for run_id, path in claims.items() if not self._is_young(run_id)}
        self.unplanned = {
            run_id: path
            for run_id, path in claims.items()
            if self._is_young(run_id) and self.now - claimed_at(run_id) <= CUT_OFF
        }
        return self

    def is_mine(self, summary: PlanSummary | None) -> bool:
        """Return whether this deployment is responsible for a run; without a summary, its plan has to be read."""
        return summary is None or summary.deployment == self.runs.deployment or self._is_orphaned(summary)

    def _is_orphaned(self, summary: PlanSummary) -> bool:
        """Return whether a run expired so long ago that its deployment no longer exists."""
        return self.now >= summary.expires_at + ORPHANED

    def _without_claims(self, rows: Iterable[ListedBlob]) -> Iterator[ListedBlob]:
        """Yield the rows of runs, after taking in the claims, which come before them."""
        for row in rows:
            if not row.path.startswith(self.runs.layout.claims):
                yield row
            elif (summary := PlanSummary.from_metadata(row.metadata)) and (
                # Another deployment repairs its own claims; any deployment removes old ones.
                summary.deployment == self.runs.deployment or not self._is_young(summary.run_id)
            ):
                self.unplanned[summary.run_id] = row.path

    def _take_in(self, seen: RunListing) -> None:
        is_old = not self._is_young(seen.run_id) and (seen.result is not None or seen.planned_at is None)
        for name, receipt in seen.receipts.items():
            if receipt.folder:
                self.folders.add(receipt.folder)
            if receipt.state is State.HELD and not is_old:  # otherwise the file goes before its receipt
                self.held.add(receipt.path)
            if receipt.state.good and receipt.fetched_at:
                self.succeeded_at[name] = max(receipt.fetched_at, self.succeeded_at.get(name, receipt.fetched_at))
        if is_old:
            self.old.append(seen.run_id)
        elif seen.planned_at is not None and not self._is_closed(seen) and self.is_mine(seen.summary):
            self.open.append(seen)

    def _is_young(self, run_id: str) -> bool:
        return self.now - claimed_at(run_id) <= self.retention

    def _is_closed(self, seen: RunListing) -> bool:
        """Return whether a run can no longer change."""
        if seen.result is None:
            return False  # not even if the run is marked: a person may have removed its result
        return seen.is_marked or (seen.summary is not None and self._is_orphaned(seen.summary))
