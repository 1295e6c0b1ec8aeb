"""Pigment's export API: one request an export; its body proves its end, or an error says what to do.

The key is read for each request and set by an `auth` callable: a netrc entry would replace a header. It goes to
`PIGMENT_BASE_URL`'s origin alone, since no redirect is followed.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

import requests

from pigment_export.answers import error_for
from pigment_export.deadline import Deadline
from pigment_export.errors import Cause, ExportError, RetryableError, Who
from pigment_export.exports import Export, request_of
from pigment_export.failures import failure_of
from pigment_export.http2 import Http2Adapter, ProvenBody, Timeouts, body_of
from pigment_export.transfer import Source

CONNECT_SECONDS = 30.0
FIRST_BYTE_SECONDS = 600.0  # Pigment computes before it sends; an export may say otherwise (`timeout_seconds`)
IDLE_SECONDS = 300.0  # between two bytes of a body that has begun
ERROR_BYTES = 4096  # of an error's body that are read
SNIFFED_BYTES = 1024  # of a body that are looked at for an error page
UNAUTHORIZED = 401


class Key(Protocol):
    """A Pigment key whose text shows in no `repr`."""

    def reveal(self) -> str:
        """The key's text."""


class Keys(Protocol):
    """Where keys come from."""

    def read(self, name: str | None) -> Key:
        """The key of that name; None for the deployment's own."""

    def read_again(self, name: str | None) -> Key:
        """The same, past what is cached: Pigment did not accept that."""


class _BearerAuth(requests.auth.AuthBase):
    """Sets the header when the request is prepared; its `repr` shows nothing."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return request


@contextmanager
def _classified() -> Iterator[None]:
    try:
        yield
    except requests.RequestException as exc:
        raise failure_of(exc) from exc


class _Checked:
    """A body whose errors are ours, an error page in it among them."""

    def __init__(self, body: ProvenBody) -> None:
        self._body = body
        self._begun = False

    @property
    def protocol(self) -> str:
        return self._body.protocol

    @property
    def evidence(self) -> str:
        return self._body.evidence

    def readinto(self, buffer: memoryview) -> int:
        with _classified():
            read = self._body.readinto(buffer)
        if not self._begun:
            self._begun = True
            _refuse_error_page(bytes(buffer[: min(read, SNIFFED_BYTES)]))
        return read


class Pigment:
    """Pigment's API at one origin.

    Args:
        base_url: e.g. `https://pigment.app`.
        keys: where keys come from.
        version: of this app, for the user agent.
        now: the present, to measure a date in `Retry-After` against.
        idle_seconds: between two bytes of a body.
    """

    def __init__(
        self,
        base_url: str,
        keys: Keys,
        *,
        version: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        # At DEBUG it logs whole header blocks, from which the key can be decoded.
        logging.getLogger("hpack").setLevel(logging.WARNING)
        self._base_url = base_url.rstrip("/")
        self._keys = keys
        self._user_agent = f"pigment-export/{version}"
        self._now = now
        self._idle_seconds = idle_seconds

    @contextmanager
    def open(self, export: Export, deadline: Deadline) -> Iterator[Source]:
        """Ask Pigment for an export.

        A key that is not accepted is read anew once: it may have been rotated.

        Args:
            export: what to ask for.
            deadline: of the call: no read waits past it.

        Yields:
            The body, decoded.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not, and somebody must act.
        """
        key = self._keys.read(export.secret)
        # A session an export: a connection that has failed is never used again.
        with requests.Session() as session:
            session.mount("https://", Http2Adapter())
            response = self._ask(session, export, key, deadline)
            if response.status_code == UNAUTHORIZED:
                newer = self._keys.read_again(export.secret)
                if newer.reveal() != key.reveal():
                    response.close()
                    key = newer
                    response = self._ask(session, export, key, deadline)
            with response:
                if response.status_code != requests.codes.ok:
                    raise self._refused(response, key)
                _refuse_wrong_type(response)
                with _classified():
                    body = body_of(response)
                yield _Checked(body)

    def _ask(self, session: requests.Session, export: Export, key: Key, deadline: Deadline) -> requests.Response:
        request = request_of(export)
        headers = {"Accept": "text/csv, text/plain", "Accept-Encoding": "gzip", "User-Agent": self._user_agent}
        timeouts = Timeouts(
            connect_seconds=CONNECT_SECONDS,
            first_byte_seconds=export.timeout_seconds or FIRST_BYTE_SECONDS,
            idle_seconds=self._idle_seconds,
            ends_at=deadline.ends_at,
        )
        with _classified():
            return session.request(
                request.method,
                self._base_url + request.path,
                json=request.body,
                headers=headers,
                auth=_BearerAuth(key),
                stream=True,
                allow_redirects=False,
                timeout=timeouts,  # type: ignore[arg-type]  # the adapter takes more than requests' stubs know
            )

    def _refused(self, response: requests.Response, key: Key) -> ExportError:
        """The error of a status; Pigment's words stand in it, without the key should it be among them."""
        try:
            said = next(response.iter_content(ERROR_BYTES), b"")
        except requests.RequestException:
            said = b""
        text = _message_in(said).replace(key.reveal(), "(the key)")
        return error_for(response.status_code, text, response.headers.get("Retry-After"), now=self._now())


def _refuse_wrong_type(response: requests.Response) -> None:
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type in ("text/html", "application/json", "application/problem+json", "application/xml"):
        raise _error_page(f"Pigment answered 200, but with {media_type} instead of CSV")


def _refuse_error_page(beginning: bytes) -> None:
    """Refuse a body that begins as a page or a JSON document does: no CSV header of Pigment's looks like that."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _error_page("Pigment answered 200, but with a page instead of CSV")
    if text[:1] in (b"{", b"["):
        try:
            json.loads(text)
        except ValueError:
            return
        raise _error_page("Pigment answered 200, but with JSON instead of CSV")


def _error_page(reason: str) -> RetryableError:
    return RetryableError(
        Cause(
            "pigment_error_page",
            reason,
            Who.NETWORK,
            "it is tried again; if it lasts, see what answers at PIGMENT_BASE_URL: a proxy's or a login page, perhaps",
        )
    )


def _message_in(body: bytes) -> str:
    """The words in an error's body: of a problem document its detail, else the text itself."""
    text = body.decode("utf-8", errors="replace")
    try:
        document = json.loads(text)
    except ValueError:
        return "" if text.lstrip().startswith("<") else text
    if isinstance(document, dict):
        for field in ("detail", "message", "title", "error"):
            if isinstance(document.get(field), str):
                return str(document[field])
    return text
