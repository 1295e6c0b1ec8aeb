"""What is removed from the lake, and when: abandoned staged files, held files and records of old runs.

A published file is never among it. What is removed half is found and removed again by the next pass.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from pigment_export.lake.interface import Records
from pigment_export.lake.paths import Layout, aside, claimed_at, held_run
from pigment_export.retry import Deadline

ABANDONED = timedelta(days=1)  # no call lives that long: the worker that wrote the file is gone


def sweep_folder(
    records: Records, folder: str, *, now: datetime, retention: timedelta, named: Collection[str], deadline: Deadline
) -> int:
    """Remove from an export's folder what was staged and abandoned, and held files whose receipts go or are gone.

    Args:
        records: the lake's records.
        folder: the export's.
        now: the lake's clock.
        retention: how long held files are kept at least.
        named: paths of held files that a receipt names which stays.
        deadline: of the pass.

    Returns:
        How many files were removed.
    """
    gone = [
        row.path
        for row in deadline.retry(lambda: list(records.list(aside(folder))))
        if (row.path.endswith(".partial") and row.created_at <= now - ABANDONED)
        or (
            (run_id := held_run(row.path)) is not None
            and claimed_at(run_id) < now - retention
            and row.path not in named
        )
    ]
    return _delete(records, gone, deadline)


def sweep_probes(records: Records, layout: Layout, *, now: datetime, deadline: Deadline) -> int:
    """Remove what a health check has left that was cut off; returns how many files."""
    rows = deadline.retry(lambda: list(records.list(layout.probes)))
    return _delete(records, [row.path for row in rows if row.created_at <= now - ABANDONED], deadline)


def delete_run(records: Records, layout: Layout, run_id: str, deadline: Deadline) -> int:
    """Remove the records of a run that has ended: its plan first, so that no work on it begins, its result last.

    Args:
        records: the lake's records.
        layout: where they are.
        run_id: the run.
        deadline: of the pass.

    Returns:
        How many records were removed.
    """
    folder = layout.run(run_id)
    order = {folder.plan: 0, folder.result: 2}  # all others in between
    rows = deadline.retry(lambda: list(records.list(f"{folder.path}/")))
    return _delete(records, sorted((row.path for row in rows), key=lambda path: order.get(path, 1)), deadline)


def _delete(records: Records, paths: Collection[str], deadline: Deadline) -> int:
    for path in paths:
        deadline.retry(partial(records.delete, path))
    return len(paths)
