"""A folder of certificates, as OpenSSL looks them up: each file is named by the hash of its subject."""

import shutil
import subprocess
from pathlib import Path

import pytest

NEEDS_OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl names the files")


def as_folder(bundle: Path, folder: Path) -> Path:
    """Return a folder with the one certificate of a bundle."""
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    folder.mkdir()
    shutil.copy(bundle, folder / f"{name}.0")
    return folder
