"""The stand-in of the Functions host behaves as the real one was seen to."""

import ast
import base64
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.host.cron import ScheduleError, parse
from emulators.host.front import Keys
from emulators.host.functions import Function, HttpTrigger, QueueTrigger, TimerTrigger
from emulators.host.host import Host, SimulatedClock
from emulators.host.host_json import HostJson, HostJsonError, read_host_json
from emulators.host.listeners import Listener, Queues
from emulators.host.process import start_worker
from emulators.host.queues import OutputError, encode, output_bodies
from emulators.host.routes import Route, RouteError

ROOT = Path(__file__).parents[2]
APPS = Path(__file__).parent / "host_apps"
BEFORE_SIX = datetime(2026, 1, 31, 5, 50, tzinfo=UTC)
SIX = "2026-01-31T06:00:00+00:00"
NEVER = "0001-01-01T00:00:00+00:00"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SETTINGS = {"EXPORT_SCHEDULE": "0 0 6 * * *", "EXPORT_QUEUE": "exports"}

StartHost = Callable[..., Host]


@pytest.fixture
def start_host(forked_workers: None) -> Iterator[StartHost]:
    """Start a host over one of the apps, before six in the morning; `Host` by itself has a worker that is no fork."""
    del forked_workers
    with ExitStack() as started:

        def start(app: str = "whole", *, keys: Keys | None = None, **more: str) -> Host:
            host = Host(APPS / app, SETTINGS | more, clock=SimulatedClock(BEFORE_SIX), keys=keys)
            return started.enter_context(host)

        yield start


@pytest.fixture
def host(start_host: StartHost) -> Host:
    return start_host()


@pytest.fixture
def quiet_host(start_host: StartHost) -> Host:
    """A host whose timer brings no messages of its own."""
    return start_host(EXPORT_SCHEDULE="0 0 0 1 7 *")


def events(host: Host, event: str) -> list[dict[str, Any]]:
    """What the app logged of one kind of event."""
    lines = [json.loads(line.text) for line in host.log if line.text.startswith("{")]
    return [line for line in lines if line["event"] == event]


def logged(host: Host, text: str) -> bool:
    return any(text in line.text for line in host.log)


def ask(
    host: Host, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """Ask over HTTP; the answer is read to its end."""
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=30)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    answer.content = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def write_app(folder: Path, program: str) -> Path:
    """An app of one program, in a folder of its own."""
    app = folder / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(program)
    return app


def status_of(host: Host, method: str, path: str, headers: dict[str, str] | None = None) -> int:
    return ask(host, method, path, headers=headers).status


# Indexing


def test_windows_is_told_in_a_line_that_it_needs_wsl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="WSL"):
        start_worker([], tmp_path, {}, 0)


def test_functions_are_known_with_their_triggers(host: Host) -> None:
    triggers = {name: function.trigger for name, function in host.functions.items()}
    http_functions = {
        name: (trigger.route.template, trigger.methods, trigger.auth_level)
        for name, trigger in triggers.items()
        if isinstance(trigger, HttpTrigger)
    }
    assert http_functions == {
        "start": ("api/runs", ("POST",), "function"),
        "look": ("api/runs/{id}", ("GET",), "function"),
        "recent": ("api/runs/recent", ("GET",), "anonymous"),
        "echo": ("api/echo", ("PUT",), "admin"),
        "none": ("api/none", (), "function"),
        "single": ("api/single", ("POST",), "function"),
        "in_bytes": ("api/bytes", ("POST",), "function"),
    }
    queues = {name: trigger.queue for name, trigger in triggers.items() if isinstance(trigger, QueueTrigger)}
    assert queues == {"work": "exports", "poison": "exports-poison"}
    assert {name for name, trigger in triggers.items() if isinstance(trigger, TimerTrigger)} == {
        "on_schedule",
        "hourly",
    }
    assert host.functions["on_schedule"].outputs == {"messages": "exports"}


def test_an_app_that_cannot_be_imported_leaves_a_running_host_without_functions(start_host: StartHost) -> None:
    host = start_host("broken")
    assert (host.state, host.functions) == ("Running", {})
    assert status_of(host, "GET", "/api/runs") == 404
    assert logged(host, "there_is_no_such_module")


NAME_TWICE = """
import azure.functions as func
app = func.FunctionApp()
@app.route(route='a')
def one(req: func.HttpRequest) -> str: ...
@app.function_name('one')
@app.route(route='b')
def two(req: func.HttpRequest) -> str: ...
"""


@pytest.mark.parametrize(
    ("program", "hint"), [("def (:", "SyntaxError"), (NAME_TWICE, "does not have a unique function name")]
)
def test_a_syntax_error_or_a_name_twice_leaves_no_function_either(tmp_path: Path, program: str, hint: str) -> None:
    app = write_app(tmp_path, program)
    with Host(app, {}, clock=SimulatedClock(BEFORE_SIX)) as host:
        assert (host.state, host.functions) == ("Running", {})
        assert status_of(host, "GET", "/api/a") == 404
        assert logged(host, hint)


