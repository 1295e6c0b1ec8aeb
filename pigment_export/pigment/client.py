"""Pigment's API: one request an export; its body proves its end, or an error says what to do.

The key is read for each request and set by an `auth` callable: a netrc entry would replace a header. It goes to
`PIGMENT_BASE_URL`'s origin alone, since no redirect is followed, and stands in no text of an error.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast

import requests

from pigment_export.catalog.exports import Export
from pigment_export.errors import ExportError, shorten
from pigment_export.keys import Key, Keys
from pigment_export.network import KEEPALIVE
from pigment_export.pigment.api import (
    KEY_CHECK,
    LISTING_BYTES,
    ExportRequest,
    Listed,
    listed_in,
    listing_of,
    request_of,
)
from pigment_export.pigment.body import CheckedBody, Try
from pigment_export.pigment.errors import NO_EXPORTS, NO_METADATA, UNEXPECTED, error_for
from pigment_export.pigment.evidence import refusal_of_head
from pigment_export.pigment.http2.adapter import Http2Adapter
from pigment_export.pigment.http2.body import Body, Timeouts, body_of
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Source

CONNECT_SECONDS = 30.0
FIRST_BYTE_SECONDS = 600.0  # Pigment computes before it sends; an export may say otherwise (`timeout_seconds`)
IDLE_SECONDS = 300.0  # between two bytes of a body that has begun
ANSWER_SECONDS = 30.0  # for anything but an export: nothing is computed
ERROR_BYTES = 4096  # of an error's body that are read
ERROR_SECONDS = 10.0  # to read them


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
        self._adapter = Http2Adapter(KEEPALIVE)

    @contextmanager
    def open(self, export: Export, deadline: Deadline) -> Iterator[Source]:
        """Ask Pigment for an export.

        A key that is not accepted is read again once: it may have been rotated.

        Args:
            export: what to ask for.
            deadline: of the call: no read waits past it.

        Yields:
            The body, decoded; of an export that is stored as gzip as it came if it is that already.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        request = request_of(export)
        seconds = export.timeout_seconds or FIRST_BYTE_SECONDS
        with self._answer(request, export.secret, deadline, seconds) as (response, tried):
            if response.status_code != HTTPStatus.OK:
                raise self._refused(request, response, tried)
            if refusal := refusal_of_head(response.headers):
                raise refusal
            with tried.classified():
                body = body_of(response)
            yield CheckedBody(body, export.delimiter, tried, keeps_gzip=export.gzip)

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
        """Ask; the status, and the error that it is if it is one."""
        tried = Try(key, deadline)
        with self._ask(request, tried, deadline, ANSWER_SECONDS) as response:
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise UNEXPECTED.raised(f"a page (HTTP {response.status_code})")
            return response.status_code, self._refused(request, response, tried)

    def applications(self, deadline: Deadline) -> tuple[Listed, ...]:
        """List the applications; the key needs the scope Modeling metadata.

        Args:
            deadline: of the call.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        return listed_in(self._listing(listing_of("applications"), deadline), "id", "name")

    def blocks(self, deadline: Deadline, *, application: str | None = None) -> tuple[Listed, ...]:
        """List lists, metrics and tables; the key needs the scope Modeling metadata.

        Args:
            deadline: of the call.
            application: id of the one to list; None for all.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        request = listing_of("blocks", applicationId=application)
        return listed_in(self._listing(request, deadline), "id", "name", "type")

    def views(
        self, deadline: Deadline, *, application: str | None = None, block: str | None = None
    ) -> tuple[Listed, ...]:
        """List views; the key needs the scope Modeling metadata.

        Args:
            deadline: of the call.
            application: id of the one to list; None for all.
            block: id of the one to list; None for all.

        Raises:
            RetryableError: the same request may succeed later.
            PermanentError: it would not; the error says who must act.
        """
        request = listing_of("views", applicationId=application, blockId=block)
        return listed_in(self._listing(request, deadline), "id", "name", "type")

    def _listing(self, request: ExportRequest, deadline: Deadline) -> bytes:
        with self._answer(request, None, deadline, ANSWER_SECONDS) as (response, tried):
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                raise NO_METADATA.raised(shorten(request.about + self._said(response, tried)))
            if response.status_code != HTTPStatus.OK:
                raise self._refused(request, response, tried)
            with tried.classified():
                return _read(body_of(response).decoded().readinto, LISTING_BYTES)

    @contextmanager
    def _answer(
        self, request: ExportRequest, secret: str | None, deadline: Deadline, seconds: float
    ) -> Iterator[tuple[requests.Response, Try]]:
        """Ask with the key, once more with a newer one; yields the answer, whatever its status."""
        with ExitStack() as answers:
            tried = Try(self._keys.read(secret), deadline)
            response = answers.enter_context(self._ask(request, tried, deadline, seconds))
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                newer = self._keys.read_again(secret)
                if newer.reveal() != tried.key.reveal():
                    response.close()
                    tried = Try(newer, deadline)
                    response = answers.enter_context(self._ask(request, tried, deadline, seconds))
            yield response, tried

    @contextmanager
    def _ask(
        self, request: ExportRequest, tried: Try, deadline: Deadline, seconds: float
    ) -> Iterator[requests.Response]:
        """Ask with one key; a session an answer, since a connection that has failed is never used again."""
        accepted = "text/csv, text/plain" if request.kind else "application/json"
        with requests.Session() as session:
            session.mount("https://", self._adapter)
            with tried.classified():
                response = session.request(
                    request.method,
                    self._base_url + request.path,
                    json=request.body,
                    headers={"Accept": accepted, "Accept-Encoding": "gzip", "User-Agent": self._user_agent},
                    auth=_bearer(tried.key),
                    stream=True,
                    allow_redirects=False,
                    # The adapter takes more than requests' stubs know.
                    timeout=Timeouts(CONNECT_SECONDS, seconds, self._idle_seconds, deadline.ends_at),  # type: ignore[arg-type]
                )
            with response:
                yield response

    def _refused(self, request: ExportRequest, response: requests.Response, tried: Try) -> ExportError:
        detail = request.about + self._said(response, tried)
        retry_after = response.headers.get("Retry-After")
        return error_for(response.status_code, request.kind, detail, retry_after, now=self._now())

    def _said(self, response: requests.Response, tried: Try) -> str:
        """Return Pigment's own words, if there are any: of a success they would be rows of the export."""
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return ""
        said = b""
        try:
            cast("Body", response.raw).bound(ERROR_SECONDS)
            for piece in response.iter_content(ERROR_BYTES):
                said += piece
                if len(said) >= ERROR_BYTES:
                    break
        except requests.RequestException:
            pass  # what came before is worth telling
        text = said[:ERROR_BYTES].decode("utf-8", errors="replace")
        if tried.redacted(text) != text:
            return f": {tried.redacted(text)}"
        message = _message_in(text).strip()
        return f": {message}" if message else ""


def _bearer(key: Key) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what sets the header when a request is prepared; its `repr` shows nothing."""

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {key.reveal()}"
        return request

    return authorize


def _read(readinto: Callable[[memoryview], int], most: int) -> bytes:
    found, buffer = bytearray(), memoryview(bytearray(64 * 1024))
    while len(found) <= most and (count := readinto(buffer)):
        found += buffer[:count]
    return bytes(found)


def _message_in(text: str) -> str:
    """Return the words in an error's body: of a problem document its detail, else the text itself."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else text
    if isinstance(document, dict):
        for field in ("detail", "message", "title", "error"):
            if isinstance(document.get(field), str):
                return str(document[field])
    return text
