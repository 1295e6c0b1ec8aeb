"""Publishing: a complete file takes its place, or is held, or gives way; the rename's condition is the only lock."""

from dataclasses import dataclass

from pigment_export.delivery.decide import Fail, Hold, Publish, RecordFile, TryAgain, before_publish
from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.delivery.stage import UnpublishedFile
from pigment_export.errors import Cause, ConflictError, MissingError, RetryableError


@dataclass(frozen=True, slots=True)
class Publication:
    """A complete file on its way to its destination.

    Attributes:
        reconciler: of the export.
        mine: what the file says of itself.
        columns: its header's names; None where they could not be read.
        objection: why a guard rejects it, if one does.
        is_fresh: whether this very call has fetched it.
    """

    reconciler: Reconciler
    mine: FileDescription
    columns: tuple[str, ...] | None
    objection: Cause | None = None
    is_fresh: bool = True

    def publish(self, file: UnpublishedFile) -> Receipt:
        """Bring the file to its place, and the records in line with what is there then.

        Args:
            file: staged or held, and described.

        Returns:
            The receipt that stands.

        Raises:
            ExportError: the lake cannot be used, or the file must be fetched anew.
        """
        reconciler = self.reconciler
        match self._moved(file):
            case Publish():
                return reconciler.record_file(State.SUCCEEDED, self.mine, self.columns)
            case RecordFile() as found:
                return reconciler.record_found(found)
            case Hold(cause):
                path = self._hold(file)
                return reconciler.record_held(path, self.mine, self.columns, cause)
            case Fail(cause):
                return reconciler.record_failed(cause)
            case TryAgain(cause):
                raise RetryableError(cause)

    def _moved(self, file: UnpublishedFile) -> RecordFile | Fail | TryAgain | Hold | Publish:
        """Decide, and rename where that is the decision; what is returned then was carried out."""
        for attempt in self.reconciler.deadline.attempts(ConflictError):
            with attempt:
                decision = self._decide()
                if isinstance(decision, Publish):
                    try:
                        file.move(self.reconciler.task.destination.path, replacing=decision.replacing)
                    except MissingError:  # moved by a rename whose answer was lost, or swept
                        decision = self._decide()
                        if not isinstance(decision, RecordFile):
                            raise
        return decision

    def _decide(self) -> RecordFile | Fail | TryAgain | Hold | Publish:
        there = self.reconciler.look()
        return before_publish(self.reconciler.task, there, self.mine, self.objection, is_fresh=self.is_fresh)

    def _hold(self, file: UnpublishedFile) -> str:
        """Keep the file aside; returns where."""
        path = self.reconciler.task.destination.held(self.mine.run_id, self.mine.nonce)
        for attempt in self.reconciler.deadline.attempts(ConflictError):
            with attempt:
                try:
                    file.move(path, replacing=None)
                except (ConflictError, MissingError, RetryableError):
                    there = Occupant.of(self.reconciler.files.look(path))
                    if there.file is None or there.file.nonce != self.mine.nonce:
                        raise
        return path
