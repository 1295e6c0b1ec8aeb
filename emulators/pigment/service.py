"""Pigment's API over HTTP/2, or over HTTP/1.1 if ALPN does not choose HTTP/2.

The four export calls, versioned and not, the three metadata calls, keys with scopes, the rate limit, and faults.
emulators/README.md lists the differences from Pigment. Source: Pigment's OpenAPI document, v1-external.
"""

import json
import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from emulators.pigment.csv import csv, unknown_to
from emulators.pigment.faults import Fault
from emulators.pigment.model import BOARD_TYPE, Model
from emulators.pigment.requests import is_uuid, problems_of
from emulators.pigment.server import Answer, Asked, Server

DEMO_KEY = "pgm_emulated_demo_key"
EXPORT_ONLY_KEY = "pgm_emulated_export_only"
EXPIRED_KEY = "pgm_emulated_expired"
EXPORT, METADATA = "export", "metadata"
WINDOW_SECONDS, WINDOW_REQUESTS = 300.0, 500  # Pigment's own limit; off by default
_EXPORT_PATH = re.compile(r"/api/(?P<version>v1/)?export/(?P<kind>list|metric|table|view)/(?P<id>[^/]+)")
_KEY_HEADERS = ("authorization", "x-pigment-api-key")
_TYPES = {"list": ("DimensionList", "TransactionList"), "metric": ("Metric",), "table": ("Table",)}


