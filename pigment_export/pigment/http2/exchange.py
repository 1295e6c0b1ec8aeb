"""The parts that both protocols share. `http2` and `http11` have the same methods."""

import math
from dataclasses import dataclass

from pigment_export.pigment.http2.exceptions import ProtocolViolation

type Headers = list[tuple[str, str]]
type Fields = list[tuple[bytes, bytes]]
"""A request's headers in HTTP/2's form: pseudo-headers first, names in lower case, no hop-by-hop headers."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of an exchange, for the `timeout` of requests.

    PING, SETTINGS, interim answers and headers do not renew them.

    Attributes:
        connect_seconds: for TCP, proxy and TLS together.
        first_byte_seconds: from the request until the first byte of the answer's body.
        idle_seconds: for each further byte of the body.
        ends_at: `time.monotonic()` instant at which every wait ends.
    """

    connect_seconds: float = math.inf
    first_byte_seconds: float = math.inf
    idle_seconds: float = math.inf
    ends_at: float = math.inf


def length_of(headers: Headers) -> int | None:
    """Return the Content-Length of an answer, or None if it has none.

    Raises:
        ProtocolViolation: there are several different ones, or it is not a number.
    """
    values = {part.strip() for name, value in headers if name.lower() == "content-length" for part in value.split(",")}
    if not values:
        return None
    value = values.pop()
    if values or not (value.isascii() and value.isdigit() and len(value) < 19):  # noqa: PLR2004 - of 64 bits
        raise ProtocolViolation("the server broke HTTP: its Content-Length is not one number")
    return int(value)


def status_of(text: str) -> int:
    """Return the status of an answer as a number.

    Raises:
        ProtocolViolation: it is not a status.
    """
    if len(text) == 3 and text.isascii() and text.isdigit() and text >= "200":  # noqa: PLR2004 - RFC 9110, 15
        return int(text)
    raise ProtocolViolation("the server broke HTTP: its status is not a number of three digits")
