"""function_app.py on Microsoft's worker library, in the host stand-in, against all others; time is simulated."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulators.everything import Everything
from emulators.host.functions import HttpTrigger, QueueTrigger, TimerTrigger
from emulators.host.host import Host, SimulatedClock
from emulators.lake.account import Answer, Held
from emulators.pigment.model import REVENUE
from emulators.pigment.service import DEMO_KEY, Fault
from emulators.web import Told
from pigment_export.retry import CALL_SECONDS, FUNCTION_TIMEOUT_SECONDS, HOUSEKEEPING_SECONDS

ROOT = Path(__file__).parents[2]
BEFORE_SIX = datetime(2026, 1, 31, 5, 50, tzinfo=UTC)
SIX = datetime(2026, 1, 31, 6, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NEVER = "none"
APP = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "EXPORT_QUEUE": "pigment-exports"}
NAMES = ["countries", "revenue", "pnl", "pnl_view"]

type StartApp = Callable[..., Host]


@pytest.fixture
def clock(everything: Everything) -> SimulatedClock:
    """One clock for host and lake."""
    everything.lake.clock = SimulatedClock(BEFORE_SIX)
    return everything.lake.clock


@pytest.fixture
def start_app(environment: dict[str, str], clock: SimulatedClock, forked_workers: None) -> Iterator[StartApp]:
    """Start a host over the app, ten minutes before its schedule."""
    del forked_workers
    with ExitStack() as started:

        def start(prelude: Path | None = None, **variables: str) -> Host:
            settings = {**environment, **APP, **variables}
            return started.enter_context(Host(ROOT, settings, clock=clock, prelude=prelude))

        yield start


@pytest.fixture
def host(start_app: StartApp) -> Host:
    return start_app()


def ask(host: Host, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"/api/{path}", None if body is None else json.dumps(body), named)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, told


def poll(host: Host, started: tuple[int, dict[str, str], Any]) -> tuple[int, dict[str, str], Any]:
    assert started[0] == 202, started
    return ask(host, "GET", urlsplit(started[1]["location"]).path.removeprefix("/api/"))


def events(host: Host, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line.text) for line in host.log if line.text.startswith('{"event"')]
    return [line for line in lines if line["event"] == name]


def records(everything: Everything, ending: str) -> list[Any]:
    tree = everything.lake.tree()
    return [json.loads(everything.lake.read(path)) for path in sorted(tree) if path.endswith(ending)]


def published(everything: Everything) -> list[str]:
    return sorted(path for path in everything.lake.tree() if path.endswith(".csv"))


def calls(host: Host, function: str) -> list[bool | None]:
    return [made.ok for made in host.invocations if made.function == function]


# --- what the host sees ----------------------------------------------------------------------------------------------


def test_the_functions_are_exactly_these_with_their_triggers_and_levels(host: Host) -> None:
    seen = {}
    for name, function in host.functions.items():
        assert function.problem == "", name
        match function.trigger:
            case TimerTrigger(schedule):
                seen[name] = ("timer", schedule.after(BEFORE_SIX).isoformat())
            case QueueTrigger(queue):
                seen[name] = ("queue", queue)
            case HttpTrigger(route, methods, level):
                seen[name] = ("http", *methods, route.template, level.lower())
    assert seen == {
        "export_on_schedule": ("timer", "2026-01-31T05:50:15+00:00"),
        "housekeeping": ("timer", "2026-01-31T06:37:00+00:00"),
        "export_one": ("queue", "pigment-exports"),
        "record_poison": ("queue", "pigment-exports-poison"),
        "start_run": ("http", "POST", "api/runs", "function"),
        "list_runs": ("http", "GET", "api/runs", "function"),
        "run_status": ("http", "GET", "api/runs/{runId}", "function"),
        "health": ("http", "GET", "api/health", "function"),
        "cancel_run": ("http", "POST", "api/runs/{runId}/cancel", "function"),
        "status_page": ("http", "GET", "api/status", "function"),
    }
    readme = (ROOT / "README.md").read_text()
    assert [name for name in seen if f"`{name}`" not in readme] == []


def test_every_output_goes_to_the_queue_that_is_worked_off(host: Host) -> None:
    outputs = {
        name: binding["queueName"]
        for name, function in host.functions.items()
        for binding in function.bindings
        if binding["type"] == "queue" and binding["direction"].lower() == "out"
    }
    senders = ("export_on_schedule", "housekeeping", "record_poison", "start_run")
    assert outputs == dict.fromkeys(senders, "%EXPORT_QUEUE%")


def test_the_app_ends_a_call_before_the_host_ends_its_process() -> None:
    host_json = json.loads((ROOT / "host.json").read_text())
    hours, minutes, seconds = map(int, host_json["functionTimeout"].split(":"))
    assert hours * 3600 + minutes * 60 + seconds == FUNCTION_TIMEOUT_SECONDS
    assert FUNCTION_TIMEOUT_SECONDS - CALL_SECONDS == 300
    assert HOUSEKEEPING_SECONDS < FUNCTION_TIMEOUT_SECONDS


def test_an_hours_outage_does_not_use_up_the_tries_of_a_message() -> None:
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    hours, minutes, seconds = map(int, queues["visibilityTimeout"].split(":"))
    wait = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    assert (queues["maxDequeueCount"] - 1) * wait > HOUR
    assert wait == 5 * MINUTE


def test_indexing_pays_for_no_library_that_only_calls_need() -> None:
    """Importing the file imports none and starts nothing; the index starts a thread that does."""
    program = (
        "import sys, threading\n"
        "started = []\n"
        "threading.Thread.start = lambda thread: started.append(thread)\n"
        "import function_app\n"
        "assert not started\n"
        "assert len(function_app.app.get_functions()) == 10\n"
        "heavy = ('azure.storage', 'azure.identity', 'azure.keyvault', 'msal', 'h2', 'requests', 'pydantic',\n"
        "         'jinja2')\n"
        "print([name for name in sys.modules if any(name == one or name.startswith(one + '.') for one in heavy)],\n"
        "      [thread.name for thread in started])\n"
    )
    assert printed(program).strip() == "[] ['imports']"


def test_what_is_imported_ahead_is_what_a_tick_with_nothing_due_needs(environment: dict[str, str]) -> None:
    """So no cold start pays for more than it would without; what a first tick needs more is not imported ahead."""
    loaded = "import sys; print(*sys.modules)"
    settings = {**environment, **APP}
    ahead = set(printed(f"from pigment_export import wiring; wiring.import_ahead(); {loaded}").split())
    ticking = (
        "from pigment_export import wiring; from pigment_export.app.triggers import serve, tick;"
        "serve('schedule', wiring.app, lambda app: tick(app, lambda _, look, seen: []))"
    )
    tick = set(printed(f"{ticking}; {loaded}", **settings).split())
    assert {"azure.storage.blob", "azure.identity", "requests", "pydantic"} <= ahead
    assert ahead - tick == set()


def test_a_library_that_is_missing_is_told_by_the_call_not_by_the_imports_ahead() -> None:
    program = (
        "import sys\n"
        "sys.modules['azure.storage.blob'] = None\n"
        "from pigment_export import wiring\n"
        "wiring.import_ahead()\n"
    )
    assert printed(program) == ""


def printed(program: str, **environ: str) -> str:
    """What a program prints in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "HOME")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**environment, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the way of a run ------------------------------------------------------------------------------------------------


