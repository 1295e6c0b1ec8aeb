"""What is removed from the lake, and when: abandoned staged files, held files and records of old runs.

A published file is never among it. What is removed half is found and removed again by the next pass. Every function
returns how many files or records it has removed.

Azure role: Storage Blob Data Contributor on the lake's container, for every function here.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from functools import partial

from pigment_export.errors import ConflictError, PermanentError
from pigment_export.lake.paths import aside, claimed_at, held_run
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs, plan_in
from pigment_export.runs.survey import Survey

ABANDONED = timedelta(days=1)  # no call lives that long: the worker that wrote the file is gone


def sweep_folder(survey: Survey, folder: str, deadline: Deadline) -> int:
    """Remove from an export's folder what was staged and abandoned, and held files whose receipts go or are gone."""
    gone = [
        row.path
        for row in deadline.retry(lambda: list(survey.runs.records.list(aside(folder))))
        if (row.path.endswith(".partial") and row.created_at <= survey.now - ABANDONED)
        or (
            (run_id := held_run(row.path)) is not None
            and claimed_at(run_id) < survey.now - survey.retention
            and row.path not in survey.held
        )
    ]
    return delete(survey.runs, gone, deadline)


def sweep_probes(survey: Survey, deadline: Deadline) -> int:
    """Remove what a health check has left that was cut off."""
    rows = deadline.retry(lambda: list(survey.runs.records.list(survey.runs.layout.probes)))
    return delete(survey.runs, [row.path for row in rows if row.created_at <= survey.now - ABANDONED], deadline)


def delete_run(runs: Runs, run_id: str, deadline: Deadline) -> int:
    """Remove the records of a run that has ended: its plan first, so that no work on it begins, its result last."""
    folder = runs.layout.run(run_id)
    order = {folder.plan: 0, folder.result: 2}  # all others in between
    rows = deadline.retry(lambda: list(runs.records.list(f"{folder.path}/")))
    return delete(runs, sorted((row.path for row in rows), key=lambda path: order.get(path, 1)), deadline)


def delete_claim(runs: Runs, run_id: str, path: str, deadline: Deadline) -> int:
    """Remove the claim of a run that is gone; one that its key has made since, of another run, stays.

    Claims alone are deleted on a condition: no other path that is deleted is ever written for something else.
    """
    for attempt in deadline.attempts(ConflictError):
        with attempt:
            record = deadline.retry(partial(runs.records.read, path))
            if record.etag is None:
                return 0
            with suppress(PermanentError):  # one that was spoilt is no other run's
                if plan_in(record, path).run_id != run_id:
                    return 0
            runs.records.delete(path, record.etag)
    return 1


def delete(runs: Runs, paths: Collection[str], deadline: Deadline) -> int:
    """Remove records, in order."""
    for path in paths:
        deadline.retry(partial(runs.records.delete, path))
    return len(paths)
