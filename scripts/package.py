"""Build the deployable package: `dist/app` and, from the same files, `dist/function-app.zip`; then test it.

The package has the app's files and every dependency of requirements.txt, by their hashes, for the platform of Azure
Functions: Linux x86-64 and CPython 3.13. The script needs only Python 3.13 with pip, on Linux, macOS or Windows
(`py -3.13 scripts/package.py`), and creates the same files on each of them: wheels are unpacked here instead of
installed, lines end in LF, the zip is sorted, with one timestamp and the same permissions. (With another zlib, the
compressed bytes may differ; with another release of Python 3.13, the bytecode may differ.)

Microsoft's worker library then indexes the unzipped package in an isolated process: an app that cannot be imported runs
in Azure without functions, and only a log line shows it.
"""

import argparse
import hashlib
import importlib.util
import io
import json
import marshal
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / "scripts" / "worker.py"
PYTHON = (3, 13)

# Where the worker finds an app's own libraries:
# https://learn.microsoft.com/azure/azure-functions/python-build-options#deployment-package-considerations
LIBRARIES = ".python_packages/lib/site-packages"
# pip matches platforms literally: the older ones, which 2.28 includes, have to be named, too (PEP 600).
GLIBC_MINORS = range(28, 4, -1)
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in GLIBC_MINORS] + ["manylinux2014_x86_64", "manylinux1_x86_64"]

# The command line: its libraries are not deployed, and nothing else of the package imports it.
SHIPPED = {".py", ".html", ".css"}  # of the app: modules, and the status page
LEFT_OUT = {"cli", "__main__.py"}
# Markers with the same value on every build machine; with another one, the package would depend on the machine.
PORTABLE_MARKERS = {"implementation_name", "platform_python_implementation", "python_version"}

# If the package has no file of that name, azd leaves out `__pycache__`, as for a build in Azure:
# https://learn.microsoft.com/azure/developer/azure-developer-cli/service-packaging-ignore-files
IGNORE_FILE = {".funcignore": b"# Leave nothing out: all of it was built to be deployed, bytecode too.\n"}

Files = dict[str, bytes]


class PackageError(Exception):
    """The package cannot be built; the message says why, and what to do."""


def app_files(source: Path) -> Files:
    """Return the app's own files, by their path in the package.

    Other .toml files next to exports.toml are included, so that `EXPORTS_FILE` can name another catalog.

    Raises:
        PackageError: a file is missing.
    """
    wanted = [source / name for name in ("function_app.py", "host.json", "exports.toml", "requirements.txt")]
    wanted += [path for path in source.glob("*.toml") if path.name not in ("exports.toml", "pyproject.toml")]
    package = source / "pigment_export"
    modules = [
        path
        for path in package.rglob("*.*")
        if path.suffix in SHIPPED and path.relative_to(package).parts[0] not in LEFT_OUT
    ]
    missing = [path.name for path in wanted if not path.is_file()] + ([] if modules else ["pigment_export"])
    if missing:
        raise PackageError(f"{source} is not the app: {', '.join(missing)} is missing")
    # A checkout on Windows may have changed the line ends.
    return {path.relative_to(source).as_posix(): path.read_bytes().replace(b"\r\n", b"\n") for path in wanted + modules}


def read_pins(requirements: str) -> dict[str, str]:
    """Return the version of each pin.

    Raises:
        PackageError: a pin depends on the build machine.
    """
    pins = {}
    for name, version, marker in re.findall(r"(?m)^([\w.-]+)==([^\s;]+) *(?:;([^\\\n]*))?", requirements):
        variables = set(re.findall(r"[a-z_]{3,}", re.sub(r"'[^']*'|\"[^\"]*\"", "", marker))) - {"and", "not"}
        if variables - PORTABLE_MARKERS:
            raise PackageError(f"requirements.txt: {name} depends on the machine that builds: {marker.strip()}")
        pins[_normal(name)] = version
    return pins


