"""The commands of the stand-ins as a person meets them: what is printed is pasted, and Ctrl-C is pressed."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulators.command import core_tools

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
UP = {
    "emulators": "Ctrl-C to stop",
    "emulators.host": "to fire it now",
    "emulators.start": "Ctrl-C to stop",
    "emulators.demo": "At six",
}
OPTIONS = {
    "emulators.host": [str(ROOT), "--port", "0", "--settings", str(ROOT / "local.settings.json.example")],
    "emulators.start": ["--port", "0"],
}


@contextmanager
def running(module: str, *arguments: str, folder: Path = ROOT, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, as a terminal has it; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", module, *(arguments or OPTIONS.get(module, []))],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], word: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if word in line:
            return lines
    raise AssertionError("\n".join(lines))


@pytest.mark.parametrize("module", UP)
def test_ctrl_c_ends_a_command_with_130_and_one_line(module: str) -> None:
    with running(module) as process:
        read_until(process, UP[module])
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == "interrupted"


@pytest.mark.parametrize(
    ("module", "instants"),
    [
        ("emulators.start", "return:threading.py:Condition.__enter__"),  # the lock is taken, and no block gives it back
        ("emulators.start", "call:host.py:Host.serve,call:folders.py:temporary_folder.<locals>.remove"),
        ("emulators.start", "call:command.py:print_overview,return:terminal.py:_end_by_signal.<locals>.<lambda>"),
        ("emulators.start", "return:process.py:start_worker"),
        ("emulators.demo", "call:story.py:_fire,call:shutil.py:rmtree"),
        ("emulators.demo", "call:host.py:Host.stop"),
        ("emulators", "return:folders.py:temporary_folder"),
    ],
)
def test_ctrl_c_at_any_instant_and_twice_ends_a_command_the_same_way(
    module: str, instants: str, tmp_path: Path
) -> None:
    arguments = [module, instants, *OPTIONS.get(module, [])]
    with running("tests.harness.interrupting", *arguments, TMPDIR=str(tmp_path)) as process:
        text, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in text
    assert text.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == [], "nothing stays"


@pytest.mark.parametrize("module", UP)
def test_ctrl_c_while_a_command_is_still_loading_gives_no_traceback(module: str) -> None:
    program = (
        "import os, runpy, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name in ('h11', 'trustme', 'emulators.host.calls'): os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting()); sys.argv = ['x']\n"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted"


@pytest.mark.parametrize("module", UP)
def test_a_terminal_without_unicode_gets_the_help_all_the_same(module: str) -> None:
    with running(module, "--help", PYTHONIOENCODING="ascii") as process:
        text, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, text


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("emulators", ["--proxy-port", "{port}"]),
        ("emulators.host", [str(ROOT), "--port", "{port}"]),
        ("emulators.start", ["--port", "{port}"]),
    ],
)
def test_a_port_that_is_taken_is_told_in_a_line(module: str, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with running(module, *(argument.format(port=port) for argument in arguments)) as process:
            text, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("module", ["emulators.demo", "emulators.start --port 0", "emulators"])
def test_a_reader_that_goes_leaves_no_traceback(module: str) -> None:
    """It is gone before the first line: of a reader that goes after it, a slow machine would not know which line."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", *module.split()]
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    assert done.returncode == 0
    assert done.stderr == ""


