"""Measure the CPU seconds of a timer tick with nothing due: `python -m benchmarks.tick`."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from emulators.everything import Everything

ROOT = Path(__file__).parent.parent
REPEATS = 5
PROGRAM = """
import azure.functions, time
def seconds(call):
    began = time.process_time()
    call()
    return time.process_time() - began
def tick():
    from function_app import _start_due
    from pigment_export import wiring
    from pigment_export.app.triggers import serve, tick
    serve("schedule", wiring.app, lambda app: tick(app, _start_due))
print(seconds(tick), seconds(tick))
"""


def main() -> None:
    """Print the medians of the first tick of a process and of its second."""
    with tempfile.TemporaryDirectory() as folder, Everything(Path(folder)) as everything:
        everything.lake.write("exports.toml", (ROOT / "exports.toml").read_bytes())
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ = {**kept, **everything.environment, "EXPORTS_FILE": "lake:exports.toml"}
        rows = []
        for _ in range(REPEATS + 1):  # the first one records new schedules, and is more than a tick
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
            )
            rows.append([float(text) for text in done.stdout.split()])
    cold, warm = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    print(
        f"a tick with nothing due: {cold:.2f} CPU seconds in a new process, {warm * 1000:.0f} ms in one that is there"
    )


if __name__ == "__main__":
    main()
