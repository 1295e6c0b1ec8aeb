"""The end of a complete file: published, held, or dropped for a newer one. The rename's condition is the only lock."""

from collections.abc import Callable

from pigment_export.delivery.decide import Decision, Proceed, RecordFile, Reject, before_publish
from pigment_export.delivery.description import FileDescription, Occupant
from pigment_export.delivery.receipt import Receipt, State
from pigment_export.delivery.reconcile import Reconciler
from pigment_export.delivery.stage import UnpublishedFile
from pigment_export.errors import Cause, ConflictError, MissingError, RetryableError


def publish(
    reconciler: Reconciler,
    file: UnpublishedFile,
    mine: FileDescription,
    columns: tuple[str, ...] | None,
    *,
    objection: Cause | None = None,
    is_fresh: bool = True,
) -> Receipt:
    """Move a complete file to its destination, and reconcile the records with what is there then.

    Args:
        reconciler: of the export.
        file: staged or held, and described.
        mine: its description.
        columns: names in its header; None if they could not be read.
        objection: why a guard rejects it, if one does.
        is_fresh: whether this call fetched it.

    Returns:
        The current receipt.

    Raises:
        ExportError: the lake cannot be used, or the file must be fetched again.
    """

    def decide() -> Decision:
        return before_publish(reconciler.task, reconciler.look(), mine, objection, is_fresh=is_fresh)

    match _moved(reconciler, file, decide):
        case Proceed():
            return reconciler.record_file(State.SUCCEEDED, mine, columns)
        case RecordFile() as found:
            return reconciler.record_found(found)
        case Reject(State.HELD, cause):
            return reconciler.record_held(_hold(reconciler, file, mine), mine, columns, cause)
        case Reject(State.FAILED, cause):
            return reconciler.record_failed(cause)
        case Reject(_, cause):
            raise RetryableError(cause)


def _moved(reconciler: Reconciler, file: UnpublishedFile, decide: Callable[[], Decision]) -> Decision:
    """Decide, and rename the file if that is the decision. A returned `Proceed` has been carried out."""
    for attempt in reconciler.deadline.attempts(ConflictError):
        with attempt:
            decision = decide()
            if isinstance(decision, Proceed):
                try:
                    file.move(reconciler.task.destination.path, replacing=decision.replacing)
                except MissingError:  # moved by a rename whose answer was lost, or swept
                    decision = decide()
                    if not isinstance(decision, RecordFile):
                        raise
    return decision


def _hold(reconciler: Reconciler, file: UnpublishedFile, mine: FileDescription) -> str:
    """Move the file aside, and return its path."""
    path = reconciler.task.destination.held(mine.run_id, mine.nonce)
    for attempt in reconciler.deadline.attempts(ConflictError):
        with attempt:
            try:
                file.move(path, replacing=None)
            except (ConflictError, MissingError, RetryableError):
                there = Occupant.of(reconciler.lake.look(path))
                if there.file is None or there.file.nonce != mine.nonce:
                    raise
    return path