def test_the_timer_fires_and_all_four_kinds_land(
    environment: dict[str, str], clock: SimulatedClock, everything: Everything
) -> None:
    """In a worker that is no fork: each library is imported by the call that needs it first."""
    with Host(ROOT, {**environment, **APP}, clock=clock) as host:
        host.advance(20 * MINUTE)
    assert published(everything) == sorted(f"{name}/dt=2026-01-31/{name}.csv" for name in NAMES)
    (result,) = records(everything, "result.json")
    assert (result["state"], result["counts"]) == ("succeeded", {"succeeded": 4})
    assert len([path for path in everything.lake.tree() if path.endswith("/_SUCCESS")]) == 1
    assert sorted(ended["name"] for ended in events(host, "export_ended")) == sorted(NAMES)
    (started,) = events(host, "run_started")
    assert started["trigger"] == "schedule"
    assert everything.proxy is not None
    assert everything.proxy.refused == []


def test_a_call_starts_a_run_and_is_answered_200_when_all_succeeded(host: Host, everything: Everything) -> None:
    started = ask(host, "POST", "runs", {"groups": ["finance"]})
    assert started[1]["location"].startswith(host.url.replace("127.0.0.1", "localhost"))
    assert int(started[1]["retry-after"]) > 0
    host.run_until_idle()
    status, _, run = poll(host, started)
    assert (status, run["state"], run["counts"]) == (200, "succeeded", {"succeeded": 2})
    (result,) = records(everything, "result.json")
    assert everything.lake.tree()[run["result"]]
    assert {export["name"] for export in result["exports"]} == {"revenue", "pnl"}


