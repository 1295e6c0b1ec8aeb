"""Key Vault: reading secrets, behind its challenge.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret
Not supported: writing, listing, roles (any token for the vault may read), and more than one vault (it answers as one
vault for every name).
"""

import re
import secrets
import ssl
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from emulators.identity import token_is_for
from emulators.web import Asked, Raw, Told, WebServer

RESOURCE = "https://vault.azure.net"
CHALLENGE = (
    'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000", '
    f'resource="{RESOURCE}"'
)
_PATH = re.compile(r"/secrets/([0-9A-Za-z-]{1,127})/?([0-9a-f]{32})?")


@dataclass(frozen=True, slots=True)
class _Secret:
    value: str = field(repr=False)
    version: str
    created_at: int
    expires_at: datetime | None
    enabled: bool


class Vault(WebServer):
    """One vault.

    Args:
        tls: the certificate.
        name: of the vault, the first label of its host.
        port: 0 for a free one.
    """

    hosts = ("*.vault.azure.net",)

    def __init__(self, tls: ssl.SSLContext, *, name: str = "pigmentdemo", port: int = 0) -> None:
        super().__init__(self._answer_with_id, tls, port=port)
        self._name = name
        self._secrets: dict[str, list[_Secret]] = {}  # versions, the newest last
        self.failures: list[Told | Raw] = []  # answers to give first, one per request with a token
        self.reads: list[str] = []  # names of the secrets in requests with a token

    def set(self, name: str, value: str, *, expires_at: datetime | None = None, enabled: bool = True) -> str:
        """Store a new version of a secret; the older ones stay readable by their version.

        Returns:
            The version.
        """
        version = secrets.token_hex(16)
        self._secrets.setdefault(name, []).append(_Secret(value, version, int(time.time()), expires_at, enabled))
        return version

    def _find(self, name: str, version: str | None) -> _Secret | None:
        versions = self._secrets.get(name, [])
        return next((secret for secret in reversed(versions) if version in (None, secret.version)), None)

    def _answer_with_id(self, asked: Asked) -> Told | Raw:
        """Add a request id, as the service does to every answer; a text is another server's page and has none."""
        told = self._answer(asked)
        if isinstance(told, Raw) or isinstance(told.value, str):
            return told
        return Told(told.status, told.value, {"x-ms-request-id": str(uuid.uuid4()), **told.headers})

    def _answer(self, asked: Asked) -> Told | Raw:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not token_is_for(token, RESOURCE):
            return Told(401, _error("Unauthorized", "a token is needed"), {"WWW-Authenticate": CHALLENGE})
        path = _PATH.fullmatch(asked.path)
        if path is None or "api-version" not in asked.query:
            return Told(400, _error("BadParameter", "not a secret's address, or no api-version"))
        self.reads.append(path[1])
        if self.failures:
            return self.failures.pop(0)
        secret = self._find(path[1], path[2])
        if secret is None:
            return Told(404, _error("SecretNotFound", f"A secret with (name/id) {path[1]} was not found"))
        if not secret.enabled:
            inner = {"code": "SecretDisabled"}
            return Told(403, {"error": {"code": "Forbidden", "message": "disabled", "innererror": inner}})
        attributes = {
            "enabled": True,
            "created": secret.created_at,
            "updated": secret.created_at,
            "recoveryLevel": "Recoverable+Purgeable",
        }
        if secret.expires_at is not None:
            attributes["exp"] = int(secret.expires_at.timestamp())
        where = f"https://{self._name}.vault.azure.net/secrets/{path[1]}/{secret.version}"
        return Told(200, {"value": secret.value, "id": where, "attributes": attributes})


def _error(code: str, message: str) -> dict[str, dict[str, str]]:
    return {"error": {"code": code, "message": message}}
