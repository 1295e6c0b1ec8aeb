"""A transport adapter for `requests` that speaks HTTP/2, with one connection per answer. See README.md."""

import http.client
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests import adapters, exceptions, utils

from pigment_export.pigment.http2.body import Body
from pigment_export.pigment.http2.connection import Proxy, SocketOption, connect
from pigment_export.pigment.http2.exceptions import RedirectRefused
from pigment_export.pigment.http2.exchange import Fields, Timeouts

_HTTPS_PORT = 443
_PROXY_PORT = 80
# Hop-by-hop headers (RFC 9113, 8.2.2), and `host`, which `:authority` replaces.
_NOT_SENT = {
    "connection",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_SENDABLE = re.compile(rb"([\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?)?")
_HOST = re.compile(r"[0-9a-z.:\[\]-]{1,253}", re.IGNORECASE)


class Http2Adapter(adapters.BaseAdapter):
    """Sends each request over its own connection: HTTP/2 if the server supports it, otherwise HTTP/1.1.

    Mount it on a `requests.Session`, for https. The request's body must be bytes. It has no state, so several sessions
    can share one adapter.

    Args:
        socket_options: for each connection: level, name and value, as `setsockopt` takes them.
    """

    def __init__(self, socket_options: Sequence[SocketOption] = ()) -> None:
        super().__init__()
        self._socket_options = socket_options

    def send(  # noqa: D417, PLR0917 - the signature is requests'
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - the session itself reads the body
        timeout: Any = None,
        verify: bool | str | None = True,  # noqa: FBT001, FBT002 - the signature is requests'
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request.

        Args:
            request: with a body of bytes, if any.
            timeout: `Timeouts`; without it there are no limits.
            verify: path of the CA bundle for the server's certificate; True for certifi's.
            cert: not supported.
            proxies: proxy by scheme or host, as requests has them.

        Returns:
            The answer; its `raw` is a `Body`.

        Raises:
            RequestException: see `exceptions`.
        """
        url = urlsplit(str(request.url))
        if url.scheme != "https" or url.hostname is None:
            raise exceptions.InvalidSchema("only https is supported")
        if verify is False or cert:
            raise exceptions.SSLError("verify=False and client certificates are not supported")
        if not isinstance(request.body, bytes | None):
            raise exceptions.RequestException("the request's body must be bytes")
        headers = _fields_of(request, url.netloc.rpartition("@")[2])
        timeouts: Timeouts = timeout or Timeouts()
        proxy = _proxy(utils.select_proxy(str(request.url), dict(proxies or {})))
        bundle = Path(verify if isinstance(verify, str) else utils.DEFAULT_CA_BUNDLE_PATH)
        try:
            context = _context(bundle, bundle.stat().st_mtime_ns)
        except OSError as error:
            raise exceptions.SSLError(
                f"could not find a suitable TLS CA certificate bundle, invalid path: {bundle} ({error})"
            ) from error
        connection = connect(
            url.hostname,
            url.port or _HTTPS_PORT,
            proxy=proxy,
            context=context,
            timeouts=timeouts,
            socket_options=self._socket_options,
        )
        body = Body(connection, timeouts, proxy)
        status = body.ask(headers, request.body or b"")
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own class
            body.close()
            raise RedirectRefused(
                f"the server answered with a redirect to {_host_of(body.headers.get('Location', ''))} "
                f"(HTTP {status}), which is not followed"
            )
        response = requests.Response()
        response.status_code = status
        response.reason = http.client.responses.get(status, "")
        response.headers = body.headers
        response.encoding = utils.get_encoding_from_headers(body.headers)
        response.raw = body
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """Close nothing: each answer has its own connection."""


@lru_cache(maxsize=1)  # reading a CA bundle takes tens of milliseconds
def _context(bundle: Path, _changed_at: int) -> ssl.SSLContext:
    folder = bundle.is_dir()
    context = ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def _fields_of(request: requests.PreparedRequest, authority: str) -> Fields:
    fields = [
        (b":method", str(request.method).encode()),
        (b":authority", authority.encode()),
        (b":scheme", b"https"),
        (b":path", request.path_url.encode()),
    ]
    for name, value in request.headers.items():
        key, content = _header_bytes(name).lower(), _header_bytes(value)
        if not (_NAME.fullmatch(key) and _SENDABLE.fullmatch(content)):  # h2 would show it
            raise exceptions.InvalidHeader(f"the header {name!r} has characters that cannot be sent")
        if key.decode() not in _NOT_SENT:
            fields.append((key, content))
    return fields


def _header_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _host_of(location: str) -> str:
    """Return the host of an address, for a message."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return host if _HOST.fullmatch(host) else "another path" if location.startswith("/") else "an unknown host"


def _proxy(url: str | None) -> Proxy | None:
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:  # its text quotes the address, which can contain a password
        parts, port = None, None
    if parts is None or parts.scheme != "http" or not parts.hostname:
        raise exceptions.InvalidProxyURL("a proxy's address must look like http://proxy.example:3128")
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(credentials.encode()).decode()}"
    return Proxy(parts.hostname, port or _PROXY_PORT, authorization)
