"""What a person does with runs: plan, look, retry, list files."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from emulators.everything import Everything
from emulators.pigment.model import REVENUE

type Run = Callable[..., CompletedProcess[str]]


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(everything: Everything) -> None:
    """No test meets midnight."""
    later(everything)


def later(everything: Everything, **span: float) -> None:
    everything.lake.clock = lambda: NOON + timedelta(**span)


def test_a_plan_says_what_would_land_where_and_touches_nothing(command: Run, everything: Everything) -> None:
    done = command("plan", "revenue", "--json", EXPORT_SCHEDULE="0 6 * * *", EXPORT_TIME_ZONE="Europe/Paris")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert told["id"] == REVENUE
    assert told["path"].startswith("revenue/dt=20")
    assert " 06:00 CE" in told["next due"]
    assert everything.lake.tree() == {}
    assert everything.pigment.requests == []
    assert "revenue" in command("plan", "--group", "finance").stdout


def test_what_is_planned_wrongly_is_told(command: Run) -> None:
    done = command("plan", "revenu")
    assert done.returncode == 2
    assert "did you mean 'revenue'?" in done.stderr


def test_runs_are_listed_the_newest_first_those_of_every_deployment(command: Run, everything: Everything) -> None:
    assert command("run", "revenue", USER="ann").returncode == 0
    later(everything, seconds=5)
    del everything.pigment.model.blocks[REVENUE]
    assert command("run", "revenue", USER="ben").returncode == 1
    runs = json.loads(command("runs", "--json").stdout)
    assert [run["state"] for run in runs] == ["failed", "succeeded"]
    assert [run["deployment"].split("@")[0] for run in runs] == ["local/ben", "local/ann"]
    mine = json.loads(command("runs", "--json", "--deployment", runs[1]["deployment"]).stdout)
    assert [run["run_id"] for run in mine] == [runs[1]["run_id"]]
    failed = json.loads(command("runs", "--json", "--state", "failed", "--limit", "1").stdout)
    assert [run["run_id"] for run in failed] == [runs[0]["run_id"]]
    assert runs[0]["run_id"] in command("runs").stdout


def test_a_run_is_shown_with_why_who_and_what_to_do(command: Run, everything: Everything) -> None:
    del everything.pigment.model.blocks[REVENUE]
    assert command("run", "countries", "revenue").returncode == 1
    shown = command("show")
    assert shown.returncode == 0, shown.stderr
    assert "2 of 2" in shown.stdout
    assert "[pigment_not_found]" in shown.stdout
    assert "(owner: finance@example.com)" in shown.stdout
    assert "countries/dt=" in shown.stdout
    run_id = json.loads(command("show", "--json").stdout)["run_id"]
    again = json.loads(command("show", run_id[-6:], "--json", USER="another").stdout)
    assert [receipt["state"] for receipt in again["receipts"]] == ["succeeded", "failed"]
    before = len(everything.lake.calls)
    assert command("show", run_id, USER="another").returncode == 0
    assert [call.operation for call in everything.lake.calls[before:]] == ["get", "list_blobs"]


@pytest.mark.parametrize(
    "arguments", [("show",), ("retry",), ("show", "nothing"), ("show", "20260101T000000Z-" + "a" * 16)]
)
def test_a_run_that_is_not_there_is_told(command: Run, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert "run" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_failed_is_run_once_more_by_another_person(command: Run, everything: Everything) -> None:
    block = everything.pigment.model.blocks.pop(REVENUE)
    assert command("run", "countries", "revenue", USER="ann").returncode == 1
    everything.pigment.model.blocks[REVENUE] = block
    later(everything, seconds=5)
    done = command("retry", "--json", USER="ben")
    assert done.returncode == 0, done.stderr
    assert [(each["name"], each["state"]) for each in json.loads(done.stdout)["exports"]] == [("revenue", "succeeded")]
    again = command("retry")
    assert again.returncode == 2
    assert "every export" in again.stderr


def test_the_last_files_of_an_export_are_listed(command: Run, everything: Everything) -> None:
    assert command("files", "revenue").stdout == "no good file of revenue yet\n"
    assert command("run", "revenue").returncode == 0
    later(everything, days=1)
    everything.pigment.model.blocks[REVENUE].rows = 990
    assert command("run", "revenue").returncode == 0
    later(everything, days=1, hours=2)
    listed = json.loads(command("files", "revenue", "--json").stdout)
    assert [entry["rows"] for entry in listed] == [990, 1000]
    assert len(listed[0]["sha256"]) == 64
    told = command("files", "revenue").stdout.splitlines()
    assert "2.0 h" in told[1]
    assert "26.0 h" in told[2]


def test_the_status_tells_how_every_export_is_doing(command: Run, everything: Everything, tmp_path: Path) -> None:
    assert command("run", "countries", "revenue").returncode == 0
    well = json.loads(command("status", "--json").stdout)
    health = {each["export"]: each["health"] for each in well["exports"]}
    assert health["countries"] == "on time"
    del everything.pigment.model.blocks[REVENUE]
    later(everything, seconds=5)
    assert command("run", "revenue").returncode == 1
    done = command("status")
    assert done.returncode == 1
    assert any(line.startswith("revenue") and "failing" in line for line in done.stdout.splitlines())
    page = tmp_path / "status.html"
    assert command("status", "--html", str(page)).stdout == f"{page}\n"
    assert "revenue" in page.read_text()


def test_a_held_file_is_released_by_a_run_of_its_own(command: Run, everything: Everything) -> None:
    assert command("run", "revenue", USER="ann").returncode == 0
    everything.pigment.model.blocks[REVENUE].rows = 400
    later(everything, seconds=5)
    assert command("run", "countries", "revenue", USER="ann").returncode == 1
    later(everything, seconds=9)
    held = json.loads(command("show", "--json").stdout)
    wrong = command("release", held["run_id"], "countries", USER="ben")
    assert wrong.returncode == 2
    assert "'countries' is not held" in wrong.stderr
    asked = len(everything.pigment.requests)
    done = command("release", held["run_id"], "--json", USER="ben")
    assert done.returncode == 0, done.stderr
    (receipt,) = json.loads(done.stdout)["exports"]
    assert (receipt["name"], receipt["state"], receipt["rows"]) == ("revenue", "succeeded", 400)
    assert len(everything.pigment.requests) == asked, "Pigment is not asked again"
    assert [entry["rows"] for entry in json.loads(command("files", "revenue", "--json").stdout)] == [400, 1000]