def test_a_function_that_is_refused_is_off_and_the_others_work(start_host: StartHost) -> None:
    host = start_host("partly")
    problems = {name: function.problem for name, function in host.functions.items()}
    assert "fields" in problems["bad_schedule"]
    assert "%NOT_SET%" in problems["unresolved"]
    assert "Not_A_Queue" in problems["bad_queue"]
    assert "the_message" in problems["bad_binding_name"]
    assert "reserved" in problems["reserved"]
    assert "exponential_backoff" in problems["backs_off"]
    assert "does not support retries of a queueTrigger" in problems["retried_queue"]
    assert "does not support blobTrigger" in problems["of_a_blob"]
    assert "does not support the binding blob" in problems["to_a_blob"]
    assert problems["good"] == ""
    assert status_of(host, "GET", "/api/good") == 200
    assert status_of(host, "GET", "/admin/mine") == 404
    for name, problem in problems.items():
        assert not problem or logged(host, f"The function {name} is in error: {problem}")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"version": "1.0"}',
        '{"version": "2.0", "functionTimeout": "one hour"}',
        '{"version": "2.0", "functionTimeout": "24:00:00"}',
        '{"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}',
        '{"version": "2.0", "extensions": {"queues": {"maxDequeueCount": 0}}}',
        '{"version": "2.0", "extensions": {"queues": {"messageEncoding": "utf-8"}}}',
        '{"version": "2.0", "extensions": []}',
    ],
)
def test_a_bad_host_json_stops_the_host_which_then_answers_503(tmp_path: Path, text: str) -> None:
    shutil.copy(APPS / "whole" / "function_app.py", tmp_path)
    (tmp_path / "host.json").write_text(text)
    with Host(tmp_path, SETTINGS, clock=SimulatedClock(BEFORE_SIX)) as host:
        assert host.state == "Error"
        assert status_of(host, "GET", "/api/runs/recent") == 503
        assert logged(host, "The host cannot start")


def test_host_json_is_read_with_its_defaults_and_unknown_keys_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0", "no such key": 1}')
    read = read_host_json(tmp_path)
    assert (read.batch_size, read.new_batch_threshold, read.max_dequeue_count) == (16, 8, 5)
    assert (read.visibility_timeout, read.function_timeout) == (timedelta(0), timedelta(minutes=30))
    (tmp_path / "host.json").write_text('{"version": "2.0", "functionTimeout": "-1"}')
    assert read_host_json(tmp_path).function_timeout is None


def test_a_bare_number_for_a_time_is_of_days(tmp_path: Path) -> None:
    text = '{"version": "2.0", "functionTimeout": 2, "extensions": {"queues": {"visibilityTimeout": "1.00:05:00"}}}'
    (tmp_path / "host.json").write_text(text)
    read = read_host_json(tmp_path)
    assert read.function_timeout == 2 * DAY
    assert read.visibility_timeout == DAY + 5 * MINUTE


def test_a_missing_host_json_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostJsonError, match="cannot be read"):
        read_host_json(tmp_path)


# Timers


def test_a_timer_is_told_the_occurrence_that_fires_and_none_before_the_first(host: Host) -> None:
    host.advance(DAY + HOUR)
    first, second = events(host, "timer")
    assert (first["status"]["Last"], first["status"]["Next"]) == (NEVER, SIX)
    assert (second["status"]["Last"], second["status"]["Next"]) == (SIX, "2026-02-01T06:00:00+00:00")
    assert [first["past_due"], second["past_due"]] == [False, False]


def test_schedules_without_a_monitor_or_more_often_than_a_minute_are_told_nothing(start_host: StartHost) -> None:
    host = start_host("frequent")
    host.advance(2 * MINUTE)
    assert [seen["status"] for seen in events(host, "often")] == [{}] * 4
    assert [seen["status"] for seen in events(host, "unmonitored")] == [{}] * 2
    assert [seen["status"]["Next"][14:16] for seen in events(host, "each_minute")] == ["51", "52"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * * *", True),
        ("*/5 * * * * *", True),
        ("10,20,45 * * * * *", True),
        ("30 * * * * *", False),
        ("* */20 * * * *", False),
        ("*/30 0 6 * * *", False),
        ("* 59 11 * * 1,2,3,4,5", False),
    ],
)
def test_only_what_occurs_more_than_once_in_every_minute_has_no_status(text: str, *, expected: bool) -> None:
    """The cases of the extension's own test, ShouldDisableScheduleMonitor_ReturnsExpectedValue, and one more."""
    assert parse(text).frequent == expected


def test_a_timer_that_runs_at_startup_does_so_at_each_start(start_host: StartHost) -> None:
    host = start_host("frequent")
    host.run_until_idle()
    host.stop()
    host.start()
    host.run_until_idle()
    assert len(events(host, "at_start")) == 2


