"""A lake with any number of records of ended runs. Its listing is generated while it is read, and never in memory."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from pigment_export.lake.interface import ListedBlob
from pigment_export.lake.paths import Layout


class ManyRecords:
    """A lake with the records of one ended run, and a listing with many copies of them, spread over a span of time.

    Args:
        records: the lake, with one ended run.
        layout: its paths.
        began: when the first copy was claimed.
        span: from the first copy to the last.
        count: number of records in all.
    """

    def __init__(self, records: Any, layout: Layout, began: datetime, span: timedelta, count: int) -> None:
        self.between: Callable[[], None] = lambda: None  # called before each row of the whole listing
        self._records = records
        self._layout = layout
        rows = [row for row in records.list(layout.runs) if not row.path.startswith(f"{layout.runs}_schedules/")]
        self._claim = next(row for row in rows if row.path.startswith(layout.claims))
        self._run = [row for row in rows if row is not self._claim]
        self.runs = count // len(rows)
        self._ids = [
            (began + number * span / self.runs, f"{began + number * span / self.runs:%Y%m%dT%H%M%SZ}-{number:016x}")
            for number in range(self.runs)
        ]

    def list(self, prefix: str) -> Iterable[ListedBlob]:
        if prefix == self._layout.runs:
            return self._listing()
        asked = [(at, run_id) for at, run_id in self._ids if prefix == f"{self._layout.run(run_id).path}/"]
        return [row for at, run_id in asked for row in self._copies(at, run_id)] or self._records.list(prefix)

    def _listing(self) -> Iterator[ListedBlob]:
        for row in self._rows():
            self.between()
            yield row

    def _rows(self) -> Iterator[ListedBlob]:
        for at, run_id in self._ids:
            yield self._copy(self._claim, self._layout.claim(run_id), at, run_id)
        for at, run_id in self._ids:
            yield from self._copies(at, run_id)

    def _copies(self, at: datetime, run_id: str) -> Iterator[ListedBlob]:
        folder = self._layout.run(run_id).path
        for row in self._run:
            yield self._copy(row, folder + row.path[len(folder) :], at, run_id)

    def _copy(self, row: ListedBlob, path: str, at: datetime, run_id: str) -> ListedBlob:
        own = {"pigment_run_id": run_id} if "pigment_run_id" in row.metadata else {}
        return ListedBlob(path, {**row.metadata, **own}, at, at, row.size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)
