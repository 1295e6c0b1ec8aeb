"""Pigment's API: one request per export; its body has a proven end, or an error says what to do.

The key is read for each request and set by an `auth` callable, because a netrc entry would replace a header. It is sent
only to the origin of `PIGMENT_BASE_URL`, because no redirect is followed, and appears in no error text.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast

import requests

from pigment_export.catalog.exports import Export, Kind, Listed
from pigment_export.errors import ExportError, shorten
from pigment_export.keys import Key, Keys
from pigment_export.network import KEEPALIVE
from pigment_export.pigment.api import (
    KEY_CHECK,
    LISTING_BYTES,
    ExportRequest,
    listed_in,
    listing_of,
    request_of,
)
from pigment_export.pigment.body import CheckedBody
from pigment_export.pigment.errors import NO_EXPORTS, NO_METADATA, UNEXPECTED, error_for, failure_of
from pigment_export.pigment.http2.adapter import Http2Adapter
from pigment_export.pigment.http2.body import Body, body_of
from pigment_export.pigment.http2.exchange import Timeouts
from pigment_export.pigment.redaction import without
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Source

CONNECT_SECONDS = 30.0
FIRST_BYTE_SECONDS = 600.0  # Pigment computes before it sends; an export can set `timeout_seconds`
IDLE_SECONDS = 300.0  # between two bytes of a body
ANSWER_SECONDS = 30.0  # for other calls: Pigment computes nothing
ERROR_BYTES = 4096  # to read of an error's body
ERROR_SECONDS = 10.0  # to read them
PIECE_BYTES = 64 * 1024  # of a small answer, in one read
FIRST_ATTEMPT_SECONDS = 60.0  # an attempt that starts this early has the time of the whole call


class Pigment:
    """Pigment's API at one origin.

    Args:
        base_url: e.g. `https://pigment.app`.
        keys: the source of keys.
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
        self._adapter = Http2Adapter(KEEPALIVE)

    @contextmanager
    def open(self, export: Export, deadline: Deadline) -> Iterator[Source]:
        """Ask Pigment for an export.

        If Pigment rejects the key, it is read again once: it may have been rotated.

        Args:
            export: what to ask for.
            deadline: of the call; no read waits longer.

        Yields:
            The decoded body; for an export that is stored as gzip, the body as it came if it is gzip.

        Raises:
            RetryableError: the same request may succeed later; also raised if the body fails within the block.
            PermanentError: it would not; the error says who must act.
        """
        request = request_of(export)
        seconds = export.timeout_seconds or FIRST_BYTE_SECONDS
        with self._answer(request, export.secret, deadline, seconds) as (response, key):
            if response.status_code != HTTPStatus.OK:
                raise self._refused(request, response, key)
            yield CheckedBody(response, export.delimiter, keeps_gzip=export.gzip)

    def check_key(self, name: str | None, deadline: Deadline) -> bool:
        """Check that Pigment accepts a key for exports: for an export that cannot exist it then answers 404, not 401.

        Args:
            name: of the key's secret; None for the deployment's own key.
            deadline: of the call.

        Returns:
            Whether the key can also read metadata.

        Raises:
            RetryableError: Pigment cannot be reached now.
            PermanentError: the key cannot be read, is invalid or not allowed to export, or the answer is not Pigment's.
        """
        key = self._keys.read_again(name)  # without the cache: a check is about the present
        export, refused = self._tried(KEY_CHECK, key, deadline)
        if export not in (HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED):
            raise refused
        listing, other = self._tried(listing_of("applications"), key, deadline)
        if listing not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise other
        if export == HTTPStatus.UNAUTHORIZED:
            raise NO_EXPORTS.raised() if listing == HTTPStatus.OK else refused
        return listing == HTTPStatus.OK

    def _tried(self, request: ExportRequest, key: Key, deadline: Deadline) -> tuple[int, ExportError]:
        """Send a request; returns the status, and the error to raise for it."""
        with self._ask(request, key, deadline, ANSWER_SECONDS) as response:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise UNEXPECTED.raised(f"a page (HTTP {response.status_code})")
            return response.status_code, self._refused(request, response, key)

    def applications(self, deadline: Deadline) -> tuple[Listed, ...]:
        """List the applications; the key needs the scope Modeling metadata.

        Args:
            deadline: of the call.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        return self._listed(deadline, listing_of("applications"))

    def blocks(self, deadline: Deadline, application: Listed) -> tuple[Listed, ...]:
        """List an application's lists, metrics and tables; the key needs the scope Modeling metadata.

        Args:
            deadline: of the call.
            application: as it was listed.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        return self._listed(deadline, listing_of("blocks", applicationId=application.id), application)

    def views(self, deadline: Deadline, application: Listed, *, block: str | None = None) -> tuple[Listed, ...]:
        """List an application's views; the key needs the scope Modeling metadata.

        Args:
            deadline: of the call.
            application: as it was listed.
            block: id of the one whose views to list; None for all.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        request = listing_of("views", applicationId=application.id, blockId=block)
        return self._listed(deadline, request, application, Kind.VIEW)

    def _listed(
        self, deadline: Deadline, request: ExportRequest, application: Listed | None = None, kind: Kind | None = None
    ) -> tuple[Listed, ...]:
        with self._answer(request, None, deadline, ANSWER_SECONDS) as (response, key):
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                raise NO_METADATA.raised(shorten(request.about + _said(response, key)))
            if response.status_code != HTTPStatus.OK:
                raise self._refused(request, response, key)
            return listed_in(b"".join(_pieces_of(body_of(response), LISTING_BYTES)), application, kind)

    @contextmanager
    def _answer(
        self, request: ExportRequest, secret: str | None, deadline: Deadline, seconds: float
    ) -> Iterator[tuple[requests.Response, Key]]:
        """Send with the key, and after a 401 with a newer one; yields the answer of any status, and its key."""
        with ExitStack() as answers:
            key = self._keys.read(secret)
            response = answers.enter_context(self._ask(request, key, deadline, seconds))
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                newer = self._keys.read_again(secret)
                if newer.reveal() != key.reveal():
                    response.close()
                    key = newer
                    response = answers.enter_context(self._ask(request, key, deadline, seconds))
            yield response, key

    @contextmanager
    def _ask(self, request: ExportRequest, key: Key, deadline: Deadline, seconds: float) -> Iterator[requests.Response]:
        """Send with one key; translates the transport's errors into ours, including those within the block."""
        is_first_attempt = time.monotonic() - deadline.began_at <= FIRST_ATTEMPT_SECONDS
        accepted = "text/csv, text/plain" if request.kind else "application/json"
        try:
            with requests.Session() as session:
                session.mount("https://", self._adapter)
                with session.request(
                    request.method,
                    self._base_url + request.path,
                    json=request.body,
                    headers={"Accept": accepted, "Accept-Encoding": "gzip", "User-Agent": self._user_agent},
                    auth=_bearer(key),
                    stream=True,
                    allow_redirects=False,
                    # The adapter accepts more than requests' stubs declare.
                    timeout=Timeouts(CONNECT_SECONDS, seconds, self._idle_seconds, deadline.ends_at),  # type: ignore[arg-type]
                ) as response:
                    yield response
        except requests.RequestException as exc:
            # Without the chain: its exceptions quote what the other side sent, which can contain the key.
            detail = without(key.reveal(), str(exc))
            raise failure_of(exc, detail=detail, first_attempt=is_first_attempt) from None

    def _refused(self, request: ExportRequest, response: requests.Response, key: Key) -> ExportError:
        detail = request.about + _said(response, key)
        retry_after = response.headers.get("Retry-After")
        return error_for(response.status_code, request.kind, detail, retry_after, now=self._now())


