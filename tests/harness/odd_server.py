"""A server that answers with given bytes, HTTP or not, and hangs up after each answer."""

import socket
import ssl
from collections.abc import Callable

from emulators.http1 import Http1, Listener, Request

HEALTHY_CHALLENGE = (
    "HTTP/1.1 401 Unauthorized\r\nx-ms-request-id: 0\r\n"
    'WWW-Authenticate: Bearer authorization="https://login.microsoftonline.com/t", resource="{resource}"\r\n'
    "Content-Length: 0\r\n\r\n"
)


type Answering = Callable[[Request], bytes | None]


class OddServer(Listener):
    """A server that answers each request with given bytes; None hangs up without an answer.

    Args:
        tls: the certificate; None for plain HTTP.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(self._answer_one, tls)
        self.answer: Answering = lambda _: None
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.address[1]}"

    def _answer_one(self, connection: socket.socket) -> None:
        http = Http1(connection)
        request = http.receive()
        if request is None:
            return
        for _ in http.body():
            pass
        self.requests.append(request)
        if answer := self.answer(request):
            http.raw(answer)

    def challenge(self) -> bytes:
        """Return a vault's answer to a request without a token, as the client library expects it."""
        # The resource is the host without its first label: the client checks that it belongs to the vault.
        return HEALTHY_CHALLENGE.format(resource=self.url.replace("127.", "", 1)).encode()
