"""What a newcomer does first: `make demo`, the stand-ins by themselves, and a machine where something is missing."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.pigment.faults import Fault

ROOT = Path(__file__).parents[2]


def test_the_demo_goes_the_whole_way_and_shows_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulators.demo"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for shown in (
        "countries",
        "revenue",
        "pnl_view",
        "succeeded",
        "_SUCCESS",
        "_latest.json",
        "Country;Month;Cost",
        "  200 {",
        "  409 {",
        "the owner of the export: check",
    ):
        assert shown in done.stdout
    (told,) = (
        block
        for block in re.findall(r"(?s)```text\n(.*?)```", (ROOT / "README.md").read_text())
        if "dt=" in block and "ok" not in block
    )
    assert set(shapes(told)) <= set(shapes(done.stdout)), "README shows what the demo says"


def shapes(text: str) -> list[str]:
    """Lines with whatever numbers and widths."""
    return [re.sub(r"\s+", " ", re.sub(r"\d+", "0", line)) for line in text.splitlines()]


def test_the_stand_ins_print_what_leads_the_app_to_them_and_stop_when_told(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "emulators", "--gzip", "--fault", "reset,path=metric,after=5000,code=0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as stand_ins:
        assert stand_ins.stdout is not None
        variables = {}
        for line in stand_ins.stdout:
            if found := re.fullmatch(r"export ([A-Z_]+)=(\S+)\n", line):
                variables[found[1]] = found[2]
            if "running" in line:
                break
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}
        done = subprocess.run(
            [sys.executable, "-m", "pigment_export", "run", "revenue", "--json"],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        stand_ins.send_signal(signal.SIGTERM)
        assert stand_ins.wait(timeout=30) == 0
    assert done.returncode == 0, done.stderr
    assert "END_STREAM + gzip trailer" in done.stdout


def test_any_stand_in_can_be_swapped(tmp_path: Path) -> None:
    """The app, led to one lake by the map of another's proxy."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with Everything(tmp_path / "one") as one:
        maps = {"pigmentdemo.vault.azure.net": one.vault.address}
        with Everything(tmp_path / "other", maps=maps) as other:
            assert other.proxy is not None
            assert other.proxy.route("pigmentdemo.vault.azure.net", 443) == one.vault.address
            assert other.proxy.route("another.vault.azure.net", 443) == other.vault.address
            assert other.proxy.route("example.com", 443) is None


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--fault", "nope"], "'nope' is no fault"),
        (["--map", "somewhere"], "not HOST=ADDRESS:PORT"),
        (["--account-key", "§"], "not base64"),
    ],
)
def test_what_is_spelled_wrongly_is_told(arguments: list[str], hint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulators", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert hint in done.stderr


def test_make_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "PYTHON=no-such-python", f"STAMP={tmp_path}/stamp", "setup"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Python 3.13 is missing" in done.stdout
    assert "make PYTHON=" in done.stdout


def test_on_a_terminal_the_progress_is_one_live_line(tmp_path: Path) -> None:
    with Everything(tmp_path) as everything:
        everything.pigment.faults.append(Fault("late", path="metric", seconds=3.0))  # time for a redraw while it waits
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "pigment_export", "-v", "run", "revenue"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm", **everything.environment},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    shown += os.read(ours, 4096)
                except OSError:  # Linux: the other end is closed
                    break
            os.close(ours)
        assert process.returncode == 0
    assert b"waiting for Pigment" in shown
    assert b"1,000 rows" in shown
    assert b"\x1b[" in shown, "the line is redrawn in place"
    assert re.search(rb'\{"event": "export_ended"[^\r\n\x1b]*\}\r\n', shown), "a log line stands whole above it"