@pytest.mark.parametrize("fired_before", [False, True])
def test_an_outage_collapses_into_one_call_with_the_first_missed_occurrence(host: Host, *, fired_before: bool) -> None:
    if fired_before:
        host.advance(HOUR)
    host.stop()
    host._clock.advance(7 * DAY)  # type: ignore[attr-defined]
    host.start()
    host.advance(MINUTE)
    late = events(host, "timer")[1 if fired_before else 0 :]
    assert [seen["past_due"] for seen in late] == [True]
    assert late[0]["status"]["Next"] == ("2026-02-01T06:00:00+00:00" if fired_before else SIX)
    host.advance(DAY)
    assert [seen["past_due"] for seen in events(host, "timer")][-2:] == [True, False]


def test_a_schedule_that_was_changed_is_not_past_due(start_host: StartHost) -> None:
    host = start_host()
    host.stop()
    host._settings["EXPORT_SCHEDULE"] = "0 30 5 * * *"
    host._clock.advance(DAY)  # type: ignore[attr-defined]
    host.start()
    host.run_until_idle()
    assert events(host, "timer") == []
    host.advance(DAY)
    assert [seen["status"]["Next"] for seen in events(host, "timer")] == ["2026-02-02T05:30:00+00:00"]


def test_retries_of_a_timer_are_told_the_same_occurrence_and_send_nothing(start_host: StartHost) -> None:
    host = start_host(ON_SCHEDULE="fail")
    host.advance(HOUR)
    tries = events(host, "timer")
    assert [seen["retry"] for seen in tries] == [[0, 2], [1, 2], [2, 2]]
    assert len({seen["id"] for seen in tries}) == 1
    assert {seen["status"]["Next"] for seen in tries} == {SIX}
    calls = [call for call in host.invocations if call.function == "on_schedule"]
    assert [(call.started_at.minute, call.ok, call.outputs) for call in calls] == [
        (0, False, {}),
        (5, False, {}),
        (10, False, {}),
    ]
    assert "exports" not in host.queues


def test_an_occurrence_missed_during_retries_comes_right_after_them(start_host: StartHost) -> None:
    host = start_host(ON_SCHEDULE="fail", EXPORT_SCHEDULE="0 */5 6 * * *")
    host.advance(timedelta(minutes=20))
    tries = [(seen["status"]["Next"][14:16], seen["retry"][0]) for seen in events(host, "timer")]
    assert tries == [("00", 0), ("00", 1), ("00", 2), ("05", 0)]


def test_an_occurrence_whose_retries_a_stop_cut_off_is_taken_for_done(start_host: StartHost) -> None:
    """As the real host does: its status is written though no attempt succeeded."""
    host = start_host(ON_SCHEDULE="fail")
    host.advance(12 * MINUTE)
    host.stop()
    host.start()
    host.run_until_idle()
    assert [seen["past_due"] for seen in events(host, "timer")] == [False]
    host.advance(DAY)
    assert events(host, "timer")[1]["status"]["Next"] == "2026-02-01T06:00:00+00:00"


def test_a_timer_is_fired_at_will_with_any_occurrence_beside_its_schedule(host: Host) -> None:
    noon = datetime(2026, 2, 3, 12, tzinfo=UTC)
    assert host.fire("on_schedule", at=noon, past_due=True).outputs == {"messages": ["from the timer"]}
    assert host.fire("on_schedule").ok
    fired, usual = events(host, "timer")
    assert (fired["status"]["Next"], fired["past_due"]) == (noon.isoformat(), True)
    assert usual["status"]["Next"] == SIX
    host.advance(HOUR)
    assert events(host, "timer")[2]["status"] == {"Last": NEVER, "Next": SIX, "LastUpdated": NEVER}


def test_a_host_that_serves_runs_timers_and_messages_as_they_come() -> None:
    host = Host(APPS / "frequent", SETTINGS, clock=lambda: datetime.now(UTC))
    with ThreadPoolExecutor() as serving, host:
        served = serving.submit(host.serve)
        host.wait_until(lambda: bool(events(host, "at_start")))
        host.stop()
        served.result()
    host = Host(APPS / "whole", SETTINGS, clock=lambda: datetime.now(UTC))
    with ThreadPoolExecutor() as serving, host:
        served = serving.submit(host.serve)
        host.put("exports", "hello")
        host.wait_until(lambda: [seen["text"] for seen in events(host, "work")] == ["hello"])
        host.stop()
        served.result()


def test_only_a_simulated_clock_is_advanced() -> None:
    with pytest.raises(TypeError, match="simulated"):
        Host(APPS / "whole", SETTINGS, clock=lambda: BEFORE_SIX).advance(HOUR)


