"""What each step of a delivery meets: every refusal has a class and a receipt, and Pigment is asked once for all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pigment_export.delivery.decide import abandoned, expired
from pigment_export.delivery.receipt import State
from pigment_export.errors import (
    ERROR_ROWS,
    Cause,
    ConflictError,
    ExportError,
    MissingError,
    PermanentError,
    RetryableError,
    Who,
)
from pigment_export.events import Event
from pigment_export.retry import Deadline
from pigment_export.runs.work import GAVE_UP
from tests.delivery.test_deliver import BEGAN, BIGGER, BODY, CUT, DAY, LATEST, World
from tests.harness.run_world import events
from tests.harness.stepping import Step, Stepper, Striking, at

LEASED = Cause("lake_leased", "a lease protects the path", Who.ADMINISTRATOR, "break the lease")
BUSY = Cause("lake_throttled", "the lake is busy", Who.NO_ACTION, "spread the exports over the day")

BEFORE_FETCH = [at("read", "receipts"), at("look", DAY)]
AFTER_FETCH = [
    at("create"),
    at("append"),
    at("flush"),
    at("read", LATEST),
    at("describe"),
    at("look", DAY, nth=2),
    at("rename"),
]
RECORDS = [at("read", LATEST, nth=2), at("write", LATEST), at("read", "receipts", nth=2), at("write", "receipts")]
ids = str


@dataclass
class Refusing:
    """Refuses one step: so often, or from then on; everything else passes.

    Attributes:
        step: from which on requests of its operation and path are refused.
        error: what they are refused with.
        times: how often.
    """

    step: Step
    error: Callable[[], ExportError]
    times: int | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0

    def __call__(self, operation: str, path: str, call: Callable[[], Any]) -> Any:
        self.requests.append((operation, path))
        same = operation == self.step.operation and self.step.path in path
        if same and (self.refused or self.step.is_reached(self.requests)) and self.refused != self.times:
            self.refused += 1
            raise self.error()
        return call()


@pytest.mark.parametrize("step", [*BEFORE_FETCH[1:], *AFTER_FETCH], ids=ids)
def test_a_permanent_refusal_of_any_step_settles_the_export_at_once_with_its_class(step: Step) -> None:
    world = World()
    world.deliver(world.plan(), BODY)
    world.lake.advance(timedelta(hours=1))
    plan = world.plan()
    refusing = Refusing(step, lambda: PermanentError(LEASED), times=1)
    receipt = world.worker(plan, BIGGER)(refusing)
    assert (receipt.state, receipt.code, receipt.who) == (State.FAILED, "lake_leased", str(Who.ADMINISTRATOR))
    assert world.lake.content(DAY) == BODY
    assert world.leftovers() == []
    world.check_end(plan)


@pytest.mark.parametrize("step", AFTER_FETCH, ids=ids)
@pytest.mark.parametrize("times", [1, 4])
def test_a_passing_refusal_of_any_later_step_asks_pigment_once_and_publishes_what_came(step: Step, times: int) -> None:
    world = World()
    plan = world.plan()
    refusing = Refusing(step, lambda: RetryableError(BUSY), times=times)
    receipt = world.worker(plan, BODY, BIGGER)(refusing)
    assert (receipt.state, refusing.refused) == (State.SUCCEEDED, times)
    assert world.lake.content(DAY) == BODY  # a second fetch would have come with the bigger one
    assert len({path for operation, path in refusing.requests if operation == "append"}) == 1
    world.check_end(plan)


@pytest.mark.parametrize("step", AFTER_FETCH[1:], ids=ids)
@pytest.mark.parametrize("error", [ConflictError, MissingError, RetryableError])
def test_a_refusal_that_lasts_never_downloads_again_within_the_call(step: Step, error: type[ExportError]) -> None:
    """The service goes on to refuse, with an answer of any class: the message comes back, with the reason told."""
    world = World()
    plan = world.plan()
    refusing = Refusing(step, lambda: error(BUSY))
    with pytest.raises(ExportError):
        world.worker(plan, BODY)(refusing)
    assert sum(operation == "create" for operation, _ in refusing.requests) == 1
    receipt = world.receipt(plan)
    assert (receipt["state"], receipt["class"]) == ("retrying", "lake_throttled")
    assert world.leftovers() == []
    assert world.deliver(plan, BODY).state is State.SUCCEEDED
    world.check_end(plan)


@pytest.mark.parametrize("step", [*BEFORE_FETCH, *RECORDS], ids=ids)
@pytest.mark.parametrize("error", [ConflictError, MissingError, RetryableError, PermanentError])
def test_a_refusal_of_the_records_is_told_in_the_log_and_healed_when_it_is_over(
    step: Step, error: type[ExportError], caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    plan = world.plan()
    with pytest.raises(ExportError):
        world.worker(plan, BODY)(Refusing(step, lambda: error(BUSY)))
    told = events(caplog, Event.EXPORT_RETRYING)
    assert [fields["class"] for fields in told] == ["lake_throttled"]
    assert world.leftovers() == []
    assert world.deliver(plan, BODY).state is State.SUCCEEDED
    world.check_end(plan)


def test_an_error_that_strikes_while_another_is_settled_ends_in_that_error_and_no_loop() -> None:
    """Set Metadata is refused, and so is the delete of what was staged."""
    world = World()
    plan = world.plan()
    refusing = Refusing(at("describe"), lambda: RetryableError(BUSY))

    def around(operation: str, path: str, call: Callable[[], Any]) -> Any:
        if operation == "delete":
            raise RetryableError(BUSY)
        return refusing(operation, path, call)

    with pytest.raises(RetryableError) as caught:
        world.worker(plan, BODY)(around)
    chain: list[BaseException] = []
    error: BaseException | None = caught.value
    while error is not None:
        assert error not in chain
        chain.append(error)
        error = error.__cause__ or error.__context__
    assert world.receipt(plan)["class"] == "lake_throttled"


def test_a_download_is_repeated_for_its_own_reason_only() -> None:
    world = World()
    plan = world.plan()
    cut = (BODY[:20], RetryableError(CUT))
    assert world.worker(plan, cut, cut, BIGGER)(Striking(None)).state is State.SUCCEEDED
    assert world.lake.content(DAY) == BIGGER


def rows() -> list[Any]:
    return [row for same in ERROR_ROWS.values() for row in same]


@pytest.mark.parametrize("cause", [expired(BEGAN), GAVE_UP], ids=lambda cause: cause.code)
def test_a_final_receipt_never_says_that_it_is_retried(cause: Cause) -> None:
    """Whatever the last attempt had met: who must act is a person, and the remedy is theirs."""
    assert len(rows()) > 10
    for row in rows():
        final = abandoned(cause, row.cause("seen"))
        text = f"{final.who} {final.remedy}"
        assert final.who is not Who.NO_ACTION, row.code
        assert "tried again" not in text, row.code
        assert "retried" not in text, row.code
        if issubclass(row.error, PermanentError):
            assert row.who is not Who.NO_ACTION, row.code
            assert "tried again" not in row.remedy, row.code


def test_a_machine_that_slept_between_the_look_and_the_publishing_fetches_anew() -> None:
    """Monotonic clocks stand still in sleep: what came days later must not pass for what was asked for."""
    world = World()
    plan = world.plan()
    worker = Stepper(world.worker(plan, BODY))
    worker.reach(at("describe"))
    world.lake.advance(timedelta(days=2))
    worker.finish()
    assert isinstance(worker.error, RetryableError)
    assert worker.error.cause.code == "call_outlived"
    assert DAY not in world.lake.paths()
    assert world.leftovers() == []
    assert world.receipt(plan)["class"] == "call_outlived"
    assert world.deliver(plan, BODY).code == "run_expired"
    world.check_end(plan)


class Stopped(BaseException):
    """A person presses Ctrl-C while the call waits."""


class Stopping(World):
    """A world in which every wait is interrupted."""

    @staticmethod
    def deadline(patience_seconds: float = 120) -> Deadline:
        def interrupted(_seconds: float) -> None:
            raise Stopped

        return Deadline(3300, patience_seconds=patience_seconds, sleep=interrupted)


def test_an_interrupted_run_keeps_the_last_reason() -> None:
    world = Stopping()
    plan = world.plan()
    with pytest.raises(Stopped):
        world.worker(plan, (BODY[:20], RetryableError(CUT)))(Striking(None))
    assert world.receipt(plan)["class"] == CUT.code
    assert world.leftovers() == []
    interrupted = Cause("interrupted", "the run was interrupted", Who.CALLER, "start a new run")
    receipt = world.settler(plan, interrupted)(Striking(None))
    assert (receipt.state, receipt.code, receipt.who) == (State.FAILED, "interrupted", str(Who.CALLER))
    assert CUT.reason in (receipt.reason or "")


def test_the_reason_that_stands_is_the_one_that_struck_last() -> None:
    world = World()
    plan = world.plan()
    with pytest.raises(RetryableError):
        world.worker(plan, RetryableError(CUT), patience_seconds=0)(Striking(None))
    refusing = Refusing(at("rename"), lambda: PermanentError(LEASED))
    assert world.worker(plan, BODY)(refusing).reason == LEASED.reason
