"""A transport adapter for `requests` that speaks HTTP/2, one connection an answer, and says what proved a body's end.

Everything that goes wrong comes as one of `requests.exceptions`; these are its own, by what they derive from:

- `ReadTimeout`: `NoFirstByte`, `BodyStalled`, `DeadlinePassed`.
- `ConnectionError`: `ConnectionLost`. Beside it `ConnectTimeout`, `ProxyError` and `SSLError` as in requests.
- `ChunkedEncodingError`, what requests raises for a body that did not come whole: `StreamReset`, `GoneAway`,
  `BodyTooShort`, `BodyTooLong`, `ProtocolViolation`, `UnprovenEnd`.
- `ContentDecodingError`: `WrongEncoding`; `GzipEmpty`, `GzipCut` and `GzipBroken` (in `inflate`).
- `RequestException`: `RedirectRefused`.

No text of an error shows a request's headers or a proxy's credentials.
"""

import http.client
import io
import math
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import requests
from requests import adapters, exceptions, structures, utils

from pigment_export.pigment.http2.channels import Channel, Ending, Request, open_channel
from pigment_export.pigment.http2.connection import Proxy, ProxyFailedError, Wire, connect
from pigment_export.pigment.http2.exchange import Answer, ExchangeError, Fault
from pigment_export.pigment.http2.gzip import Inflated

_HTTPS_PORT = 443
_PROXY_PORT = 80
# Of one hop only (RFC 9113, 8.2.2), or said by `:authority`.
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


class NoFirstByte(exceptions.ReadTimeout):
    """The body's first byte did not come in time."""


class BodyStalled(exceptions.ReadTimeout):
    """The body began, then nothing more of it came in time."""


class DeadlinePassed(exceptions.ReadTimeout):
    """The instant came at which everything was to be over."""


class ConnectionLost(exceptions.ConnectionError):
    """The connection ended before the answer did."""


class StreamReset(exceptions.ChunkedEncodingError):
    """The server ended the stream by RST_STREAM, whatever its `code`."""

    code: int | None = None


class GoneAway(exceptions.ChunkedEncodingError):
    """The server dropped the request by a GOAWAY, with that `code`."""

    code: int | None = None


class BodyTooShort(exceptions.ChunkedEncodingError):
    """The body ended with fewer bytes than were announced."""


class BodyTooLong(exceptions.ChunkedEncodingError):
    """The body has more bytes than were announced."""


class ProtocolViolation(exceptions.ChunkedEncodingError):
    """The server broke HTTP."""


class UnprovenEnd(exceptions.ChunkedEncodingError):
    """Nothing would prove that the body is whole."""


class WrongEncoding(exceptions.ContentDecodingError):
    """The body has a content encoding that was not asked for."""


class RedirectRefused(exceptions.RequestException):
    """The server answered with a redirect, which is not followed."""


