"""Managed identity as App Service offers it: tokens over plain HTTP on 127.0.0.1.

Source: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
A token is `emulated:{resource}:{client id or system}:{hex}`, so that each stand-in can reject the tokens of another
resource.
"""

import secrets
import time
from collections.abc import Collection

from emulators.web import Asked, Raw, Told, WebServer

API_VERSION = "2019-08-01"
TOKEN_SECONDS = 24 * 3600
_OTHER_WAYS = frozenset({"mi_res_id", "object_id", "principal_id"})  # of naming an identity; not supported


def token_is_for(token: str, resource: str) -> bool:
    """Return whether this stand-in issued a token for a resource."""
    begin = f"emulated:{resource}"
    return token.startswith((f"{begin}:", f"{begin}/:"))


class Identity(WebServer):
    """The identity endpoint.

    Args:
        client_ids: of the app's user-assigned identities; it also has its own.
        port: 0 for a free one.
    """

    def __init__(self, *, client_ids: Collection[str] = (), port: int = 0) -> None:
        super().__init__(self._answer, port=port)
        self._client_ids = frozenset(client_ids)
        self.header = secrets.token_hex(16)
        self.failures: list[Told | Raw] = []  # answers to give first, one per request
        self.asked: list[str] = []  # resources, in order

    @property
    def environment(self) -> dict[str, str]:
        """The variables that App Service sets for an app with an identity."""
        return {
            "IDENTITY_ENDPOINT": f"http://{self.address[0]}:{self.address[1]}/msi/token",
            "IDENTITY_HEADER": self.header,
        }

    def _answer(self, asked: Asked) -> Told | Raw:
        resource, client_id = asked.query.get("resource"), asked.query.get("client_id")
        if asked.path != "/msi/token":
            return Told(404, {"statusCode": 404, "message": "not found"})
        if asked.headers.get("x-identity-header") != self.header:
            return Told(401, {"statusCode": 401, "message": "the header X-IDENTITY-HEADER is wrong"})
        if asked.query.get("api-version") != API_VERSION or resource is None:
            return Told(400, {"statusCode": 400, "message": f"api-version {API_VERSION} and a resource are needed"})
        self.asked.append(resource)
        if self.failures:
            return self.failures.pop(0)
        if asked.query.keys() & _OTHER_WAYS or client_id not in {None, *self._client_ids}:
            return Told(400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found"})
        return Told(
            200,
            {
                "access_token": f"emulated:{resource}:{client_id or 'system'}:{secrets.token_hex(16)}",
                "expires_on": str(int(time.time()) + TOKEN_SECONDS),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": client_id or "system",
            },
        )
