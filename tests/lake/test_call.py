"""The lake's files within one call: what is retried, what is one request, and what counts as progress."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from pigment_export.errors import Cause, RetryableError, Who
from pigment_export.lake.call import CallFiles
from pigment_export.lake.interface import Files
from pigment_export.retry import Deadline

OUTAGE = RetryableError(Cause("lake_unavailable", "the lake did not answer", Who.NO_ACTION, "wait"))

RETRIED: list[Callable[[Files], object]] = [
    lambda files: files.look("a"),
    lambda files: files.read("a", 1, "e"),
    lambda files: files.append("a", 0, b"x"),
    lambda files: files.make_folder("a"),
]
ONCE: list[Callable[[Files], object]] = [
    lambda files: files.create("a"),
    lambda files: files.flush("a", 1, "e", content_type="text/csv"),
    lambda files: files.describe("a", {}, "e"),
    lambda files: files.rename("a", "b", source_etag="e", replacing=None),
]
PROGRESS = [*ONCE, RETRIED[2]]
ONCE += [lambda files: files.delete("a")]


class Lake:
    """Every request fails so often first."""

    def __init__(self, failures: int = 0) -> None:
        self._failures = failures
        self.requests = 0

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def request(*_args: object, **_options: object) -> Any:
            self.requests += 1
            if self.requests <= self._failures:
                raise OUTAGE
            return "answer"

        return request


class Watched(Deadline):
    """Counts the steps of progress."""

    steps = 0

    def progressed(self) -> None:
        self.steps += 1


def bound(lake: Lake, deadline: Deadline) -> Files:
    return CallFiles(cast("Files", lake), deadline)


@pytest.mark.parametrize("call", RETRIED)
def test_what_may_be_done_twice_is_retried(call: Callable[[Files], object]) -> None:
    lake = Lake(failures=2)
    call(bound(lake, Deadline(100, sleep=lambda _: None)))
    assert lake.requests == 3


@pytest.mark.parametrize("call", ONCE)
def test_what_must_be_looked_at_in_between_is_one_request(call: Callable[[Files], object]) -> None:
    lake = Lake(failures=1)
    with pytest.raises(RetryableError):
        call(bound(lake, Deadline(100, sleep=lambda _: None)))
    assert lake.requests == 1


@pytest.mark.parametrize("call", [*RETRIED, *ONCE])
def test_every_effect_that_stays_is_progress_and_no_read_is(call: Callable[[Files], object]) -> None:
    deadline = Watched(100)
    call(bound(Lake(), deadline))
    assert deadline.steps == (1 if call in PROGRESS else 0)
