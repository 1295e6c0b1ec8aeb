"""Releasing a held file: a run of its own, that publishes what another run had fetched and a guard had rejected.

The file is judged by its own `fetched_at`, not by now: it may replace an older file of its day, never a newer one.
Where it loses, it stays held.
"""

import hashlib
from collections.abc import Callable

from pigment_export.delivery.decide import AskPigment, Fail, Keep, RecordFile, before_fetch
from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.publish import Publication
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.reconcile import Reconciler, settled
from pigment_export.delivery.stage import UnpublishedFile
from pigment_export.delivery.task import HeldFile, Task
from pigment_export.errors import ConflictError, ErrorRow, MissingError, PermanentError, Who
from pigment_export.lake.interface import Lake, PathInfo
from pigment_export.retry import Deadline

RELEASED = "released"  # the note on a file that a person has released
CHUNK_BYTES = 8 * 1024 * 1024  # of one read: memory is a constant, whatever the size

GONE = ErrorRow(
    "held_file_gone",
    PermanentError,
    "",
    Who.CALLER,
    "see whether another run has released it (its receipt says so); else run the export again",
)
CHANGED = ErrorRow(
    "held_file_changed",
    PermanentError,
    "",
    Who.ADMINISTRATOR,
    "see who changed it; run the export again to fetch it anew",
)


class Release:
    """One call's work on one export of a run that releases.

    Args:
        lake: where file and records are.
        task: the export of the run.
        held: the file to release.
        deadline: of this call.
        new_nonce: 16 random hexadecimal digits.
    """

    def __init__(
        self, lake: Lake, task: Task, held: HeldFile, deadline: Deadline, new_nonce: Callable[[], str]
    ) -> None:
        self._lake = lake
        self._task = task
        self._held = held
        self._deadline = deadline
        self._new_nonce = new_nonce
        self._reconciler = Reconciler(lake, task, deadline)

    def deliver(self) -> Receipt:
        """Bring the export to a final receipt.

        Returns:
            The receipt that stands, this call's or a better one.

        Raises:
            RetryableError: the export is not settled; a `retrying` receipt says why, where the lake takes it.
        """
        return settled(self._reconciler, self._deliver)

    def _deliver(self) -> Receipt:
        for attempt in self._deadline.attempts(ConflictError, MissingError):  # another call of this run was faster
            with attempt:
                receipt = self._once()
        return receipt

    def _once(self) -> Receipt:
        before, there = self._reconciler.receipt(), self._reconciler.look()
        match before_fetch(self._task, there, before, fetched_at=self._held.fetched_at):
            case Keep(receipt):
                return receipt
            case RecordFile() as ours:
                return self._reconciler.record_found(ours)
            case Fail(cause):
                return self._reconciler.record_failed(cause)
            case AskPigment():
                pass  # there is nothing to ask: the file is here
        info = self._reconciler.files.look(self._held.path)
        found = Occupant.of(info)
        if found.etag is None and (newer := self._newer(there)):
            return self._reconciler.record_found(newer)
        mine = self._described(info, found)
        file = UnpublishedFile(self._lake.files, self._held.path, str(found.etag), self._deadline)
        if not found.is_of(self._task.run_id):
            file.describe(mine)
        columns = self._reconciler.columns_at(self._held.path, file.etag)
        return Publication(self._reconciler, mine, columns, is_fresh=False).publish(file)

    def _newer(self, there: Occupant) -> RecordFile | None:
        """Return the decision where a file as new is at the destination: another run may have released this one."""
        if there.file is None or there.etag is None or there.file.fetched_at < self._held.fetched_at:
            return None
        return RecordFile(State.SUPERSEDED, there.file, there.etag)

    def _described(self, info: PathInfo, found: Occupant) -> FileDescription:
        """Return what the file should say of itself, now that its bytes are known to be those that were held."""
        if found.etag is None:
            raise GONE.raised(f"{self._held.path} is not there any more")
        if found.file is None or info.size != self._held.bytes or found.file.sha256 != self._held.sha256:
            raise CHANGED.raised(f"{self._held.path} is not the file that its receipt describes")
        if found.is_of(self._task.run_id):
            return found.file  # an earlier call of this run has read and described it
        if self._sha256(found.etag, info.size) != self._held.sha256:
            raise CHANGED.raised(f"the bytes of {self._held.path} are not those that its receipt describes")
        own = {"run_id": self._task.run_id, "nonce": self._new_nonce(), "deployment": self._task.deployment}
        notes = (*(note for note in found.file.notes if note != RELEASED), RELEASED)
        return found.file.model_copy(update={**own, "notes": notes})

    def _sha256(self, etag: str, size: int) -> str:
        digest = hashlib.sha256()
        for offset in range(0, size, CHUNK_BYTES):
            digest.update(self._reconciler.files.read(self._held.path, CHUNK_BYTES, etag, offset=offset))
            self._deadline.progressed()
        return digest.hexdigest()