# Schedules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 6 * * *", "2026-01-31T06:00:00"),
        ("0 6 * * *", "2026-02-01T06:00:00"),
        ("30 */20 * * * *", "2026-01-31T06:00:30"),
        ("0 50/4 * * * *", "2026-01-31T05:54:00"),
        ("0 0 9-9 * * *", "2026-01-31T09:00:00"),
        ("0 0 8 * * Mon-Fri", "2026-02-02T08:00:00"),
        ("0 0 8 13 * 5", "2026-02-13T08:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 1 mar,JULY *", "2026-03-01T00:00:00"),
        ("5,3 50 5 * * *", "2026-01-31T05:50:03"),
    ],
)
def test_schedules_are_read_as_ncrontab(text: str, expected: str) -> None:
    start = BEFORE_SIX if text != "0 6 * * *" else BEFORE_SIX + HOUR
    assert parse(text).after(start).isoformat() == expected + "+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * * *",
        "0 0 6 * * 7",
        "a * * * * *",
        "0 0 5-3 * * *",
        "*/0 * * * * *",
        "0 0 0 31 2 *",
        "01:00:00",
        "0 0 6 * * * *",
        "0,,1 * * * * *",
        "0 0 - * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text)


@settings(max_examples=60, deadline=None)
@given(
    minute=st.lists(st.integers(0, 59), min_size=1, max_size=4),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001  made aware below
)
def test_the_next_occurrence_is_the_first_instant_that_fits(
    minute: list[int], hour: int, weekday: int, start: datetime
) -> None:
    schedule = parse(f"0 {','.join(map(str, minute))} {hour} * * {weekday}")
    aware = start.replace(tzinfo=UTC)
    candidate = aware.replace(second=0, microsecond=0)
    while candidate <= aware or not (
        candidate.minute in minute and candidate.hour == hour and candidate.isoweekday() % 7 == weekday
    ):
        candidate += MINUTE
    assert schedule.after(aware) == candidate


# Queues


def test_messages_are_base64_on_the_wire_and_text_in_the_function(host: Host) -> None:
    message = host.put("exports", "häßlich")
    assert base64.b64decode(message.body).decode() == "häßlich"
    assert host.queues["exports"].texts == ["häßlich"]
    host.run_until_idle()
    assert events(host, "work") == [
        {
            "event": "work",
            "text": "häßlich",
            "id": message.id,
            "count": 1,
            "inserted": "2026-01-31 05:50:00+00:00",
            "receipt": True,
        }
    ]
    assert host.queues["exports"].messages == []


def test_a_failed_message_comes_back_after_the_visibility_timeout_and_goes_to_poison_as_a_new_one(host: Host) -> None:
    message = host.put("exports", "fail")
    host.run_until_idle()
    host.advance(4 * MINUTE)
    assert [seen["count"] for seen in events(host, "work")] == [1]
    host.advance(HOUR)
    tries = [seen for seen in events(host, "work") if seen["text"] == "fail"]
    assert [(seen["id"], seen["count"]) for seen in tries] == [(message.id, 1), (message.id, 2), (message.id, 3)]
    (poisoned,) = events(host, "poison")
    assert (poisoned["text"], poisoned["count"]) == ("fail", 1)
    assert poisoned["id"] != message.id
    (call,) = [call for call in host.invocations if call.function == "poison"]
    assert call.started_at == BEFORE_SIX + 10 * MINUTE
    assert host.queues["exports"].messages == host.queues["exports-poison"].messages == []


@pytest.mark.parametrize("body", ["no base64!", base64.b64encode(b"\xff").decode()])
def test_what_is_not_base64_goes_to_poison_at_once_as_it_is_and_nothing_is_called(host: Host, body: str) -> None:
    host.put_raw("exports", body)
    host.run_until_idle()
    assert host.queues["exports"].messages == []
    assert [message.body for message in host.queues["exports-poison"].messages] == [body]
    assert host.invocations == []


def test_a_failed_poison_message_comes_back_after_ten_minutes_until_its_tries_are_used_up(
    start_host: StartHost,
) -> None:
    host = start_host(POISON_FAILS="yes")
    host.put("exports-poison", "anything")
    host.advance(9 * MINUTE)
    assert len(events(host, "poison")) == 1
    host.advance(MINUTE)
    assert len(events(host, "poison")) == 2
    host.advance(HOUR)
    assert [seen["count"] for seen in events(host, "poison")] == [1, 2, 3]
    assert host.queues["exports-poison"].texts == ["anything"]


def test_a_message_lives_for_seven_days(start_host: StartHost) -> None:
    host = start_host(EXPORT_QUEUE="")
    assert host.functions["work"].problem == "'%EXPORT_QUEUE%' does not resolve to a value"
    host.put("exports", "nobody listens")
    queue = host.queues["exports"]
    assert queue.take(1, BEFORE_SIX + 7 * DAY, MINUTE) == []
    assert queue.messages == []


def test_so_many_messages_run_at_once_as_host_json_says() -> None:
    queues = Queues()
    function = Function("f", "1", (), trigger=QueueTrigger("q"))
    listener = Listener(function, queues, HostJson(batch_size=4, new_batch_threshold=2))
    for number in range(10):
        queues.written("q").put(encode(str(number)), BEFORE_SIX)
    running = list(listener.take(BEFORE_SIX))
    assert [message.text for message in running] == ["0", "1", "2", "3"]
    listener.end(running.pop(), BEFORE_SIX, ok=True)
    assert list(listener.take(BEFORE_SIX)) == []
    listener.end(running.pop(), BEFORE_SIX, ok=True)
    running += listener.take(BEFORE_SIX)
    assert [message.text for message in running] == ["0", "1", "4", "5", "6", "7"]


