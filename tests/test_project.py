"""The project's own rules: who imports whom, what happens at import, and texts that must agree."""

import ast
import json
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
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.stem not in ("__init__", "__main__")
)

# The one rule of imports: a folder imports from those to the right of it; five modules serve all.
SERVE_ALL = {"cron", "environment", "errors", "events", "network", "retry"}
MAY_IMPORT: dict[str, set[str]] = {
    "cli": {"wiring", "settings", "app", "runs", "delivery", "transfer", "catalog", "lake"},
    "wiring": {"settings", "app", "runs", "delivery", "transfer", "catalog", "lake", "keys", "pigment", "azure"},
    "app": {"settings", "runs", "delivery", "transfer", "catalog", "lake"},
    "runs": {"delivery", "transfer", "catalog", "lake"},
    "delivery": {"transfer", "catalog", "lake"},
    "transfer": set(),
    "catalog": set(),
    "lake": set(),
    "settings": {"lake"},  # whether a path template is right
    "keys": set(),
    "pigment": {"transfer", "catalog", "keys", "pigment.http2"},  # the body that `transfer` asks for
    "pigment.http2": set(),
    "azure": {"lake", "keys"},  # what `lake.interface` asks for, and where keys come from
}
LARGEST_FILE_LINES = 350
MOST_IMPORTS = 10
MOST_PARAMETERS = 6
MOST_CLASSES = 130  # of the package; a new feature may raise it by what it brings

