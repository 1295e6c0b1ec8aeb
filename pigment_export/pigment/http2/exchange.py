"""One request and its answer, in the terms that both protocols share. `http2` and `http11` implement it."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Protocol


class EndProof(StrEnum):
    """How a body ends, as its protocol says; only the first two prove anything."""

    END_STREAM = "END_STREAM"
    """HTTP/2's own end of a stream."""
    CONTENT_LENGTH = "Content-Length"
    """HTTP/1.1, with exactly the bytes that were announced."""
    CHUNKED = "chunked"
    """HTTP/1.1's last chunk: a proxy writes it after an upstream that failed, too."""
    CONNECTION_CLOSED = "connection closed"
    """HTTP/1.1 without any length: a crash looks the same."""


class ErrorKind(Enum):
    """Why an exchange failed."""

    RESET = auto()
    """The server ended the stream by RST_STREAM, whatever its code."""
    GONE_AWAY = auto()
    """The server sent a GOAWAY that takes this stream."""
    TOO_SHORT = auto()
    """The body ended with fewer bytes than announced."""
    TOO_LONG = auto()
    """The body has more bytes than announced."""
    FAILED = auto()
    """The server says in its trailers that it failed."""
    VIOLATION = auto()
    """The server broke the protocol."""
    CLOSED = auto()
    """The connection ended before the answer did."""
    HTTP1_REQUIRED = auto()
    """The server answers this request over HTTP/1.1 only."""


class ExchangeError(Exception):
    """An exchange that failed.

    Args:
        kind: why.
        text: one sentence.
    """

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request in the terms that both protocols share.

    Attributes:
        method: e.g. `GET`; no HEAD.
        authority: host, and port if it was given.
        target: path and query.
        headers: names in lower case, without host and hop-by-hop ones. Never shown: a key is among them.
        body: often empty.
    """

    method: str
    authority: str
    target: str
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)


class ResponseHead(NamedTuple):
    """The beginning of the final answer."""

    status: int
    headers: list[tuple[str, str]]


class Exchange(Protocol):
    """One exchange. Everything may raise `ExchangeError`, `TimeoutError` and `OSError`."""

    @property
    def protocol(self) -> str:
        """`HTTP/2` or `HTTP/1.1`."""

    @property
    def ends_by(self) -> EndProof:
        """How the body ends, known from the answer's headers."""

    @property
    def length(self) -> int | None:
        """How many bytes the body must have; None where nothing says so."""

    def ask(self, request: HttpRequest, until: float) -> ResponseHead:
        """Send a request and wait for its answer, at most until that instant of `time.monotonic()`."""

    def readinto(self, target: memoryview, until: float) -> int:
        """Fill the beginning of `target` from the body as soon as a byte is there; 0 at its end."""


def length_of(headers: list[tuple[str, str]]) -> int | None:
    """Return the Content-Length of an answer, or None if it has none.

    Raises:
        ExchangeError: there are several that differ, or one that is no number.
    """
    values = {part.strip() for name, value in headers if name.lower() == "content-length" for part in value.split(",")}
    if not values:
        return None
    value = values.pop()
    if values or not (value.isascii() and value.isdigit() and len(value) < 19):  # noqa: PLR2004 - of 64 bits
        raise ExchangeError(ErrorKind.VIOLATION, "the server broke HTTP: its Content-Length is not one number")
    return int(value)


def status_of(text: str) -> int:
    """Return the status of an answer as a number.

    Raises:
        ExchangeError: it is none.
    """
    if len(text) == 3 and text.isascii() and text.isdigit() and text >= "200":  # noqa: PLR2004 - RFC 9110, 15
        return int(text)
    raise ExchangeError(ErrorKind.VIOLATION, "the server broke HTTP: its status is not a number of three digits")