_BY_FAULT: Mapping[Fault, type[exceptions.RequestException]] = {
    Fault.RESET: StreamReset,
    Fault.GONE_AWAY: GoneAway,
    Fault.TOO_SHORT: BodyTooShort,
    Fault.TOO_LONG: BodyTooLong,
    Fault.VIOLATION: ProtocolViolation,
    Fault.CLOSED: ConnectionLost,
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an exchange may take; goes where requests takes its `timeout`.

    PING, SETTINGS, interim answers and headers renew none of them.

    Attributes:
        connect_seconds: for TCP, proxy and TLS together.
        first_byte_seconds: from the request until the first byte of the answer's body.
        idle_seconds: for each further byte of the body.
        ends_at: `time.monotonic()` instant past which nothing waits.
    """

    connect_seconds: float = math.inf
    first_byte_seconds: float = math.inf
    idle_seconds: float = math.inf
    ends_at: float = math.inf

    @classmethod
    def of(cls, timeout: object) -> "Timeouts":
        """Read what requests' `timeout` may be.

        Args:
            timeout: `Timeouts`, seconds for everything, a pair of seconds (connect, read), or None.

        Returns:
            The same as `Timeouts`.

        Raises:
            ValueError: it is none of these.
        """
        match timeout:
            case Timeouts():
                return timeout
            case (connecting, reading):
                return cls(_seconds(connecting), _seconds(reading), _seconds(reading))
            case _:
                return cls(_seconds(timeout), _seconds(timeout), _seconds(timeout))


class Body(io.RawIOBase):
    """What `Response.raw` is: the body as it comes, content encoding and all. The connection ends with it.

    Nothing is read from the connection unless the caller reads.

    Args:
        wire: the connection.
        timeouts: how long to wait.
        via: the proxy in between.
    """

    def __init__(self, wire: Wire, timeouts: Timeouts, via: Proxy | None) -> None:
        self._wire = wire
        self._channel: Channel = open_channel(wire)
        self._timeouts = timeouts
        self._first_byte_at = time.monotonic() + timeouts.first_byte_seconds
        self._begun = False
        self._ended = False
        self.via = via
        self.headers: structures.CaseInsensitiveDict[str] = structures.CaseInsensitiveDict()

    @property
    def protocol(self) -> str:
        """`HTTP/2` or `HTTP/1.1`."""
        return self._channel.protocol

    @property
    def ends_by(self) -> Ending:
        """How this body will end, known from the answer's headers."""
        return self._channel.ending

    @property
    def ending(self) -> Ending | None:
        """How the body ended; None as long as it did not."""
        return self._channel.ending if self._ended else None

    @property
    def length(self) -> int | None:
        """How many bytes it must have, as they come; None where nothing says so."""
        return self._channel.length

    def ask(self, request: Request) -> Answer:
        """Send the request; the final answer's beginning."""
        try:
            answer = self._channel.ask(request, min(self._first_byte_at, self._timeouts.ends_at))
        except (OSError, ExchangeError) as error:
            self.close()
            raise self._translated(error) from error
        for name, value in answer.headers:
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        return answer

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, target: memoryview, /) -> int:  # type: ignore[override]
        """Fill a buffer's beginning as soon as a byte is there.

        Args:
            target: bytes to fill.

        Returns:
            How many were filled; 0 only at the body's end, which `ending` names.

        Raises:
            RequestException: see the module.
        """
        if self.closed:
            raise ValueError("the body is closed")
        if self._ended or not len(target):
            return 0
        until = time.monotonic() + self._timeouts.idle_seconds if self._begun else self._first_byte_at
        try:
            count = self._channel.readinto(memoryview(target), min(until, self._timeouts.ends_at))
        except (OSError, ExchangeError) as error:
            self._wire.close()
            raise self._translated(error) from error
        if count:
            self._begun = True
        else:
            self._ended = True
            self._wire.close()
        return count

    def stream(self, chunk_bytes: int, decode_content: bool = True) -> Iterator[bytes]:  # noqa: FBT001, FBT002 - as requests calls it
        """The body in pieces, as `iter_content` takes it: for small answers, whose end need not be proven."""
        gzipped = decode_content and _encoding(self.headers) == "gzip"
        source = Inflated(self) if gzipped else self
        buffer = memoryview(bytearray(chunk_bytes))
        while count := source.readinto(buffer):
            yield bytes(buffer[:count])

    def close(self) -> None:
        """Close the connection, whether the body ended or not."""
        self._wire.close()
        super().close()

    def _translated(self, error: OSError | ExchangeError) -> exceptions.RequestException:
        if isinstance(error, ExchangeError):
            translated = _BY_FAULT[error.fault](str(error))
            if isinstance(translated, StreamReset | GoneAway):
                translated.code = error.code
            return translated
        if isinstance(error, TimeoutError) and error.errno is None:  # the system's own has a number
            return self._too_late()
        if isinstance(error, ssl.SSLError):
            return exceptions.SSLError(f"TLS failed: {error}")
        return ConnectionLost(f"the connection was lost: {error}")

    def _too_late(self) -> exceptions.ReadTimeout:
        if time.monotonic() >= self._timeouts.ends_at:
            return DeadlinePassed("the deadline came before the body's end")
        if self._begun:
            return BodyStalled(f"nothing more of the body came for {self._timeouts.idle_seconds:g} seconds")
        return NoFirstByte(f"no byte of a body came within {self._timeouts.first_byte_seconds:g} seconds")


