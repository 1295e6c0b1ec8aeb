"""What the tests themselves stand on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.forking import ForkServer
from tests.harness.scheduling import LONGEST

ROOT = Path(__file__).parents[1]


def test_a_process_of_a_test_goes_by_the_tests_own_clock() -> None:
    """Also where the tests run years from now: without its variables, a process is soon back at the machine's clock."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed (Debian: apt-get install faketime)")
    program = (
        "import os, subprocess, sys\n"
        "from tests.harness.forking import inherited\n"
        "subprocess.run(['date', '+%Y'], env=inherited(os.environ), check=True)\n"
    )
    done = subprocess.run(
        ["faketime", "2041-05-05", sys.executable, "-c", program],
        cwd=ROOT, env={**os.environ, "FAKETIME_NO_CACHE": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "2041"


def test_each_of_the_longest_is_a_file_or_a_folder() -> None:
    assert [name for name in LONGEST if not (ROOT / name).exists()] == []


def test_a_fork_has_its_own_environment_folder_time_zone_and_status(forks: ForkServer, tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(
        "import atexit, os, sys, threading, time\n"
        "print(sorted(os.environ), os.getcwd(), time.tzname[0], sys.argv[1:])\n"
        "print('a line', file=sys.stderr)\n"
        "atexit.register(print, 'in the end')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('a thread'))).start()\n"
        "sys.exit(7)\n"
    )
    done = forks.start("told", "one", environment={"TZ": "Asia/Tokyo"}, folder=tmp_path).finish()
    assert (done.returncode, done.stderr) == (7, "a line\n")
    assert done.stdout == f"['TZ'] {tmp_path} JST ['one']\na thread\nin the end\n"
    killed = forks.start("http.server", "0", environment={})
    killed.kill()
    assert killed.wait() == -9
