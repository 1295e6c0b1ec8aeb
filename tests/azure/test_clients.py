"""What the clients of Azure share."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pigment_export.azure.adls import AdlsLake
from pigment_export.errors import PermanentError
from tests.harness.certificate_folder import NEEDS_OPENSSL, as_folder

pytest_plugins = ("tests.harness.emulated_lake", "tests.harness.real_lake")

ROOT = Path(__file__).parents[2]


def test_a_ca_bundle_is_read_once_for_all_connections(
    open_lake: Callable[..., AdlsLake], ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than a request; a bundle that has changed is read anew."""
    bundle, read = tmp_path / "bundle.pem", []
    bundle.write_bytes(ca_file.read_bytes())
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *locations: Any) -> None:
        read.append(locations)
        load(context, *locations)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    for _ in range(2):
        open_lake().read("x")
        open_lake().delete("x")
    assert len(read) == 1
    os.utime(bundle, (1, 1))
    open_lake().read("x")
    assert len(read) == 2


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_bundle_that_cannot_be_read_is_told_as_what_it_is(
    content: bytes | None, open_lake: Callable[..., AdlsLake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(PermanentError, match="ca_bundle_unusable"):
        open_lake().read("x")


@NEEDS_OPENSSL
def test_a_folder_of_certificates_is_trusted_and_one_without_the_servers_authority_is_not(
    open_lake: Callable[..., AdlsLake], ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = as_folder(ca_file, tmp_path / "certificates")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
    assert open_lake().read("x").etag is None
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "empty"))
    with pytest.raises(PermanentError, match="certificate_untrusted"):
        open_lake().read("x")


def test_the_data_lake_library_is_imported_with_the_first_staged_file() -> None:
    """Nothing that is asked of the lake before Pigment needs it; here no identity answers, so no request is sent."""
    program = """
import contextlib, sys
from pigment_export import wiring
from pigment_export.errors import ExportError
from pigment_export.retry import Deadline
app = wiring.app_of({
    "KEY_VAULT_URL": "https://v.vault.azure.net", "DATA_LAKE_URL": "https://l.dfs.core.windows.net",
    "DATA_LAKE_FILE_SYSTEM": "planning", "IDENTITY_ENDPOINT": "http://127.0.0.1:9/", "IDENTITY_HEADER": "h",
})
lake = app(Deadline(10)).lake.once
for is_imported, ask in (
    (False, lambda: lake.read("x")),
    (False, lambda: lake.look("x")),
    (False, lambda: lake.write("x", b"{}", {}, replacing=None)),
    (False, lambda: lake.delete("x")),
    (True, lambda: lake.create("x")),
):
    with contextlib.suppress(ExportError):
        ask()
    assert ("azure.storage.filedatalake" in sys.modules) is is_imported
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
