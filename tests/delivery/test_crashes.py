"""kill -9, for real: worker processes that die while the lake is answering, and the next one that finds the rest."""

import json
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.lake.account import Answer, Dropped, Held, LostReply
from emulators.pigment.model import REVENUE
from emulators.pigment.service import Fault
from pigment_export.catalog.file import load
from pigment_export.runs.claim import new_plan
from pigment_export.runs.plan import ClaimRequest
from tests.harness.forking import Forked, ForkServer
from tests.harness.run_world import World

ROOT = Path(__file__).parents[2]
type Run = Callable[..., subprocess.CompletedProcess[str]]

# What a worker asks of the lake, in order; the number is how many of the kind come before.
STEPS = [
    ("get", "receipts/revenue", 0),
    ("head", "revenue.csv", 0),
    ("create", "partial", 0),
    ("append", "partial", 0),
    ("flush", "partial", 0),
    ("get", "revenue/_latest", 0),
    ("set_metadata", "partial", 0),
    ("head", "revenue.csv", 1),
    ("rename", "revenue.csv", 0),
    ("create_directory", "revenue/dt=", 0),
    ("rename", "revenue.csv", 1),
    ("put_blob", "revenue/_latest", 0),
    ("put_blob", "receipts/revenue", 0),
    ("list_blobs", "", 0),
    ("put_blob", "result.json", 0),
    ("put_blob", "_SUCCESS", 0),
]


def planned(everything: Everything) -> str:
    """A run's plan in the lake, of which nothing has been worked on yet."""
    now = datetime.now(UTC).replace(microsecond=0)
    exports = load((ROOT / "exports.toml").read_bytes(), file="exports.toml").select(["revenue"])
    plan = new_plan(World().runs(deployment="local/test"), ClaimRequest("cli", "key", "test"), exports, now)
    everything.lake.write(plan.folder.plan, plan.to_json())
    return plan.folder.plan


@pytest.fixture
def start(forks: ForkServer, environment: dict[str, str]) -> Callable[[str], Forked]:
    """Start a worker process for a plan."""
    return lambda plan: forks.start("tests.harness.deliver_one", plan, "revenue", environment=environment)


def finish(process: Forked) -> str:
    done = process.finish()
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def check(everything: Everything, plan: str) -> None:
    """One whole file, its receipt, the result, the marker, and nothing that a reader could stumble over."""
    lake, folder = everything.lake, plan.removesuffix("/run.json")
    (path,) = [path for path in lake.tree() if path.endswith(".csv")]
    assert lake.read(path).count(b"\n") == everything.pigment.model.blocks[REVENUE].rows + 1
    receipt = json.loads(lake.read(f"{folder}/receipts/revenue.json"))
    assert (receipt["state"], receipt["path"]) == ("succeeded", path)
    assert lake.metadata(path)["pigment_nonce"] == receipt["nonce"]
    assert json.loads(lake.read("revenue/_latest.json"))["nonce"] == receipt["nonce"]
    assert json.loads(lake.read(f"{folder}/result.json"))["state"] == "succeeded"
    assert lake.read(f"{folder}/_SUCCESS")


@pytest.mark.parametrize("late", [False, True], ids=["at_once", "late"])
@pytest.mark.parametrize(("operation", "path", "skip"), STEPS, ids=[f"{op}{skip}" for op, _, skip in STEPS])
def test_a_worker_killed_at_any_step_is_followed_by_one_that_ends_it_well(
    everything: Everything, start: Callable[[str], Forked], operation: str, path: str, skip: int, *, late: bool
) -> None:
    """Its last request takes effect: at once, or only when the next worker has long finished."""
    plan = planned(everything)
    reached, release = threading.Event(), threading.Event()
    held = Held(before=late, reached=reached, release=release)
    everything.lake.faults.add(operation, path, skip=skip, times=1, then=held)
    process = start(plan)
    assert reached.wait(timeout=60), process.finish()
    process.kill()
    if not late:
        release.set()
    for name in [name for name in everything.lake.tree() if name.endswith(".csv")]:
        assert everything.lake.read(name).count(b"\n") == 1001
    assert finish(start(plan)) == "succeeded"
    before = len(everything.lake.calls)
    release.set()
    while late and len(everything.lake.calls) == before:
        threading.Event().wait(0.01)
    check(everything, plan)


@pytest.mark.parametrize(
    ("operation", "path"),
    [("create", "partial"), ("flush", "partial"), ("set_metadata", "partial"), ("rename", "revenue.csv"),
     ("put_blob", "receipts/revenue"), ("put_blob", "_latest"), ("put_blob", "result.json"), ("append", "partial"),
     ("create_directory", "dt="), ("put_blob", "_SUCCESS"), ("delete", "partial")],
)  # fmt: skip
@pytest.mark.parametrize("fault", [LostReply(), Dropped(), Answer(503, "ServerBusy")], ids=["lost", "dropped", "503"])
def test_a_lost_answer_is_healed_within_the_call(
    command: Run, everything: Everything, operation: str, path: str, fault: object
) -> None:
    everything.lake.faults.add(operation, path, times=1, then=fault)
    done = command("run", "revenue")
    assert done.returncode == 0, done.stderr
    (plan,) = [path for path in everything.lake.tree() if path.endswith("run.json")]
    check(everything, plan)


@pytest.mark.parametrize(
    ("switches", "fault"),
    [
        ({}, Fault("reset", after=9000, code=2, times=99)),
        ({}, Fault("reset", after=9000, code=0, times=99)),
        ({}, Fault("cut", after=9000, length=32_978, times=99)),
        ({"gzip": True}, Fault("cut", after=2000, times=99)),
        ({}, Fault("cut", after=9004, times=99)),
    ],
    ids=["internal_error", "no_error", "shorter_than_its_length", "half_a_gzip_body", "within_a_row"],
)
def test_a_body_that_is_cut_leaves_the_last_good_file_and_a_receipt_that_says_what_to_do(  # noqa: PLR0917
    command: Run,
    everything: Everything,
    environment: dict[str, str],
    forks: ForkServer,
    switches: dict[str, bool],
    fault: Fault,
) -> None:
    assert command("run", "revenue").returncode == 0
    good = {path: everything.lake.read(path) for path in everything.lake.tree() if path.startswith("revenue/")}
    for name, value in switches.items():
        setattr(everything.pigment.switches, name, value)
    everything.lake.clock = lambda: datetime.now(UTC) + timedelta(seconds=5)
    everything.pigment.faults.append(fault)
    done = forks.start("tests.harness.impatient", "run", "revenue", environment=environment).finish()
    assert done.returncode == 130
    assert {path: everything.lake.read(path) for path in everything.lake.tree() if path.startswith("revenue/")} == good
    receipts = [everything.lake.read(path) for path in everything.lake.tree() if "receipts/" in path]
    assert len(receipts) == 2
    (failed,) = [receipt for receipt in map(json.loads, receipts) if receipt["state"] == "failed"]
    assert failed["class"] == "interrupted", done.stderr
    assert "The last attempt failed: " in failed["reason"]