class Http2Adapter(adapters.BaseAdapter):
    """Sends each request over a connection of its own: HTTP/2 where the server has it, else HTTP/1.1.

    To be mounted on a `requests.Session`, for https. The request's body must be bytes or text.
    """

    def __init__(self) -> None:
        super().__init__()
        self._contexts: dict[tuple[Any, Any], ssl.SSLContext] = {}  # reading a CA bundle takes tens of milliseconds

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
            request: with a body of bytes or text, if any.
            timeout: `Timeouts`, or whatever requests takes.
            verify: whether to check the server's certificate, or the path of the CA bundle to check it by.
            cert: path of the client's certificate and key, or of both.
            proxies: proxy by scheme or host, as requests has them.

        Returns:
            The answer; its `raw` is a `Body`.

        Raises:
            RequestException: see the module.
        """
        url = urlsplit(str(request.url))
        if url.scheme != "https" or url.hostname is None:
            raise exceptions.InvalidSchema("only https is spoken here")
        sent = _request(request, url.netloc.rpartition("@")[2])
        timeouts = Timeouts.of(timeout)
        proxy = _proxy(utils.select_proxy(str(request.url), dict(proxies or {})))
        context = self._context(verify, cert)
        body = Body(_connect(url.hostname, url.port or _HTTPS_PORT, proxy, context, timeouts), timeouts, proxy)
        answer = body.ask(sent)
        if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's own class
            body.close()
            raise RedirectRefused(f"the server answered with a redirect (HTTP {answer.status}), which is not followed")
        response = requests.Response()
        response.status_code = answer.status
        response.reason = http.client.responses.get(answer.status, "")
        response.headers = body.headers
        response.encoding = utils.get_encoding_from_headers(body.headers)
        response.raw = body
        response.url = str(request.url)
        response.request = request
        response.connection = self  # type: ignore[assignment]  # any BaseAdapter
        return response

    def close(self) -> None:
        """Nothing is kept open."""

    def _context(self, verify: bool | str | None, cert: Any) -> ssl.SSLContext:  # noqa: FBT001 - requests' own type
        key = (verify, cert)
        if key not in self._contexts:
            try:
                self._contexts[key] = _context(verify, cert)
            except OSError as error:
                raise exceptions.SSLError(
                    f"the CA bundle or the client's certificate cannot be used: {error}"
                ) from error
        return self._contexts[key]


class ProvenBody:
    """A body, decoded, whose end is proven: by HTTP/2, by its length, or by gzip's trailer.

    Args:
        raw: the body as it comes.
        host: of the server, for errors.

    Attributes:
        evidence: what proves the end once `readinto` has given 0, e.g. `END_STREAM + gzip trailer`.
    """

    def __init__(self, raw: Body, host: str) -> None:
        self._raw = raw
        self._host = host
        encoding = _encoding(raw.headers)
        if encoding not in ("gzip", "identity"):
            raise WrongEncoding(f"the body is encoded as {encoding!r}, but only gzip was asked for")
        gzipped = encoding == "gzip"
        self._decoded: Inflated | Body = Inflated(raw) if gzipped else raw
        proofs = {
            Ending.END_STREAM.value: raw.ends_by is Ending.END_STREAM,
            Ending.CONTENT_LENGTH.value: raw.length is not None,
            "gzip trailer": gzipped,
        }
        self.evidence = " + ".join(name for name, holds in proofs.items() if holds)

    @property
    def protocol(self) -> str:
        """What the body came over."""
        return self._raw.protocol

    def readinto(self, target: memoryview) -> int:
        """Fill a buffer's beginning.

        Args:
            target: bytes to fill.

        Returns:
            How many were filled; 0 only at an end that is proven.

        Raises:
            UnprovenEnd: nothing can prove this body's end; raised before its first byte.
            RequestException: see the module.
        """
        if not self.evidence:
            through = f" (the proxy {self._raw.via} is in use)" if self._raw.via else ""
            raise UnprovenEnd(
                f"the body's end would prove nothing ({self._raw.ends_by}): something between this app and "
                f"{self._host}{through} speaks HTTP/1.1 without a length"
            )
        return self._decoded.readinto(target)


def body_of(response: requests.Response) -> ProvenBody:
    """The body of an answer that came through `Http2Adapter`, decoded and proven.

    Args:
        response: asked for with `stream=True` and `Accept-Encoding: gzip`; its body is not read yet.

    Returns:
        The reader of the body.

    Raises:
        WrongEncoding: it is neither plain nor gzip.
    """
    return ProvenBody(cast("Body", response.raw), urlsplit(response.url).hostname or "the server")


def _connect(host: str, port: int, proxy: Proxy | None, context: ssl.SSLContext, timeouts: Timeouts) -> Wire:
    try:
        return connect(
            host,
            port,
            proxy=proxy,
            context=context,
            until=min(time.monotonic() + timeouts.connect_seconds, timeouts.ends_at),
        )
    except ProxyFailedError as error:
        raise exceptions.ProxyError(str(error)) from error
    except TimeoutError as error:
        if time.monotonic() >= timeouts.ends_at:
            raise DeadlinePassed(f"the deadline came before {host} was reached") from error
        through = f" through the proxy {proxy}" if proxy else ""
        raise exceptions.ConnectTimeout(f"{host}:{port} was not reached in time{through}") from error
    except ssl.SSLEOFError as error:
        raise ConnectionLost(f"{host}:{port} hung up during the TLS handshake") from error
    except ssl.SSLError as error:
        raise exceptions.SSLError(f"TLS to {host}:{port} failed: {error}") from error
    except OSError as error:
        raise exceptions.ConnectionError(f"no connection to {host}:{port}: {error}") from error


def _request(request: requests.PreparedRequest, authority: str) -> Request:
    headers = []
    for name, value in request.headers.items():
        key, content = _header_bytes(name).lower(), _header_bytes(value)
        if not (_NAME.fullmatch(key) and _SENDABLE.fullmatch(content)):  # h2 and http.client would show it
            raise exceptions.InvalidHeader(f"the header {name!r} has characters that cannot be sent")
        if key.decode() not in _NOT_SENT:
            headers.append((key, content))
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        raise exceptions.RequestException("the request's body must be bytes or text")
    return Request(str(request.method), authority, request.path_url, headers, body)


def _header_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _proxy(url: str | None) -> Proxy | None:
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or parts.hostname is None:
        raise exceptions.InvalidProxyURL("a proxy's address must look like http://proxy.example:3128")
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(credentials.encode()).decode()}"
    return Proxy(parts.hostname, parts.port or _PROXY_PORT, authorization)


def _context(verify: bool | str | None, cert: Any) -> ssl.SSLContext:  # noqa: FBT001 - requests' own type
    if verify is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        bundle = verify if isinstance(verify, str) else utils.DEFAULT_CA_BUNDLE_PATH
        folder = Path(bundle).is_dir()
        context = ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
    if cert:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def _encoding(headers: Mapping[str, str]) -> str:
    encoding = headers.get("Content-Encoding", "").strip().lower() or "identity"
    return "gzip" if encoding == "x-gzip" else encoding


def _seconds(value: object) -> float:
    if value is None:
        return math.inf
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(f"not a timeout: {value!r}")
