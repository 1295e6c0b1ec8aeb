"""A package that lacks a library must not look healthy: the host would show it running, with every function there."""

import http.client
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulators.host.host import Host, SimulatedClock

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
    "EXPORT_QUEUE": "pigment-exports",
    "PIGMENT_API_KEY": "pgm_any",
    "DATA_LAKE_URL": "https://mylake.dfs.core.windows.net",
    "DATA_LAKE_FILE_SYSTEM": "planning",
}


@pytest.mark.parametrize("library", ["pydantic", "cronsim", "azure.keyvault.secrets", "isal", "azure.storage.blob", ""])
def test_health_imports_what_calls_need(tmp_path: Path, library: str) -> None:
    """Also what this deployment's settings would not load at once, as the vault's client beside PIGMENT_API_KEY."""
    prelude = tmp_path / "prelude.py"
    prelude.write_text(f"import sys\nsys.modules[{library!r}] = None\n")
    with Host(ROOT, SETTINGS, clock=SimulatedClock(datetime(2026, 1, 31, tzinfo=UTC)), prelude=prelude) as host:
        assert all(function.problem == "" for function in host.functions.values())
        connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=60)
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        if not library:
            assert (answer.status, told["state"]) == (200, "up")
            return
        assert (answer.status, told["type"]) == (500, "urn:pigment-export:package_incomplete")
        assert library.partition(".")[0] in told["detail"]
        assert "make package" in told["remedy"]
        failed = [json.loads(line.text) for line in host.log if line.text.startswith('{"event": "trigger_failed"')]
        assert [line["class"] for line in failed] == ["package_incomplete"]