def download(requirements: Path, folder: Path) -> list[Path]:
    """Download every pin as a wheel with pip, by its hash.

    Raises:
        PackageError: a download fails.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--only-binary", ":all:", "--no-deps", "--require-hashes", "--implementation", "cp"]
    command += ["--python-version", ".".join(map(str, PYTHON))]
    command += [part for tag in PLATFORMS for part in ("--platform", tag)]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(_why_pip_failed(done.stderr or done.stdout))
    return sorted(folder.glob("*.whl"))


def _why_pip_failed(text: str) -> str:
    said = "\n".join(f"  pip: {line}" for line in text.splitlines() if line.startswith("ERROR")) or text
    if "No module named pip" in text:
        return f"{sys.executable} has no pip: '{sys.executable} -m ensurepip' brings it"
    if "DO NOT MATCH THE HASHES" in text:
        return f"a download is not the file that was pinned. Find out why before you renew the pins.\n{text.strip()}"
    if re.search(r"Retrying|ConnectionError|ConnectTimeout|ProxyError|SSLError|HTTP error", text):
        return f"the package index can't be reached: look at network, HTTPS_PROXY and 'pip config list'.\n{said}"
    pin = re.search(r"No matching distribution found for (\S+)", text)
    if pin:
        return (
            f"{pin[1]} has no wheel for Linux x86-64 (glibc 2.28 or older) and Python 3.13 where pip looks for it: "
            f"pin another version ('make lock'), or look at 'pip config list'.\n{said}"
        )
    return f"pip failed.\n{said}"


def unpack(wheels: list[Path], pins: Mapping[str, str]) -> Files:
    """Return the files of all wheels by their path in site-packages, without scripts and the libraries' own tests.

    Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/

    Raises:
        PackageError: the wheels differ from the pins, or two of them have different files with the same path.
    """
    files: Files = {}
    found = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as opened:
            for name in sorted(opened.namelist()):
                path = _place(name)
                if path is None:
                    continue
                data = opened.read(name)
                if files.setdefault(path, data) != data:
                    raise PackageError(f"{wheel.name} has another {path} than a wheel before it")
                if path.endswith(".dist-info/METADATA"):
                    described = HeaderParser().parsestr(data.decode())
                    found[_normal(described["Name"])] = described["Version"]
    if found != pins:
        differing = sorted(set(found.items()) ^ set(pins.items()))
        raise PackageError(f"what was downloaded is not what requirements.txt pins: {differing}")
    return files


def _place(name: str) -> str | None:
    """Return the path of a wheel's file in site-packages, or None to leave the file out."""
    first, _, rest = name.partition("/")
    if first.endswith(".data"):
        scheme, _, name = rest.partition("/")
        if scheme not in ("purelib", "platlib"):
            return None
    return None if name.endswith("/") or "tests" in name.split("/")[:-1] else name


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bytecode(files: Files) -> Files:
    """Return the bytecode of each module: Azure mounts the package read-only, and would compile it at every start.

    Python uses it without checking the source (PEP 552, unchecked); any other version than 3.13 ignores it.

    Raises:
        PackageError: a module is not Python 3.13.
    """
    made = {}
    for path, source in files.items():
        if not path.endswith(".py"):
            continue
        try:
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        except SyntaxError as error:
            raise PackageError(f"{path} cannot be compiled: {error}") from error
        folder, _, name = path.rpartition("/")
        place = f"{folder}/__pycache__/" if folder else "__pycache__/"
        header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
        made[f"{place}{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"] = header + marshal.dumps(code)
    return made


