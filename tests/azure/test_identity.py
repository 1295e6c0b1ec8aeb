"""Whose tokens are sent, and what it means where there are none: the real library, the endpoint's protocol."""

import base64
import json
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, DefaultAzureCredential, ManagedIdentityCredential

from emulators.identity import Identity as Endpoint
from emulators.web import Told
from pigment_export.azure.errors import IDENTITY_NOT_SIGNED_IN
from pigment_export.azure.identity import Identity, identity_of
from pigment_export.errors import ExportError, RetryableError, SetupError
from tests.harness.credential import Giving

ROOT = Path(__file__).parents[2]
SCOPE = "https://storage.azure.com/.default"
CLIENT_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with Endpoint(client_ids=[CLIENT_ID]) as running:
        for name, value in {**running.environment, "NO_PROXY": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        yield running


class Raising:
    """A credential that only fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise self._error


def token_of(claims: Mapping[str, object]) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{payload}.signature"


def failure(identity: Identity) -> ExportError:
    with pytest.raises(ExportError) as caught:
        identity.get_token(SCOPE)
    return caught.value


# Where App Service offers an identity


@pytest.mark.parametrize("client_id", [None, CLIENT_ID])
def test_the_apps_identity_gives_a_token_for_what_it_is_asked(client_id: str | None, endpoint: Endpoint) -> None:
    token = identity_of(client_id, endpoint.environment).get_token(SCOPE)
    assert token.token.startswith(f"emulated:https://storage.azure.com:{client_id or 'system'}")


@pytest.mark.parametrize(
    ("told", "kind", "code"),
    [
        (Told(403, ""), RetryableError, "identity_unavailable"),
        (Told(200, "<html>sign in</html>", {"Content-Type": "text/html"}), RetryableError, "identity_unavailable"),
        (Told(200, {}), RetryableError, "identity_unavailable"),
        (Told(200, []), RetryableError, "identity_unavailable"),
        (Told(200, {"access_token": 5, "expires_on": "99999999999"}), RetryableError, "identity_unavailable"),
        (Told(200, {"access_token": "a\nb", "expires_on": "99999999999"}), RetryableError, "identity_unavailable"),
        (Told(500, {"statusCode": 500, "message": "oops"}), RetryableError, "identity_unavailable"),
        (
            Told(429, {"statusCode": 429, "message": "slow"}, {"Retry-After": "999"}),
            RetryableError,
            "identity_unavailable",
        ),
        (Told(400, {"statusCode": 400, "message": "No User Assigned Identity found"}), SetupError, "identity_missing"),
    ],
)
def test_what_the_endpoint_says_instead_of_a_token_has_a_class_and_one_request(
    told: Told, kind: type[ExportError], code: str, endpoint: Endpoint
) -> None:
    endpoint.failures.append(told)
    error = failure(identity_of(None, endpoint.environment))
    assert (type(error), error.cause.code) == (kind, code)
    assert SCOPE in error.cause.reason
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "told",
    [
        Told(429, {"statusCode": 429, "message": "slow"}, {"Retry-After": "999999999"}),
        Told(503, {"statusCode": 503, "message": "oops"}),
        Told(200, {"access_token": "two words", "expires_on": "99999999999"}),
    ],
)
def test_what_the_endpoint_said_once_is_not_kept(told: Told, endpoint: Endpoint) -> None:
    identity = identity_of(None, endpoint.environment)
    endpoint.failures.append(told)
    failure(identity)
    assert identity.get_token(SCOPE).token.startswith("emulated:")


def test_an_identity_that_the_app_does_not_have_is_named(endpoint: Endpoint) -> None:
    error = failure(identity_of("00000000-0000-0000-0000-000000000000", endpoint.environment))
    assert error.cause.code == "identity_missing"
    assert "No User Assigned or Delegated Managed Identity found" in error.cause.reason


def test_an_endpoint_that_does_not_answer_is_retried(endpoint: Endpoint) -> None:
    identity = identity_of(None, endpoint.environment)
    endpoint.stop()
    error = failure(identity)
    assert (type(error), error.cause.code) == (RetryableError, "identity_unavailable")


# On a laptop


def test_on_a_laptop_a_person_who_is_not_signed_in_is_told_to_run_az_login() -> None:
    error = failure(Identity(lambda: Raising(CredentialUnavailableError("a\nhundred\nlines")), IDENTITY_NOT_SIGNED_IN))
    assert isinstance(error, SetupError)
    assert "az login" in error.cause.remedy
    assert "hundred" not in "".join(traceback.format_exception(error))


def test_a_laptop_that_is_not_signed_in_ends_at_once_with_one_remedy(tmp_path: Path) -> None:
    (tmp_path / "exports.toml").write_text(f'[revenue]\nkind = "metric"\nid = "{CLIENT_ID}"\n')
    done = subprocess.run(
        [sys.executable, "-m", "pigment_export", "run"],
        cwd=tmp_path,
        env={
            "PATH": str(tmp_path),  # no Azure CLI, no PowerShell
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "PIGMENT_API_KEY": "key",
            "DATA_LAKE_URL": "https://lake.dfs.core.windows.net",
            "DATA_LAKE_FILE_SYSTEM": "planning",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode not in (0, 1)
    assert "az login" in done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_what_entra_says_is_told_by_its_code() -> None:
    text = "AADSTS700082: The refresh token has expired due to inactivity. Trace ID: 1234"
    error = failure(Identity(lambda: Raising(ClientAuthenticationError(text)), IDENTITY_NOT_SIGNED_IN))
    assert (type(error), error.cause.code) == (SetupError, "identity_refused")
    assert "AADSTS700082" in error.cause.reason


@pytest.mark.parametrize(
    ("client_id", "environ", "kind"),
    [
        (None, {}, DefaultAzureCredential),
        (CLIENT_ID, {}, ManagedIdentityCredential),
        (None, {"IDENTITY_ENDPOINT": "http://127.0.0.1/"}, ManagedIdentityCredential),
    ],
)
def test_a_managed_identity_is_used_where_it_is_named_or_offered(
    client_id: str | None, environ: Mapping[str, str], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    for credential in (DefaultAzureCredential, ManagedIdentityCredential):
        monkeypatch.setattr(credential, "get_token", lambda self, *_s, **_o: made.append(self) or AccessToken("t", 1))
    identity_of(client_id, environ).get_token(SCOPE)
    assert [type(credential) for credential in made] == [kind]


# Who it is


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"upn": "ada@example.com", "appid": "1"}, "ada@example.com"),
        ({"appid": CLIENT_ID}, CLIENT_ID),
        ({"oid": "5"}, ""),
        ([], ""),
    ],
)
def test_an_identity_is_named_as_its_token_names_it(claims: Any, name: str) -> None:
    identity = Identity(lambda: Giving(token_of(claims)))
    identity.get_token(SCOPE)
    assert identity.name == name


@pytest.mark.parametrize("token", ["emulated:x:y", "a.b.c", "a.!!!!.c", "a.bnVsbA.c"])
def test_a_token_that_says_nothing_is_a_token_all_the_same(token: str) -> None:
    identity = Identity(lambda: Giving(token))
    assert identity.get_token(SCOPE).token == token
    assert identity.name == ""


@pytest.mark.parametrize("token", ["", "two words", "a\nb", "é", None, 58262])
def test_what_no_header_can_carry_is_no_token_and_shows_nowhere(token: Any) -> None:
    error = failure(Identity(lambda: Giving(token)))
    assert error.cause.code == "identity_unavailable"
    if token:
        assert repr(token) not in "".join(traceback.format_exception(error))
