"""A tick of the timer: claim the runs of the occurrences that are due. Ticks can be late, early, doubled or manual.

The lake's clock and the catalog decide what is due; the host's timer information is ignored. Occurrences are marked as
claimed at the end: if a tick is cut off before, the next one repeats it and finds its claims.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from pigment_export.catalog.exports import Export
from pigment_export.catalog.file import Catalog
from pigment_export.errors import ConflictError, ErrorRow, PermanentError, Who
from pigment_export.events import Event, log
from pigment_export.runs.claim import Claim, claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.plan import ClaimRequest
from pigment_export.runs.schedule import Look, ScheduleRecord
from pigment_export.runs.timetable import definitions_of
from pigment_export.runs.work import messages_for

RECORD_UNREADABLE = ErrorRow(
    "schedule_record_unreadable",
    PermanentError,
    Who.ADMINISTRATOR,
    "find out who changed it, then start by hand the exports that were due",
    what="the record of the schedules is not in this app's format, so every schedule counts as new",
)


def start_due(runs: Runs, look: Callable[[], Look], seen: Look, load: Callable[[bytes], Catalog]) -> list[str]:
    """Claim what is due, and record it.

    Args:
        runs: of this deployment.
        look: looks again if another tick interfered.
        seen: the result of the first look.
        load: parses the catalog's bytes.

    Returns:
        The messages to send.

    Raises:
        ConfigurationError: the catalog is broken.
        ExportError: the lake cannot be used; the next tick does the rest.
    """
    path = runs.layout.schedules(runs.deployment)
    messages: dict[str, None] = {}  # in order, each once
    for attempt in runs.deadline.attempts(ConflictError):  # another tick's record, or our own after a lost answer
        with attempt as number:
            seen = look() if number > 1 else seen
            if seen.problem is not None:
                cause = RECORD_UNREADABLE.cause(f"{path}: {seen.problem}")
                log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger="schedule", **cause.to_fields())
            record, sent = _claim_due(runs, seen, load(seen.catalog))
            messages |= dict.fromkeys(sent)
            if not seen.is_idle or record.schedules != seen.record.schedules:  # otherwise another tick has done it all
                runs.lake.write(path, record.to_json(), {}, replacing=seen.etag)
    return list(messages)


def _claim_due(runs: Runs, seen: Look, catalog: Catalog) -> tuple[ScheduleRecord, list[str]]:
    """Claim all occurrences that are due; return the record to write and the messages to send."""
    exports = {export.name: export for export in catalog.exports if export.enabled}
    record = seen.record.seeing(definitions_of(runs, exports.values()), seen.fingerprint, seen.now)
    claimed: dict[str, datetime] = {}
    messages: list[str] = []
    for occurrence, names in record.due(seen.now).items():
        for claim in claims_of(runs, occurrence, [exports[name] for name in names]):
            log(
                Event.SCHEDULE_DUE,
                run_id=claim.plan.run_id,
                occurrence=occurrence,
                lateness_seconds=int((seen.now - occurrence).total_seconds()),
                exports=claim.plan.names,
            )
            messages += messages_for(claim.plan, claim.pending)
        claimed |= dict.fromkeys(names, occurrence)
    return record.claiming(claimed), messages


def claims_of(runs: Runs, occurrence: datetime, exports: Sequence[Export]) -> list[Claim]:
    """Claim the run of an occurrence, or find it.

    There is more than one only if an earlier tick used another catalog, or was cut off so long ago that its run expired
    before it began.

    Returns:
        The claims; together, their plans have all of these exports.
    """
    instant = occurrence.isoformat()
    left = {export.name: export for export in exports}
    claims = []
    for number in itertools.count():
        if not left:
            break
        key = f"{instant}/{number}" if number else instant
        request = ClaimRequest("schedule", key, "schedule", {"occurrence": instant}, occurrence=occurrence)
        claim = claim_run(runs, request, partial(list, left.values()))
        covered = left.keys() & set(claim.plan.names)
        if covered and not (claim.is_expired and not claim.has_ended):
            claims.append(claim)
            left = {name: export for name, export in left.items() if name not in covered}
    return claims
