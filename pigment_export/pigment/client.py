"""Pigment's export API: one request an export; its body proves its end, or an error says what to do.

The key is read for each request and set by an `auth` callable: a netrc entry would replace a header. It goes to
`PIGMENT_BASE_URL`'s origin alone, since no redirect is followed.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Protocol

import requests

from pigment_export.catalog.exports import Export
from pigment_export.errors import Cause, ExportError, PermanentError, RetryableError, Who
from pigment_export.pigment.errors import error_for
from pigment_export.pigment.failures import failure_of
from pigment_export.pigment.http2.adapter import Http2Adapter, ProvenBody, Timeouts, body_of
from pigment_export.pigment.requests import Request, request_of
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Source

CONNECT_SECONDS = 30.0
FIRST_BYTE_SECONDS = 600.0  # Pigment computes before it sends; an export may say otherwise (`timeout_seconds`)
IDLE_SECONDS = 300.0  # between two bytes of a body that has begun
ERROR_BYTES = 4096  # of an error's body that are read
SNIFFED_BYTES = 1024  # of a body that are looked at for an error page
UNAUTHORIZED = 401
NO_VIEW = "00000000-0000-4000-8000-000000000000"  # an id that no view has
_PAGES = (b"<!doctype", b"<!--", b"<html", b"<head", b"<?xml")
_JSON = re.compile(rb'\{\s*(\}|"([^"\\]|\\.)*"\s*:)|\[\s*[\[{]')  # an object, or an array of what nests, if only begun


_NO_EXPORT_SCOPE = Cause(
    "pigment_scope_missing",
    "Pigment accepts the key for metadata, but not for exports",
    Who.KEY_OWNER,
    "give the key the export scope in Pigment, or store one that has it",
)


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
    """A body whose errors are ours, an error page in it among them; its beginning is looked at before any is given."""

    def __init__(self, body: ProvenBody) -> None:
        self._body = body
        self._beginning: memoryview | None = None  # read, looked at, and not yet given

    @property
    def protocol(self) -> str:
        return self._body.protocol

    @property
    def evidence(self) -> str:
        return self._body.evidence

    def readinto(self, buffer: memoryview) -> int:
        if self._beginning is None:
            self._beginning = self._begin()
        if not self._beginning:
            return self._read(buffer)
        count = min(len(buffer), len(self._beginning))
        buffer[:count] = self._beginning[:count]
        self._beginning = self._beginning[count:]
        return count

    def _begin(self) -> memoryview:
        room = memoryview(bytearray(SNIFFED_BYTES))
        filled = 0
        while filled < len(room) and (count := self._read(room[filled:])):
            filled += count
        _refuse_error_page(bytes(room[:filled]))
        return room[:filled]

    def _read(self, buffer: memoryview) -> int:
        with _classified():
            return self._body.readinto(buffer)


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
        key, request = self._keys.read(export.secret), request_of(export)
        first_byte_seconds = export.timeout_seconds or FIRST_BYTE_SECONDS
        # A session an export: a connection that has failed is never used again.
        with requests.Session() as session, ExitStack() as answers:
            session.mount("https://", Http2Adapter())
            response = answers.enter_context(self._ask(session, request, key, deadline, first_byte_seconds))
            if response.status_code == UNAUTHORIZED:
                newer = self._keys.read_again(export.secret)
                if newer.reveal() != key.reveal():
                    response.close()
                    key = newer
                    response = answers.enter_context(self._ask(session, request, key, deadline, first_byte_seconds))
            if response.status_code != requests.codes.ok:
                raise self._refused(response, key)
            _refuse_wrong_type(response)
            with _classified():
                body = body_of(response)
            yield _Checked(body)

    def check_key(self, name: str | None, deadline: Deadline) -> bool:
        """Check that Pigment accepts a key for exports: asked for one that cannot exist, it answers 404, else 401.

        Args:
            name: of the key's secret; None for the deployment's own key.
            deadline: of the call.

        Returns:
            Whether the key may read metadata, too.

        Raises:
            RetryableError: Pigment cannot be reached for now.
            PermanentError: the key cannot be read, is not valid or may not export, or what answers is not Pigment.
        """
        key = self._keys.read_again(name)  # past what is kept: a check is of what is there now
        with requests.Session() as session:
            session.mount("https://", Http2Adapter())

            def ask(path: str) -> tuple[int, ExportError]:
                with self._ask(session, Request("GET", path), key, deadline, CONNECT_SECONDS) as response:
                    return response.status_code, self._refused(response, key)

            export, refused = ask(f"/api/export/view/{NO_VIEW}")
            if export not in (requests.codes.not_found, UNAUTHORIZED):
                raise refused
            metadata, other = ask("/api/v1/applications")
            if metadata not in (requests.codes.ok, UNAUTHORIZED, requests.codes.forbidden):
                raise other
        reads_metadata: bool = metadata == requests.codes.ok
        if export == UNAUTHORIZED:
            raise PermanentError(_NO_EXPORT_SCOPE) if reads_metadata else refused
        return reads_metadata

    def _ask(
        self, session: requests.Session, request: Request, key: Key, deadline: Deadline, first_byte_seconds: float
    ) -> requests.Response:
        headers = {"Accept": "text/csv, text/plain", "Accept-Encoding": "gzip", "User-Agent": self._user_agent}
        timeouts = Timeouts(
            connect_seconds=CONNECT_SECONDS,
            first_byte_seconds=first_byte_seconds,
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
    if text[:15].lower().startswith(_PAGES):
        raise _error_page("Pigment answered 200, but with a page instead of CSV")
    if _JSON.match(text) or (text[:1] == b"[" and _is_json(text)):
        raise _error_page("Pigment answered 200, but with JSON instead of CSV")


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


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
