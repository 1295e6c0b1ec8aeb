"""What a run takes over from an earlier run: exports to retry, or held files to release.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Sequence

from pigment_export.catalog.exports import Export
from pigment_export.errors import ConfigurationError, ErrorRow, PermanentError, Who
from pigment_export.runs.deployment import Runs
from pigment_export.runs.follow import RunListing, progress_of
from pigment_export.runs.plan import Plan

RUN_NOT_ENDED = ErrorRow(
    "run_not_ended", PermanentError, Who.CALLER, "wait until it has ended, then retry it", what="the run has not ended"
)


def exports_to_retry(runs: Runs, run_id: str) -> list[Export]:
    """Return the exports of a run that did not succeed, with their definitions of that time.

    Raises:
        ConfigurationError: there is no such run, or nothing to retry.
        PermanentError: the run has not ended.
        ExportError: the lake cannot be used.
    """
    plan, listing = _progress_of(runs, run_id, "retry_of")
    if listing.state == "running":
        raise RUN_NOT_ENDED.raised(run_id)
    good = {name for name, receipt in listing.receipts.items() if receipt.state.good}
    if not set(plan.names) - good:
        raise ConfigurationError([f"retry_of: every export of the run {run_id} succeeded"], code="request")
    return [planned.export for planned in plan.exports if planned.export.name not in good]


def files_to_release(runs: Runs, run_id: str, names: Sequence[str]) -> Plan:
    """Return the plan of a run, reduced to the held files that a new run is to publish.

    Other exports of the run may still be in progress.

    Args:
        runs: of this deployment.
        run_id: any text.
        names: of exports; none for all held ones.

    Raises:
        ConfigurationError: there is no such run, it has no held file, or a named export is not held.
        ExportError: the lake cannot be used.
    """
    plan, listing = _progress_of(runs, run_id, "release_of")
    receipts = listing.receipts
    held = {name: file for name, receipt in receipts.items() if (file := receipt.held_file) is not None}
    problems = []
    for name in dict.fromkeys(names):
        if name not in held:
            state = receipts[name].state if name in receipts else "it has no receipt"
            told = f"in the run {run_id}: {state}" if name in plan.names else f"an export of the run {run_id}"
            problems.append(f"exports: {name!r} is not {'held ' if name in plan.names else ''}{told}")
    if not held and not problems:
        problems.append(f"release_of: no export of the run {run_id} is held")
    if problems:
        raise ConfigurationError(problems, code="request")
    taken = (planned for planned in plan.exports if planned.export.name in held.keys() & set(names or held))
    exports = tuple(planned.model_copy(update={"held": held[planned.export.name]}) for planned in taken)
    return plan.model_copy(update={"exports": exports})


def _progress_of(runs: Runs, run_id: str, field: str) -> tuple[Plan, RunListing]:
    progress = progress_of(runs, run_id)
    if progress is None:
        raise ConfigurationError([f"{field}: this deployment has no run {run_id!r}"], code="request")
    return progress
