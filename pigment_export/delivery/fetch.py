"""One try at fetching an export: the transfer into a sink, and what the guards say of what came."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import FileDescription, Latest, Occupant
from pigment_export.delivery.guards import HEADER_CHANGED, MOST_NAMES, Verdict, judge
from pigment_export.delivery.task import Task
from pigment_export.events import Event, log
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Format, Progress, Sink, Source, Transferred, stopwatch, transfer

type Fetch = Callable[[Export, Deadline], AbstractContextManager[Source]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a try has fetched, complete and proven.

    Attributes:
        moved: what the transfer says of it.
        there: what was at the destination right before Pigment was asked.
    """

    moved: Transferred
    there: Occupant

    @property
    def columns(self) -> tuple[str, ...]:
        """The header's names."""
        return self.moved.inspection.columns

    def judged(self, task: Task, latest: Latest | None) -> Verdict:
        """Ask the guards; what is no failure, and yet should be seen, is logged.

        Args:
            task: the export of the run.
            latest: the record of the newest good file; None where there is none.
        """
        content = self.moved.inspection
        verdict = judge(task.export, content, latest, self.there.file)
        subject = {"run_id": task.run_id, "name": task.export.name, "owner": task.export.owner}
        if HEADER_CHANGED in verdict.notes:
            log(
                Event.HEADER_CHANGED,
                level=logging.WARNING,
                **subject,
                added=verdict.added[:MOST_NAMES],
                removed=verdict.removed[:MOST_NAMES],
                is_held=verdict.objection is not None,
            )
        if latest is None and self.there.file is None and content.rows == 0:
            log(Event.FIRST_FILE_EMPTY, level=logging.WARNING, **subject, columns=content.columns[:MOST_NAMES])
        return verdict

    def described(self, task: Task, nonce: str, notes: tuple[str, ...]) -> FileDescription:
        """Return what the file should say of itself.

        Args:
            task: the export of the run.
            nonce: of the try.
            notes: of the guards.
        """
        moved, content = self.moved, self.moved.inspection
        return FileDescription(
            run_id=task.run_id,
            nonce=nonce,
            fetched_at=self.there.now,
            snapshot_date=task.snapshot_date,
            deployment=task.deployment,
            rows=content.rows,
            number_of_columns=len(content.columns),
            **_sizes(moved, is_gzip=task.export.gzip),
            protocol=moved.protocol,
            evidence=moved.evidence,
            seconds=round(moved.seconds, 3),
            first_byte_seconds=round(moved.first_byte_seconds, 3),
            notes=(*map(str, content.notes), *notes),
        )


def fetched(
    task: Task, sink: Sink, there: Occupant, deadline: Deadline, *, fetch: Fetch, progress: Callable[[Progress], None]
) -> Fetched:
    """Fetch an export into a sink.

    Args:
        task: the export of the run.
        sink: takes the file, compressed where the export says so.
        there: what was at the destination right before.
        deadline: of the call.
        fetch: opens the body.
        progress: told how far the transfer is.

    Raises:
        ExportError: what source or sink raised, or the body is not a complete CSV.
    """
    elapsed = stopwatch()
    is_gzip = task.export.gzip
    with fetch(task.export, deadline) as source:
        moved = transfer(source, sink, Format(task.delimiter, gzip=is_gzip), progress=progress, elapsed=elapsed)
    return Fetched(moved, there)


def _sizes(moved: Transferred, *, is_gzip: bool) -> dict[str, Any]:
    """Return size and hash of the file, and of the CSV in it where that is another."""
    stored = {"bytes": moved.bytes, "sha256": moved.sha256}
    content = {"content_bytes": moved.content_bytes, "content_sha256": moved.content_sha256}
    return {**stored, **content} if is_gzip else stored
