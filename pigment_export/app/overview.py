"""What the status page shows: each export's health, failures and held files, at a cost that no history raises.

One read of `_latest.json` for each export, and one listing for each day that is looked back.
Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from zoneinfo import ZoneInfo

from pigment_export.app.latest_files import latest_files
from pigment_export.app.parts import App
from pigment_export.app.schemas import FailedExport
from pigment_export.app.views import failed_export
from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import Latest
from pigment_export.delivery.receipt import ReceiptSummary, State
from pigment_export.retry import Deadline
from pigment_export.runs.follow import RECENT_DAYS, RunListing, recent_runs
from pigment_export.runs.timetable import Freshness, freshness_of, next_occurrences, schedules_of

MOST_FAILURES = 20
MOST_BARS = 30  # of a chart: a month of days


class Word(StrEnum):
    """The health of an export, the most urgent first."""

    FAILING = "failing"
    HELD = "held"
    LATE = "late"
    ON_TIME = "on time"
    PAUSED = "paused"

    @property
    def symbol(self) -> str:
        """A shape beside the word, for eyes that see no colour."""
        return {"failing": "✕", "held": "◆", "late": "▲", "on time": "●", "paused": "❚❚"}[self.value]


@dataclass(frozen=True, slots=True)
class ExportHealth:
    """One export of the catalog.

    Attributes:
        name: the export's.
        owner: as the catalog names them.
        health: in a word.
        note: what to add to it; empty for nothing.
        latest: its last good file; None where there is none.
        rows: of its last files, oldest first.
        next_at: its next occurrence; None where it has no schedule.
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
    """An export that has not succeeded: its newest receipt of a class, and how many runs met the same."""

    run_id: str
    export: FailedExport
    times: int = 1

    @property
    def is_retrying(self) -> bool:
        """Whether it is retried by itself."""
        return self.export.state == State.RETRYING


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows.

    Attributes:
        deployment: the app's own name.
        version: of the app.
        now: the lake's clock.
        time_zone: to show times in.
        exports: of the catalog, the most urgent first.
        failures: of recent runs, newest first.
        held: files that wait for a decision, newest first.
        days: that were looked back.
    """

    deployment: str
    version: str
    now: datetime
    time_zone: ZoneInfo
    exports: tuple[ExportHealth, ...]
    failures: tuple[Failure, ...]
    held: tuple[Failure, ...]
    days: int = RECENT_DAYS

    @property
    def counts(self) -> list[tuple[Word, int]]:
        """How many exports are of each health that occurs."""
        words = [export.health for export in self.exports]
        return [(word, words.count(word)) for word in Word if word in words]

    @property
    def headline(self) -> str:
        """The page in a sentence."""
        bad = sum(number for word, number in self.counts if word not in (Word.ON_TIME, Word.PAUSED))
        if bad:
            return f"{bad} of {len(self.exports)} exports {'needs' if bad == 1 else 'need'} attention"
        return "All exports are on time" if self.exports else "No exports"


def overview_of(app: App, deadline: Deadline) -> Overview:
    """Look at the catalog, at recent runs and at each export's last files.

    Args:
        app: the parts.
        deadline: of this call.

    Raises:
        ExportError: the catalog is wrong, or the lake cannot be read.
    """
    now = deadline.retry(app.runs.now)
    catalog = app.catalog(deadline)
    runs = recent_runs(app.runs, deadline)
    told = list(_receipts(run for _, run in runs))
    seen = {name: (run, receipt) for run, name, receipt in reversed(told)}  # the newest of each stays
    files = latest_files(app.runs, catalog.exports, deadline)
    schedules = deadline.retry(partial(schedules_of, app.runs))
    hours = app.settings.freshness_hours
    freshness = partial(freshness_of, app.runs, schedules, hours=hours, now=now)
    next_at = next_occurrences(app.runs, catalog, now)
    exports = [
        _health_of(
            export,
            files.get(export.name),
            seen.get(export.name),
            freshness=freshness,
            next_at=next_at[export.name],
        )
        for export in catalog.exports
    ]
    bad = _failures(told)
    waiting = {export.name for export in exports if export.health is Word.HELD}
    held = {failure.export.name: failure for failure in reversed(bad) if failure.export.state == State.HELD}
    return Overview(
        deployment=app.settings.deployment,
        version=app.version,
        now=now,
        time_zone=app.runs.time_zone,
        exports=tuple(sorted(exports, key=lambda export: (list(Word).index(export.health), export.name))),
        failures=tuple(failure for failure in bad if failure.export.state != State.HELD)[:MOST_FAILURES],
        held=tuple(failure for name, failure in held.items() if name in waiting),
    )


def _receipts(runs: Iterable[RunListing]) -> Iterator[tuple[RunListing, str, ReceiptSummary]]:
    """All receipts of runs, newest run first."""
    for run in runs:
        for name, receipt in run.receipts.items():
            yield run, name, receipt


def _failures(told: Iterable[tuple[RunListing, str, ReceiptSummary]]) -> list[Failure]:
    """Gather what has not succeeded by export, state and class, newest first."""
    found: dict[tuple[str, State, str | None], Failure] = {}
    for run, name, receipt in told:
        if not receipt.state.good:
            key = (name, receipt.state, receipt.code)
            first = found.setdefault(key, Failure(run.run_id, failed_export(name, receipt, run), 0))
            found[key] = replace(first, times=first.times + 1)
    return list(found.values())


def _health_of(
    export: Export,
    file: Latest | None,
    seen: tuple[RunListing, ReceiptSummary] | None,
    *,
    freshness: Callable[..., Freshness],
    next_at: datetime | None,
) -> ExportHealth:
    fetched_at = file.fetched_at if file else None
    health, note = Word.ON_TIME, ""
    fresh = freshness(export, succeeded_at=fetched_at)
    if fresh.is_stale:
        health, note = Word.LATE, f"no good file within {fresh.hours} hours of when it was due"
    if seen and (fetched_at is None or seen[0].written_at[export.name] >= fetched_at):
        reason = seen[1].reason or ""
        match seen[1].state:
            case State.FAILED:
                health, note = Word.FAILING, reason
            case State.HELD:
                health, note = Word.HELD, reason
            case State.RETRYING:
                note = f"being retried: {reason}"
            case _:
                pass
    if not export.enabled:
        health, note = Word.PAUSED, "disabled in the catalog"
    return ExportHealth(
        name=export.name,
        owner=export.owner,
        health=health,
        note=note,
        latest=file,
        rows=tuple(entry.rows for entry in (*reversed(file.previous), file))[-MOST_BARS:] if file else (),
        next_at=next_at,
    )
