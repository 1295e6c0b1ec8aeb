"""Transfer 3 GB from Pigment into the lake, through all stand-ins: the speed, and the memory above that of the imports.

    .venv/bin/python -m benchmarks.three_gigabytes [--gigabytes 3] [--repeat 1] [--quoted]

The stand-ins run in this process, the app in its own, on the same cores and through a Python proxy: the rate is that of
the whole bench, not of the app. The memory is only the app's. Linux only: it reads /proc.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from emulators.everything import Everything
from emulators.pigment.model import PNL, Column

ROW_BYTES = 45  # of the generated table, about
APP = """
import contextlib, io, json, os
from pigment_export.app.package import import_everything
from pigment_export.cli import commands, run

def kib(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))

import_everything()
idle = kib("VmRSS")
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
    commands.cli(["run", "pnl_view", "--json"])
[receipt] = json.loads(told.getvalue())["exports"]
cpu = os.times().user + os.times().system
print(idle, kib("VmHWM"), *(receipt[field] for field in ("state", "bytes", "rows", "seconds")), cpu)
"""


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description="3 GB through the stand-ins: rate and memory.")
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--quoted", action="store_true", help="every fifth row has a quoted field")
    options = parser.parse_args()
    over = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder, Everything(Path(folder)) as everything:
            block = everything.pigment.model.blocks[PNL]
            block.rows = int(options.gigabytes * 1e9 / ROW_BYTES)
            if not options.quoted:
                block.columns["Country"] = Column("Country", "text")
            done = subprocess.run(
                [sys.executable, "-c", APP],
                env={**os.environ, **everything.environment},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        idle, peak, state, size, rows, seconds, cpu = done.stdout.split()
        over.append((int(peak) - int(idle)) / 1024)
        print(
            f"{state}: {int(size):,} bytes, {int(rows):,} rows in {float(seconds):.1f} s "
            f"({int(size) / float(seconds) / 1e6:.0f} MB/s), the app's CPU {float(cpu):.1f} s, "
            f"memory {int(idle) / 1024:.0f} MiB idle, {over[-1]:.0f} MiB over it at its peak",
            flush=True,
        )
    print(f"median over idle: {statistics.median(over):.0f} MiB; the bound is 100 MiB")


if __name__ == "__main__":
    main()