def test_a_failing_export_ends_in_409_with_its_receipt(host: Host, everything: Everything) -> None:
    del everything.pigment.model.blocks[REVENUE]
    started = ask(host, "POST", "runs", {"exports": ["revenue", "countries"]})
    host.run_until_idle()
    status, headers, run = poll(host, started)
    assert status == 409
    assert headers["content-type"] == "application/problem+json"
    assert run["counts"] == {"failed": 1, "succeeded": 1}
    (trouble,) = run["failed"]
    assert (trouble["name"], trouble["class"]) == ("revenue", "pigment_not_found")
    assert published(everything) == ["countries/dt=2026-01-31/countries.csv"]


def test_what_failed_is_run_again_alone(host: Host, everything: Everything) -> None:
    block = everything.pigment.model.blocks.pop(REVENUE)
    started = ask(host, "POST", "runs", {"exports": ["revenue", "countries"]})
    host.run_until_idle()
    everything.pigment.model.blocks[REVENUE] = block
    again = ask(host, "POST", "runs", {"retry_of": started[2]["run_id"]})
    host.run_until_idle()
    status, _, run = poll(host, again)
    assert (status, run["of"]) == (200, 1)


def test_an_export_that_the_queue_gave_up_is_retried_until_its_run_expires_with_its_last_reason(
    start_app: StartApp, everything: Everything, tmp_path: Path
) -> None:
    host = start_app(EXPORT_SCHEDULE=NEVER, prelude=impatient(tmp_path))
    everything.pigment.faults.append(Fault("reset", path="metric", after=100, times=1000))
    started = ask(host, "POST", "runs", {"exports": ["revenue"]})
    host.run_until_idle()
    status, _, run = poll(host, started)
    assert status == 202
    assert [(one["name"], one["class"]) for one in run["retrying"]] == [("revenue", "pigment_body_cut")]
    host.advance(2 * HOUR)
    status, _, _run = poll(host, started)
    assert status == 202
    recorded = events(host, "poison_recorded")[0]
    assert (recorded["name"], recorded["state"]) == ("revenue", "retrying")
    assert len(calls(host, "export_one")) > 15
    host.advance(5 * HOUR)
    status, _, run = poll(host, started)
    assert status == 409
    assert "pigment_body_cut" in run["failed"][0]["reason"]
    assert published(everything) == []


def test_a_stream_that_breaks_for_an_hour_succeeds_after_it(
    start_app: StartApp, everything: Everything, tmp_path: Path
) -> None:
    host = start_app(prelude=impatient(tmp_path))
    everything.pigment.faults.append(Fault("reset", path="metric", after=100, times=1000))
    host.advance(10 * MINUTE)
    host.advance(HOUR)
    everything.pigment.faults.clear()
    host.advance(10 * MINUTE)
    (result,) = records(everything, "result.json")
    assert result["counts"] == {"succeeded": 4}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"run_id": 1}', '{"run_id": "../..", "name": "x"}', "ä" * 9000])
