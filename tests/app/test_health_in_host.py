"""Deep health through the whole app: what a key is worth is told from the vault and from Pigment's own answers."""

import http.client
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulators.everything import SECRET, Everything
from emulators.host.host import Host, SimulatedClock
from emulators.pigment.service import DEMO_KEY, EXPIRED_KEY, EXPORT_ONLY_KEY

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[2]
APP = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "EXPORT_QUEUE": "pigment-exports", "EXPORT_SCHEDULE": "none"}


def deep_health(everything: Everything, environment: dict[str, str]) -> tuple[int, dict[str, Any]]:
    clock = everything.lake.clock = SimulatedClock(datetime(2026, 1, 31, tzinfo=UTC))
    with Host(ROOT, {**environment, **APP}, clock=clock) as host:
        connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=60)
        connection.request("GET", "/api/health?deep=true")
        answer = connection.getresponse()
        told = answer.status, json.loads(answer.read())
        connection.close()
    return told


@pytest.mark.parametrize("key", [DEMO_KEY, EXPORT_ONLY_KEY])
def test_a_key_that_may_export_is_healthy_and_nothing_is_left_behind(
    everything: Everything, environment: dict[str, str], key: str
) -> None:
    everything.vault.set(SECRET, key)
    status, told = deep_health(everything, environment)
    assert (status, told["state"]) == (200, "up"), told
    assert not [path for path in everything.lake.tree() if "_health/" in path]


@pytest.mark.parametrize("key", [EXPIRED_KEY, "pgm_invented"])
def test_a_key_that_pigment_refuses_is_a_failing_check_with_its_remedy(
    everything: Everything, environment: dict[str, str], key: str
) -> None:
    everything.vault.set(SECRET, key)
    status, told = deep_health(everything, environment)
    assert (status, told["state"]) == (503, "failing")
    [failed] = [check for check in told["checks"] if not check["ok"]]
    assert (failed["name"], "pigment_unauthorized" in failed["detail"]) == ("use the Pigment key", True)
    assert failed["remedy"].startswith("the owner of the Pigment key: ")
    assert key not in json.dumps(told)
