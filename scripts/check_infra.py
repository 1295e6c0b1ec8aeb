"""Check the templates in `infra/`: the compiler, the scenarios' snapshots, checkov. `--write` updates the snapshots.

A compiler warning fails this check, but no deployment: a newer compiler may find more. Newer API versions are reported,
but fail nothing, because they appear with time.

It needs no Azure. If there is no Bicep compiler, it explains how to get one, and fails if `CI` is set, or if `BICEP`
names a missing file. On a laptop it succeeds without checking, so that other changes need no compiler.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from uv import find_uv_bin

ROOT = Path(__file__).parent.parent
INFRA = ROOT / "infra"
SCENARIOS = INFRA / "scenarios"
BUILD = ROOT / "build" / "infra"
CHECKOV = ROOT / "build" / "checkov"  # kept between checks: 300 MB, half a minute to download
SKIPS = INFRA / "checkov-skips.toml"

# The compiler of the snapshots: another version may resolve more, or use another order.
COMPILER_VERSION = "0.49.2"
HOW_TO_GET_ONE = (
    f"No Bicep compiler. Install {COMPILER_VERSION} with 'az bicep install --version v{COMPILER_VERSION}' or from\n"
    f"https://github.com/Azure/bicep/releases/tag/v{COMPILER_VERSION}; put it on PATH, or name it: BICEP=/path/to/it."
)

# Each is compiled on its own, with every module that it uses.
ENTRIES = ("main.bicep", "callers/chat.bicep", "callers/data-factory.bicep", "callers/logic-app.bicep")

# Invented places, so that generated names are the same everywhere.
TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
GROUP = "rg-pigment"

# A scenario with at most this number of resources is a caller; checkov has no check for its types.
SMALL = 2

# The compiler's rule about API versions depends on today's date. It is not in bicepconfig.json, which deployments use,
# too.
RECENCY = {"analyzers": {"core": {"rules": {"use-recent-api-versions": {"level": "warning", "maxAgeInDays": 0}}}}}
ARM_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def find_bicep(environ: Mapping[str, str]) -> str | None:
    """Return the Bicep compiler: from `BICEP`, else from `PATH`, else from the Azure CLI's folder."""
    if named := environ.get("BICEP"):
        return named if Path(named).is_file() else None
    on_path = shutil.which("bicep", path=environ.get("PATH", ""))
    by_azure_cli = Path(environ.get("HOME") or environ.get("USERPROFILE") or "") / ".azure" / "bin" / "bicep"
    return on_path or next(
        (str(file) for file in (by_azure_cli, by_azure_cli.with_suffix(".exe")) if file.is_file()), None
    )