def test_a_message_that_takes_long_does_not_hold_up_those_behind_it(quiet_host: Host) -> None:
    for text in ["hold", *map(str, range(8)), "release"]:
        quiet_host.put("exports", text)
    quiet_host.run_until_idle()
    assert {call.ok for call in quiet_host.invocations} == {True}
    assert quiet_host.queues["exports"].messages == []


def block(host: Host, count: int = 1) -> None:
    """Let so many messages run that never end."""
    expected = len(events(host, "blocked")) + count
    for _ in range(count):
        host.put("exports", "block")
    host.dispatch()
    host.wait_until(lambda: len(events(host, "blocked")) >= expected)


def test_a_killed_worker_is_restarted_and_its_message_comes_back_after_the_visibility_timeout(quiet_host: Host) -> None:
    block(quiet_host)
    before = quiet_host.worker_pid
    quiet_host.kill_worker()
    assert quiet_host.worker_pid != before
    (call,) = quiet_host.invocations
    assert (call.ok, call.error) == (False, "the worker process exited with status -9")
    quiet_host.put("exports", "usual")
    quiet_host.run_until_idle()
    assert [seen["text"] for seen in events(quiet_host, "work")] == ["block", "usual"]
    assert [message.visible_at - BEFORE_SIX for message in quiet_host.queues["exports"].messages] == [5 * MINUTE]


def test_sys_exit_in_a_function_ends_the_worker(quiet_host: Host) -> None:
    block(quiet_host)
    quiet_host.put("exports", "exit")
    quiet_host.run_until_idle()
    assert [call.error for call in quiet_host.invocations] == ["the worker process exited with status 3"] * 2
    assert quiet_host.fire("hourly").ok


def test_a_call_beyond_the_function_timeout_restarts_the_worker_and_fails_all_that_ran_in_it(quiet_host: Host) -> None:
    block(quiet_host)
    quiet_host.advance(30 * MINUTE, wait=False)
    block(quiet_host, 2)
    quiet_host.advance(29 * MINUTE, wait=False)
    assert [call.ok for call in quiet_host.invocations if call.function == "work"] == [None, None, None]
    quiet_host.advance(MINUTE, wait=False)
    first, *others = [call for call in quiet_host.invocations if call.function == "work"]
    assert (first.ok, first.error) == (False, "Timeout value of 1:00:00 was exceeded")
    assert [call.error for call in others] == ["the worker process exited with status -9"] * 2
    assert [message.visible_at - BEFORE_SIX for message in quiet_host.queues["exports"].messages] == [65 * MINUTE] * 3


def test_a_running_message_stays_hidden_for_as_long_as_it_runs(quiet_host: Host) -> None:
    block(quiet_host)
    quiet_host.advance(55 * MINUTE, wait=False)
    assert [message.dequeue_count for message in quiet_host.queues["exports"].messages] == [1]


def test_a_stopped_host_leaves_its_messages_hidden_for_ten_minutes_after_the_last_renewal(quiet_host: Host) -> None:
    block(quiet_host)
    quiet_host.advance(7 * MINUTE, wait=False)
    quiet_host.stop()
    (call,) = quiet_host.invocations
    assert (call.ok, call.error) == (False, "the host stopped")
    (message,) = quiet_host.queues["exports"].messages
    assert message.visible_at - BEFORE_SIX == 15 * MINUTE
    quiet_host.start()
    quiet_host.advance(7 * MINUTE, wait=False)
    assert message.dequeue_count == 1
    quiet_host.advance(MINUTE, wait=False)
    assert message.dequeue_count == 2


def test_a_queue_function_is_called_without_a_queue(host: Host) -> None:
    assert host.invoke("work", "hello").ok
    assert not host.invoke("work", "fail").ok
    assert host.queues == {}


def test_waiting_for_what_never_ends_is_an_error(quiet_host: Host) -> None:
    block(quiet_host)
    with pytest.raises(TimeoutError, match="work"):
        quiet_host.run_until_idle(patience_seconds=0.01)


# Outputs


def test_a_client_that_talks_nonsense_is_let_go(host: Host) -> None:
    for nonsense in (
        b"PUT /api/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"PUT /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"\x16\x03\x01",
    ):
        with (
            socket.create_connection(("127.0.0.1", urlsplit(host.url).port), timeout=30) as connection,
            connection.makefile("rb") as answer,
        ):
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            assert answer.read()[:13] in (b"HTTP/1.1 400 ", b"")
    assert host.invocations == []


def test_a_client_that_says_nothing_does_not_hold_up_a_stop(host: Host) -> None:
    """Browsers open connections that they may need."""
    with socket.create_connection(("127.0.0.1", urlsplit(host.url).port), timeout=30) as silent:
        assert status_of(host, "GET", "/api/runs/recent") == 200
        host.stop()
        assert silent.recv(1) == b""


