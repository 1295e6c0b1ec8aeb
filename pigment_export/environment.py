"""Facts from the environment about where the app runs, which are needed before, or without, the settings.

Standard library only: `function_app` reads the auth level while the host indexes it, without pydantic.
"""

import socket
from collections.abc import Mapping

AUTH_LEVELS = ("FUNCTION", "ANONYMOUS", "ADMIN")
EXPORTS_FILE = "exports.toml"  # the default catalog


def text_of(environ: Mapping[str, str], name: str) -> str:
    """Return a variable without surrounding blanks; empty if it is not set."""
    return environ.get(name, "").strip()


def deployment_of(environ: Mapping[str, str]) -> str:
    """Return the app's own name: the site's in Azure, user and machine elsewhere."""
    user = text_of(environ, "USER") or text_of(environ, "USERNAME") or "user"
    return text_of(environ, "WEBSITE_SITE_NAME") or f"local/{user}@{socket.gethostname()}"


def auth_level_of(environ: Mapping[str, str]) -> str:
    """Return only `HTTP_AUTH_LEVEL`, for the decorators; if it is wrong, a key is required."""
    level = text_of(environ, "HTTP_AUTH_LEVEL").upper()
    return level if level in AUTH_LEVELS else "FUNCTION"


def exports_file_of(environ: Mapping[str, str]) -> str:
    """Return the catalog's location, from `EXPORTS_FILE` alone."""
    return text_of(environ, "EXPORTS_FILE") or EXPORTS_FILE


def is_in_azure(environ: Mapping[str, str]) -> bool:
    """Return whether the app runs in Azure, not on a laptop."""
    return bool(text_of(environ, "WEBSITE_SITE_NAME") or text_of(environ, "WEBSITE_INSTANCE_ID"))


def is_local_host(environ: Mapping[str, str]) -> bool:
    """Return whether Core Tools, or a similar host, run the app on a laptop."""
    return text_of(environ, "AZURE_FUNCTIONS_ENVIRONMENT") == "Development" and not is_in_azure(environ)


def origin_of(environ: Mapping[str, str]) -> str:
    """Return the site's own origin, for addresses in answers; never from a caller's header."""
    host = text_of(environ, "WEBSITE_HOSTNAME") or "localhost:7071"
    scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{host}"
