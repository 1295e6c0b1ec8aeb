"""Measure what a cold start costs: imports in a new process, in CPU milliseconds, medians.

From the project's folder: `python -m benchmarks.cold_start [REPEATS]`. The bar: `import function_app` at most 1.5 times
`import azure.functions`, which the host pays in any case.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "KEY_VAULT_URL": "https://my-vault.vault.azure.net",
    "DATA_LAKE_URL": "https://mylake.dfs.core.windows.net",
    "DATA_LAKE_FILE_SYSTEM": "planning",
    "IDENTITY_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
}
PROGRAMS = {
    "python alone": "pass",
    "import azure.functions": "import azure.functions",
    "import function_app (what the host indexes)": "import function_app",
    "and the parts for export_one": "import function_app; from pigment_export import wiring; wiring.app()",
    "and the first HTTP call": (
        "import function_app; from pigment_export import wiring; wiring.app(); wiring.http_call({}, {}, b'').health()"
    ),
    "and the status page": (
        "import function_app; from pigment_export import wiring; wiring.app(); from pigment_export.app import page; "
        "page.policy(); page._environment().get_template('page.html')"
    ),
}


def cpu_milliseconds(program: str) -> float:
    """Return the CPU time of a new process that runs a program to its end."""
    measured = f"{program}\nimport time; print(time.process_time())"
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", measured],
        cwd=ROOT,
        env={**environment, **SETTINGS},
        capture_output=True,
        text=True,
        check=True,
    )
    return 1000 * float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure each program in turn, so that what disturbs one disturbs all."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(repeats):
        for name, program in PROGRAMS.items():
            found[name].append(cpu_milliseconds(program))
    medians = {name: statistics.median(times) for name, times in found.items()}
    base = medians["import azure.functions"]
    for name, median in medians.items():
        print(f"{name:46} {median:7.0f} ms  {median / base:5.2f} x import azure.functions")


if __name__ == "__main__":
    main()