def test_a_list_of_texts_is_sent_byte_for_byte_before_the_answer(host: Host) -> None:
    assert "exports" not in host.queues
    assert ask(host, "POST", "/api/runs", '{"texts": "exact"}').status == 202
    assert host.queues["exports"].texts == ['{"b": 1,  "a": 2}', "[1, 2]", "häßlich\n", " "]


def test_outputs_of_a_call_that_raises_are_not_sent(host: Host) -> None:
    assert ask(host, "POST", "/api/runs", '{"texts": "exact", "order": "fail"}').status == 500
    assert "exports" not in host.queues


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("plain", ["plain"]),
        ('{"b":1,"a":"ü"}', ['{\n  "b": 1,\n  "a": "ü"\n}']),
        ('["x", {"y": 1}, 2]', ["x", '{\n  "y": 1\n}', "2"]),
        ("[]", []),
    ],
)
def test_a_single_text_that_looks_like_json_is_written_anew_or_split(host: Host, text: str, sent: list[str]) -> None:
    assert ask(host, "POST", "/api/single", text.encode()).status == 204
    assert (host.queues["single"].texts if sent else []) == sent


@pytest.mark.parametrize("text", ["{no json}", "x" * 65536])
def test_an_output_that_cannot_be_sent_fails_the_call(host: Host, text: str) -> None:
    assert ask(host, "POST", "/api/single", text).status == 500
    assert not host.invocations[-1].ok


def test_bytes_are_sent_as_they_are(host: Host) -> None:
    answer = ask(host, "POST", "/api/bytes", b"\xff")
    assert (answer.status, answer.headers["Set-Cookie"]) == (200, "a=b; Path=/")
    assert [message.body for message in host.queues["single"].messages] == ["/w=="]
    assert host.invocations[-1].outputs == {"message": ["/w=="]}


def test_a_status_that_is_no_number_is_500(host: Host) -> None:
    assert ask(host, "POST", "/api/bytes?status=odd", b"").status == 500


@pytest.mark.parametrize(("kind", "value"), [("int", 1), ("json", '["\\ud800"]'), ("string", "[]]")])
def test_what_is_no_message_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(OutputError):
        output_bodies(kind, value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text()))
def test_any_list_of_texts_survives_the_wire(texts: list[str]) -> None:
    bodies = output_bodies("json", json.dumps(texts))
    assert [base64.b64decode(body).decode() for body in bodies] == texts


# HTTP


def test_a_function_sees_the_request_as_the_host_passes_it(host: Host) -> None:
    headers = {"X-Mixed-Case": "Kept As Is"}
    answer = ask(host, "GET", "/API/Runs/a%20b/?deep=true&deep=false&empty=", headers=headers)
    seen = json.loads(answer.content)  # type: ignore[attr-defined]
    assert answer.status == 409
    assert seen["id"] == "a b"
    assert seen["headers"]["x-mixed-case"] == "Kept As Is"
    assert seen["query"] == {"deep": "true,false", "empty": ""}
    assert seen["url"] == f"{host.url}/API/Runs/a%20b/?deep=true&deep=false&empty="


def test_an_answer_passes_unchanged_in_chunks(host: Host) -> None:
    answer = ask(host, "POST", "/api/runs", '{"texts": "none"}')
    passed = {name: answer.headers[name] for name in ("Location", "Retry-After", "ETag", "Cache-Control")}
    assert passed == {"Location": "/api/runs/1", "Retry-After": "5", "ETag": '"1"', "Cache-Control": "no-store"}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == b"{}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/api/runs/recent", "/api/runs/recent/", "/API/RUNS/RECENT"])
def test_a_literal_segment_goes_before_a_parameter(host: Host, path: str) -> None:
    answer = ask(host, "GET", path)
    assert (answer.status, answer.content) == (200, b"recent")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/api/runs"), ("POST", "/api/runs/1"), ("GET", "/runs/1"), ("GET", "/")]
)
def test_a_wrong_method_or_path_is_404(host: Host, method: str, path: str) -> None:
    assert status_of(host, method, path) == 404


@pytest.mark.parametrize("path", ["/api/none?of=dict", "/api/none?of=none", "/api/none?of=raises"])
def test_what_is_no_answer_is_500_with_an_empty_body(host: Host, path: str) -> None:
    answer = ask(host, "GET", path)
    assert (answer.status, answer.content) == (500, b"")  # type: ignore[attr-defined]
    assert host.invocations[-1].error


def test_a_request_in_chunks_arrives_whole(host: Host) -> None:
    answer = ask(host, "PUT", "/api/echo", iter([b"in ", b"two pieces"]))
    assert answer.content == b"in two pieces"  # type: ignore[attr-defined]


def test_without_keys_every_level_is_open(host: Host) -> None:
    assert status_of(host, "PUT", "/api/echo") == 200


