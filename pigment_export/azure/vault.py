"""Pigment keys from Key Vault, by the app's identity.

Azure role: Key Vault Secrets User on each secret. Requests name the secret without a version, so they get the newest.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from azure.keyvault.secrets import SecretClient

from pigment_export.azure.boundary import Boundary
from pigment_export.azure.clients import client_options
from pigment_export.azure.errors import VAULT
from pigment_export.azure.identity import Identity
from pigment_export.errors import ExportError, RetryableError
from pigment_export.events import Event, log
from pigment_export.keys import Key, checked_key

KEPT_SECONDS = 300.0  # a rotated key is used within minutes; a run of many exports reads the vault once
REFUSED_SECONDS = 60.0  # how long a failure is cached, and the least time between two reads of a rejected key
NEAR_EXPIRY = timedelta(days=30)


class Vault:
    """One Key Vault; safe to use from several threads.

    Args:
        url: the vault's address, e.g. `https://myvault.vault.azure.net`.
        secret: the name of the deployment's own secret.
        identity: for its tokens.
        clock: monotonic seconds, for the cache.
        now: the present, to detect a near expiry.
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
        self._lock = threading.Lock()  # held during a request: exports that start together send one
        self._answers: dict[str, Key | ExportError] = {}  # the last one for each secret
        self._kept_until: dict[tuple[str, bool], float] = {}  # by secret, and whether it is read again

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, name: str | None) -> Key:
        """Return a key that is at most minutes old; failures are also cached, for a minute. See `Keys`."""
        return self._read(name or self._secret, again=False)

    def read_again(self, name: str | None) -> Key:
        """Return a key from the vault without the cache, at most once a minute: Pigment rejected the cached key."""
        return self._read(name or self._secret, again=True)

    def _read(self, name: str, *, again: bool) -> Key:
        with self._lock:
            if (name, again) not in self._kept_until or self._clock() >= self._kept_until[name, again]:
                self._ask(name, again=again)
            answer, left_seconds = self._answers[name], self._kept_until[name, False] - self._clock()
        if isinstance(answer, Key):
            return answer
        # A new exception for each caller: a shared one would collect the tracebacks of all threads.
        if isinstance(answer, RetryableError):
            wait_seconds = max(left_seconds, answer.retry_after_seconds or 0.0)
            raise type(answer)(answer.cause, retry_after_seconds=wait_seconds) from answer
        raise type(answer)(answer.cause) from answer

    def _ask(self, name: str, *, again: bool) -> None:
        kept_seconds, kept_again_seconds = KEPT_SECONDS, REFUSED_SECONDS if again else 0.0
        try:
            self._answers[name] = self._asked(name)
        except ExportError as error:
            self._answers[name] = error
            kept_seconds = kept_again_seconds = REFUSED_SECONDS
        now = self._clock()
        self._kept_until[name, False] = now + kept_seconds
        self._kept_until[name, True] = now + kept_again_seconds

    def _asked(self, name: str) -> Key:
        with self._vault.doing(f"read the secret {name}"):
            secret = self._client.get_secret(name)
        expires_at = secret.properties.expires_on
        if expires_at is not None and expires_at - self._now() < NEAR_EXPIRY:
            log(Event.SECRET_NEAR_EXPIRY, level=logging.WARNING, secret=name, expires_at=expires_at)
        return checked_key(secret.value or "", f"the secret {name}", expires_at)
