"""A credential that makes no request."""

from typing import Any

from azure.core.credentials import AccessToken

FAR_FUTURE = 4102444800  # 2100: a token that expires soon would be requested again


class Giving:
    """A credential that gives the same token for every scope."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, FAR_FUTURE)
