"""What a person sees and presses: tables at any width, colour, progress, Ctrl-C, and streams that break."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.pigment.faults import Fault
from pigment_export.cli import crew as crew_module
from pigment_export.cli.board import Board
from pigment_export.cli.crew import Crew
from pigment_export.cli.table import emit_table
from pigment_export.errors import Cause, ExportError, PermanentError, RetryableError, Who
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Progress

ROOT = Path(__file__).parents[2]
VIEW = "44444444-4444-4444-8444-444444444444"
CAUSE = Cause("x", "the lake did not answer", Who.NO_ACTION, "wait")
TITLES = ("export", "state", "rows", "bytes", "seconds", "path")
ROWS = [
    ["revenue", "succeeded", "1,000", "32,978", "0.1", "revenue/dt=2026-11-24/revenue.csv"],
    ["profit_and_loss", "failed", "", "", "", "profit_and_loss/dt=2026-11-24/profit_and_loss.csv"],
]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[int], list[str]]:
    """Print the table on a terminal of so many columns; the lines that come out."""

    def show(width: int) -> list[str]:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(width))
        emit_table([dict(zip(TITLES, row, strict=True)) for row in ROWS], TITLES)
        return capsys.readouterr().out.splitlines()

    return show


@pytest.mark.parametrize("width", [120, 80, 60, 52])
def test_a_table_fits_the_terminal_and_shows_every_path_whole(terminal: Callable[[int], list[str]], width: int) -> None:
    lines = [ESCAPES.sub("", line) for line in terminal(width)]
    assert max(map(len, lines)) <= width
    for row in ROWS:
        assert any(row[0] in line for line in lines)
        assert any(row[-1] in line for line in lines)


def test_where_a_row_is_too_narrow_each_cell_has_its_line(terminal: Callable[[int], list[str]]) -> None:
    lines = [ESCAPES.sub("", line) for line in terminal(30)]
    assert "  state: succeeded" in lines
    assert "  rows: 1,000" in lines


def test_states_have_colours_on_a_terminal_and_none_where_NO_COLOR_is_set(  # noqa: N802 - the variable's name
    terminal: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[32msucceeded" in "\n".join(terminal(120))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in "\n".join(terminal(120))


def test_a_pipe_gets_lines_of_any_length_without_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    emit_table([dict(zip(TITLES, row, strict=True)) for row in ROWS], TITLES)
    text = capsys.readouterr().out
    assert len(text.splitlines()) == 1 + len(ROWS)
    assert "\x1b" not in text


def test_two_exports_are_worked_on_side_by_side_and_all_come_to_their_end() -> None:
    together = threading.Barrier(2)

    def do(name: str, _deadline: Deadline, _progress: Callable[[Progress], None]) -> str:
        together.wait(timeout=30)
        return name.upper()

    assert dict(Crew("abcd", do, again=False).work()) == {name: name.upper() for name in "abcd"}


def test_what_may_pass_is_tried_again_and_what_may_not_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crew_module, "RETRY_SECONDS", 0.0)
    tries: list[str] = []

    def do(name: str, _deadline: Deadline, _progress: Callable[[Progress], None]) -> str:
        tries.append(name)
        if name == "bad":
            raise PermanentError(CAUSE)
        if tries.count(name) == 1:
            raise RetryableError(CAUSE)
        return "done"

    outcomes = dict(Crew(["good", "bad"], do, again=True).work())
    assert outcomes["good"] == "done"
    assert isinstance(outcomes["bad"], ExportError)
    assert tries.count("good") == 2
    assert tries.count("bad") == 1
    assert "next attempt in" in capsys.readouterr().err


def test_a_wait_within_a_try_is_told_with_what_failed_and_which_attempt_comes_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No machine waits here: the sleep of the crew is over at once, since it was stopped before."""

    def do(_name: str, deadline: Deadline, _progress: Callable[[Progress], None]) -> None:
        deadline.waits_for(RetryableError(CAUSE), 1)

    crew = Crew(["revenue"], do, again=True)
    crew.stop()
    with pytest.raises(KeyboardInterrupt):
        list(crew.work())
    assert "revenue: the lake did not answer; attempt 2 in " in capsys.readouterr().err


