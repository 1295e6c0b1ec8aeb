"""The project's own rules: who imports whom, what happens at import, and texts that must agree."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pigment_export
from pigment_export.settings import SETTINGS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pigment_export"
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__"))

# A module may import from its own row (where "siblings" says so) and from the rows below it.
LAYERS: list[tuple[str, ...]] = [
    ("cli",),
    ("wiring",),
    ("triggers",),
    ("api", "health", "gate", "tending"),
    ("messages", "sweeping"),
    ("runs",),
    ("delivery",),
    ("settling",),
    ("ending", "staging", "pigment", "lake", "records", "vault", "folder", "catalog", "settings"),
    ("transfer", "failures", "azure_requests"),
    ("http2", "azure_errors"),
    ("channels",),
    ("inflate", "frames", "wire"),
    ("decisions", "overview", "contract"),
    ("plan", "receipts", "guards", "answers"),
    ("descriptions", "exports", "integrity", "ports", "deadline"),
    ("options", "layout", "events"),
    ("errors",),
]
PURE = LAYERS[LAYERS.index(("decisions", "overview", "contract")) :]
TO_PIGMENT = {"pigment", "failures", "http2", "channels", "frames", "wire", "inflate"}
TO_AZURE = {"lake", "records", "vault", "azure_errors", "azure_requests"}
VENDORS = {
    "azure.functions": set(),
    "requests": {"pigment", "failures", "http2", "inflate"},
    "h2": {"frames"},
    "azure.storage": {"lake", "records"},
    "azure.keyvault": {"vault"},
    "azure.identity": {"wiring"},
    "isal": {"inflate"},
    "click": {"cli"},
    "rich": {"cli"},
}


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def own_imports(name: str) -> set[str]:
    found = imports_of(PACKAGE / f"{name}.py")
    return {other for other in MODULES if f"pigment_export.{other}" in found}


def row_of(name: str) -> int:
    return next(number for number, row in enumerate(LAYERS) if name in row)


def test_every_module_has_its_layer() -> None:
    assert sorted(name for row in LAYERS for name in row) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_inwards(name: str) -> None:
    for other in own_imports(name):
        assert row_of(other) > row_of(name), f"{name} imports {other}"


def test_adapters_know_nothing_of_each_other() -> None:
    for name in TO_PIGMENT:
        assert not own_imports(name) & (TO_AZURE | {"folder"}), name
    for name in TO_AZURE | {"folder"}:
        assert not own_imports(name) & (TO_PIGMENT | {"lake", "records", "vault", "folder"}), name


def test_pure_modules_import_no_adapter_and_no_network() -> None:
    for row in PURE:
        for name in row:
            roots = {module.partition(".")[0] for module in imports_of(PACKAGE / f"{name}.py")}
            assert not roots & {"requests", "azure", "h2", "socket", "ssl", "http", "os", "pathlib"}, name


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_library_of_a_vendor_stays_in_its_module(vendor: str) -> None:
    users = {
        name
        for name in MODULES
        if any(module == vendor or module.startswith(f"{vendor}.") for module in imports_of(PACKAGE / f"{name}.py"))
    }
    assert users <= VENDORS[vendor]


def test_the_product_and_its_stand_ins_never_import_each_other() -> None:
    for folder, other in (("pigment_export", "emulators"), ("emulators", "pigment_export")):
        for path in (ROOT / folder).rglob("*.py"):
            assert not any(module.split(".")[0] == other for module in imports_of(path)), path


def test_only_the_composition_root_and_entries_read_the_environment() -> None:
    for name in set(MODULES) - {"cli", "wiring", "settings"}:
        assert "os.environ" not in (PACKAGE / f"{name}.py").read_text(), name


@pytest.mark.parametrize("name", MODULES)
def test_nothing_happens_at_import(name: str) -> None:
    """No connection, no file written, no environment variable read, no thread started, with a bare environment."""
    program = (
        "import sys, threading\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append((event, args)) if event.startswith('socket.') "
        "or (event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')) else None)\n"
        f"import pigment_export.{name}\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "seen = [e for e in seen if e[0] != 'socket.__new__' and e[1][-1] != ('::1', 0)]\n"  # urllib3 tries IPv6
        "assert seen == [], seen\n"
    )
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "HOME")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_python_version_is_the_same_everywhere() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert version == "3.13"
    assert project["project"]["requires-python"].startswith(f">={version}")
    assert project["tool"]["mypy"]["python_version"] == version
    assert f"PYTHON ?= python{version}" in (ROOT / "Makefile").read_text()
    assert f"Python {version}" in (ROOT / "README.md").read_text()


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["version"] == pigment_export.__version__


def test_every_requirement_is_pinned_with_hashes_in_the_compiled_file() -> None:
    for stem in ("requirements", "requirements-dev"):
        wanted = {
            re.split(r"[=<>\[ ;]", line)[0].lower()
            for line in (ROOT / f"{stem}.in").read_text().splitlines()
            if line and not line.startswith(("#", "-r"))
        }
        compiled = (ROOT / f"{stem}.txt").read_text()
        pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", compiled, re.MULTILINE))
        assert wanted <= {name.lower() for name in pinned}
        assert compiled.count("--hash=sha256:") >= len(pinned)


def test_every_make_target_is_documented_and_there_are_few() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    targets = phony[1].split()
    documented = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert set(targets) == documented
    assert len(targets) <= 12


def test_every_module_stands_in_the_map_and_the_architecture() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    for name in MODULES:
        assert f"`{name}`" in (pigment_export.__doc__ or ""), name
        assert f"`{name}`" in architecture, name


def test_the_readme_names_only_make_targets_and_settings_that_there_are() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z]+)", re.sub(r"(?s)```text.*?```", "", readme)):
        if target != "and":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    known = {setting.name for setting in SETTINGS}
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", readme)) | set(re.findall(r"export ([A-Z_]+)=", readme))
    assert named <= known, named - known


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_nothing_of_the_project_names_the_place_where_it_was_built() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if name.startswith(".ci/") or not path.is_file():
            continue
        text = path.read_text(errors="ignore")
        assert "/shared" + "/" not in text, name
        assert "DESIGN" + ".md" not in text, name
