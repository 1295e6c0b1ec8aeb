"""A trigger is served within a call of its own; what keeps it from its work is logged, what an export meets is not."""

from typing import Any, cast

import pytest

from pigment_export.app.parts import App
from pigment_export.app.triggers import SECONDS, serve
from pigment_export.errors import Cause, ConfigurationError, ExportError, RetryableError, Who
from pigment_export.events import Event
from pigment_export.retry import Deadline
from tests.harness.run_world import events

CUT = RetryableError(Cause("cut", "the stream was reset", Who.NO_ACTION, "wait"))
WRONG = ConfigurationError(["DATA_LAKE_URL: missing"], code="settings")
PARTS = cast("App", object())


def raising(error: ExportError) -> Any:
    def fail(_: object) -> Any:
        raise error from ValueError("what it came from")

    return fail


@pytest.mark.parametrize("trigger", SECONDS)
def test_each_trigger_has_a_call_as_long_as_its_work(trigger: str) -> None:
    calls: list[Deadline] = []

    def build(call: Deadline) -> App:
        calls.append(call)
        return PARTS

    assert serve(trigger, build, lambda app: app is PARTS)
    assert [call.ends_at - call.began_at for call in calls] == [pytest.approx(SECONDS[trigger])]


@pytest.mark.parametrize("trigger", SECONDS)
def test_wrong_settings_are_logged_with_the_trigger_that_met_them(
    trigger: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigurationError):
        serve(trigger, raising(WRONG), lambda _: None)
    assert [(event["trigger"], event["class"]) for event in events(caplog, Event.TRIGGER_FAILED)] == [
        (trigger, "settings")
    ]


@pytest.mark.parametrize("trigger", SECONDS)
def test_what_an_export_meets_is_left_to_its_receipt_and_what_a_schedule_meets_is_logged(
    trigger: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RetryableError):
        serve(trigger, lambda _: PARTS, raising(CUT))
    assert len(events(caplog, Event.TRIGGER_FAILED)) == (trigger == "schedule")


def test_an_error_comes_without_those_that_it_came_from() -> None:
    """Its cause says it all, and the host logs every line of a traceback."""
    with pytest.raises(RetryableError) as caught:
        serve("queue", lambda _: PARTS, raising(CUT))
    assert caught.value.__suppress_context__
    assert [entry.name for entry in caught.traceback][-1] == "serve"
