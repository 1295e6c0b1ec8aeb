"""The data of the status page: each export's health, failures and held files. Its cost does not grow with history.

It reads `_latest.json` once per export, and makes one listing per day that it looks back.
Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from pigment_export.app.parts import App
from pigment_export.app.schemas import FailedExport, failed_export
from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import Latest
from pigment_export.delivery.receipt import ReceiptSummary, State
from pigment_export.errors import ExportError
from pigment_export.lake.paths import latest
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import RunListing, recent_runs
from pigment_export.runs.timetable import Freshness, freshness_of, next_occurrences, schedules_of

MOST_FAILURES = 20
MOST_BARS = 30  # in a chart: a month of days
READERS = 8  # parallel reads of `_latest.json`: a hundred exports take a second or two


class Word(StrEnum):
    """The health of an export, the most urgent first."""

    FAILING = "failing"
    HELD = "held"
    LATE = "late"
    ON_TIME = "on time"
    PAUSED = "paused"

    @property
    def symbol(self) -> str:
        """A shape next to the word, for readers who cannot tell the colours apart."""
        return {"failing": "✕", "held": "◆", "late": "▲", "on time": "●", "paused": "❚❚"}[self.value]


WELL = (Word.ON_TIME, Word.PAUSED)
_WORDS = {State.FAILED: Word.FAILING, State.HELD: Word.HELD}


@dataclass(frozen=True, slots=True)
class ExportHealth:
    """One export of the catalog.

    Attributes:
        name: the export's.
        owner: from the catalog.
        health: in one word.
        note: more about its health, often empty.
        latest: its last good file; None if there is none.
        rows: of its last files, oldest first.
        next_at: its next occurrence; None if it has no schedule.
    """

    name: str
    owner: str | None
    health: Word
    note: str
    latest: Latest | None
    rows: tuple[int, ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Failure:
    """An export that has not succeeded: its newest receipt with a class, and how many runs had the same failure."""

    run_id: str
    export: FailedExport
    times: int = 1

    @property
    def is_retrying(self) -> bool:
        """Whether it is retried automatically."""
        return self.export.state == State.RETRYING


@dataclass(frozen=True, slots=True)
class Overview:
    """The data of the page.

    Attributes:
        deployment: the app's own name.
        now: the lake's clock.
        time_zone: for the times on the page.
        exports: of the catalog, the most urgent first.
        failures: of recent runs, newest first.
        held: files that wait for a decision, newest first.
    """

    deployment: str
    now: datetime
    time_zone: ZoneInfo
    exports: tuple[ExportHealth, ...]
    failures: tuple[Failure, ...]
    held: tuple[Failure, ...]

    @property
    def counts(self) -> list[tuple[Word, int]]:
        """The number of exports of each health, without zeros."""
        words = [export.health for export in self.exports]
        return [(word, words.count(word)) for word in Word if word in words]

    @property
    def headline(self) -> str:
        """The page in a sentence."""
        bad = sum(number for word, number in self.counts if word not in WELL)
        if bad:
            return f"{bad} of {len(self.exports)} exports {'needs' if bad == 1 else 'need'} attention"
        return "All exports are on time" if self.exports else "No exports"


def overview_of(app: App) -> Overview:
    """Read the catalog, recent runs and each export's last files.

    Args:
        app: the parts.

    Raises:
        ExportError: the catalog is wrong, or the lake cannot be read.
    """
    now, runs, catalog = app.lake.now(), app.runs, app.catalog()
    receipts = [(run, name, receipt) for _, run in recent_runs(runs) for name, receipt in run.receipts.items()]
    seen = {name: (run, receipt) for run, name, receipt in reversed(receipts)}  # keep the newest of each
    files = _latest_files(runs, catalog.exports)
    schedules = schedules_of(runs)
    next_at = next_occurrences(runs, catalog, now)
    exports = []
    for export in catalog.exports:
        file = files.get(export.name)
        fetched_at = file.fetched_at if file else None
        hours = app.settings.freshness_hours
        fresh = freshness_of(runs, schedules, export, succeeded_at=fetched_at, hours=hours, now=now)
        health, note = _health_of(export, fetched_at, seen.get(export.name), fresh)
        rows = tuple(entry.rows for entry in (*reversed(file.previous), file)) if file else ()
        exports.append(
            ExportHealth(export.name, export.owner, health, note, file, rows[-MOST_BARS:], next_at[export.name])
        )
    bad = _failures(receipts)
    waiting = {export.name for export in exports if export.health is Word.HELD}
    held = {failure.export.name: failure for failure in reversed(bad) if failure.export.state == State.HELD}
    return Overview(
        deployment=runs.deployment,
        now=now,
        time_zone=runs.time_zone,
        exports=tuple(sorted(exports, key=lambda export: (list(Word).index(export.health), export.name))),
        failures=tuple(failure for failure in bad if failure.export.state != State.HELD)[:MOST_FAILURES],
        held=tuple(failure for name, failure in held.items() if name in waiting),
    )


def _failures(receipts: Iterable[tuple[RunListing, str, ReceiptSummary]]) -> list[Failure]:
    """Group the failures by export, state and class, newest first."""
    found: dict[tuple[str, State, str | None], Failure] = {}
    for run, name, receipt in receipts:
        if not receipt.state.good:
            key = (name, receipt.state, receipt.code)
            first = found.setdefault(key, Failure(run.run_id, failed_export(name, receipt, run), 0))
            found[key] = replace(first, times=first.times + 1)
    return list(found.values())


def _health_of(
    export: Export, fetched_at: datetime | None, seen: tuple[RunListing, ReceiptSummary] | None, fresh: Freshness
) -> tuple[Word, str]:
    """Return an export's health in a word, and a note."""
    if not export.enabled:
        return Word.PAUSED, "disabled in the catalog"
    health, note = Word.ON_TIME, ""
    if fresh.is_stale:
        health, note = Word.LATE, f"no good file within {fresh.hours} hours of when it was due"
    if seen and (fetched_at is None or seen[0].written_at[export.name] >= fetched_at):
        state, reason = seen[1].state, seen[1].reason or ""
        if state is State.RETRYING:
            note = f"being retried: {reason}"
        elif state in _WORDS:
            health, note = _WORDS[state], reason
    return health, note


def _latest_files(runs: Runs, exports: Iterable[Export]) -> Mapping[str, Latest]:
    """Read `_latest.json` of each export, several at once; one that is missing or unreadable is left out."""
    paths = {export.name: latest(runs.layout.folder(export.name)) for export in exports}

    def read(path: str) -> bytes | None:
        try:
            return runs.lake.once.read(path).data
        except ExportError:
            return None  # read again below: the host drops log lines from other threads than the function's

    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(read, paths.values()))
    files = {}
    for (name, path), first in zip(paths.items(), found, strict=True):
        if file := Latest.found_in(runs.lake.read(path).data if first is None else first):
            files[name] = file
    return files