def test_anything_may_lie_in_a_queue_and_is_told(host: Host, text: str) -> None:
    """A text that is no base64, too: `messageEncoding` would have the host move it to poison and never show it."""
    host.put_raw("pigment-exports-poison", text)
    host.put_raw("pigment-exports", text)
    host.run_until_idle()
    assert calls(host, "record_poison") == [True]
    assert calls(host, "export_one") == [True]
    assert len(events(host, "message_dropped")) == 2


def test_every_line_is_logged_on_the_thread_of_its_call_and_a_failed_try_is_a_few_lines(
    start_app: StartApp, everything: Everything, tmp_path: Path
) -> None:
    """The host drops lines of other threads, and a chain of exceptions would bury the one event that says why."""
    host = start_app(prelude=impatient(tmp_path))
    everything.lake.faults.add("append", "revenue", times=99, then=Answer(503, "ServerBusy"))
    everything.lake.faults.add("put_blob", "countries/_latest", times=1, then=Answer(503, "ServerBusy"))
    everything.pigment.faults.append(Fault("reset", path="table", after=100, times=9))
    host.put_raw("pigment-exports", "no message")
    host.advance(12 * MINUTE)
    host.fire("housekeeping")
    ask(host, "GET", "health?deep=true")
    told = [line for line in host.log if line.text.startswith('{"event"')]
    assert {"export_retrying", "message_dropped", "run_started", "freshness"} <= {
        json.loads(line.text)["event"] for line in told
    }
    assert [line.text for line in told if not line.function] == []  # the function of the line's invocation
    failed = [line for line in host.log if "Traceback" in line.text]
    assert failed
    longest = max((line.text for line in failed), key=lambda text: len(text.splitlines()))
    assert len(longest.splitlines()) <= 25, longest
    assert "the above exception" not in longest, longest


# --- what is repeated, lost or killed --------------------------------------------------------------------------------


def test_a_timer_that_is_fired_by_hand_late_and_twice_is_one_run(host: Host, everything: Everything) -> None:
    host.advance(9 * MINUTE)
    host.fire("export_on_schedule", at=SIX)  # by hand: the host names the coming occurrence of its own timer
    assert records(everything, "run.json") == []
    host.advance(2 * MINUTE)
    host.fire("export_on_schedule", at=SIX, past_due=True)
    host.fire("export_on_schedule", at=SIX - DAY)
    host.run_until_idle()
    assert len(records(everything, "run.json")) == 1
    assert len(published(everything)) == 4
    assert host.invocations[-1].outputs.get("messages", []) == []


def test_the_first_tick_of_a_deployment_starts_nothing_that_lies_back(
    start_app: StartApp, everything: Everything, clock: SimulatedClock
) -> None:
    clock.now = SIX + 3 * HOUR
    host = start_app()
    host.advance(10 * MINUTE)
    assert published(everything) == []
    assert calls(host, "export_on_schedule") == [True, True]


@pytest.mark.parametrize("down", [7 * DAY, 30 * HOUR])
def test_after_an_outage_of_days_the_newest_occurrence_is_made_up_once(
    host: Host, everything: Everything, clock: SimulatedClock, down: timedelta
) -> None:
    host.advance(20 * MINUTE)
    host.stop()
    clock.advance(down)
    host.start()
    host.advance(20 * MINUTE)
    days = sorted({path.split("/")[1] for path in published(everything)})
    assert days == ["dt=2026-01-31", f"dt={(SIX + down).date()}"]
    assert len(records(everything, "run.json")) == 2


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("zone", ["", "Tokyo Standard Time", "America/New_York"])
def test_the_hosts_clock_time_zone_and_status_change_nothing(
    start_app: StartApp, everything: Everything, clock: SimulatedClock, days: int, zone: str
) -> None:
    everything.lake.clock = lambda: clock.now - days * DAY
    host = start_app(WEBSITE_TIME_ZONE=zone, TZ=zone and "America/New_York")
    host.advance(9 * MINUTE)
    host.fire("export_on_schedule", at=SIX + 4 * DAY, past_due=True)
    assert published(everything) == []
    host.advance(11 * MINUTE)
    day = (SIX - days * DAY).date()
    assert {path.split("/")[1] for path in published(everything)} == {f"dt={day}"}
    assert len(published(everything)) == 4


