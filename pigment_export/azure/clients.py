"""Options of every request to Azure: no retries by the libraries, explicit timeouts, keepalive, one TLS context."""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3.connection import HTTPConnection

from pigment_export.azure.boundary import check_answer
from pigment_export.network import KEEPALIVE

CONNECT_SECONDS = 20.0
READ_SECONDS = 60.0  # between two bytes; the answer to an append of one chunk takes seconds
MOST_KEPT_CONNECTIONS = 64  # of a client: sixteen exports at once, each with two appends; more are not kept
ANSWER_BLOCK_BYTES = 256 * 1024  # of an answer's body, as the storage library would set it

_SOCKET_OPTIONS = (*HTTPConnection.default_socket_options, *KEEPALIVE)


def client_options() -> dict[str, Any]:
    """Return the options of a client: its own transport, without retries and redirects.

    The libraries' retries are off: after a lost answer, a retried rename fails with "source not found", and their waits
    would not count towards the call's `Deadline`.
    """
    session = requests.Session()
    session.mount("https://", _Adapter(max_retries=0, pool_maxsize=MOST_KEPT_CONNECTIONS))
    session.auth = lambda request: request  # otherwise requests replaces the token with a netrc entry
    transport = RequestsTransport(
        session=session,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        connection_data_block_size=ANSWER_BLOCK_BYTES,
    )
    return {"transport": transport, "retry_total": 0, "permit_redirects": False, "raw_response_hook": check_answer}


class _Adapter(HTTPAdapter):
    """Opens connections with keepalive, so that the network keeps them, and one TLS context per CA bundle.

    urllib3 itself reads the bundle for every connection: 117 certificates in 17 ms of CPU each time.
    """

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, socket_options=_SOCKET_OPTIONS, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, socket_options=_SOCKET_OPTIONS, **options)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        bundle = Path(verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
        try:
            return host, {"ssl_context": _context(bundle, bundle.stat().st_mtime_ns)}
        except OSError as error:
            raise OSError(f"no usable TLS CA certificate bundle: {bundle} ({error})") from error

    def cert_verify(self, *_args: Any) -> None:
        """Do nothing: the pool's context already has the bundle, and would read it again."""


@lru_cache(maxsize=4)
def _context(bundle: Path, _changed_ns: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(*((None, bundle) if bundle.is_dir() else (bundle, None)))
    context.set_alpn_protocols(["http/1.1"])
    # urllib3 would set them anew for each connection, while others read them.
    context.set_alpn_protocols = lambda _: None  # type: ignore[method-assign,assignment]
    return context
