"""Who may call over HTTP, beyond what the host itself checks. Pure.

A function key is the host's business. Without one (`ANONYMOUS`), the app wants Entra in front of it, and on each call
the principal that only Entra's own layer can set; on a local host, anybody may call.
"""

from collections.abc import Mapping

from pigment_export.environment import auth_level_of, is_local_host, text_of
from pigment_export.errors import Cause, RefusedError, Who, shorten

PRINCIPAL = "x-ms-client-principal-id"


def admit(environ: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Let a caller in.

    Args:
        environ: the environment.
        headers: of the call, names in lower case.

    Returns:
        Who calls, as far as it is known: a principal's object id, or by which right.

    Raises:
        RefusedError: nobody may call as this app is set up (503), or not without a principal (401).
    """
    guarded = text_of(environ, "WEBSITE_AUTH_ENABLED").lower() == "true"
    principal = shorten(headers.get(PRINCIPAL, "")) if guarded else ""  # without Entra, anybody could send it
    level = auth_level_of(environ)
    if level == "ANONYMOUS" and not is_local_host(environ):
        if not guarded:
            raise RefusedError(
                Cause(
                    "anonymous_unguarded",
                    "HTTP_AUTH_LEVEL is ANONYMOUS, and no Entra authentication stands before this app",
                    Who.ADMINISTRATOR,
                    "turn on authentication for the site (callers.clientId), or set HTTP_AUTH_LEVEL to FUNCTION",
                )
            )
        if not principal:
            raise RefusedError(
                Cause("principal_missing", "the call has no principal", Who.CATALOG, "call with a token of Entra")
            )
    return principal or ("local host" if is_local_host(environ) else f"{level.lower()} key")
