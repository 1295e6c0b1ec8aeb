"""A lake with any number of records of ended runs: its listing is made as it is read, and never there as a whole."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from pigment_export.lake.interface import ListedBlob
from pigment_export.lake.paths import Layout


class ManyRecords:
    """The records of a lake, beside copies of one ended run for every few seconds of a span.

    Args:
        records: of the lake; that of one ended run are what is copied.
        layout: where things are.
        began: when the first copy was claimed.
        span: over which they are spread.
        count: how many records there are to be in all.
    """

    def __init__(self, records: Any, layout: Layout, began: datetime, span: timedelta, count: int) -> None:
        self.between: Callable[[], None] = lambda: None  # called before each row
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
        return self._listing() if prefix == self._layout.runs else self._records.list(prefix)

    def _listing(self) -> Iterator[ListedBlob]:
        for at, run_id in self._ids:
            yield self._copy(self._claim, self._layout.claim(run_id), at, run_id)
        for at, run_id in self._ids:
            folder = self._layout.run(run_id).path
            for row in self._run:
                yield self._copy(row, folder + row.path[len(self._layout.run(run_id).path) :], at, run_id)

    def _copy(self, row: ListedBlob, path: str, at: datetime, run_id: str) -> ListedBlob:
        self.between()
        own = {"pigment_run_id": run_id} if "pigment_run_id" in row.metadata else {}
        return ListedBlob(path, {**row.metadata, **own}, at, at, row.size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)