def test_a_tick_with_nothing_due_makes_two_requests_and_imports_only_what_it_uses(
    environment: dict[str, str], everything: Everything
) -> None:
    program = (
        "import sys\n"
        "from function_app import _start_due\n"
        "from pigment_export import wiring\n"
        "from pigment_export.app.triggers import serve, tick\n"
        "serve('schedule', wiring.app, lambda app: tick(app, _start_due))\n"  # sees the schedules for the first time
    )
    asked = (
        "heavy = ('azure.storage.filedatalake', 'azure.keyvault', 'h2', 'isal', 'pigment_export.pigment',\n"
        "  'pigment_export.delivery', 'pigment_export.catalog.exports', 'pigment_export.app.http')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    variables = {**environment, "EXPORTS_FILE": "lake:exports.toml"}
    everything.lake.write("exports.toml", (ROOT / "exports.toml").read_bytes())
    for text in (program, program + asked):
        before = len(everything.lake.calls)
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert [call.operation for call in everything.lake.calls[before:]] == ["get", "get"]


def test_messages_that_were_lost_are_sent_again_by_a_repeat_and_by_housekeeping(host: Host) -> None:
    first = ask(host, "POST", "runs", {"exports": ["revenue"]}, Idempotency_Key="a")
    second = ask(host, "POST", "runs", {"exports": ["pnl"]}, Idempotency_Key="b")
    host.queues["pigment-exports"].messages.clear()
    repeated = ask(host, "POST", "runs", {"exports": ["revenue"]}, Idempotency_Key="a")
    assert repeated[1]["location"] == first[1]["location"]
    host.run_until_idle()
    assert poll(host, first)[0] == 200
    assert poll(host, second)[0] == 202
    host.advance(2 * HOUR)
    assert poll(host, second)[0] == 200


def test_a_worker_that_is_killed_after_it_published_leaves_one_file_and_its_receipt(
    start_app: StartApp, everything: Everything
) -> None:
    host = start_app(EXPORT_SCHEDULE=NEVER)
    reached, release = threading.Event(), threading.Event()
    everything.lake.faults.add(
        "put_blob", "revenue/_latest", times=1, then=Held(before=True, reached=reached, release=release)
    )
    started = ask(host, "POST", "runs", {"exports": ["revenue"]})
    host.dispatch()
    assert reached.wait(30)
    host.kill_worker()
    release.set()
    host.advance(10 * MINUTE)
    assert poll(host, started)[0] == 200
    assert len(published(everything)) == 1
    assert len([seen for seen in everything.pigment.requests if "export" in seen.path]) == 1


def test_two_deployments_on_one_lake_at_the_same_minute_are_two_runs(
    start_app: StartApp, everything: Everything
) -> None:
    one, other = start_app(WEBSITE_SITE_NAME="one"), start_app(WEBSITE_SITE_NAME="other")
    for host in (one, other):
        host.fire("export_on_schedule")
    everything.lake.clock.advance(10 * MINUTE)  # type: ignore[attr-defined]  # both hosts' and the lake's
    for host in (one, other):
        host.fire("export_on_schedule")
        host.run_until_idle()
    plans = records(everything, "run.json")
    plans = [plan for plan in plans if "exports" in plan]
    assert sorted(plan["deployment"] for plan in plans) == ["one", "other"]
    assert len(published(everything)) == 4
    assert {result["state"] for result in records(everything, "result.json")} == {"succeeded"}


def test_a_deploy_that_changes_the_path_in_mid_run_changes_nothing_of_the_run(
    start_app: StartApp, everything: Everything
) -> None:
    before = start_app()
    started = ask(before, "POST", "runs", {"exports": ["revenue"]})
    (message,) = before.queues["pigment-exports"].texts
    before.stop()
    after = start_app(EXPORT_PATH="{name}/{instant}.csv", EXPORT_TIME_ZONE="Pacific/Auckland")
    after.put("pigment-exports", message)
    after.run_until_idle()
    assert published(everything) == ["revenue/dt=2026-01-31/revenue.csv"]
    assert poll(after, started)[0] == 200


# --- what is wrong from the outset -----------------------------------------------------------------------------------


def test_a_broken_catalog_fails_the_timer_loudly_touches_nothing_and_heals_when_it_is_mended(
    start_app: StartApp, everything: Everything
) -> None:
    everything.lake.write("config/exports.toml", b'[revenue]\nkind = "metrik"\n')
    host = start_app(EXPORTS_FILE="lake:config/exports.toml")
    host.advance(5 * MINUTE)
    failed = events(host, "trigger_failed")
    assert (failed[0]["trigger"], failed[0]["class"]) == ("schedule", "catalog")
    assert "revenue.kind" in failed[0]["reason"]
    assert list(everything.lake.tree()) == ["config/exports.toml"]
    everything.lake.write("config/exports.toml", (ROOT / "exports.toml").read_bytes())
    host.advance(10 * MINUTE)
    assert len(published(everything)) == 4


def test_wrong_settings_are_told_whole_to_whoever_calls(start_app: StartApp) -> None:
    host = start_app(DATA_LAKE_URL="", RUN_HOURS="99")
    status, _, told = ask(host, "GET", "runs")
    assert status == 500
    assert [problem.partition(":")[0] for problem in told["problems"]] == ["DATA_LAKE_URL", "RUN_HOURS"]
    assert told["who"] == "the Azure administrator"


def test_anonymous_calls_are_refused_without_entra_and_without_a_principal_behind_it(start_app: StartApp) -> None:
    open_host = start_app(HTTP_AUTH_LEVEL="ANONYMOUS", WEBSITE_SITE_NAME="app")
    for method, path in [("POST", "runs"), ("GET", "runs"), ("GET", "runs/x"), ("GET", "health")]:
        status, _, told = ask(open_host, method, path, X_MS_CLIENT_PRINCIPAL_ID="somebody")
        assert (status, told["type"]) == (503, "urn:pigment-export:anonymous_unguarded"), path
    guarded = start_app(HTTP_AUTH_LEVEL="ANONYMOUS", WEBSITE_SITE_NAME="app", WEBSITE_AUTH_ENABLED="True")
    assert ask(guarded, "GET", "runs")[0] == 401
    assert ask(guarded, "GET", "runs", X_MS_CLIENT_PRINCIPAL_ID="somebody")[0] == 200
    local = start_app(HTTP_AUTH_LEVEL="ANONYMOUS")
    assert ask(local, "GET", "runs")[0] == 200


def test_no_output_of_failing_runs_has_the_key(start_app: StartApp, everything: Everything, tmp_path: Path) -> None:
    host = start_app(prelude=impatient(tmp_path))
    everything.pigment.faults += [
        Fault("status", status=401, path="list", times=9),
        Fault("reset", path="table", times=9),
    ]
    everything.lake.faults.add("rename", "pnl_view", times=9, then=Answer(503, "ServerBusy"))
    host.advance(30 * MINUTE)
    everything.vault.set("pigment-api-key", f"{DEMO_KEY} with a space")
    host.advance(DAY)
    told = "\n".join(line.text for line in host.log)
    told += json.dumps([ask(host, "GET", "runs")[2], ask(host, "GET", "health?deep=true")[2]])
    told += "".join(everything.lake.read(path).decode() for path in everything.lake.tree())
    assert "pigment_unauthorized" in told
    assert DEMO_KEY not in told


# --- a fault of each dependency, with each outcome; all others: tests/delivery/test_fault_matrix.py ------------------

ODATA = {"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}}
ALWAYS = 1000
type Arm = Callable[[Everything], object]
FAULTS: dict[str, tuple[Arm, str, str]] = {
    "identity healed": (lambda all_: all_.identity.failures.append(Told(403, "")), "succeeded", ""),
    "vault again": (
        lambda all_: all_.vault.failures.extend([Told(403, ODATA)] * ALWAYS),
        "retrying",
        "vault_forbidden",
    ),
    "vault failed": (
        lambda all_: all_.vault.failures.append(Told(404, {"error": {"code": "SecretNotFound"}})),
        "failed",
        "vault_secret_missing",
    ),
    "pigment healed": (lambda all_: all_.pigment.faults.append(Fault("reset", after=100)), "succeeded", ""),
    "pigment again": (
        lambda all_: all_.pigment.faults.append(Fault("close", times=ALWAYS)),
        "retrying",
        "pigment_body_cut",
    ),
    "pigment failed": (
        lambda all_: all_.pigment.faults.append(Fault("status", status=403)),
        "failed",
        "pigment_forbidden",
    ),
    "pigment held": (
        lambda all_: setattr(all_.pigment.switches, "body", lambda *_: iter([b"Country;Revenue\n"])),
        "held",
        "held_by_guard",
    ),
    "lake healed": (lambda all_: all_.lake.faults.add("append", then=Answer(503, "ServerBusy")), "succeeded", ""),
    "lake again": (
        lambda all_: all_.lake.faults.add("rename", times=None, then=Answer(503, "ServerBusy")),
        "retrying",
        "lake_throttled",
    ),
    "lake failed": (
        lambda all_: all_.lake.faults.add("rename", times=None, then=Answer(409, "PathImmutableDueToPolicy")),
        "failed",
        "lake_immutable",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_each_dependency_goes_through_the_whole_app(
    name: str, start_app: StartApp, everything: Everything, tmp_path: Path
) -> None:
    arm, state, code = FAULTS[name]
    catalog = f'[revenue]\nkind = "metric"\nid = "{REVENUE}"\nminimum_rows = 2\n'
    everything.lake.write("config/exports.toml", catalog.encode())
    prelude = impatient(tmp_path) if state == "retrying" else None
    host = start_app(prelude, EXPORT_SCHEDULE=NEVER, EXPORTS_FILE="lake:config/exports.toml")
    arm(everything)
    started = ask(host, "POST", "runs", {})
    host.run_until_idle()
    status, _, run = poll(host, started)
    if state == "succeeded":
        assert (status, run["counts"]) == (200, {"succeeded": 1})
        return
    (told,) = run["retrying" if state == "retrying" else "failed"]
    assert (told["name"], told["class"]) == ("revenue", code)
    assert status == (202 if state == "retrying" else 409)
    assert published(everything) == []


# --- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, pytest.param(500, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_a_run_of_many_exports_ends_and_a_poll_costs_the_same_all_along(
    start_app: StartApp, everything: Everything, size: int
) -> None:
    tables = [f'[e{n:03}]\nkind = "list"\nid = "11111111-1111-4111-8111-111111111111"\n' for n in range(size)]
    everything.lake.write("config/exports.toml", "".join(tables).encode())
    host = start_app(EXPORTS_FILE="lake:config/exports.toml", PYTHON_THREADPOOL_THREAD_COUNT="8")
    started = ask(host, "POST", "runs", {})

    def cost() -> int:
        folder = f"_runs/dt=2026-01-31/{started[2]['run_id']}"
        before = len(everything.lake.calls)
        poll(host, started)
        asked = everything.lake.calls[before:]
        return len([call for call in asked if call.path in (f"{folder}/run.json", f"{folder}/result.json")]) + len(
            [call for call in asked if call.operation == "list_blobs"]
        )

    costs = [cost()]
    host.run_until_idle(patience_seconds=580)
    costs.append(cost())
    status, _, run = poll(host, started)
    assert (status, run["counts"]) == (200, {"succeeded": size})
    assert costs == [2, 2]


def impatient(folder: Path) -> Path:
    """What makes a worker wait a second where it would wait two minutes: simulated time moves no real clock."""
    prelude = folder / "impatient.py"
    prelude.write_text(
        "from pigment_export.retry import Deadline\nDeadline.__init__.__kwdefaults__['patience_seconds'] = 0.0\n"
    )
    return prelude
