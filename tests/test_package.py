"""The deployable package: what is in it, what is not, and that it starts with nothing else there."""

import ast
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest

from tests.harness.infra_templates import script

ROOT = Path(__file__).parent.parent
PACKAGE = script("package")
LIBRARIES = ".python_packages/lib/site-packages"
PINS = dict(re.findall(r"(?m)^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text()))


def run(source: Path, out: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Build as a person would; the variables are pip's."""
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "package.py", "--source", source, "--out", out],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this project, built once for all processes that run these tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = shared / "package"
        if not (made / "told").exists():
            done = run(ROOT, made)
            assert done.returncode == 0, done.stderr
            (made / "told").write_text(done.stdout)
        return made


@pytest.fixture(scope="session")
def unzipped(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(out / "function-app.zip") as archive:
        archive.extractall(folder)
    return folder


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def indexed(folder: Path) -> dict[str, Any]:
    """The functions of the unzipped app, by a clean process."""
    functions: dict[str, Any] = PACKAGE.index(folder, folder / LIBRARIES)
    return functions


# What is in it


def test_the_apps_own_files_are_the_code_its_settings_and_its_pins(unzipped: Path) -> None:
    own = {path for path in files_below(unzipped) if not path.startswith(".python_packages/") and ".pyc" not in path}
    shipped = [path for path in (ROOT / "pigment_export").rglob("*.*") if path.suffix in (".py", ".html", ".css")]
    modules = {path.relative_to(ROOT).as_posix() for path in shipped}
    left_out = {path for path in modules if path.startswith("pigment_export/cli/")} | {"pigment_export/__main__.py"}
    assert len(modules) > len(left_out) > 1
    files = {"function_app.py", "host.json", "exports.toml", "requirements.txt"}
    assert own - {".funcignore"} == files | modules - left_out
    for path in own - {".funcignore"}:
        assert (unzipped / path).read_bytes() == (ROOT / path).read_bytes(), path


def test_the_folder_has_the_same_files_as_the_zip(out: Path, unzipped: Path) -> None:
    assert files_below(out / "app") == files_below(unzipped)
    assert all((out / "app" / path).read_bytes() == (unzipped / path).read_bytes() for path in files_below(unzipped))


def test_no_test_no_stand_in_and_no_doc_is_in_it(unzipped: Path) -> None:
    folders = {part for path in files_below(unzipped) for part in path.split("/")[:-1]}
    assert not folders & {"tests", "emulators", "docs", "infra", "benchmarks", "scripts", "bin"}


def test_nothing_of_it_is_compiled_at_a_start(unzipped: Path) -> None:
    """Azure mounts it read-only: what has no bytecode of its own would be compiled at every cold start."""
    program = """
import sys
compiled = []
def hear(event, arguments):
    if event == "compile" and str(arguments[1]).startswith(sys.path[0]):
        compiled.append(arguments[1])
sys.addaudithook(hear)
import function_app
from pigment_export.app.package import import_everything
import_everything()
assert "azure.storage.filedatalake" in sys.modules
assert not compiled, compiled
"""
    paths = os.pathsep.join((str(unzipped), str(unzipped / LIBRARIES)))
    command = [sys.executable, "-S", "-P", "-B", "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_azd_leaves_nothing_out_of_it(unzipped: Path) -> None:
    """It leaves out `__pycache__` unless the folder has an ignore file of its own."""
    lines = (unzipped / ".funcignore").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == []


def test_no_local_settings_and_no_key_is_in_it(unzipped: Path) -> None:
    names = {path.rpartition("/")[2] for path in files_below(unzipped)}
    assert not {name for name in names if "settings.json" in name or name.startswith(".env")}
    own = [path for path in files_below(unzipped) if not path.startswith(".python_packages/")]
    secret = re.compile(rb"pgm_|AccountKey=|-----BEGIN [A-Z ]*PRIVATE KEY|SharedAccessSignature=")
    assert [path for path in own if secret.search((unzipped / path).read_bytes())] == []


def test_the_libraries_are_the_pins_of_requirements_and_no_other(unzipped: Path) -> None:
    found = {dist.metadata["Name"].lower().replace("_", "-"): dist.version for dist in shipped(unzipped)}
    assert found == PINS
    assert not set(found) & {"click", "rich", "tomlkit", "pytest", "trustme", "ruff"}


def shipped(folder: Path) -> list[Distribution]:
    return list(distributions(path=[str(folder / LIBRARIES)]))


def test_every_file_of_a_library_is_as_its_wheel_says(unzipped: Path) -> None:
    """All but scripts and the libraries' own tests are there, with the hash that the wheel's RECORD has."""
    for dist in shipped(unzipped):
        for file in dist.files or ():
            place = Path(str(file.locate()))
            if "tests" in file.parts or file.parts[0].endswith(".data"):
                assert not place.exists(), place
            elif file.hash:
                assert place.exists(), place
                assert file.hash.value == encoded_sha256(place.read_bytes()), place


def encoded_sha256(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_compiled_libraries_are_for_linux_on_x86_64_and_no_newer_glibc(unzipped: Path) -> None:
    compiled = [path for path in files_below(unzipped) if path.endswith((".so", ".pyd", ".dylib"))]
    assert compiled
    assert all((unzipped / path).read_bytes()[:20:18] == b"\x7f\x3e" for path in compiled)  # ELF, of x86-64
    wanted = {
        tuple(map(int, version))
        for path in compiled
        for version in re.findall(rb"GLIBC_(\d+)\.(\d+)", (unzipped / path).read_bytes())
    }
    assert max(wanted) <= (2, 28)


def test_no_module_of_the_package_imports_one_that_is_not_in_it(unzipped: Path) -> None:
    paths = sorted((unzipped / "pigment_export").rglob("*.py"))
    there = {".".join(path.relative_to(unzipped).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    assert "pigment_export.runs.claim" in there
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pigment_export":
                assert node.module in there, path.name
                if (unzipped / str(node.module).replace(".", "/")).is_dir():
                    names = {f"{node.module}.{alias.name}" for alias in node.names} - {"pigment_export.__version__"}
                    assert names <= there, path.name


# That it starts


def test_the_worker_library_finds_in_it_what_it_finds_here(out: Path, unzipped: Path) -> None:
    here = PACKAGE.index(ROOT, next(Path(path) for path in sys.path if path.endswith("site-packages")))
    found = indexed(unzipped)
    assert found == here
    told = (out / "told").read_text()
    assert set(re.findall(r"^  (\w+): \w+Trigger$", told, re.MULTILINE)) == set(here)
    assert ("every module of the package imports" in told) == PACKAGE.runs_here()


def test_a_machine_that_runs_none_of_the_compiled_libraries_can_still_try_it(unzipped: Path, tmp_path: Path) -> None:
    """As Windows and macOS: the build ends well there, too."""
    folder = tmp_path / "app"
    shutil.copytree(unzipped, folder, ignore=shutil.ignore_patterns("*.so"))
    assert indexed(folder) == indexed(unzipped)


@pytest.mark.parametrize(
    ("program", "hint"),
    [
        ("import there_is_no_such_module", "there_is_no_such_module"),
        ("import click", "click"),
        ("import azure.functions as func\napp = func.FunctionApp()\n", "no function"),
    ],
)
def test_an_app_that_would_run_with_no_functions_is_no_package(
    unzipped: Path, tmp_path: Path, program: str, hint: str
) -> None:
    (tmp_path / "function_app.py").write_text(program)
    with pytest.raises(PACKAGE.PackageError, match=hint):
        PACKAGE.index(tmp_path, unzipped / LIBRARIES)


def test_a_module_that_was_left_out_is_noticed(unzipped: Path, tmp_path: Path) -> None:
    package = tmp_path / "pigment_export"
    package.mkdir()
    (package / "late.py").write_text("import rich")
    with pytest.raises(PACKAGE.PackageError, match="No module named 'rich'"):
        PACKAGE.import_everything(tmp_path, unzipped / LIBRARIES)


# The same everywhere


def copy_of_source(folder: Path) -> Path:
    """What the package is made of, as Git checks it out on Windows."""
    for name, data in PACKAGE.app_files(ROOT).items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.replace(b"\n", b"\r\n"))
    return folder


def test_the_same_app_makes_the_same_bytes_whatever_its_place_its_times_and_its_ends_of_lines(tmp_path: Path) -> None:
    """Without its libraries, which no checkout changes."""
    made = [PACKAGE.app_files(folder) for folder in (ROOT, copy_of_source(tmp_path))]
    here, there = (PACKAGE.zipped(files | PACKAGE.bytecode(files)) for files in made)
    assert here == there


@pytest.mark.long
def test_the_same_app_with_its_libraries_makes_the_same_bytes(out: Path, tmp_path: Path) -> None:
    done = run(copy_of_source(tmp_path / "source"), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "function-app.zip").read_bytes() == (out / "function-app.zip").read_bytes()


def test_entries_are_sorted_readable_and_of_no_time() -> None:
    archive = PACKAGE.zipped({"b": b"2", "a/c": b"1"})
    assert archive == PACKAGE.zipped({"a/c": b"1", "b": b"2"})
    with zipfile.ZipFile(PACKAGE.io.BytesIO(archive)) as opened:
        entries = [(entry.filename, oct(entry.external_attr >> 16), entry.date_time) for entry in opened.infolist()]
    assert entries == [("a/c", "0o100644", (1980, 1, 1, 0, 0, 0)), ("b", "0o100644", (1980, 1, 1, 0, 0, 0))]


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for place, data in files.items():
            made.writestr(place, data)
        made.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    return path


def test_a_wheel_is_unpacked_as_the_installer_lays_it_out_without_scripts_and_tests(tmp_path: Path) -> None:
    made = wheel(
        tmp_path,
        "One_Thing",
        {
            "one/a.py": b"a",
            "one/tests/test_a.py": b"no",
            "One_Thing-1.0.data/purelib/one/b.py": b"b",
            "One_Thing-1.0.data/scripts/run": b"no",
        },
    )
    files = PACKAGE.unpack([made], {"one-thing": "1.0"})
    assert set(files) == {"one/a.py", "one/b.py", "One_Thing-1.0.dist-info/METADATA"}


def test_wheels_that_contradict_each_other_or_the_pins_are_refused(tmp_path: Path) -> None:
    one, two = wheel(tmp_path, "one", {"same.py": b"1"}), wheel(tmp_path, "two", {"same.py": b"2"})
    with pytest.raises(PACKAGE.PackageError, match=r"another same\.py"):
        PACKAGE.unpack([one, two], {"one": "1.0", "two": "1.0"})
    with pytest.raises(PACKAGE.PackageError, match=r"not what requirements\.txt pins"):
        PACKAGE.unpack([one], {"one": "1.1"})


@pytest.mark.parametrize("marker", ["sys_platform == 'win32'", "python_version < '3.14' and os_name == 'nt'"])
def test_a_pin_that_depends_on_the_machine_is_refused(marker: str) -> None:
    with pytest.raises(PACKAGE.PackageError, match="depends on the machine"):
        PACKAGE.read_pins(f"pywin32==306 ; {marker} \\\n    --hash=sha256:00\n")


# What it says when it can't


def app_with(folder: Path, requirements: str) -> Path:
    source = copy_of_source(folder / "source")
    (source / "requirements.txt").write_text(requirements)
    return source


def pip_settings(links: Path) -> dict[str, str]:
    """Pip on its own: no index, no settings of this machine."""
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_RETRIES": "0"}


def test_a_pin_without_a_wheel_is_named(tmp_path: Path) -> None:
    source = app_with(tmp_path, "h2==0.0.1 --hash=sha256:" + "0" * 64 + "\n")
    done = run(source, tmp_path / "out", **pip_settings(tmp_path))
    assert done.returncode == 1
    assert "h2==0.0.1 has no wheel for Linux x86-64" in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    """A port of this machine at which nobody listens stands for an index that can't be reached."""
    source = app_with(tmp_path, "h2==0.0.1 --hash=sha256:" + "0" * 64 + "\n")
    settings = pip_settings(tmp_path) | {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    settings |= {"PIP_RETRIES": "1", "NO_PROXY": "127.0.0.1"}
    done = run(source, tmp_path / "out", **settings)
    assert done.returncode == 1
    assert "can't be reached" in done.stderr


def test_a_download_that_is_not_what_was_pinned_stops_it_and_leaves_no_old_package(tmp_path: Path) -> None:
    wheel(tmp_path, "one", {"one.py": b""})
    (tmp_path / "out" / "app").mkdir(parents=True)
    (tmp_path / "out" / "function-app.zip").write_bytes(b"an older one")
    source = app_with(tmp_path, "one==1.0 --hash=sha256:" + "0" * 64 + "\n")
    done = run(source, tmp_path / "out", **pip_settings(tmp_path))
    assert done.returncode == 1
    assert "not the file that was pinned" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_the_app_is_told_what_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "function_app.py, host.json, exports.toml, requirements.txt, pigment_export is missing" in done.stderr


def test_it_tells_its_options() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "package.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "--source" in done.stdout


def test_another_catalog_beside_the_first_goes_along(tmp_path: Path) -> None:
    source = copy_of_source(tmp_path)
    (source / "hourly.toml").write_text("")
    (source / "pyproject.toml").write_text("")
    assert set(PACKAGE.app_files(source)) == set(PACKAGE.app_files(ROOT)) | {"hourly.toml"}


# func azure functionapp publish


def published(path: str) -> bool:
    """Whether Core Tools would take a file along, by .funcignore.

    Source: GitIgnoreParser.cs of https://github.com/Azure/azure-functions-core-tools, which is not quite Git's reading.
    """
    lines = [line.strip() for line in (ROOT / ".funcignore").read_text().splitlines()]
    patterns = [re.escape(line.removeprefix("/")) for line in lines if line and not line.startswith("#")]
    beginnings = [pattern.replace(r"\*\*", "(.+)").replace(r"\*", "([^/]+)") for pattern in patterns]
    return not any(re.match(beginning, path) for beginning in beginnings)


def test_core_tools_would_publish_the_same_files() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    there = {path for path in tracked if (ROOT / path).is_file()} | set(PACKAGE.app_files(ROOT))
    assert {path for path in there if published(path)} == set(PACKAGE.app_files(ROOT))


@pytest.mark.parametrize(
    "path",
    [
        "local.settings.json",
        "local.settings.json.example",
        ".venv/lib/x.py",
        "dist/function-app.zip",
        ".git/config",
        "pigment_export/__pycache__/a.pyc",
        ".azure/x/.env",
    ],
)
def test_core_tools_would_not_publish_what_is_of_this_machine(path: str) -> None:
    assert not published(path)


def test_the_package_needs_no_setting_to_be_indexed(unzipped: Path) -> None:
    """Neither does Azure give the worker all of them when it indexes."""
    assert json.dumps(indexed(unzipped))
