"""What one export of a run needs: fixed when the run is planned, and the same for every try. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from pigment_export.catalog.exports import Export
from pigment_export.lake.paths import Destination
from pigment_export.lake.records import Instant


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A held file that a run releases, as its receipt describes it.

    Attributes:
        path: where it lies.
        fetched_at: when Pigment was asked for it.
        bytes: its size.
        sha256: hexadecimal.
    """

    path: str
    fetched_at: Instant
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Task:
    """One export of one run.

    Attributes:
        run_id: the run.
        deployment: whose run it is.
        export: what to fetch.
        destination: where it goes.
        receipt_path: where its receipt goes.
        snapshot_date: the day that the file stands for.
        replaces_until: a file that was fetched later than this never replaces another.
        expires_at: from then on nothing is fetched.
    """

    run_id: str
    deployment: str
    export: Export
    destination: Destination
    receipt_path: str
    snapshot_date: date
    replaces_until: datetime
    expires_at: datetime

    def may_replace(self, fetched_at: datetime) -> bool:
        """Return whether a file that was fetched at an instant may replace an older one.

        Pigment can't be asked for the past: once the day is over, its answer only fills a gap.
        """
        return self.destination.replaces and fetched_at <= self.replaces_until