def _bearer(key: Key) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return a callable that sets the header when a request is prepared; its `repr` does not show the key."""

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {key.reveal()}"
        return request

    return authorize


def _pieces_of(body: Body, most: int) -> Iterator[bytes]:
    """Yield the content of a small answer, at most about `most` bytes."""
    reader, buffer = body.decoded(), memoryview(bytearray(PIECE_BYTES))
    while most > 0 and (count := reader.readinto(buffer)):
        yield bytes(buffer[:count])
        most -= count


def _said(response: requests.Response, key: Key) -> str:
    """Return the message in an error answer, if there is one; a success would contain rows of the export."""
    if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    body, said = cast("Body", response.raw), bytearray()
    body.bound(ERROR_SECONDS)
    with suppress(requests.RequestException):  # show what came before
        for piece in _pieces_of(body, ERROR_BYTES):
            said += piece
    text = said[:ERROR_BYTES].decode("utf-8", errors="replace")
    shown = without(key.reveal(), text)
    message = _message_in(text).strip() if shown == text else shown
    return f": {message}" if message else ""


def _message_in(text: str) -> str:
    """Return the message in an error's body: the detail of a problem document, or else the text itself."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text
    if isinstance(document, dict):
        for field in ("detail", "message", "title", "error"):
            if isinstance(document.get(field), str):
                return str(document[field])
    return text