@dataclass(frozen=True, slots=True)
class Seen:
    """A received request, without its key."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    protocol: str


@dataclass
class Key:
    """An API key: its scopes, and whether it has expired."""

    scopes: frozenset[str] = frozenset({EXPORT, METADATA})
    expired: bool = False


@dataclass
class Switches:
    """Settings that a test or the command line can change.

    Attributes:
        gzip: whether to compress answers for clients that accept it.
        length: whether bodies have a Content-Length; they are built in memory first.
        until_close: whether bodies over HTTP/1.1 end with their connection instead of being chunked.
        limit: requests in five minutes before 429, such as `WINDOW_REQUESTS`; None for no limit.
        retry_after: header of a 429; empty for none.
        body: replaces each CSV, by the request's path; None changes none.
    """

    gzip: bool = False
    length: bool = False
    until_close: bool = False
    limit: int | None = None
    retry_after: str = ""
    body: Callable[[str, Iterator[bytes]], Iterator[bytes]] | None = None


class Pigment(Server):
    """Pigment at one address.

    Args:
        tls: the certificate, with the protocols in its ALPN: `h2`, `http/1.1`.
        port: 0 for a free one.
    """

    hosts = ("pigment.app",)

    def __init__(self, tls: ssl.SSLContext, *, port: int = 0) -> None:
        super().__init__(self._answer, tls, port=port)
        self.model = Model()
        self.keys = {
            DEMO_KEY: Key(),
            EXPORT_ONLY_KEY: Key(frozenset({EXPORT})),
            EXPIRED_KEY: Key(expired=True),
        }
        self.faults: list[Fault] = []
        self.switches = Switches()
        self.requests: list[Seen] = []
        self.clock: Callable[[], float] = time.monotonic  # drives the rate limit, in seconds
        self._times: list[float] = []
        self._state = threading.Lock()

    def _answer(self, asked: Asked) -> Answer:
        url = urlsplit(asked.target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        headers = {name: value for name, value in asked.headers.items() if name not in _KEY_HEADERS}
        key_text = asked.headers.get("authorization", "").removeprefix("Bearer ")
        body, problem = _json(asked.body)
        with self._state:
            self.requests.append(Seen(asked.method, url.path, query, headers, body, asked.protocol))
            fault = self._next_fault(url.path)
        if fault and fault.kind in ("status", "html", "json", "redirect"):
            return _faulty(fault)
        if self._is_limited():
            retry_after = {"retry-after": self.switches.retry_after} if self.switches.retry_after else {}
            return _error_answer(429, "too many requests", retry_after)
        key = self.keys.get(key_text)
        if key is None or key.expired:
            return _error_answer(401, "the key is missing, wrong or expired")
        if problem:
            return _error_answer(400, problem)
        answer = self._route(asked.method, url.path, query, body, key)
        answer.fault = fault
        if answer.status == 200 and answer.media_type == "text/csv":
            if self.switches.body:
                answer.body = self.switches.body(url.path, answer.body)
            answer.until_close = self.switches.until_close
            answer = self._encoded(answer, asked.headers.get("accept-encoding", ""))
        if fault and fault.length:
            answer.headers["content-length"] = str(fault.length)
        return answer

    def _next_fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def _is_limited(self) -> bool:
        if self.switches.limit is None:
            return False
        now = self.clock()
        with self._state:
            self._times = [at for at in self._times if now - at < WINDOW_SECONDS]
            self._times.append(now)
            return len(self._times) > self.switches.limit

    def _route(self, method: str, path: str, query: Mapping[str, str], body: Any, key: Key) -> Answer:
        if export := _EXPORT_PATH.fullmatch(path):
            if EXPORT not in key.scopes:
                return _error_answer(401, "the key does not have the scope for exports")
            return self._export(method, export, query, body)
        if path in ("/api/v1/applications", "/api/v1/blocks", "/api/v1/views") and method == "GET":
            return (
                self._metadata(path, query)
                if METADATA in key.scopes
                else _error_answer(401, "the key does not have the scope for metadata")
            )
        return _error_answer(404, "this call does not exist")

    def _export(self, method: str, found: re.Match[str], query: Mapping[str, str], body: Any) -> Answer:
        kind, block_id, legacy = found["kind"], found["id"].lower(), not found["version"]
        if method != ("GET" if kind == "view" else "POST"):
            return _error_answer(405, "this method is not allowed")
        if not is_uuid(block_id):
            return _error_answer(400, f"{block_id!r} is not a UUID")
        if kind == "view":
            return self._view(block_id, query, legacy=legacy)
        return self._block(kind, block_id, {} if body is None else body, legacy=legacy)

    def _block(self, kind: str, block_id: str, options: Any, *, legacy: bool) -> Answer:
        problems = problems_of(kind, options)
        if problems:
            return _error_answer(400, "; ".join(problems))
        block = self.model.blocks.get(block_id)
        if block is None or block.type not in _TYPES[kind]:
            return _error_answer(404, f"{kind} with the specified ID was not found")
        if unknown := unknown_to(block, options):
            return _error_answer(400, f"the {kind} does not have: {', '.join(unknown)}")
        return Answer(200, csv(block, options, legacy_dates=legacy), "text/csv")

    def _view(self, view_id: str, query: Mapping[str, str], *, legacy: bool) -> Answer:
        allowed = {"fieldDelimiter": ("Semicolon", "Comma")}
        if legacy:
            allowed["dateFormat"] = ("Legacy", "Iso8601")
        for name, value in query.items():
            if name in allowed and value not in allowed[name]:
                return _error_answer(400, f"{name}: {value!r} is not one of {', '.join(allowed[name])}")
        view = self.model.views.get(view_id)
        if view is None:
            return _error_answer(404, "View with the specified ID was not found")
        if view.status == 413:
            return _error_answer(413, "View is too big to be exported. Use block export API instead.")
        if view.status == 422:
            return _error_answer(422, "The view underlying type is not list, metric or table")
        options = {name: value for name, value in query.items() if name in allowed} | {"friendlyHeaders": True}
        return Answer(200, csv(self.model.blocks[view.block], options, legacy_dates=True), "text/csv")

    def _metadata(self, path: str, query: Mapping[str, str]) -> Answer:
        application, block = (query[name].lower() if name in query else None for name in ("applicationId", "blockId"))
        if not all(given is None or is_uuid(given) for given in (application, block)):
            return _error_answer(400, "a filter is not a UUID")
        model = self.model
        if path.endswith("applications"):
            return _value([{"id": key, "name": name} for key, name in model.applications.items()])
        blocks = [found for found in model.blocks.values() if application in (None, found.application)]
        if path.endswith("blocks"):
            listed = [found for found in blocks if found.type != BOARD_TYPE]
            return _value([{"id": found.id, "name": found.name, "type": found.type} for found in listed])
        ids = {found.id for found in blocks}
        views = [view for view in model.views.values() if view.block in ids and block in (None, view.block)]
        return _value([{"id": view.id, "name": view.name, "type": view.type} for view in views])

    def _encoded(self, answer: Answer, accepted: str) -> Answer:
        if self.switches.gzip and "gzip" in accepted:
            answer.body = _compressed(answer.body)
            answer.headers["content-encoding"] = "gzip"
        if self.switches.length:
            whole = b"".join(answer.body)
            answer.body = iter([whole])
            answer.headers["content-length"] = str(len(whole))
        return answer


def _json(body: bytes) -> tuple[Any, str]:
    if not body:
        return None, ""
    try:
        return json.loads(body), ""
    except ValueError as exc:
        return None, f"the body is not JSON: {exc}"


def _error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return _value({"title": "Error", "status": status, "detail": message}, status, headers)


def _value(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    data = json.dumps(value).encode()
    fields = {**(headers or {}), "content-length": str(len(data))}
    return Answer(status, iter([data]), "application/json", fields)


def _faulty(fault: Fault) -> Answer:
    if fault.kind == "redirect":
        return Answer(302, iter([b"moved"]), "text/plain", {"location": "https://elsewhere.example/login"})
    if fault.kind == "html":
        return Answer(200, iter([b"<!DOCTYPE html><html><body>Sign in</body></html>"]), "text/plain")
    if fault.kind == "json":
        return Answer(200, iter([b'{"error": "something went wrong"}']), "text/plain")
    return _error_answer(fault.status, "a fault", {"retry-after": fault.retry_after} if fault.retry_after else {})


def _compressed(body: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in body:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
