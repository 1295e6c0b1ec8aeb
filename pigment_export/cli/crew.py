"""Run two exports at a time, on their own threads. The main thread watches them, so that Ctrl-C works at once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic

from pigment_export.cli.board import Board
from pigment_export.errors import ExportError, RetryableError, SetupError
from pigment_export.retry import CALL_SECONDS, Deadline
from pigment_export.transfer.stream import Listen, Progress

SIDE_BY_SIDE = 2  # the queue's batchSize in the deployed app (host.json)
RETRY_SECONDS = 300.0  # between the attempts of an export: the queue's visibilityTimeout in the deployed app
TICK_SECONDS = 0.25
STOP_SECONDS = 2.0  # for the exports in progress to remove their staged files


class Crew[T]:
    """Works through exports, and shows the progress.

    Args:
        names: of the exports, in order.
        do: one attempt of one export: its name, the deadline of the attempt, what receives its progress.
        again: whether to repeat an attempt that failed for now, every five minutes.

    Attributes:
        board: shows what happens.
    """

    def __init__(self, names: Sequence[str], do: Callable[[str, Deadline, Listen], T], *, again: bool) -> None:
        self._names = names
        self._do = do
        self._again = again
        self._stopped = threading.Event()
        self._ended: SimpleQueue[tuple[str, T | BaseException]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.board = Board(names)

    def work(self) -> Iterator[tuple[str, T | ExportError]]:
        """Work until every export has ended.

        Yields:
            The name of each export that ends, with its outcome, or with the error of an attempt that is not repeated.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        due = dict.fromkeys(self._names, 0.0)
        running = 0
        while due or running:
            for name in [name for name, at in due.items() if at <= monotonic()][: SIDE_BY_SIDE - running]:
                del due[name]
                running += 1
                thread = threading.Thread(target=self._try, args=(name,), name=f"export {name}", daemon=True)
                self._threads = [*(other for other in self._threads if other.is_alive()), thread]
                thread.start()
            self.board.tick()
            try:
                name, outcome = self._ended.get(timeout=TICK_SECONDS)
            except Empty:
                continue
            running -= 1
            if self._again and isinstance(outcome, RetryableError) and not _is_of_setup(outcome):
                due[name] = monotonic() + RETRY_SECONDS
                self.board.rest(name, f"{outcome}", RETRY_SECONDS)
            elif isinstance(outcome, BaseException) and not isinstance(outcome, ExportError):
                raise outcome
            else:
                yield name, outcome

    def stop(self) -> None:
        """Stop the exports in progress at their next chunk or wait, and give them a moment to clean up."""
        self._stopped.set()
        ends_at = monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, ends_at - monotonic()))

    def _try(self, name: str) -> None:
        deadline = Deadline(CALL_SECONDS, is_attended=True, on_retry=partial(self.board.wait, name), sleep=self._sleep)
        self.board.begin(name)
        try:
            self._ended.put((name, self._do(name, deadline, partial(self._moved, name))))
        except BaseException as error:  # noqa: BLE001 - raised on the main thread
            self._ended.put((name, error))

    def _moved(self, name: str, progress: Progress) -> None:
        self._sleep(0)
        self.board.move(name, progress)

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise KeyboardInterrupt  # as on the main thread: it is not an error of the export


def _is_of_setup(error: BaseException | None) -> bool:
    """Return whether a person must act, by the original error."""
    return error is not None and (isinstance(error, SetupError) or _is_of_setup(error.__cause__))
