"""The network setup that Pigment's and Azure's clients share: the CA bundle, the proxy, names and certificates.

The variables are those of `requests`: `REQUESTS_CA_BUNDLE`, or else `CURL_CA_BUNDLE`; `HTTPS_PROXY` and `ALL_PROXY`, in
lower case first. No text shows any part of a proxy's address, because it may contain a password.
Source: https://requests.readthedocs.io/en/latest/user/advanced/ (proxies, SSL cert verification)
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from pigment_export.errors import ErrorRow, PermanentError, RetryableError, SetupError, Who

CA_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
PROXY_FORM = "http://proxy.example:3128, or http://user:password@proxy.example:3128 with both percent-encoded"
# Azure forgets an idle connection after four minutes, and Pigment may compute for ten. Not every system has each name.
# Source: https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset (idle timeout)
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), seconds)
        for name, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30))
        if hasattr(socket, name)
    ),
)
"""Options of every connection's socket, as `setsockopt` takes them, and urllib3 its `socket_options`."""
# Certificates that the server can renew: expired, not yet valid, of another host.
# Source: https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_OF_THE_SERVER = {9, 10, 62}
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # as http.client words it
_MOST_CAUSES = 20  # of one exception: a chain may be a circle

# fmt: off
# A table: the head of each row stands on one line.
CA_BUNDLE_UNUSABLE = ErrorRow("ca_bundle_unusable", PermanentError, Who.NETWORK,
    "set REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) to a readable PEM file of certificates, or remove the variable",
    what="the file of trusted certificates cannot be used")
CERTIFICATE_UNTRUSTED = ErrorRow("certificate_untrusted", PermanentError, Who.NETWORK,
    "if a proxy inspects TLS, add its root certificate to a PEM file and set REQUESTS_CA_BUNDLE to that file",
    what="the server's certificate is not signed by a trusted authority")
CERTIFICATE_WRONG = ErrorRow("certificate_wrong", SetupError, Who.NETWORK,
    "check this machine's clock, the address in the settings, and the server's certificate",
    what="the server's certificate has expired, is not valid yet or belongs to another host")
HOST_UNKNOWN = ErrorRow("host_unknown", SetupError, Who.NETWORK,
    "check the name in the settings (or in HTTPS_PROXY), then the network connection and DNS",
    what="the name of the server or of the proxy cannot be resolved")
PROXY_ADDRESS = ErrorRow("proxy_address", PermanentError, Who.NETWORK,
    f"correct HTTPS_PROXY (or ALL_PROXY): {PROXY_FORM}",
    what="the proxy's address cannot be used")
PROXY_FORBIDS = ErrorRow("proxy_forbids", PermanentError, Who.NETWORK,
    "allow the host on the proxy, or list it in NO_PROXY",
    what="the proxy does not allow a connection to this host")
PROXY_CREDENTIALS = ErrorRow("proxy_credentials", PermanentError, Who.NETWORK,
    "correct the user and the password in HTTPS_PROXY, both percent-encoded",
    what="the proxy requires a user and a password, or did not accept the given ones")
PROXY_UNREACHABLE = ErrorRow("proxy_unreachable", RetryableError, Who.NETWORK,
    "if it continues, check the proxy that HTTPS_PROXY names",
    what="the proxy could not be reached, or could not reach the server")
# fmt: on


def problems(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the variables, one line each, without any request over the network."""
    checks: dict[tuple[str, ...], Callable[[str], str | None]] = {CA_BUNDLE_VARIABLES: ca_bundle_problem}
    if environ.get("no_proxy", environ.get("NO_PROXY", "")).strip() != "*":
        checks |= {PROXY_VARIABLES[:2]: proxy_problem, PROXY_VARIABLES[2:]: proxy_problem}
    used = ((next((name for name in names if environ.get(name)), None), check) for names, check in checks.items())
    return [f"{name}: {problem}" for name, check in used if name and (problem := check(environ[name]))]


def ca_bundle_problem(file: str) -> str | None:
    """Return why a file or folder of certificates cannot be used, or None if it can.

    Args:
        file: its path, as the variable has it.
    """
    path = Path(file)
    try:
        if path.is_dir() or b"-----BEGIN " in path.read_bytes():
            return None
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}); allowed: a readable PEM file of certificates"
    return f"{path} has no certificate; allowed: a PEM file of certificates"


def proxy_problem(address: str) -> str | None:
    """Return why a proxy's address cannot be used, or None if it can; show no part of it.

    Args:
        address: as the variable has it, with or without a scheme.
    """
    with suppress(ValueError):  # its text quotes the address
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port
        if parts.scheme != "http":
            return f"only http:// proxies are supported; allowed: {PROXY_FORM}"
        if parts.hostname and port != 0 and not (parts.path.strip("/") or parts.query or parts.fragment):
            return None
    return f"not the address of a proxy; allowed: {PROXY_FORM}"


def row_of(error: BaseException) -> ErrorRow | None:
    """Return the row of an error whose cause is the setup of the network, or None for any other.

    Args:
        error: of any library; its causes are looked at, too.
    """
    for cause in causes_of(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CERTIFICATE_WRONG if cause.verify_code in _OF_THE_SERVER else CERTIFICATE_UNTRUSTED
        if isinstance(cause, socket.gaierror):
            return HOST_UNKNOWN
        refused = _TUNNEL.search(str(cause)) if isinstance(cause, OSError) else None
        if refused:
            return {"403": PROXY_FORBIDS, "407": PROXY_CREDENTIALS}.get(refused[1], PROXY_UNREACHABLE)
        if isinstance(cause, OSError) and "TLS CA certificate bundle" in str(cause):  # as requests words it
            return CA_BUNDLE_UNUSABLE
        if type(cause).__name__ in ("InvalidProxyURL", "ProxySchemeUnknown", "ProxySchemeUnsupported"):
            return PROXY_ADDRESS
    return None


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, from every attribute that libraries use for them."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(seen) < _MOST_CAUSES:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or any(cause is other for other in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [cause.__cause__, cause.__context__, *cause.args]
        waiting += [getattr(cause, name, None) for name in ("inner_exception", "reason")]
