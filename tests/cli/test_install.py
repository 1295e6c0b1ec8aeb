"""The command line as `pipx install .` and `uv tool install .` install it."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FUNCTIONS_OWN = {"azure-functions", "azure-functions-runtime"}
COMMAND_LINE_OWN = {"click", "rich", "tomlkit"}
UV = [sys.executable, "-m", "uv"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*UV, "build", "--quiet", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable,
         "--out-dir", str(folder), str(ROOT)],
        check=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_the_command_line_needs_what_the_app_needs_but_the_functions_libraries() -> None:
    app = {
        re.split(r"[=<>\[ ;]", line)[0]
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert set(PROJECT["dependencies"]) == app - FUNCTIONS_OWN | COMMAND_LINE_OWN


def test_the_wheel_has_the_product_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"pigment_export/cli/commands.py", "pigment_export/app/page.html"} <= set(names)
    roots = {name.partition("/")[0] for name in names}
    assert roots == {"pigment_export", f"pigment_export-{PROJECT['version']}.dist-info"}


def test_the_installed_command_runs_in_any_folder(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    subprocess.run(
        [*UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--target", str(target),
         "--python", sys.executable, str(wheel)],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [target / "bin" / "pigment-export", "run"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(target)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "DATA_LAKE_URL: missing" in done.stderr
    assert f"exports.toml: cannot be read in {tmp_path}" in done.stderr, "the catalog is looked for here"


def test_no_module_of_the_command_line_needs_the_functions_libraries() -> None:
    program = (
        "import sys, pkgutil, importlib\n"
        "class Refusing:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.startswith(('azure.functions', 'azure_functions')): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refusing())\n"
        "import pigment_export\n"
        "for module in pkgutil.walk_packages(pigment_export.__path__, 'pigment_export.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--version"], ["pydantic", "rich", "requests", "azure", "tomlkit", "jinja2"]),
        (["--help"], ["pydantic", "rich", "requests", "azure", "tomlkit", "jinja2"]),
        (["fetch", "--help"], ["pydantic", "rich", "requests", "azure", "tomlkit", "jinja2"]),
        (["apps"], ["azure.storage", "tomlkit", "jinja2", "pigment_export.runs", "pigment_export.app"]),
        (
            ["fetch", "view", "44444444-4444-4444-8444-444444444444"],
            ["azure.storage", "rich", "tomlkit", "jinja2", "pigment_export.runs", "pigment_export.app"],
        ),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments: list[str], unneeded: list[str], tmp_path: Path) -> None:
    """As far as the first connection, which leads nowhere."""
    program = (
        "import atexit, runpy, sys\n"
        f"atexit.register(lambda: print([name for name in {unneeded!r} if name in sys.modules], file=sys.stderr))\n"
        "runpy.run_module('pigment_export', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PIGMENT_API_KEY": "pgm_made_up",
            "PIGMENT_BASE_URL": "https://nowhere.invalid",
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "[]"
    assert "resolve" in done.stderr or done.returncode == 0
