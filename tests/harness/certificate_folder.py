"""A folder of certificates as OpenSSL expects it: each file is named by the hash of the subject."""

import shutil
import subprocess
from pathlib import Path

import pytest

NEEDS_OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl names the files")


def as_folder(bundle: Path, folder: Path) -> Path:
    """Turn a bundle of one certificate into such a folder."""
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    folder.mkdir()
    shutil.copy(bundle, folder / f"{name}.0")
    return folder