@pytest.mark.parametrize(
    ("method", "path", "key", "expected"),
    [
        ("GET", "/api/runs/1", None, 401),
        ("GET", "/api/runs/1", "wrong", 401),
        ("GET", "/api/runs/1", "the-function-key", 409),
        ("GET", "/api/runs/1", "the-master-key", 409),
        ("GET", "/api/runs/1?code=the-function-key", None, 409),
        ("GET", "/api/runs/recent", None, 200),
        ("PUT", "/api/echo", "the-function-key", 401),
        ("PUT", "/api/echo", "the-master-key", 200),
        ("GET", "/admin/host/status", "the-function-key", 401),
        ("GET", "/admin/host/status", "the-master-key", 200),
        ("DELETE", "/api/runs/1", None, 404),
    ],
)
def test_keys_are_checked_where_they_are_asked_for(
    start_host: StartHost, method: str, path: str, key: str | None, expected: int
) -> None:
    host = start_host(keys=Keys(function="the-function-key", master="the-master-key"))
    answer = ask(host, method, path, headers={"x-functions-key": key} if key else {})
    assert answer.status == expected
    assert expected != 401 or answer.content == b""  # type: ignore[attr-defined]
    assert "the-" not in repr(host._keys)


def test_an_administrator_fires_timers_and_queue_functions(host: Host) -> None:
    assert fire(host, "ON_SCHEDULE", "{}") == 202
    assert fire(host, "work", '{"input": "hello"}') == 202
    assert fire(host, "start", "{}") == 404
    assert ask(host, "GET", "/admin/functions", "").status == 404
    host.run_until_idle()
    assert [seen["status"]["Next"] for seen in events(host, "timer")] == [SIX]
    # The two run at the same time, each on a thread of its own.
    assert sorted(seen["text"] for seen in events(host, "work")) == ["from the timer", "hello"]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        ("{}", "application/json; charset=utf-8", 202),
        ("{}", "", 415),
        ("{}", "text/plain", 415),
        ("", "application/json", 400),
        ("{", "application/json", 400),
        ("null", "application/json", 400),
        ("[]", "application/json", 400),
    ],
)
def test_an_administrators_call_is_json_with_a_body(host: Host, body: str, media_type: str, status: int) -> None:
    assert fire(host, "on_schedule", body, media_type) == status
    host.run_until_idle()
    assert bool(host.invocations) == (status == 202)


def fire(host: Host, name: str, body: str, media_type: str = "application/json") -> int:
    headers = {"Content-Type": media_type} if media_type else {}
    return ask(host, "POST", f"/admin/functions/{name}", body, headers=headers).status


def test_a_request_that_is_cut_off_by_a_killed_worker_is_500(host: Host) -> None:
    with ThreadPoolExecutor() as asking:
        answer = asking.submit(ask, host, "POST", "/api/runs", '{"texts": "none", "order": "block"}')
        host.wait_until(lambda: bool(events(host, "blocked")))
        host.kill_worker()
        assert answer.result().status == 500


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("", "/api", {}),
        ("a/{id:int}", "/api/a/12", {"id": "12"}),
        ("a/{id:int}", "/api/a/x", None),
        ("a/{id?}", "/api/a", {}),
        ("a/{id?}", "/api/a/b", {"id": "b"}),
        ("a/{*rest}", "/api/a/b/c", {"rest": "b/c"}),
        ("a/{id}", "/api/a/b/c", None),
        ("a.b", "/api/axb", None),
    ],
)
def test_routes_match_as_templates(template: str, path: str, values: dict[str, str] | None) -> None:
    assert Route("api", template).match(path) == values


@pytest.mark.parametrize("template", ["Admin", "runtime/x", "a/{id:regex(x)}", "a-{id}", "a/{"])
def test_routes_that_are_not_done_are_refused(template: str) -> None:
    with pytest.raises(RouteError):
        Route("api", template)


# The worker process


def test_the_worker_program_needs_nothing_of_this_project() -> None:
    text = (ROOT / "scripts" / "worker.py").read_text()
    assert "emulators" not in text
    assert "pigment_export" not in text


def test_the_host_itself_never_loads_the_worker_library() -> None:
    program = "import sys, emulators.host.host; print([m for m in sys.modules if m.startswith('azure')])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_the_app_prints_and_its_exceptions_are_in_the_log(tmp_path: Path) -> None:
    app = write_app(
        tmp_path,
        "import azure.functions as func, logging, os, sys\n"
        "app = func.FunctionApp()\n"
        "print('printed', os.environ['WEBSITE_HOSTNAME'], os.environ['AzureWebJobsScriptRoot'], flush=True)\n"
        "@app.timer_trigger(arg_name='timer', schedule='0 0 6 * * *')\n"
        "async def later(timer: func.TimerRequest) -> None:\n"
        "    logging.debug('not seen')\n"
        "    try:\n"
        "        1 / 0\n"
        "    except ZeroDivisionError:\n"
        "        logging.exception('went wrong')\n",
    )
    with Host(app, {}, clock=SimulatedClock(BEFORE_SIX)) as host:
        assert host.fire("later").ok
        (line,) = [line for line in host.log if "went wrong" in line.text]
        assert (line.level, line.function) == ("ERROR", "later")
        assert "ZeroDivisionError" in line.text
        assert not logged(host, "not seen")
        hostname = host.url.replace("http://127.0.0.1", "localhost")
    assert logged(host, f"printed {hostname} {app}")