def version_of(bicep: str) -> str:
    """Return the compiler's version, such as 0.49.2."""
    done = subprocess.run([bicep, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return found[0] if found else "unknown"


def compiler_problems(command: Sequence[str], file: Path) -> list[str]:
    """Return the problems of a compiler command. A warning is one, although the compiler's exit code is 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and not done.stderr.strip():
        return []
    return [f"{command[1]} {file.relative_to(ROOT)}:\n{done.stderr.strip()}\n{done.stdout.strip()}"]


def build(bicep: str, file: Path, into: Path) -> list[str]:
    """Compile one entry to ARM JSON; return the problems."""
    into.mkdir(parents=True, exist_ok=True)
    outfile = into / f"{file.stem}.json"
    return compiler_problems([bicep, "build", str(file), "--outfile", str(outfile)], file)


def newer_versions(bicep: str, file: Path, config: Path) -> set[str]:
    """Return the resource types of one entry that have a newer API version, with both versions."""
    command = [bicep, "lint", str(file), "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = r"use-recent-api-versions: .* for '([^']+)'\. '([^']+)'.*Acceptable versions: ([^\[\s]+)"
    return {f"{kind} {used}: newest is {newest}" for kind, used, newest in re.findall(told, done.stdout + done.stderr)}


def recency_report(bicep: str) -> list[str]:
    """Return the resource types of all entries that have a newer API version. It is no problem: they still deploy."""
    config = BUILD / "recency.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps(RECENCY))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda entry: newer_versions(bicep, INFRA / entry, config), ENTRIES)
    return sorted(set().union(*found))


def snapshot(bicep: str, file: Path, mode: str) -> list[str]:
    """Compare (`validate`) or write (`overwrite`) the snapshot of a scenario; return the problems."""
    places = ["--tenant-id", TENANT, "--subscription-id", SUBSCRIPTION, "--resource-group", GROUP]
    places += ["--location", "westeurope"]
    problems = compiler_problems([bicep, "snapshot", str(file), "--mode", mode, *places], file)
    if mode == "overwrite" and not problems:
        put_in_order(file.with_suffix(".snapshot.json"))
    return problems


def put_in_order(file: Path) -> None:
    """Sort a snapshot's outputs, because the compiler's order changes each time and would fill the diff."""
    kept = json.loads(file.read_text())
    kept["outputs"] = dict(sorted(kept["outputs"].items()))
    file.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


def format_problems(bicep: str, into: Path) -> list[str]:
    """Return the files that `bicep format` would change; it formats a copy."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(INFRA, into / INFRA.name)
    shutil.copy(ROOT / "bicepconfig.json", into)
    for pattern in ("**/*.bicep", "**/*.bicepparam"):
        subprocess.run([bicep, "format", "--pattern", pattern], cwd=into, capture_output=True, check=True)
    sources = [file for file in INFRA.rglob("*.bicep*") if file.suffix in (".bicep", ".bicepparam")]
    unlike = [
        file.relative_to(ROOT) for file in sources if (into / file.relative_to(ROOT)).read_text() != file.read_text()
    ]
    return [f"format: run '{Path(bicep).name} format {file}'" for file in sorted(unlike)]


def checkov_python() -> Path:
    """Return the interpreter of checkov's own environment; create it from the hashed pins if they have changed."""
    pins = ROOT / "requirements-infra.txt"
    stamp = CHECKOV / "installed"
    python = CHECKOV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(CHECKOV)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(pins)]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
    return python


def as_templates(scenarios: Sequence[Path], into: Path) -> dict[str, int]:
    """Write each scenario's resources as a flat ARM template, with every parameter, condition and loop resolved.

    The compiler writes nested deployments and symbolic names, and checkov cannot read either.

    Returns:
        The number of resources of each scenario as checkov counts them, by type and name.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    counts = {}
    for file in scenarios:
        name = file.name.removesuffix(".snapshot.json")
        resources = json.loads(file.read_text())["predictedResources"]
        template = {"$schema": ARM_SCHEMA, "contentVersion": "1.0.0.0", "resources": resources}
        (into / f"{name}.json").write_text(json.dumps(template, indent=1))
        counts[name] = len({(resource["type"], resource["name"]) for resource in resources})
    return counts


def policy_problems(report: Mapping[str, Any], counts: Mapping[str, int], skips: Mapping[str, Any]) -> list[str]:
    """Return checkov's findings without a skip, the scenarios that it did not check, and the unused skips.

    Args:
        report: checkov's JSON.
        counts: the number of resources of each scenario.
        skips: the tables of `checkov-skips.toml`, by check.
    """
    summary, results = report.get("summary", {}), report.get("results", {})
    checks = [*results.get("passed_checks", ()), *results.get("failed_checks", ())]
    seen = {Path(check["file_path"]).stem for check in checks}
    unread = set(counts) - seen - {name for name, count in counts.items() if count <= SMALL}
    problems = [f"checkov checked nothing of {name}" for name in sorted(unread)]
    if summary.get("parsing_errors") or summary.get("resource_count", 0) < sum(counts.values()):
        problems.append(f"checkov did not read all of {sum(counts.values())} resources: {summary}")
    used = set()
    for check in results.get("failed_checks", ()):
        name, scenario = check["check_id"], Path(check["file_path"]).stem
        found = re.match(r"(Microsoft\.[^.]+)\.", check["resource"])  # Microsoft.Web/sites.func-pigment
        skip = skips.get(name)
        if skip and found and found[1] in skip["types"] and scenario in skip.get("scenarios", [scenario]):
            used.add(name)
        else:
            problems.append(f"{name} ({check['check_name']}) fails for {check['resource']} in {scenario}")
    return problems + [f"{SKIPS.name}: {name} is not needed any more" for name in sorted(set(skips) - used)]


def check_policies(scenarios: Sequence[Path]) -> list[str]:
    """Run checkov over the scenarios; return the problems."""
    folder = BUILD / "checkov"
    counts = as_templates(scenarios, folder)
    command = [str(checkov_python()), "-m", "checkov.main", "--directory", str(folder), "--framework", "arm"]
    command += ["--output", "json", "--compact", "--skip-download", "--soft-fail"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        return [f"checkov: {done.stdout.strip()[:2000]}\n{done.stderr.strip()[:2000]}"]
    return policy_problems(report, counts, tomllib.loads(SKIPS.read_text()))


def parameter_table(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return the table of docs/parameters.md: each parameter with its own description.

    Args:
        template: `main.bicep`, compiled.
        parameters: `main.parameters.json`, with the variables of azd's environment.
    """
    lines = ["| parameter | `azd env set` | what it does |", "|---|---|---|"]
    for name, parameter in template["parameters"].items():
        given = parameters[name]["value"] if name in parameters else ""
        members = {name: (parameter, given)}
        if "$ref" in parameter:
            definition = template["definitions"][parameter["$ref"].rpartition("/")[2]]
            members = {f"{name}.{key}": (member, given.get(key)) for key, member in definition["properties"].items()}
        for path, (member, value) in members.items():
            variable = re.match(r"\$\{(\w+)", value) if isinstance(value, str) else None
            shown = f"`{variable[1]}`" if variable else ""
            lines.append(f"| `{path}` | {shown} | {member['metadata']['description']} |")
    return "\n".join(lines)


def table_problems(*, write: bool) -> list[str]:
    """Return whether docs/parameters.md differs from the templates; `write` updates it."""
    page = ROOT / "docs" / "parameters.md"
    template = json.loads((BUILD / "main.json").read_text())
    parameters = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    text = page.read_text()
    before, _, rest = text.partition("<!-- parameters -->\n")
    wanted = f"{before}<!-- parameters -->\n{parameter_table(template, parameters)}\n<!-- /parameters -->"
    wanted += rest.partition("<!-- /parameters -->")[2]
    if write:
        page.write_text(wanted)
    return [] if write or text == wanted else ["docs/parameters.md: parameters differ: scripts/check_infra.py --write"]


def check(bicep: str, *, write: bool) -> list[str]:
    """Run every check; return the problems."""
    version = version_of(bicep)
    if version != COMPILER_VERSION:
        return [
            f"snapshots are of Bicep {COMPILER_VERSION}, this is {version}: take that one, or raise COMPILER_VERSION"
        ]
    scenarios = sorted(SCENARIOS.glob("*.bicepparam"))
    mode = "overwrite" if write else "validate"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [
            *(pool.submit(build, bicep, INFRA / entry, BUILD) for entry in ENTRIES),
            *(pool.submit(snapshot, bicep, file, mode) for file in scenarios),
            pool.submit(format_problems, bicep, BUILD / "format"),
        ]
        problems = [problem for job in jobs for problem in job.result()]
    kept = sorted(SCENARIOS.glob("*.snapshot.json"))
    orphans = {file.name.removesuffix(".snapshot.json") for file in kept} ^ {file.stem for file in scenarios}
    problems += [f"infra/scenarios/{name}: a scenario and its snapshot belong together" for name in sorted(orphans)]
    if problems:
        return problems
    return table_problems(write=write) + check_policies(kept)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Check the templates; return the exit code."""
    bicep = find_bicep(environ)
    if bicep is None:
        print(HOW_TO_GET_ONE)
        needed = environ.get("CI") or environ.get("BICEP")
        print("The templates could not be checked." if needed else "The templates were NOT checked.")
        return 1 if needed else 0
    problems = check(bicep, write="--write" in arguments)
    for line in recency_report(bicep):
        print(f"newer API version: {line}")
    for problem in problems:
        print(problem)
    print(
        f"infra: {len(problems)} problems"
        if problems
        else f"infra: {len(ENTRIES)} entries, no warning; snapshots and policies hold"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