def zipped(files: Files) -> bytes:
    """Return a zip of the files in which nothing depends on the machine."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also on Windows: otherwise the permissions are ignored
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()


def index(folder: Path, libraries: Path) -> dict[str, Any]:
    """Return the functions of an app by name, as Microsoft's worker library indexes them with only these libraries.

    Raises:
        PackageError: there is no function, or the app cannot be imported.
    """
    told = _run_clean(libraries, [str(WORKER), str(folder)], folder)
    functions = {
        function["name"]: {"bindings": function["bindings"], "retry": function["retry"]}
        for function in json.loads(told)
    }
    if not functions:
        raise PackageError(f"{folder}: no function was found")
    return functions


def runs_here() -> bool:
    """Return whether the libraries are compiled for this machine."""
    return (platform.system(), platform.machine(), platform.libc_ver()[0]) == ("Linux", "x86_64", "glibc")


def import_everything(folder: Path, libraries: Path) -> None:
    """Import each module of the package, to detect missing files.

    Raises:
        PackageError: a module cannot be imported.
    """
    names = [
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in sorted((folder / "pigment_export").rglob("*.py"))
    ]
    program = f"import importlib, sys; sys.path.append({str(folder)!r}); [importlib.import_module(n) for n in {names}]"
    _run_clean(libraries, ["-c", program], folder)


def _run_clean(libraries: Path, arguments: list[str], folder: Path) -> str:
    """Run Python with the standard library and one folder of libraries; return the last line of its output.

    -S excludes this interpreter's site-packages, -P the program's own folder, and -B writes no __pycache__.
    """
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    environ = kept | {"PYTHONPATH": str(libraries), "PYTHONUTF8": "1", "AzureWebJobsScriptRoot": str(folder)}
    command = [sys.executable, "-S", "-P", "-B", *arguments]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise PackageError(f"the app does not start where only its package is there:\n{done.stderr.strip()}")
    return done.stdout.strip().rpartition("\n")[2]


def try_out(archive: bytes, source: Path) -> dict[str, Any]:
    """Unzip and index the package, and compare its functions with those of the source.

    Raises:
        PackageError: a test fails.
    """
    with tempfile.TemporaryDirectory(prefix="package-") as made:
        folder = Path(made).resolve()
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            opened.extractall(folder)
        functions = index(folder, folder / LIBRARIES)
        if functions != index(source, folder / LIBRARIES):
            raise PackageError("the package has other functions than the source")
        if runs_here():
            import_everything(folder, folder / LIBRARIES)
            print("every module of the package imports")
        else:
            print("modules were not imported one by one: the libraries are for Linux x86-64, which this is not")
    return functions


def build(source: Path, out: Path) -> None:
    """Build and test the package; write it to `out` only if the tests succeed.

    Raises:
        PackageError: the package cannot be built, or a test fails.
    """
    folder, archive_path = out / "app", out / "function-app.zip"
    shutil.rmtree(folder, ignore_errors=True)
    archive_path.unlink(missing_ok=True)
    files = app_files(source)
    print(f"the app: {len(files)} files of {source} (the command line stays out)")
    pins = read_pins(files["requirements.txt"].decode())
    print(f"dependencies: {len(pins)} pins, for Linux x86-64 (glibc 2.28 or newer) and Python 3.13", flush=True)
    with tempfile.TemporaryDirectory(prefix="wheels-") as wheels:
        libraries = unpack(download(source / "requirements.txt", Path(wheels)), pins)
    files |= {f"{LIBRARIES}/{path}": data for path, data in libraries.items()}
    files |= bytecode(files) | IGNORE_FILE
    archive = zipped(files)
    functions = try_out(archive, source)
    print(f"the worker library finds {len(functions)} functions, with nothing else on its path:")
    for name, function in sorted(functions.items()):
        print(f"  {name}: {next(b['type'] for b in function['bindings'] if b['type'].endswith('Trigger'))}")
    for path, data in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    archive_path.write_bytes(archive)
    unpacked_bytes = sum(map(len, files.values()))
    print(f"{folder}: {len(files):,} files, {unpacked_bytes / 1e6:.1f} MB")
    print(f"{archive_path}: {len(archive) / 1e6:.1f} MB, sha256 {hashlib.sha256(archive).hexdigest()}")


def main() -> int:
    """Build the package.

    Returns:
        The exit code: 1 if the package cannot be built, 2 if the arguments are wrong.
    """
    parser = argparse.ArgumentParser(
        prog="package.py",
        description="Build and try what is deployed: OUT/app, for azd, and the same as OUT/function-app.zip.",
        epilog="pip's own settings (index, proxy, cache) hold: pip config list, PIP_INDEX_URL, PIP_FIND_LINKS.",
    )
    parser.add_argument("--source", type=Path, default=ROOT, help="the app's folder [this project]")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the package goes [dist]")
    asked = parser.parse_args()
    if sys.version_info[:2] != PYTHON:
        parser.error(f"this is Python {platform.python_version()}: take 3.13, as Azure does")
    try:
        build(asked.source.resolve(), asked.out.resolve())
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
