"""A command takes as long as it takes: hours at a prompt or in a run leave all patience for what comes after them."""

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.lake.account import Answer
from emulators.pigment.model import APPLICATION, REVENUE

ROOT = Path(__file__).parents[2]
BUSY = Answer(503, "ServerBusy")
FORBIDDEN = Answer(403, "AuthorizationPermissionMismatch")
PROGRAM = """
import functools, importlib, sys, time

real, passed = time.monotonic, [0.0]
time.monotonic = lambda: real() + passed[0]
_, module, *path = sys.argv.pop(1).split(":")
holder = functools.reduce(getattr, path[:-1], importlib.import_module(module))
slow = getattr(holder, path[-1])

def takes_hours(*given, **named):
    answer = slow(*given, **named)
    passed[0] += 7200.0
    return answer

setattr(holder, path[-1], takes_hours)
importlib.import_module("pigment_export.__main__").main()
"""


def after_hours(
    slow: str, *arguments: str, environment: dict[str, str], answers: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run a command in which each call of a function takes two hours."""
    ours, theirs = pty.openpty()
    os.write(ours, answers)
    try:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, f"hours:{slow}", *arguments],
            cwd=ROOT, env=environment, stdin=theirs, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_person_may_think_for_hours_before_an_export_is_added_in_the_lake(
    everything: Everything, environment: dict[str, str]
) -> None:
    everything.lake.write("config/exports.toml", b"# ours\n")
    for operation in ("get", "put_blob"):
        everything.lake.faults.add(operation, times=1, then=BUSY)
    catalog = {"EXPORTS_FILE": "lake:config/exports.toml"}
    done = after_hours("click:prompt", "add", environment=environment | catalog, answers=b"fin\nrevenue\n1\n")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("attempt 2 in") == 2
    (table,) = tomllib.loads(everything.lake.read("config/exports.toml").decode()).values()
    assert (table["id"], table["application"]) == (REVENUE, APPLICATION)


def test_a_run_that_has_taken_hours_is_ended_as_patiently(everything: Everything, environment: dict[str, str]) -> None:
    everything.lake.faults.add("create", times=None, then=FORBIDDEN)
    everything.lake.faults.add("put_blob", "result", then=BUSY)
    done = after_hours("pigment_export.cli.crew:Crew:_try", "run", "revenue", environment=environment)
    assert done.returncode == 1
    assert "attempt 2 in" in done.stderr
    assert "stays open" not in done.stderr
    assert any(path.endswith("result.json") for path in everything.lake.tree())


@pytest.mark.parametrize("slow", ["_sign_in", "_expiry"])
def test_a_sign_in_that_has_taken_hours_leaves_the_checks_their_patience(
    everything: Everything, environment: dict[str, str], slow: str
) -> None:
    everything.lake.write("config/exports.toml", (ROOT / "exports.toml").read_bytes())
    everything.lake.faults.add("get", r"exports\.toml$", skip=slow == "_expiry", then=BUSY)
    catalog = {"EXPORTS_FILE": "lake:config/exports.toml"}
    done = after_hours(f"pigment_export.cli.check:{slow}", "check", environment=environment | catalog)
    assert done.returncode == 0, done.stdout
    assert "attempt 2 in" in done.stderr
    assert "ok     revenue: " in done.stdout
