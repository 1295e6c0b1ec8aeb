"""What goes wrong, by what recovers it. The library raises these six and requests' own, nothing else.

Of requests' own: `ConnectTimeout`, `ReadTimeout`, `SSLError`, `ProxyError`, `InvalidProxyURL`, `InvalidHeader`,
`InvalidSchema`, and `ConnectionError` where no connection could be made.

No text shows a request's headers or a proxy's address with its credentials.
"""

from requests import exceptions


class DeadlinePassed(exceptions.ReadTimeout):
    """The instant came at which everything was to be over.

    Args:
        text: one sentence.
        began: whether the body had begun.
    """

    def __init__(self, text: str, *, began: bool = False) -> None:
        super().__init__(text)
        self.began = began


class RequestDropped(exceptions.ConnectionError):
    """No answer came: the connection ended, or the server dropped the request. On a new connection it may pass."""


class BodyCut(exceptions.ChunkedEncodingError):
    """The body began and did not come whole, or is not what its gzip trailer says."""


class ProtocolViolation(exceptions.RequestException):
    """What answers breaks HTTP, or floods its client."""


class UnprovenEnd(exceptions.RequestException):
    """Nothing would prove that the body is whole."""


class RedirectRefused(exceptions.RequestException):
    """The server answered with a redirect, which is not followed."""
