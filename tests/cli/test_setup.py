"""What a person has set up wrongly ends at once, with the one remedy that helps: nothing is retried in vain."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from emulators.everything import Everything
from emulators.lake.account import Answer

type Run = Callable[..., CompletedProcess[str]]

VIEW = "44444444-4444-4444-8444-444444444444"
NOT_SIGNED_IN = {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "IDENTITY_ENDPOINT": "", "PATH": "/none"}


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}, "REQUESTS_CA_BUNDLE: /nowhere/ca.pem cannot be read"),
        ({"REQUESTS_CA_BUNDLE": __file__}, "has no certificate"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:9"}, "HTTPS_PROXY: only http:// proxies"),
        ({"HTTPS_PROXY": "http://user:geheim@[::1"}, "HTTPS_PROXY: not the address of a proxy"),
        ({"DATA_LAKE_URL": "https://elsewhere.example.com"}, "DATA_LAKE_URL"),
        ({"DATA_LAKE_URL": "https://typo.dfs.core.windows.net.invalid"}, "NO_PROXY"),
        (NOT_SIGNED_IN, "az login"),
    ],
)
def test_a_run_that_cannot_start_says_the_one_thing_to_do(
    command: Run, everything: Everything, variables: dict[str, str], remedy: str
) -> None:
    done = command("run", "revenue", **variables)
    assert done.returncode == 2
    assert remedy in done.stderr
    assert "attempt" not in done.stderr, "nothing is retried"
    assert "Traceback" not in done.stderr
    assert "geheim" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4
    assert everything.pigment.requests == []


def test_a_name_that_does_not_resolve_ends_at_once(command: Run) -> None:
    done = command("run", "revenue", DATA_LAKE_URL="https://no-such-host.dfs.invalid", HTTPS_PROXY="", NO_PROXY="*")
    assert done.returncode == 2
    assert "resolve" in done.stderr
    assert "attempt" not in done.stderr


def test_a_fetch_without_a_sign_in_says_so_before_pigment_is_asked(command: Run, everything: Everything) -> None:
    done = command("fetch", "view", VIEW, **NOT_SIGNED_IN)
    assert done.returncode == 2
    assert "az login" in done.stderr
    assert everything.pigment.requests == []


def test_a_role_that_is_missing_ends_the_run_in_the_lake_too_and_names_it(command: Run, everything: Everything) -> None:
    """Records may be written, files may not: the first export's create is refused."""
    everything.lake.faults.add("create", times=None, then=Answer(403, "AuthorizationPermissionMismatch"))
    done = command("run", "revenue", "--json")
    assert done.returncode == 1
    (receipt,) = json.loads(done.stdout)["exports"]
    assert receipt["state"] == "failed"
    assert "Storage Blob Data Contributor" in receipt["remedy"]
    assert "next attempt" not in done.stderr
    (result,) = [path for path in everything.lake.tree() if path.endswith("result.json")]
    assert json.loads(everything.lake.read(result))["state"] == "failed"


def test_what_is_retried_is_seen(command: Run, everything: Everything) -> None:
    everything.lake.faults.add("create", times=1, then=Answer(503, "ServerBusy"))
    done = command("run", "revenue")
    assert done.returncode == 0, done.stderr
    assert "attempt 2 in" in done.stderr
