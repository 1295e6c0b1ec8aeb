"""What a listing of `_runs/` tells of every run, without reading a record: metadata carry what matters. Pure."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pigment_export.delivery.receipt import Standing, State
from pigment_export.lake.interface import Listed
from pigment_export.lake.paths import Layout
from pigment_export.lake.records import decode
from pigment_export.runs.plan import Header


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run as a listing shows it.

    Attributes:
        run_id: the run.
        header: of its plan; None where there is no `run.json`, or one without its metadata.
        planned_at: when `run.json` was written; None where there is none.
        receipts: what they say, by export.
        last_sign_at: when a receipt was last written; None where there is none.
        result: the metadata of `result.json`; None where there is none.
        is_marked: whether `_SUCCESS` is there.
    """

    run_id: str
    header: Header | None = None
    planned_at: datetime | None = None
    receipts: Mapping[str, Standing] = field(default_factory=dict)
    last_sign_at: datetime | None = None
    result: Mapping[str, str] | None = None
    is_marked: bool = False

    @property
    def state(self) -> str:
        """`running`, or what the run came to, as its result says."""
        return "running" if self.result is None else self.result.get("state", str(State.FAILED))


def runs_seen(layout: Layout, rows: Iterable[Listed]) -> Iterator[RunSeen]:
    """Gather a listing's rows by run, as they come: one run is held at a time, however many there are.

    Args:
        layout: where things are.
        rows: of a listing, in its order; claims and what is no run's record are passed over.

    Yields:
        Each run.
    """
    for run_id, records in itertools.groupby(rows, lambda row: layout.run_at(row.path)):
        if run_id is not None:
            yield _seen(layout, run_id, records)


def _seen(layout: Layout, run_id: str, rows: Iterable[Listed]) -> RunSeen:
    folder = layout.run(run_id)
    receipts: dict[str, Standing] = {}
    written: list[datetime] = []
    others: dict[str, Listed] = {}
    for row in rows:
        name = folder.name_of(row.path)
        if name is None:
            others[row.path] = row
        elif standing := Standing.from_metadata(row.metadata):
            receipts[name] = standing
            written.append(row.written_at)
    plan, result = others.get(folder.plan), others.get(folder.result)
    return RunSeen(
        run_id=run_id,
        header=Header.from_metadata(plan.metadata) if plan else None,
        planned_at=plan.written_at if plan else None,
        receipts=receipts,
        last_sign_at=max(written, default=None),
        result=decode(result.metadata) if result else None,
        is_marked=folder.success in others,
    )
