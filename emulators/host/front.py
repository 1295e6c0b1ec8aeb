"""The host's handling of an HTTP request: routing, keys, and the answer."""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from emulators.host.functions import Function, HttpTrigger
from emulators.host.http_server import HttpAnswer, HttpRequest
from emulators.host.process import Plain

_ADMIN_FUNCTIONS = "/admin/functions/"
_ADMIN_STATUS = "/admin/host/status"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys for the routes; random by default."""

    function: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    master: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def admit(self, request: HttpRequest, auth_level: str) -> bool:
        """Return whether a request has a valid key, in its header or its query."""
        if auth_level == "anonymous":
            return True
        given = request.headers.get("x-functions-key") or request.query.get("code", "")
        good = [self.master] if auth_level == "admin" else [self.master, self.function]
        return any(secrets.compare_digest(given.encode(), key.encode()) for key in good)


class Front:
    """The routes of one function app.

    Args:
        functions: the enabled ones.
        keys: None accepts every request, as Core Tools does.
        call: calls an HTTP function and returns its answer, or None if it failed.
        trigger: starts any other function by name, with a text; returns whether it exists.
    """

    def __init__(
        self,
        functions: Iterable[Function],
        keys: Keys | None,
        call: Callable[[Function, Plain], Plain | None],
        trigger: Callable[[str, str], bool],
    ) -> None:
        routes = [(f, f.trigger) for f in functions if isinstance(f.trigger, HttpTrigger)]
        self._routes = sorted(routes, key=lambda found: found[1].route.rank)
        self._keys = keys
        self._call = call
        self._trigger = trigger

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer a request."""
        if request.path.lower().startswith("/admin/"):
            return self._administer(request)
        for function, trigger in self._routes:
            values = trigger.route.match(request.path)
            if values is None or (trigger.methods and request.method not in trigger.methods):
                continue
            if not self._admits(request, trigger.auth_level):
                return HttpAnswer(401)
            plain = {
                "method": request.method,
                "url": request.url,
                "headers": dict(request.headers),
                "params": dict(values),
                "query": dict(request.query),
                "body": request.body,
            }
            return _read_answer(self._call(function, ("http", plain)))
        return HttpAnswer(404)

    def _admits(self, request: HttpRequest, auth_level: str) -> bool:
        return self._keys is None or self._keys.admit(request, auth_level)

    def _administer(self, request: HttpRequest) -> HttpAnswer:
        """Answer a request of the admin API: the host's status, or starting a timer or queue function."""
        if not self._admits(request, "admin"):
            return HttpAnswer(401)
        path = request.path.lower().rstrip("/")
        if request.method == "GET" and path == _ADMIN_STATUS:
            return HttpAnswer(200, [("Content-Type", "application/json")], b'{"state": "Running"}')
        if request.method == "POST" and path.startswith(_ADMIN_FUNCTIONS):
            return HttpAnswer(self._fire(request, path.removeprefix(_ADMIN_FUNCTIONS)))
        return HttpAnswer(404)

    def _fire(self, request: HttpRequest, name: str) -> int:
        """Start a function by name and return the status; like the real host, check the body's JSON before the name."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415
        try:
            asked = json.loads(request.body)
        except ValueError:
            return 400
        if not isinstance(asked, dict):
            return 400
        return 202 if self._trigger(name, asked.get("input") or "") else 404


def _read_answer(plain: Plain | None) -> HttpAnswer:
    """Return the answer for a function's result; after a failure it is an empty 500."""
    match plain:
        case ("http", answer) if answer["status"].isdecimal():
            return HttpAnswer(int(answer["status"]), list(answer["headers"]), answer["body"])
        case ("string", text):
            return HttpAnswer(200, [("Content-Type", "text/plain; charset=utf-8")], text.encode())
        case _:
            return HttpAnswer(500)
