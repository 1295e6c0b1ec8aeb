"""The lake within one call: what is retried, what is one request, and what counts as progress."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from pigment_export.errors import Cause, RetryableError, Who
from pigment_export.lake.call import CallLake
from pigment_export.retry import Deadline
from tests.harness.fakes import FakeLake
from tests.harness.stepping import Striking, at
from tests.harness.stepping import Watched as Watching

if TYPE_CHECKING:
    from pigment_export.lake.interface import Lake

OUTAGE = RetryableError(Cause("lake_unavailable", "the lake did not answer", Who.NO_ACTION, "wait"))

RETRIED: list[Callable[[CallLake], object]] = [
    lambda lake: lake.append("a", 0, b"x"),
    lambda lake: lake.now(),
    lambda lake: lake.look("a"),
    lambda lake: lake.make_folder("a"),
    lambda lake: lake.read_range("a", 1, "e"),
    lambda lake: lake.read("a"),
    lambda lake: lake.names("a"),
    lambda lake: lake.list("a"),
]
ONCE: list[Callable[[CallLake], object]] = [
    lambda lake: lake.create("a"),
    lambda lake: lake.flush("a", 1, "e", content_type="text/csv"),
    lambda lake: lake.describe("a", {}, "e"),
    lambda lake: lake.rename("a", "b", source_etag="e", replacing=None),
    lambda lake: lake.delete("a"),
]
WRITE: Callable[[CallLake], object] = lambda lake: lake.write("a", b"x", {}, replacing=None)  # noqa: E731 - beside the others
PROGRESS = [*ONCE[:-1], RETRIED[0], WRITE]


class Failing:
    """Every request fails so often first."""

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.requests = 0

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def request(*_args: object, **_options: object) -> Any:
            self.requests += 1
            if self.requests <= self._failures:
                raise OUTAGE
            return "answer"

        return request


def failing(failures: int = 0) -> Any:
    return Failing(failures)


class Watched(Deadline):
    """Counts the steps of progress."""

    steps = 0

    def progressed(self) -> None:
        self.steps += 1


@pytest.mark.parametrize("call", RETRIED)
def test_what_may_be_done_twice_is_retried(call: Callable[[CallLake], object]) -> None:
    lake = failing(2)
    call(CallLake(lake, Deadline(100, sleep=lambda _: None)))
    assert lake.requests == 3


@pytest.mark.parametrize("call", ONCE)
def test_what_must_be_looked_at_in_between_is_one_request(call: Callable[[CallLake], object]) -> None:
    lake = failing(1)
    with pytest.raises(RetryableError):
        call(CallLake(lake, Deadline(100, sleep=lambda _: None)))
    assert lake.requests == 1


@pytest.mark.parametrize("applied", [True, False])
def test_a_write_without_an_answer_is_looked_for_once(*, applied: bool) -> None:
    """Else the caller would find its own record, take it for another's, and not log what it says."""
    lake = FakeLake()
    lost = Striking(at("write"), applied=applied)
    call = CallLake(cast("Lake", Watching(lake, lost)), Deadline(100, sleep=lambda _: None))
    if applied:
        WRITE(call)
    else:
        with pytest.raises(RetryableError):
            WRITE(call)
    assert lost.requests == [("write", "a"), ("read", "a")]


@pytest.mark.parametrize("call", [*RETRIED, *ONCE, WRITE])
def test_every_effect_that_stays_is_progress_and_no_read_is(call: Callable[[CallLake], object]) -> None:
    deadline = Watched(100)
    call(CallLake(failing(), deadline))
    assert deadline.steps == (1 if call in PROGRESS else 0)
