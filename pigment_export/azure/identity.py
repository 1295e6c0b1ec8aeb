"""The identity for Azure: the app's managed identity or, on a laptop, the person who is signed in.

All errors of tokens are classified here, for both lake and vault.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from pigment_export import network
from pigment_export.azure.errors import (
    IDENTITY_MISSING,
    IDENTITY_NOT_SIGNED_IN,
    IDENTITY_REFUSED,
    IDENTITY_UNAVAILABLE,
)
from pigment_export.errors import ErrorRow, ExportError, shorten
from pigment_export.keys import fits_header

CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0  # to the endpoint, which is on the app's own machine
_ENTRA = re.compile(r"AADSTS\d+")
# msal's text for an answer of the identity endpoint without a token: the status in its body, then its message.
_ENDPOINT = re.compile(r"\(invalid_scope\) (\d{3}|None), (.*)", re.DOTALL)
_NO_SUCH_IDENTITY = ("400", "404")
_WHO = ("upn", "preferred_username", "unique_name", "appid")  # claims of a token that name its owner


class Identity:
    """A credential that raises only our own errors and has a name; safe to use from several threads.

    Args:
        make: creates the credential; called again after a failure, because the library caches failures (a denied
            token for up to an hour, an invalid token for as long as the token claims to live).
        absent: the row to raise if it finds no identity at all.
    """

    def __init__(self, make: Callable[[], TokenCredential], absent: ErrorRow = IDENTITY_MISSING) -> None:
        self._make = make
        self._credential = make()
        self._absent = absent
        self.name = ""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token.

        Args:
            scopes: of the token.
            options: from the libraries, passed on.

        Raises:
            SetupError: there is no identity, or it gets no token.
            RetryableError: the endpoint returns no token now.
        """
        try:
            token = self._credential.get_token(*scopes, **options)
            _check(token.token)
        except Exception as exc:  # noqa: BLE001 - an odd answer makes the libraries raise anything
            self._credential = self._make()
            # Without the chain: it can contain the answer, and has a hundred lines for each credential that was tried.
            raise self._meaning_of(exc, scopes) from None
        self.name = _name_in(token.token) or self.name
        return token

    def _meaning_of(self, error: Exception, scopes: tuple[str, ...]) -> ExportError:
        text, seen = str(error), type(error).__name__
        entra, endpoint = _ENTRA.search(text), _ENDPOINT.search(text)
        if setup := network.row_of(error):
            row = setup
        elif entra:
            row, seen = IDENTITY_REFUSED, entra[0]
        elif endpoint:
            row = IDENTITY_MISSING if endpoint[1] in _NO_SUCH_IDENTITY else IDENTITY_UNAVAILABLE
            seen = shorten(f"{endpoint[1]}, {endpoint[2]}")
        else:
            row = self._absent if isinstance(error, ClientAuthenticationError) else IDENTITY_UNAVAILABLE
        return row.raised(f"no token for {', '.join(scopes)} ({seen})")


def identity_of(client_id: str | None, environ: Mapping[str, str]) -> Identity:
    """Return the identity to use.

    Args:
        client_id: of the user-assigned identity; None for the app's own, or the person who is signed in.
        environ: the environment, where App Service names its identity endpoint.
    """
    if client_id or "IDENTITY_ENDPOINT" in environ:
        options: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }
        return Identity(lambda: ManagedIdentityCredential(client_id=client_id, **options))
    return Identity(DefaultAzureCredential, IDENTITY_NOT_SIGNED_IN)


def _check(token: str) -> None:
    """Reject a token that is not valid in a header."""
    if not fits_header(token):
        raise ValueError("not a token")


def _name_in(token: str) -> str:
    """Return the owner's name in a token, or nothing if the token is not readable."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return shorten(next((str(claims[name]) for name in _WHO if claims.get(name)), ""))
    except (IndexError, ValueError, TypeError, AttributeError, RecursionError):
        return ""