def test_the_worker_sees_the_given_environment_and_no_other(tmp_path: Path) -> None:
    app = write_app(tmp_path, "import os\nprint('seen', sorted(os.environ.items()), flush=True)\n")
    given = {"HTTPS_PROXY": "http://127.0.0.1:1", "REQUESTS_CA_BUNDLE": "/ca.pem", "IDENTITY_ENDPOINT": "http://x"}
    with Host(app, given, clock=SimulatedClock(BEFORE_SIX)) as host:
        added = {
            "WEBSITE_HOSTNAME": host.url.replace("http://127.0.0.1", "localhost"),
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsScriptRoot": str(app),
        }
    (line,) = [line.text for line in host.log if line.text.startswith("seen")]
    seen = dict(ast.literal_eval(line.removeprefix("seen ")))
    seen.pop("LC_CTYPE", None)  # Python's own doing where there is no locale: https://peps.python.org/pep-0538/
    assert seen == given | added


def test_a_prelude_runs_in_the_worker_before_the_app(tmp_path: Path) -> None:
    app = write_app(tmp_path, "import sys\nprint('patience', sys.patience, flush=True)\n")
    (tmp_path / "prelude.py").write_text("import sys\nsys.patience = 0\n")
    with Host(app, {}, clock=SimulatedClock(BEFORE_SIX), prelude=tmp_path / "prelude.py") as host:
        host.wait_until(lambda: logged(host, "patience 0"))


def test_a_worker_that_does_not_come_up_again_leaves_the_host_in_error(tmp_path: Path) -> None:
    program = "import os, pathlib\nseen = pathlib.Path('seen')\nif seen.exists(): os._exit(7)\nseen.touch()\n"
    with Host(write_app(tmp_path, program), {}, clock=SimulatedClock(BEFORE_SIX)) as host:
        assert host.state == "Running"
        host.kill_worker()
        host.wait_until(lambda: host.state == "Error")
        assert status_of(host, "GET", "/api/a") == 503
        assert logged(host, "exited with status 7")


def test_a_worker_that_is_killed_while_it_starts_again_is_started_once_more(tmp_path: Path) -> None:
    program = (
        "import os, pathlib\n"
        "seen = pathlib.Path('seen')\n"
        "times = len(seen.read_text()) if seen.exists() else 0\n"
        "seen.write_text('x' * (times + 1))\n"
        "if times in (1, 2): os._exit(7)\n"
    )
    with Host(write_app(tmp_path, program), {}, clock=SimulatedClock(BEFORE_SIX)) as host:
        host.kill_worker()
        host.wait_until(lambda: (tmp_path / "app" / "seen").read_text() == "xxxx")
        assert host.state == "Running"


def test_an_app_that_kills_its_process_while_it_starts_stops_the_host(tmp_path: Path) -> None:
    with Host(write_app(tmp_path, "import os\nos._exit(7)\n"), {}, clock=SimulatedClock(BEFORE_SIX)) as host:
        assert host.state == "Error"
        assert logged(host, "exited with status 7")
        assert not host.dispatch()


# The command line


def test_the_command_line_serves_an_app_with_its_local_settings_until_it_is_ended(tmp_path: Path) -> None:
    app = shutil.copytree(APPS / "whole", tmp_path / "app")
    values = {"Values": {**SETTINGS, "EXPORT_QUEUE": "from-the-file"}}
    (app / "local.settings.json").write_text(json.dumps(values))
    command = [sys.executable, "-u", "-m", "emulators.host", str(app), "--port", "0", "--enable-auth"]
    environment = {"EXPORT_SCHEDULE": "0 0 7 * * *", "PATH": "/usr/bin"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        lines = []
        for line in running.stdout:
            lines.append(line)
            if line.startswith("Keys"):
                break
        running.send_signal(signal.SIGTERM)
        rest = running.stdout.read()
    text = "".join(lines)
    assert "simulator" in text
    assert "work: queue from-the-file\n" in text
    assert "T07:00:00+00:00" in text
    assert "/api/runs/{id} (function)" in text
    assert rest == ""
    assert running.returncode == 0


def test_settings_that_are_not_there_are_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emulators.host", str(tmp_path), "--settings", str(tmp_path / "none.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "does not exist" in done.stderr


def test_the_command_line_tells_its_options() -> None:
    command = [sys.executable, "-m", "emulators.host", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--enable-auth" in done.stdout


def test_a_setting_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"Values": {"A": 1}}')
    command = [sys.executable, "-m", "emulators.host", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "the value of A must be a text" in done.stderr
    assert done.returncode == 2
