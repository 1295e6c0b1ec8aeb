"""The release of a held file: a new run publishes a file that another run fetched and a guard rejected.

The file's own `fetched_at` counts, not the time of the release: it can replace an older file of its day, but never a
newer one. If it loses, it stays held.
"""

import hashlib
from collections.abc import Callable

from pigment_export.delivery.decide import RecordFile
from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.publish import publish
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.reconcile import Reconciler, settled
from pigment_export.delivery.stage import UnpublishedFile
from pigment_export.delivery.task import HeldFile
from pigment_export.errors import ConflictError, ErrorRow, MissingError, PermanentError, Who

RELEASED = "released"  # the note on a released file
CHUNK_BYTES = 8 * 1024 * 1024  # per read: memory does not depend on the file's size

# fmt: off
# A table: the head of each row stands on one line.
GONE = ErrorRow("held_file_gone", PermanentError, Who.CALLER,
    "check whether another run has released the file (its receipt says so); if not, run the export again")
CHANGED = ErrorRow("held_file_changed", PermanentError, Who.ADMINISTRATOR,
    "find out who changed the file, then run the export again")
# fmt: on


def release(reconciler: Reconciler, held: HeldFile, new_nonce: Callable[[], str]) -> Receipt:
    """Release a held file, and bring its receipt to a final state.

    Args:
        reconciler: of the export.
        held: the file to release.
        new_nonce: returns 16 random hexadecimal digits.

    Returns:
        The current receipt: this call's, or a better one.

    Raises:
        RetryableError: the export has no final receipt; a `retrying` receipt says why, if the lake accepts it.
    """

    def deliver() -> Receipt:
        for attempt in reconciler.deadline.attempts(ConflictError, MissingError):  # another call of this run was faster
            with attempt:
                receipt = _once(reconciler, held, new_nonce)
        return receipt

    return settled(reconciler, deliver)


def _once(reconciler: Reconciler, held: HeldFile, new_nonce: Callable[[], str]) -> Receipt:
    there = reconciler.begin(held.fetched_at)
    if isinstance(there, Receipt):
        return there
    info = reconciler.lake.look(held.path)
    found = Occupant.of(info)
    if found.etag is None:
        if there.file is None or there.etag is None or there.file.fetched_at < held.fetched_at:
            raise GONE.raised(f"{held.path} no longer exists")
        return reconciler.record_found(RecordFile(State.SUPERSEDED, there.file, there.etag))  # it may be the very file
    if found.file is None or info.size != held.bytes or found.file.sha256 != held.sha256:
        raise CHANGED.raised(f"{held.path} is not the file that its receipt describes")
    task, mine = reconciler.task, found.file
    file = UnpublishedFile(reconciler, new_nonce, path=held.path, etag=found.etag)
    if not found.is_of(task.run_id):  # otherwise an earlier call of this run has read and described it
        if _sha256(reconciler, file, info.size) != held.sha256:
            raise CHANGED.raised(f"the bytes of {held.path} are not those that its receipt describes")
        mine = _released(mine, run_id=task.run_id, nonce=new_nonce(), deployment=task.deployment)
        file.describe(mine)
    return publish(reconciler, file, mine, reconciler.columns_at(held.path, file.etag), is_fresh=False)


def _released(file: FileDescription, **own: str) -> FileDescription:
    notes = (*(note for note in file.notes if note != RELEASED), RELEASED)
    return file.model_copy(update={**own, "notes": notes})


def _sha256(reconciler: Reconciler, file: UnpublishedFile, size: int) -> str:
    digest = hashlib.sha256()
    for offset in range(0, size, CHUNK_BYTES):
        digest.update(reconciler.lake.read_range(file.path, CHUNK_BYTES, file.etag, offset=offset))
        reconciler.deadline.progressed()
    return digest.hexdigest()