def test_what_is_printed_can_be_pasted_in_any_folder_whatever_was_set_there(tmp_path: Path) -> None:
    with running("emulators", "--folder", "some", folder=tmp_path) as process:
        lines = read_until(process, "Ctrl-C to stop")
        done = subprocess.run(
            ["bash", "-euc", "\n".join(lines)],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PIGMENT_API_KEY": "left-from-before",
                "https_proxy": "http://127.0.0.1:9",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "revenue" in done.stdout


def test_it_writes_the_settings_of_core_tools_and_keeps_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    with running("emulators", "--settings", str(path)) as process:
        lines = read_until(process, "Ctrl-C to stop")
        written = json.loads(path.read_text())
    assert not written["IsEncrypted"]
    assert {"HTTPS_PROXY", "IDENTITY_ENDPOINT", "REQUESTS_CA_BUNDLE"} <= written["Values"].keys()
    assert written["Values"]["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert f"cd {tmp_path} && source {Path(sys.executable).parent}/activate && func start" in lines
    assert not [line for line in lines if line.startswith("export ")], "a proxy in the shell would stop Core Tools"
    written["Values"] |= {"EXPORT_TIME_ZONE": "Europe/Paris", "HTTPS_PROXY": "http://127.0.0.1:9"}
    path.write_text(json.dumps(written))
    with running("emulators", "--settings", str(path)) as process:
        read_until(process, "Ctrl-C to stop")
        again = json.loads(path.read_text())["Values"]
    assert again["EXPORT_TIME_ZONE"] == "Europe/Paris"
    assert again["HTTPS_PROXY"] != "http://127.0.0.1:9"


def test_the_commands_for_core_tools_fit_the_shell_and_the_python(tmp_path: Path) -> None:
    there, settings = tmp_path / "it's", tmp_path / "o'clock" / "local.settings.json"
    there.mkdir()

    def last(*, powershell: bool) -> str:
        return core_tools(settings, there, powershell=powershell)[-1]

    quoted, folder = str(there).replace("'", "''"), str(settings.parent).replace("'", "''")
    assert last(powershell=True) == f"Set-Location '{folder}'; $env:PATH = '{quoted};' + $env:PATH; func start"
    plain = shlex.split(last(powershell=False))
    assert plain == ["cd", str(settings.parent), "&&", "export", f"PATH={there}:$PATH", "&&", "func", "start"]
    for name in ("activate", "Activate.ps1"):
        (there / name).touch()
    assert last(powershell=True) == f"Set-Location '{folder}'; . '{quoted}/Activate.ps1'; func start"
    assert shlex.split(last(powershell=False))[2:] == ["&&", "source", f"{there}/activate", "&&", "func", "start"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"Values": {"PIGMENT_API_KEY": "mine"}}', "not the stand-ins' own"),
        ("{", "local.settings.json: "),
        ("[]", "list"),
    ],
)
def test_a_settings_file_of_another_hand_is_left_alone(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(content)
    with running("emulators", "--settings", str(path)) as process:
        text, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode not in (0, None)
    assert told in text
    assert "Traceback" not in text
    assert path.read_text() == content


def test_the_app_is_started_with_a_run_to_look_at_and_a_fault_to_watch() -> None:
    fault = "reset,path=metric,after=5000"
    with running("emulators.start", "--port", "0", "--fault", fault, PIGMENT_API_KEY="left-from-before") as process:
        lines = read_until(process, "Ctrl-C to stop")
        (address,) = re.findall(r"a file +(\S+)", "\n".join(lines))
        (page,) = re.findall(r"status page +(http://127\.0\.0\.1:\d+/api/status)", "\n".join(lines))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=PATIENCE_SECONDS) as answer:
            assert len(answer.read().splitlines()) == 41
        with opener.open(page, timeout=PATIENCE_SECONDS) as answer:
            assert b"revenue" in answer.read()
        command = next(line.strip() for line in lines if line.strip().startswith("curl") and "-d" not in line)
        shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
    assert json.loads(shown)["runs"][0]["state"] == "succeeded"
    assert page.startswith(command.rpartition(" ")[2].removesuffix("/api/runs"))
    assert any("retrying_call" in line and "pigment_body_cut" in line for line in lines)


def test_the_timer_is_fired_by_the_command_that_is_printed() -> None:
    with running("emulators.host") as process:
        command = next(line for line in reversed(read_until(process, "curl")) if "curl" in line)
        done = subprocess.run(
            ["bash", "-c", command.replace("curl", "curl -s -o /dev/null -w '%{http_code}'")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout == "202"


@pytest.mark.parametrize(
    ("module", "arguments", "told"),
    [
        ("emulators", ["--proxy-port", "65536"], "--proxy-port"),
        ("emulators", ["--map", "pigment.app=127.0.0.1:65536"], "HOST=ADDRESS:PORT"),
        ("emulators", ["--folder", "/dev/null/here"], "Not a directory: '/dev/null/here'"),
        ("emulators", ["--fault", "reset,after=soon"], "after is a number"),
        ("emulators.host", [str(ROOT), "--port", "-1"], "--port"),
        ("emulators.start", ["--port", "70000"], "--port"),
    ],
)
def test_what_no_machine_can_do_is_told_in_a_line(module: str, arguments: list[str], told: str) -> None:
    with running(module, *arguments) as process:
        text, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert told in text.splitlines()[-1]
    assert "Traceback" not in text


def test_every_command_takes_a_fault_but_the_host_which_has_no_pigment() -> None:
    for module in ("emulators", "emulators.start", "emulators.demo"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--fault", "earthquake"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "no fault" in done.stderr
