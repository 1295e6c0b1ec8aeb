"""`make demo`: the whole way on local stand-ins, as a person would see it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from emulators.everything import Everything

ROOT = Path(__file__).parent.parent
FIRST_LINES = 4


def main() -> int:
    """Run the catalog against the stand-ins and show what came of it.

    Returns:
        The exit code of the run.
    """
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, Everything(Path(folder)) as everything:
        print("Stand-ins for Pigment, Key Vault, managed identity and ADLS Gen2 are running behind one local proxy.")
        print("The app itself knows nothing of them: it is led there by HTTPS_PROXY and a certificate.\n")
        print("$ python -m pigment_export run", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "pigment_export", "run"],
            cwd=ROOT,
            env={**os.environ, **everything.environment, "COLUMNS": "110"},
            check=False,
        )
        print("The lake now (names that begin with _ are records, which readers skip):")
        for path, size in sorted(everything.lake.tree().items()):
            print(f"  {size:>8,}  {path}")
        published = next(path for path in sorted(everything.lake.tree()) if path.endswith("pnl_view.csv"))
        print(f"\nThe first lines of {published}:")
        for line in everything.lake.read(published).decode().splitlines()[:FIRST_LINES]:
            print(f"  {line}")
        if everything.proxy and everything.proxy.refused:
            print(f"refused by the proxy: {everything.proxy.refused}")
            return 1
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
