"""The data of one export of a run: fixed when the run is planned, the same for every attempt. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from pigment_export.catalog.exports import Export
from pigment_export.lake.paths import Destination
from pigment_export.lake.records import Instant


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A held file that a run releases, as its receipt describes it.

    Attributes:
        path: its path.
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
        deployment: the run's deployment.
        export: its definition.
        destination: of its file.
        receipt_path: path of its receipt.
        snapshot_date: the day that the file stands for.
        replaces_until: a file fetched after this never replaces another.
        expires_at: nothing is fetched after this.
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

        Pigment has only current data: once the day is over, a fetch may only fill a gap.
        """
        return self.destination.replaces and fetched_at <= self.replaces_until