# Each vendor's library stays in one folder (or module) of ours.
VENDORS: dict[str, set[str]] = {
    "azure.functions": set(),
    "azure.core": {"azure"},
    "azure.storage": {"azure"},
    "azure.keyvault": {"azure"},
    "azure.identity": {"azure"},
    "requests": {"pigment", "pigment.http2", "azure"},
    "h2": {"pigment.http2"},
    "isal": {"pigment.http2", "transfer"},
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


def path_of(name: str) -> Path:
    return PACKAGE.joinpath(*name.split(".")).with_suffix(".py")


def own_imports(name: str) -> set[str]:
    found = imports_of(path_of(name))
    return {other for other in MODULES if f"pigment_export.{other}" in found} - {name}


def folder_of(name: str) -> str:
    """The folder of a module; a module of the top level is its own."""
    return "pigment.http2" if name.startswith("pigment.http2.") else name.partition(".")[0]


def test_every_folder_has_its_row() -> None:
    assert {folder_of(name) for name in MODULES} == set(MAY_IMPORT) | SERVE_ALL


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_one_way(name: str) -> None:
    folder = folder_of(name)
    allowed = (MAY_IMPORT[folder] | SERVE_ALL | {folder}) if folder in MAY_IMPORT else {"errors", "events"}
    allowed -= SERVE_ALL if folder == "pigment.http2" else set()
    for other in own_imports(name):
        assert folder_of(other) in allowed, f"{name} imports {other}"


def test_no_module_imports_itself_through_others() -> None:
    imports = {name: own_imports(name) for name in MODULES}
    while free := [name for name, others in imports.items() if not others]:
        for name in free:
            del imports[name]
        for others in imports.values():
            others.difference_update(free)
    assert imports == {}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_library_of_a_vendor_stays_in_its_folder(vendor: str) -> None:
    users = {
        folder_of(name)
        for name in MODULES
        if any(
            module == vendor or module.startswith(f"{vendor}.")
            for module in imports_of(path_of(name))
            if not module.startswith("pigment_export")
        )
    }
    assert users <= VENDORS[vendor] | ({"wiring"} if vendor == "azure.core" else set())


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_and_knows_few_others(name: str) -> None:
    """`errors`, `events` and `retry` serve all and are not counted."""
    assert len(path_of(name).read_text().splitlines()) <= LARGEST_FILE_LINES
    assert len(own_imports(name) - SERVE_ALL) <= MOST_IMPORTS


def test_the_package_has_few_classes() -> None:
    """Each is a form that a reader must learn: before a change adds one, it looks for one that can go."""
    nodes = (node for name in MODULES for node in ast.walk(ast.parse(path_of(name).read_text())))
    assert sum(isinstance(node, ast.ClassDef) for node in nodes) <= MOST_CLASSES


@pytest.mark.parametrize("name", MODULES)
def test_a_function_takes_few_parameters(name: str) -> None:
    for node in ast.walk(ast.parse(path_of(name).read_text())):
        if isinstance(node, ast.FunctionDef) and node.name != "send":  # as requests has it
            if any("click." in ast.unparse(decorator) for decorator in node.decorator_list):
                continue  # each option of a command is a parameter
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            taken = [parameter.arg for parameter in parameters if parameter.arg not in ("self", "cls")]
            assert len(taken) <= MOST_PARAMETERS, f"{node.name}: {taken}"


def test_texts_name_their_actors() -> None:
    """A worker, a caller, a reader or an operator acts; the words of earlier receipts stay readable."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "exports.toml", *(ROOT / "docs").rglob("*.md")]
    files = [*pages, ROOT / "function_app.py", *PACKAGE.rglob("*.py"), *(ROOT / "infra").rglob("*.bicep*")]
    for path in files:
        text = re.sub(r"(?s)_EARLIER = \{.*?\n\}", "", path.read_text())
        assert not re.search(r"(?i)\b(nobody|whoever|somebody)\b", text), path


def test_pure_modules_import_no_adapter_and_no_network() -> None:
    pure = {name for name in MODULES if folder_of(name) in {"runs", "delivery", "transfer", "lake", "errors", "retry"}}
    assert pure
    for name in pure:
        roots = {module.partition(".")[0] for module in imports_of(path_of(name))}
        assert not roots & {"requests", "azure", "h2", "socket", "ssl", "http", "os", "pathlib"}, name


def test_the_product_and_its_stand_ins_never_import_each_other() -> None:
    for folder, other in (("pigment_export", "emulators"), ("emulators", "pigment_export")):
        for path in (ROOT / folder).rglob("*.py"):
            assert not any(module.split(".")[0] == other for module in imports_of(path)), path


def test_only_the_composition_root_and_entries_read_the_environment() -> None:
    for name in MODULES:
        if folder_of(name) not in {"cli", "wiring", "settings"}:
            assert "os.environ" not in path_of(name).read_text(), name


def imported(*names: str, folder: Path = ROOT, product: str = "pigment_export") -> dict[str, str]:
    """What each module does at its import, with a bare environment; nothing, if all is well."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "HOME")}
    command = [sys.executable, "-B", "-P", ROOT / "tests" / "harness" / "quiet_imports.py", product, *names]
    done = subprocess.run(
        command, env=environment | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def imports() -> dict[str, str]:
    return imported(*(f"pigment_export.{name}" for name in MODULES))


@pytest.mark.parametrize("name", ["libraries", *(f"pigment_export.{name}" for name in MODULES)])
def test_nothing_happens_at_import(name: str, imports: dict[str, str]) -> None:
    """No connection, no file written, no thread started; and each module is imported without another's help."""
    assert imports[name] == ""


@pytest.mark.parametrize(
    ("program", "hint"),
    [
        ("import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\n", "socket.connect"),
        ("open('/dev/null', 'w').close()\n", "/dev/null"),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n", "threads"),
        ("import made_up.another\nmade_up.another.late\n", "late"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_what_happens_at_import_is_noticed(program: str, hint: str, tmp_path: Path) -> None:
    for module, text in (("__init__", ""), ("another", ""), ("one", program)):
        (tmp_path / "made_up").mkdir(exist_ok=True)
        (tmp_path / "made_up" / f"{module}.py").write_text(text)
    told = imported("made_up.another", "made_up.one", folder=tmp_path, product="made_up")
    assert told["made_up.another"] == ""
    assert hint in told["made_up.one"]


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
    assert len(targets) <= 14


def test_every_folder_stands_in_the_map_and_every_module_in_the_architecture() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    for name in MODULES:
        folder = folder_of(name)
        assert f"`{folder.rpartition('.')[2]}" in (pigment_export.__doc__ or ""), folder
        assert f"`{name.rpartition('.')[2]}`" in architecture, name


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
