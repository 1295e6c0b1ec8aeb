"""Who may call over HTTP, beyond what the host itself checks. Pure.

A function key is the host's business. Without one (`ANONYMOUS`), the app asks for Entra in front of it, and on each
call for the principal that only Entra's own layer can set; on a local host, any call is admitted.
"""

from collections.abc import Mapping

from pigment_export.environment import auth_level_of, is_local_host, text_of
from pigment_export.errors import ErrorRow, RefusedError, Who, shorten

PRINCIPAL = "x-ms-client-principal-id"

ANONYMOUS_UNGUARDED = ErrorRow(
    "anonymous_unguarded",
    RefusedError,
    "HTTP_AUTH_LEVEL is ANONYMOUS, and no Entra authentication stands before this app",
    Who.ADMINISTRATOR,
    "turn on authentication for the site (callers.clientId), or set HTTP_AUTH_LEVEL to FUNCTION",
)
PRINCIPAL_MISSING = ErrorRow(
    "principal_missing", RefusedError, "the call has no principal", Who.CALLER, "call with a token of Entra"
)


def admit(environ: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Admit a caller.

    Args:
        environ: the environment.
        headers: of the call, names in lower case.

    Returns:
        Who calls, as far as it is known: a principal's object id, or by which right.

    Raises:
        RefusedError: the app's setup admits no call (503), or not one without a principal (401).
    """
    guarded = text_of(environ, "WEBSITE_AUTH_ENABLED").lower() == "true"
    principal = shorten(headers.get(PRINCIPAL, "")) if guarded else ""  # without Entra, any caller could send it
    level = auth_level_of(environ)
    if level == "ANONYMOUS" and not is_local_host(environ):
        if not guarded:
            raise ANONYMOUS_UNGUARDED.raised()
        if not principal:
            raise PRINCIPAL_MISSING.raised()
    return principal or ("local host" if is_local_host(environ) else f"{level.lower()} key")
