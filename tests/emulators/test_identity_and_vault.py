"""Managed identity and Key Vault, as azure-identity and azure-keyvault-secrets meet them through the proxy."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from emulators.everything import SECRET, Everything
from emulators.identity import Identity, token_is_for
from emulators.pigment.service import DEMO_KEY
from emulators.vault import RESOURCE
from emulators.web import Raw, Told

STORAGE = "https://storage.azure.com"
TIMEOUT_SECONDS = 20.0
ARGUMENTS = {"resource": RESOURCE, "api-version": "2019-08-01"}


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everything]:
    """All stand-ins, and this process led to them by its environment alone."""
    with Everything(tmp_path) as running:
        for name in ("https_proxy", "no_proxy", "AZURE_CLIENT_ID"):
            monkeypatch.delenv(name, raising=False)
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
        assert running.proxy is not None
        assert running.proxy.refused == []


@pytest.fixture
def client(everything: Everything) -> Iterator[SecretClient]:
    with (
        ManagedIdentityCredential() as credential,
        SecretClient(everything.environment["KEY_VAULT_URL"], credential, retry_total=0) as secrets,
    ):
        yield secrets


@pytest.fixture
def identity() -> Iterator[Identity]:
    with Identity(client_ids=["11112222-3333-4444-5555-666677778888"]) as running:
        yield running


def ask(identity: Identity, header: str | None = None, **arguments: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        headers = {"X-IDENTITY-HEADER": identity.header if header is None else header}
        url = identity.environment["IDENTITY_ENDPOINT"]
        return session.get(url, params=arguments, headers=headers, timeout=TIMEOUT_SECONDS)


def test_a_token_names_what_and_whom_it_is_for_and_when_it_ends(everything: Everything) -> None:
    with ManagedIdentityCredential() as credential:
        token = credential.get_token(f"{STORAGE}/.default")
    kind, scheme, host, who, nonce = token.token.split(":")
    assert (kind, f"{scheme}:{host}", who) == ("emulated", STORAGE, "system")
    assert int(nonce, 16) > 0
    assert token.expires_on > time.time() + 3600
    assert everything.identity.asked == [STORAGE]


def test_the_default_credential_ends_at_managed_identity_too(everything: Everything) -> None:
    with DefaultAzureCredential() as credential:
        assert token_is_for(credential.get_token(f"{RESOURCE}/.default").token, RESOURCE)
    assert everything.identity.asked == [RESOURCE]


def test_a_user_assigned_identity_is_known_or_not(identity: Identity) -> None:
    known = "11112222-3333-4444-5555-666677778888"
    answer = ask(identity, client_id=known, **ARGUMENTS)
    assert answer.status_code == 200
    assert answer.json()["access_token"].startswith(f"emulated:{RESOURCE}:{known}:")
    assert (answer.json()["client_id"], answer.json()["resource"]) == (known, RESOURCE)
    assert ask(identity, client_id="00000000-0000-0000-0000-000000000000", **ARGUMENTS).status_code == 400
    for other_way in ("mi_res_id", "object_id", "principal_id"):
        assert ask(identity, **{other_way: known}, **ARGUMENTS).status_code == 400


def test_an_unknown_identity_is_an_error_in_the_sdk(everything: Everything) -> None:
    with (
        ManagedIdentityCredential(client_id="00000000-0000-0000-0000-000000000000") as credential,
        pytest.raises(ClientAuthenticationError, match="No User Assigned"),
    ):
        credential.get_token(f"{STORAGE}/.default")
    assert everything.identity.asked == [STORAGE]


@pytest.mark.parametrize(
    ("header", "arguments", "status"),
    [
        ("wrong", ARGUMENTS, 401),
        ("", ARGUMENTS, 401),
        (None, {"resource": RESOURCE}, 400),
        (None, {"resource": RESOURCE, "api-version": "2017-09-01"}, 400),
        (None, {"api-version": "2019-08-01"}, 400),
    ],
)
def test_a_request_that_app_service_would_refuse_is_refused(
    identity: Identity, header: str | None, arguments: dict[str, str], status: int
) -> None:
    answer = ask(identity, header, **arguments)
    assert answer.status_code == status
    assert "access_token" not in answer.text
    assert identity.asked == []


def test_another_path_is_not_found(identity: Identity) -> None:
    with requests.Session() as session:
        session.trust_env = False
        url = identity.environment["IDENTITY_ENDPOINT"] + "s"
        assert (
            session.get(url, headers={"X-IDENTITY-HEADER": identity.header}, timeout=TIMEOUT_SECONDS).status_code == 404
        )


@pytest.mark.parametrize("value", [{"token": "misnamed"}, {"statusCode": 500, "message": "out of order"}])
def test_an_answer_of_the_wrong_shape_is_an_error_once_and_then_all_is_well(
    everything: Everything, value: object
) -> None:
    everything.identity.failures.append(Told(200, value))
    with ManagedIdentityCredential(retry_total=0) as credential:
        with pytest.raises(ClientAuthenticationError):
            credential.get_token(f"{STORAGE}/.default")
        assert token_is_for(credential.get_token(f"{STORAGE}/.default").token, STORAGE)


def test_failures_are_given_one_each(identity: Identity) -> None:
    identity.failures += [Told(500, {"statusCode": 500, "message": "out of order"}), Told(503, "<html>")]
    answers = [ask(identity, **ARGUMENTS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 503, 200]
    assert answers[1].text == "<html>"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (f"emulated:{RESOURCE}:system:00", True),
        (f"emulated:{RESOURCE}/:system:00", True),
        (f"emulated:{STORAGE}:system:00", False),
        (f"emulated:{RESOURCE}.example.com:system:00", False),
        (f"emulated:{RESOURCE}", False),
        (RESOURCE, False),
        ("", False),
    ],
)
def test_a_token_is_for_one_resource(token: str, *, expected: bool) -> None:
    assert token_is_for(token, RESOURCE) == expected


def test_the_first_call_is_challenged_and_the_secret_read_with_a_token(
    everything: Everything, client: SecretClient
) -> None:
    secret = client.get_secret(SECRET)
    assert secret.value == DEMO_KEY
    assert secret.properties.vault_url == everything.environment["KEY_VAULT_URL"]
    assert secret.properties.expires_on is None
    assert secret.properties.enabled is True
    assert everything.identity.asked == [RESOURCE]
    assert everything.vault.reads == [SECRET]


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", f"Bearer emulated:{STORAGE}:system:00"])
def test_no_token_or_one_for_something_else_gets_the_challenge(
    everything: Everything, authorization: str | None
) -> None:
    url = f"{everything.environment['KEY_VAULT_URL']}/secrets/{SECRET}/?api-version=7.4"
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.get(url, headers=headers, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer authorization="https://login.microsoftonline.com/')
    assert f'resource="{RESOURCE}"' in answer.headers["WWW-Authenticate"]
    assert DEMO_KEY not in answer.text
    assert everything.vault.reads == []


def test_rotation_gives_the_newest_and_older_versions_stay_readable(
    everything: Everything, client: SecretClient
) -> None:
    first = client.get_secret(SECRET).properties.version
    second = everything.vault.set(SECRET, "pgm_rotated")
    assert second != first
    assert client.get_secret(SECRET).value == "pgm_rotated"
    assert client.get_secret(SECRET, version=second).value == "pgm_rotated"
    assert client.get_secret(SECRET, version=first).value == DEMO_KEY
    with pytest.raises(ResourceNotFoundError):
        client.get_secret(SECRET, version="0" * 32)


def test_a_secret_shows_when_it_expires_and_is_still_read_afterwards(
    everything: Everything, client: SecretClient
) -> None:
    past = datetime(2020, 1, 31, 12, tzinfo=UTC)
    everything.vault.set("old", "still here", expires_at=past)
    secret = client.get_secret("old")
    assert (secret.value, secret.properties.expires_on) == ("still here", past)


def test_a_secret_that_is_not_there_and_one_that_is_disabled_are_told_apart(
    everything: Everything, client: SecretClient
) -> None:
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_secret("nobody")
    assert missing.value.error.code == "SecretNotFound"
    everything.vault.set("off", "hidden", enabled=False)
    with pytest.raises(HttpResponseError) as disabled:
        client.get_secret("off")
    assert (disabled.value.status_code, disabled.value.error.code) == (403, "Forbidden")
    assert everything.vault.reads == ["nobody", "off"]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_failure_is_given_once_to_whoever_has_a_token(
    everything: Everything, client: SecretClient, status: int
) -> None:
    everything.vault.failures.append(Told(status, {"error": {"code": "Fault"}}, {"Retry-After": "7"}))
    with pytest.raises(HttpResponseError) as caught:
        client.get_secret(SECRET)
    assert caught.value.status_code == status
    assert caught.value.response is not None
    assert caught.value.response.headers["Retry-After"] == "7"
    assert client.get_secret(SECRET).value == DEMO_KEY


@pytest.mark.parametrize("address", [f"secrets/{SECRET}/", "secrets/?api-version=7.4", "keys/one?api-version=7.4"])
def test_what_is_no_secrets_address_is_refused(everything: Everything, address: str) -> None:
    answer = requests.get(
        f"{everything.environment['KEY_VAULT_URL']}/{address}",
        headers={"Authorization": f"Bearer emulated:{RESOURCE}:system:00"},
        timeout=TIMEOUT_SECONDS,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


def test_a_secrets_value_is_in_no_repr(everything: Everything) -> None:
    assert DEMO_KEY not in repr(vars(everything.vault))


def test_only_get_is_done(identity: Identity) -> None:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(identity.environment["IDENTITY_ENDPOINT"], json={}, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 405
    assert identity.asked == []


def test_bytes_instead_of_an_answer_go_out_as_they_are_and_end_the_connection(identity: Identity) -> None:
    identity.failures += [Raw(), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")]
    with pytest.raises(requests.ConnectionError):
        ask(identity, **ARGUMENTS)
    assert ask(identity, **ARGUMENTS).text == "hi"
    assert ask(identity, **ARGUMENTS).json()["access_token"]


def test_every_answer_of_the_vault_has_the_requests_id_and_a_page_of_somebody_else_has_none(
    client: SecretClient, everything: Everything
) -> None:
    heads: list[list[str]] = []
    hook = {"raw_response_hook": lambda answer: heads.append([name.lower() for name in answer.http_response.headers])}
    client.get_secret(SECRET, **hook)
    assert all("x-ms-request-id" in head for head in heads)
    heads.clear()
    everything.vault.failures.append(Told(403, "<html>no</html>", {"Content-Type": "text/html"}))
    with pytest.raises(HttpResponseError):
        client.get_secret(SECRET, **hook)
    assert "x-ms-request-id" not in heads[-1]
