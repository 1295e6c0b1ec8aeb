"""Measure what a cold start costs: CPU milliseconds of new processes, medians (`python -m benchmarks.cold_start [N]`).

First the imports, then whole calls of `export_one` with the local stand-ins: until the request to Pigment, by part,
until the end of the call, and the same in a warm process. As in Azure, TLS trusts certifi's whole bundle.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import certifi

from emulators.everything import Everything
from emulators.pigment.model import COUNTRIES

ROOT = Path(__file__).parent.parent
KEPT = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
SETTINGS = {
    "KEY_VAULT_URL": "https://my-vault.vault.azure.net",
    "DATA_LAKE_URL": "https://mylake.dfs.core.windows.net",
    "DATA_LAKE_FILE_SYSTEM": "planning",
    "IDENTITY_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
}
APP = (
    "import function_app; from pigment_export import retry, wiring; "
    "app = wiring.app(retry.Deadline(retry.ANSWER_SECONDS));"
)
IMPORTS = {
    "python alone": "pass",
    "import azure.functions": "import azure.functions",
    "import function_app (what the host indexes)": "import function_app",
    "and the parts of all functions": f"{APP} app.runs",
    "and the first HTTP call": (
        f"{APP} from pigment_export.app.calls import HttpCall; HttpCall(wiring.app, {{}}, {{}}, {{}}).health()"
    ),
    "and the status page": (
        f"{APP} from pigment_export.app import page; page.policy(); page._environment().get_template('page.html')"
    ),
}
START = (
    "from pigment_export import wiring; from pigment_export.app.calls import HttpCall; "
    "print(*HttpCall(wiring.app, {}, {}, {}, b'{}').start_run().messages, sep='\\n')"
)
WARM_CALLS = 5  # after the cold one, in the same process
LEAST_MILLISECONDS = 0.5  # of a part that is shown


def cpu_milliseconds(program: str) -> float:
    """Return the CPU time of a new process that runs a program to its end."""
    measured = f"{program}\nimport time; print(time.process_time())"
    return 1000 * float(_run(["-c", measured], KEPT | SETTINGS).splitlines()[-1])


def _run(arguments: list[str], environ: Mapping[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def measure_imports(repeats: int) -> None:
    """Measure the programs in turns, so that a busy machine affects all equally."""
    found: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(repeats):
        for name, program in IMPORTS.items():
            found[name].append(cpu_milliseconds(program))
    medians = {name: statistics.median(times) for name, times in found.items()}
    base = medians["import azure.functions"]
    for name, median in medians.items():
        print(f"{median:7.0f} ms  {median / base:5.2f} x import azure.functions  {name}")


def measure_calls(repeats: int) -> None:
    """Measure cold calls of `export_one`, each in its own process."""
    with tempfile.TemporaryDirectory() as made, Everything(Path(made)) as everything:
        folder = Path(made)
        bundle, catalog = folder / "bundle.pem", folder / "exports.toml"
        bundle.write_bytes(Path(certifi.where()).read_bytes() + everything.ca_file.read_bytes())
        exports = 2 * repeats * (1 + WARM_CALLS)
        catalog.write_text("".join(f'[list_{i}]\nkind = "list"\nid = "{COUNTRIES}"\n' for i in range(exports)))
        environ = KEPT | everything.environment
        environ |= {"REQUESTS_CA_BUNDLE": str(bundle), "EXPORTS_FILE": str(catalog)}
        messages = _run(["-c", START], environ).splitlines()
        calls: dict[str, list[dict[str, Any]]] = {"no": [], "yes": []}
        while messages:
            for pause, found in calls.items():
                taken, messages = messages[: 1 + WARM_CALLS], messages[1 + WARM_CALLS :]
                found.append(json.loads(_run(["-m", "benchmarks.cold_call", pause, *taken], environ)))
    for pause, what in (("no", "called at once"), ("yes", "called after the early imports")):
        print(f"\n{what}:")
        _show(calls[pause])


def _show(calls: list[dict[str, Any]]) -> None:
    for what, name in (
        ("indexed", "the process, until the call"),
        ("asked", "a cold export_one, until the first byte is asked of Pigment"),
        ("ended", "the same, until its end"),
        ("warm", "a warm export_one"),
    ):
        times = [1000 * call[what] for call in calls]
        print(f"{statistics.median(times):7.0f} ms  ({min(times):.0f} to {max(times):.0f})  {name}")
    print("until the first byte is asked of Pigment, by part:")
    parts = {part for call in calls for part in call["milliseconds"]}
    medians = {part: statistics.median(call["milliseconds"].get(part, 0.0) for call in calls) for part in parts}
    for part in sorted(parts, key=lambda part: -medians[part]):
        if medians[part] >= LEAST_MILLISECONDS:
            print(f"{medians[part]:7.1f} ms  {calls[-1]['times'].get(part, 0):4} x  {part}")


def main() -> None:
    """Measure imports, then calls."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    measure_imports(repeats)
    measure_calls(repeats)


if __name__ == "__main__":
    main()
