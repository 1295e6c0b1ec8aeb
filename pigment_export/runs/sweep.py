"""Removal of abandoned staged files, and of held files and records of old runs.

Published files are never removed. If a removal is cut off, the next pass completes it. Every function returns how many
files or records it has removed.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from functools import partial

from pigment_export.errors import ConflictError, PermanentError
from pigment_export.lake.paths import aside, claimed_at, held_run
from pigment_export.runs.deployment import Runs, plan_in
from pigment_export.runs.survey import Survey

ABANDONED = timedelta(days=1)  # no call lives that long: the worker that wrote the file has ended


def sweep_folder(survey: Survey, folder: str) -> int:
    """Remove abandoned staged files from an export's folder, and held files without a receipt that is kept."""
    gone = [
        row.path
        for row in survey.runs.lake.list(aside(folder))
        if (row.path.endswith(".partial") and row.created_at <= survey.now - ABANDONED)
        or (
            (run_id := held_run(row.path)) is not None
            and claimed_at(run_id) < survey.now - survey.retention
            and row.path not in survey.held
        )
    ]
    return delete(survey.runs, gone)


def sweep_probes(survey: Survey) -> int:
    """Remove the files of health checks that were cut off."""
    rows = survey.runs.lake.list(survey.runs.layout.probes)
    return delete(survey.runs, [row.path for row in rows if row.created_at <= survey.now - ABANDONED])


def delete_run(runs: Runs, run_id: str) -> int:
    """Remove the records of a run that has ended: its plan first, so that no work starts, its result last."""
    folder = runs.layout.run(run_id)
    order = {folder.plan: 0, folder.result: 2}  # all other records in between
    paths = (row.path for row in runs.lake.list(f"{folder.path}/"))
    return delete(runs, sorted(paths, key=lambda path: order.get(path, 1)))


def delete_claim(runs: Runs, run_id: str, path: str) -> int:
    """Remove the claim of a deleted run; a newer claim of another run with the same key stays.

    Only claims need a condition: no other deleted path is ever written again for something else.
    """
    for attempt in runs.deadline.attempts(ConflictError):
        with attempt:
            record = runs.lake.read(path)
            if record.etag is None:
                return 0
            with suppress(PermanentError):  # a damaged one does not belong to another run
                if plan_in(record, path).run_id != run_id:
                    return 0
            runs.lake.delete(path, record.etag)
    return 1


def delete(runs: Runs, paths: Collection[str]) -> int:
    """Remove records, in order."""
    for path in paths:
        runs.deadline.retry(partial(runs.lake.delete, path))
    return len(paths)