def test_every_finished_export_leaves_a_line_that_counts(command: Run) -> None:
    done = command("run", "countries", "revenue")
    assert done.returncode == 0
    assert re.search(
        r"^\w+: succeeded, [\d,]+ rows, [\d,]+ bytes, [\d.]+ s \(1 of 2, 0:\d\d\)$", done.stderr, re.MULTILINE
    )
    assert "(2 of 2, 0:" in done.stderr


def test_lines_of_progress_say_what_is_awaited_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    board = Board(["revenue", "pnl", "cost"], now=lambda: now)
    board.begin("revenue")
    board.begin("pnl")
    board.move("pnl", Progress(bytes=2_000_000, rows=500, seconds=2))
    now = 65.0
    board.tick()
    told = capsys.readouterr().err
    assert "revenue: waiting for Pigment, 1:05" in told
    assert "pnl: 2.0 MB, 500 rows, 1.0 MB/s" in told
    assert "0 of 3 done, 1:05, 1 not started" in told


def interrupted(arguments: Sequence[str], environment: dict[str, str], when: Callable[[], bool]) -> tuple[int, str]:
    """Press Ctrl-C in a command once something is so."""
    with subprocess.Popen(
        [sys.executable, "-m", "pigment_export", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while not when():
            assert process.poll() is None
            threading.Event().wait(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    return process.returncode, told


def test_ctrl_c_in_a_fetch_ends_it_with_130_and_leaves_nothing(
    everything: Everything, environment: dict[str, str], tmp_path: Path
) -> None:
    """Half of the body has come, and Pigment is silent: no chunk will come to stop at."""
    everything.pigment.faults.append(Fault("stall", after=20_000, seconds=60))
    folder = tmp_path / "out"
    folder.mkdir()
    code, told = interrupted(
        ["fetch", "view", VIEW, "--to", str(folder)], environment, lambda: bool(everything.pigment.requests)
    )
    assert code == 130
    assert "interrupted" in told
    assert "tried again" not in told
    assert "Traceback" not in told
    assert list(folder.iterdir()) == []


def test_ctrl_c_before_anything_has_begun_is_quiet(environment: dict[str, str]) -> None:
    """While the libraries are imported: the handler is there before them."""
    program = (
        "import builtins, signal, os, runpy\n"
        "real = builtins.__import__\n"
        "def interrupting(name, *rest, **more):\n"
        "    if name == 'click': raise KeyboardInterrupt\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = interrupting\n"
        "runpy.run_module('pigment_export', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130_also_in_code_that_was_made_from_a_text(environment: dict[str, str]) -> None:
    """As dataclasses make theirs. Python notes an interrupt there, and would end by the signal in the end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.harness.interrupting", "pigment_export", "call:<string>:<module>", "--version"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_no_run(everything: Everything, environment: dict[str, str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "pigment_export", "run", "revenue"],
        cwd=ROOT, env=environment, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert any(path.endswith("_SUCCESS") for path in everything.lake.tree())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_behind_an_output_is_told_or_endured(
    everything: Everything, environment: dict[str, str], stream: str
) -> None:
    other = "stderr" if stream == "stdout" else "stdout"
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        streams = {stream: full, other: subprocess.PIPE}
        done = subprocess.run(
            [sys.executable, "-m", "pigment_export", "run", "revenue"],
            cwd=ROOT, env=environment, text=True, timeout=60, check=False, **streams,
        )  # fmt: skip
    told = done.stderr if stream == "stdout" else done.stdout
    assert "Traceback" not in told
    assert any(path.endswith("_SUCCESS") for path in everything.lake.tree())
    if stream == "stdout":
        assert done.returncode == 1
        assert os.strerror(errno.ENOSPC) in told
    else:
        assert done.returncode == 0
        assert "succeeded" in told


def test_a_folder_that_takes_no_file_is_told_before_pigment_is_asked(command: Run, everything: Everything) -> None:
    done = command("fetch", "view", VIEW, "--to", "/sys")
    assert done.returncode == 2
    assert "choose a folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert everything.pigment.requests == []


def test_the_command_line_works_as_the_queue_of_the_deployed_app_does() -> None:
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    hours, minutes, seconds = map(int, queues["visibilityTimeout"].split(":"))
    assert queues["batchSize"] == crew_module.SIDE_BY_SIDE
    assert (hours * 60 + minutes) * 60 + seconds == crew_module.RETRY_SECONDS
