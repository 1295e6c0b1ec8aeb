"""The exceptions, by how to recover from them. The library raises only these six and those of requests.

Of requests: `ConnectTimeout`, `ReadTimeout`, `SSLError`, `ProxyError`, `InvalidProxyURL`, `InvalidHeader`,
`InvalidSchema`, and `ConnectionError` if no connection could be made.

No text shows a request's headers or a proxy's address with its credentials.
"""

from requests import exceptions


class DeadlinePassed(exceptions.ReadTimeout):
    """The time of the whole call was up.

    Args:
        text: one sentence.
        began: whether the body had begun.
    """

    def __init__(self, text: str, *, began: bool = False) -> None:
        super().__init__(text)
        self.began = began


class RequestDropped(exceptions.ConnectionError):
    """No answer came: the connection ended, or the server dropped the request. A new connection may succeed."""


class BodyCut(exceptions.ChunkedEncodingError):
    """The body began, but was cut, or does not match its gzip trailer."""


class ProtocolViolation(exceptions.RequestException):
    """The server breaks HTTP, or floods its client."""


class UnprovenEnd(exceptions.RequestException):
    """Nothing would prove that the body is complete."""


class RedirectRefused(exceptions.RequestException):
    """The server answered with a redirect, which is not followed."""
