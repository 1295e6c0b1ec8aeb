"""One export of one run: from a look at the destination to a receipt that agrees with it.

The destination is the truth and describes itself; the rename's condition is the only lock. A worker owns only its
staged file. `decide` says what to do next, purely, from what was seen; `Delivery` does it, and `Reconciler` makes the
records agree. Why each step is safe at every kill and in every interleaving: `docs/delivery.md`.
"""

from collections.abc import Callable
from contextlib import ExitStack

from pigment_export.delivery.decide import AskPigment, Fail, Keep, RecordFile, before_fetch
from pigment_export.delivery.fetch import Fetch, Fetched, fetched
from pigment_export.delivery.publish import Publication
from pigment_export.delivery.receipt import Receipt
from pigment_export.delivery.reconcile import Reconciler, settled
from pigment_export.delivery.stage import StagedFile
from pigment_export.delivery.task import Task
from pigment_export.lake.interface import Lake
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Progress


class Delivery:
    """One call's work on one export of one run.

    Args:
        lake: where file and records are.
        task: the export of the run.
        deadline: of this call.
        fetch: opens the body of an export; asked again for every try.
        new_nonce: 16 random hexadecimal digits.
        progress: told how far the transfer is.
    """

    def __init__(
        self,
        lake: Lake,
        task: Task,
        deadline: Deadline,
        *,
        fetch: Fetch,
        new_nonce: Callable[[], str],
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._lake = lake
        self._task = task
        self._deadline = deadline
        self._fetch = fetch
        self._new_nonce = new_nonce
        self._progress = progress
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
        came = self._fetched()
        if isinstance(came, Receipt):
            return came
        file, content = came
        with file:
            verdict = content.judged(self._task, self._reconciler.latest())
            mine = content.described(self._task, file.nonce, verdict.notes)
            file.describe(mine)
            return Publication(self._reconciler, mine, content.columns, verdict.objection).publish(file)

    def _fetched(self) -> tuple[StagedFile, Fetched] | Receipt:
        """Fetch what is to be fetched; else the receipt that stands. Only Pigment's own refusals ask it again."""
        for attempt in self._deadline.attempts():
            with attempt, ExitStack() as stack:
                receipt, there = self._reconciler.receipt(), self._reconciler.look()
                match before_fetch(self._task, there, receipt):
                    case Keep(receipt):
                        return receipt
                    case RecordFile() as found:
                        return self._reconciler.record_found(found)
                    case Fail(cause):
                        return self._reconciler.record_failed(cause)
                    case AskPigment():
                        file = StagedFile(self._lake.files, self._task, self._deadline, self._new_nonce)
                        stack.enter_context(file)
                        came = fetched(
                            self._task, file, there, self._deadline, fetch=self._fetch, progress=self._progress
                        )
                        stack.pop_all()  # from here on it is kept, whatever the lake refuses for a while
        return file, came
