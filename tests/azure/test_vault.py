"""Pigment keys: read from the vault by the real SDK client, kept, read again, and never shown."""

import copy
import json
import logging
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.azure.identity import Identity
from pigment_export.azure.vault import KEPT_SECONDS, NEAR_EXPIRY, REFUSED_SECONDS, Vault
from pigment_export.errors import ExportError, PermanentError, RetryableError, SetupError, Who
from pigment_export.keys import FixedKey, Key, checked_key
from tests.harness.credential import FAR_FUTURE, Giving

pytest_plugins = ("tests.harness.emulated_lake",)

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
TEXT = "p1gm3nt5ec2e7"
TOKEN = "b3a2e2t0k3n"


class VaultServer:
    """A vault that answers what a test has put there, after its challenge, and counts what it answered."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.asked: list[str] = []
        vault = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                vault.answer(self)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()  # at once where it was closed before
        self._thread.join()
        self._server.server_close()

    def store(self, name: str, value: str | None, **attributes: int) -> None:
        body = {"value": value, "id": f"{self.url}/secrets/{name}/1", "attributes": attributes}
        self.answers[name] = (200, body)

    def refuse(self, name: str, status: int, code: str, inner: str = "") -> None:
        error = {"code": code, "message": "no", "innererror": {"code": inner}}
        self.answers[name] = (status, {"error": error})

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.split("/")[2]
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            # The resource is the host less its first label: the client checks that it belongs to the vault.
            resource = self.url.replace("127.", "", 1)
            challenge = f'Bearer authorization="https://login.microsoftonline.com/tenant", resource="{resource}"'
            self._send(handler, 401, {}, {"WWW-Authenticate": challenge})
            return
        self.asked.append(name)
        status, body = self.answers.get(name, (404, {"error": {"code": "SecretNotFound"}}))
        self._send(handler, status, body, {})

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        handler.send_response(status)
        headers = {"x-ms-request-id": "0", **headers}
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(data))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def server(tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultServer]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    with closing(VaultServer(tls)) as running:
        running.store("pigment-key", TEXT)
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(server: VaultServer, clock: Clock) -> Iterator[Vault]:
    identity = Identity(lambda: Giving(TOKEN))
    with closing(Vault(server.url, "pigment-key", identity, clock=clock, now=lambda: NOW)) as opened:
        yield opened


# What is kept


def test_the_deployments_own_key_and_another_secrets_are_read(vault: Vault, server: VaultServer) -> None:
    server.store("finance-key", "other")
    assert vault.read(None).reveal() == TEXT
    assert vault.read("pigment-key").reveal() == TEXT
    assert vault.read("finance-key").reveal() == "other"
    assert server.asked == ["pigment-key", "finance-key"]


def test_a_key_is_kept_for_minutes_and_then_read_anew(vault: Vault, server: VaultServer, clock: Clock) -> None:
    vault.read(None)
    server.store("pigment-key", "rotated")
    clock.seconds += KEPT_SECONDS - 1
    assert vault.read(None).reveal() == TEXT
    clock.seconds += 1
    assert vault.read(None).reveal() == "rotated"
    assert len(server.asked) == 2


def test_exports_that_start_together_ask_the_vault_once(vault: Vault, server: VaultServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(vault.read, [None] * 32))
    assert {key.reveal() for key in keys} == {TEXT}
    assert server.asked == ["pigment-key"]


def test_reading_again_goes_past_what_is_kept(vault: Vault, server: VaultServer) -> None:
    vault.read(None)
    server.store("pigment-key", "rotated")
    assert vault.read_again(None).reveal() == "rotated"
    assert vault.read(None).reveal() == "rotated"
    assert len(server.asked) == 2


def test_many_who_were_refused_with_the_old_key_make_one_read(vault: Vault, server: VaultServer) -> None:
    vault.read(None)
    server.store("pigment-key", "rotated")
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(vault.read_again, [None] * 32))
    assert {key.reveal() for key in keys} == {"rotated"}
    assert len(server.asked) == 2


def test_a_key_that_stays_refused_is_read_again_at_most_once_a_minute(
    vault: Vault, server: VaultServer, clock: Clock
) -> None:
    vault.read_again(None)
    clock.seconds += REFUSED_SECONDS - 1
    vault.read_again(None)
    assert len(server.asked) == 1
    clock.seconds += 1
    vault.read_again(None)
    assert len(server.asked) == 2


def test_a_failure_is_kept_for_a_minute_and_says_how_long_to_wait(
    vault: Vault, server: VaultServer, clock: Clock
) -> None:
    server.refuse("pigment-key", 403, "Forbidden", "ForbiddenByRbac")
    for waited in (0, 20, 39):
        clock.seconds = 1000 + waited
        with pytest.raises(RetryableError) as caught:
            vault.read(None)
        assert caught.value.cause.code == "vault_forbidden"
        assert caught.value.retry_after_seconds == REFUSED_SECONDS - waited
        with pytest.raises(RetryableError):
            vault.read_again(None)
    assert len(server.asked) == 1
    server.store("pigment-key", TEXT)
    clock.seconds = 1000 + REFUSED_SECONDS
    assert vault.read(None).reveal() == TEXT


def test_one_secret_that_fails_leaves_the_others_alone(vault: Vault) -> None:
    with pytest.raises(PermanentError):
        vault.read("nowhere")
    assert vault.read(None).reveal() == TEXT


def test_a_failed_second_read_does_not_bring_the_refused_key_back(vault: Vault, server: VaultServer) -> None:
    vault.read(None)
    server.refuse("pigment-key", 503, "Unavailable")
    with pytest.raises(RetryableError):
        vault.read_again(None)
    with pytest.raises(RetryableError):
        vault.read(None)


# What goes wrong


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ((403, "Forbidden", "ForbiddenByRbac"), (SetupError, "vault_forbidden")),
        ((403, "Forbidden", "ForbiddenByFirewall"), (SetupError, "vault_firewalled")),
        ((403, "Forbidden", "ForbiddenByConnection"), (SetupError, "vault_firewalled")),
        ((403, "Forbidden", "SecretDisabled"), (PermanentError, "vault_secret_disabled")),
        ((404, "SecretNotFound", ""), (PermanentError, "vault_secret_missing")),
        ((429, "Throttled", ""), (RetryableError, "vault_throttled")),
        ((500, "InternalError", ""), (RetryableError, "vault_unavailable")),
        ((400, "BadParameter", ""), (PermanentError, "vault_unexpected")),
    ],
)
def test_a_refusal_is_told_by_its_table_names_the_secret_and_is_not_retried(
    refusal: tuple[int, str, str], expected: tuple[type[ExportError], str], vault: Vault, server: VaultServer
) -> None:
    server.refuse("pigment-key", *refusal)
    with pytest.raises(ExportError, match="the secret pigment-key") as caught:
        vault.read(None)
    assert (type(caught.value), caught.value.cause.code) == expected
    assert len(server.asked) == 1


def test_a_token_that_the_vault_does_not_take_is_the_administrators(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = AccessToken("wrong", FAR_FUTURE)
    monkeypatch.setattr(Giving, "get_token", lambda *_scopes, **_options: wrong)
    with pytest.raises(RetryableError) as caught:
        vault.read(None)
    assert caught.value.cause.code == "vault_unauthenticated"
    assert caught.value.cause.who is Who.ADMINISTRATOR


def test_a_vault_that_nobody_listens_for_is_retried(vault: Vault, server: VaultServer) -> None:
    server.close()
    with pytest.raises(RetryableError, match="ConnectionRefusedError") as caught:
        vault.read(None)
    assert caught.value.cause.code == "vault_unavailable"


# Expiry


@pytest.mark.parametrize(
    ("left", "logged"),
    [(NEAR_EXPIRY - timedelta(seconds=1), 1), (-timedelta(days=1), 1), (NEAR_EXPIRY, 0), (None, 0)],
)
def test_a_near_expiry_is_logged_once_a_read(
    left: timedelta | None, logged: int, vault: Vault, server: VaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    attributes = {} if left is None else {"exp": int((NOW + left).timestamp())}
    server.store("pigment-key", TEXT, **attributes)
    with caplog.at_level(logging.INFO, "pigment_export"):
        vault.read(None)
        vault.read(None)
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "pigment_export"]
    expected = {
        "event": "secret_near_expiry",
        "secret": "pigment-key",
        "expires_at": (NOW + (left or timedelta())).isoformat(),
    }
    assert lines == [expected] * logged


# Keys


def test_a_stored_key_loses_what_surrounds_it(vault: Vault, server: VaultServer) -> None:
    server.store("pigment-key", f" {TEXT}\r\n")
    assert vault.read(None).reveal() == TEXT


@pytest.mark.parametrize("text", ["", " \n", f"{TEXT} {TEXT}", f"{TEXT}\n{TEXT}", f"{TEXT}é", f"{TEXT}\0", None])
def test_a_secret_that_is_no_key_is_refused_unseen(text: str | None, vault: Vault, server: VaultServer) -> None:
    server.store("pigment-key", text)
    with pytest.raises(PermanentError, match="the secret pigment-key") as caught:
        vault.read(None)
    assert caught.value.cause.code == "key_malformed"
    assert caught.value.cause.who is Who.KEY_OWNER
    assert TEXT not in "".join(traceback.format_exception(caught.value))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_a_checked_key_can_always_stand_in_a_header(text: str) -> None:
    try:
        key = checked_key(text, "here")
    except PermanentError:
        assert not text.strip() or any(not 33 <= ord(letter) <= 126 for letter in text.strip())
    else:
        assert key.reveal()
        assert all(33 <= ord(letter) <= 126 for letter in key.reveal())


def test_a_key_shows_in_no_text_of_itself() -> None:
    key = Key(TEXT)
    shown = [repr(key), str(key), f"{key}", f"{key!s:>40}", json.dumps([key], default=str), repr([key]), repr({1: key})]
    assert not any(TEXT in text for text in shown)
    assert copy.copy(key).reveal() == TEXT
    with pytest.raises(TypeError):
        vars(key)


def test_the_key_is_in_no_error_and_no_log_line(
    vault: Vault, server: VaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        vault.read(None)
        server.refuse("pigment-key", 500, "InternalError")
        with pytest.raises(RetryableError) as caught:
            vault.read_again(None)
    shown = [*traceback.format_exception(caught.value), caplog.text, repr(vault)]
    assert "https://127.0.0.1" in caplog.text  # the requests were logged: it would have shown
    assert not any(secret in text for text in shown for secret in (TEXT, TOKEN))


# A laptop


def test_the_laptops_key_is_the_same_however_often_it_is_read() -> None:
    keys = FixedKey(f" {TEXT}\n")
    assert keys.read(None).reveal() == keys.read_again(None).reveal() == TEXT


def test_the_laptops_key_is_checked_like_the_vaults() -> None:
    with pytest.raises(PermanentError, match="PIGMENT_API_KEY") as caught:
        FixedKey(f"{TEXT} {TEXT}")
    assert TEXT not in "".join(traceback.format_exception(caught.value))


def test_the_laptops_key_is_not_passed_off_as_another_secret() -> None:
    with pytest.raises(PermanentError, match="finance-key") as caught:
        FixedKey(TEXT).read("finance-key")
    assert caught.value.cause.code == "key_not_at_hand"


def test_a_key_at_hand_needs_no_library_of_azure() -> None:
    """A person waits for the command line, and its first byte."""
    program = """
import sys
from pigment_export import settings, wiring
keys = wiring.keys_of(settings.load({"PIGMENT_API_KEY": "k"}, lake=False), lambda: None)
assert keys.read(None).reveal() == keys.read_again(None).reveal() == "k"
assert not [name for name in sys.modules if name.startswith("azure.")]
"""
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=True)
