"""Pigment keys from Key Vault, by the app's identity.

Azure role: Key Vault Secrets User on each secret. The vault sees a secret's name and no version: always the newest.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from azure.keyvault.secrets import SecretClient

from pigment_export.azure.boundary import Boundary
from pigment_export.azure.clients import client_options
from pigment_export.azure.errors import VAULT
from pigment_export.azure.identity import Identity
from pigment_export.errors import ExportError, RetryableError
from pigment_export.events import Event, log
from pigment_export.keys import Key, checked_key

KEPT_SECONDS = 300.0  # a rotated key is in use within minutes; a run of many exports asks the vault once
REFUSED_SECONDS = 60.0  # a vault that said no is left in peace that long, and a refused key not read anew more often
NEAR_EXPIRY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the vault last said about a secret."""

    answer: Key | ExportError
    until: float
    not_again_until: float


class Vault:
    """One Key Vault; safe to use from several threads.

    Args:
        url: the vault's address, e.g. `https://myvault.vault.azure.net`.
        secret: the name of the deployment's own secret.
        identity: whose tokens are sent.
        clock: seconds that never go back, for what is kept.
        now: the present, to tell a near expiry.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        identity: Identity,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secret = secret
        self._client = SecretClient(url, identity, **client_options())
        self._vault = Boundary(VAULT, f"the vault {url}", identity)
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()  # held while the vault is asked: exports that start together ask once
        self._known: dict[str, _Known] = {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, name: str | None) -> Key:
        """A key, at most minutes old; a failure is kept, too, for a minute.

        Args:
            name: of the secret; None for the deployment's own.

        Raises:
            RetryableError: the vault cannot be reached or read for now.
            PermanentError: the secret is missing, disabled or no key.
        """
        return self._read(name or self._secret, again=False)

    def read_again(self, name: str | None) -> Key:
        """A key from the vault, past what is kept: Pigment did not accept that. At most once a minute.

        Args:
            name: of the secret; None for the deployment's own.

        Raises:
            RetryableError: the vault cannot be reached or read for now.
            PermanentError: the secret is missing, disabled or no key.
        """
        return self._read(name or self._secret, again=True)

    def _read(self, name: str, *, again: bool) -> Key:
        with self._lock:
            known = self._known.get(name)
            now = self._clock()
            if known is None or now >= known.until or (again and now >= known.not_again_until):
                known = self._known[name] = self._ask(name, again=again)
            left_seconds = known.until - self._clock()
        if isinstance(known.answer, Key):
            return known.answer
        # Raised anew for each caller: one exception in several threads would gather all their tracebacks.
        if isinstance(known.answer, RetryableError):
            wait_seconds = max(left_seconds, known.answer.retry_after_seconds or 0.0)
            raise type(known.answer)(known.answer.cause, retry_after_seconds=wait_seconds) from known.answer
        raise type(known.answer)(known.answer.cause) from known.answer

    def _ask(self, name: str, *, again: bool) -> _Known:
        try:
            answer: Key | ExportError = self._ask_vault(name)
        except ExportError as error:
            answer = error
        now = self._clock()
        if isinstance(answer, ExportError):
            return _Known(answer, until=now + REFUSED_SECONDS, not_again_until=now + REFUSED_SECONDS)
        return _Known(answer, until=now + KEPT_SECONDS, not_again_until=now + REFUSED_SECONDS if again else now)

    def _ask_vault(self, name: str) -> Key:
        with self._vault.doing(f"read the secret {name}"):
            secret = self._client.get_secret(name)
        expires_at = secret.properties.expires_on
        if expires_at is not None and expires_at - self._now() < NEAR_EXPIRY:
            log(Event.SECRET_NEAR_EXPIRY, level=logging.WARNING, secret=name, expires_at=expires_at)
        return checked_key(secret.value or "", f"the secret {name}", expires_at)
