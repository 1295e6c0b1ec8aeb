"""The HTTP functions in process, on a lake in memory: every answer is validated against `docs/openapi.json`."""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from pigment_export import settings
from pigment_export.app.calls import HttpCall
from pigment_export.app.http import HttpAnswer
from pigment_export.app.parts import App
from pigment_export.errors import ExportError
from pigment_export.lake.call import CallLake
from pigment_export.retry import ANSWER_SECONDS, Deadline
from pigment_export.runs.work import record_poison
from tests.harness.run_world import Seen, World

OPENAPI = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
URL = "https://app.azurewebsites.net"
ENVIRON = {
    "WEBSITE_SITE_NAME": "app",
    "KEY_VAULT_URL": "https://my-vault.vault.azure.net",
    "DATA_LAKE_URL": "https://mylake.dfs.core.windows.net",
    "DATA_LAKE_FILE_SYSTEM": "planning",
}


@functools.cache
def schema(name: str) -> Draft202012Validator:
    """Return the validator of a component, with the components that it refers to."""
    document = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    return Draft202012Validator(document, format_checker=FormatChecker())


@dataclass
class Told:
    """A decoded answer."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    text: str
    messages: list[str]


def told(path: str, method: str, answer: HttpAnswer) -> Told:
    """Decode an answer, and check that `docs/openapi.json` allows it."""
    responses = OPENAPI["paths"][path][method]["responses"]
    assert str(answer.status) in responses, f"{answer.status} is not described"
    described = responses[str(answer.status)]
    allowed = described.get("headers", {})
    assert set(answer.headers) <= set(allowed)
    assert {name for name, header in allowed.items() if header.get("required")} <= set(answer.headers)
    body = json.loads(answer.body)
    name = described["content"][answer.media_type]["schema"]["$ref"].rpartition("/")[2]
    schema(name).validate(body)
    if answer.media_type == "application/problem+json":
        assert body["status"] == answer.status
    return Told(answer.status, answer.headers, body, answer.body.decode(), list(answer.messages))


class ApiWorld(World):
    """A deployment and its HTTP functions.

    Args:
        *exports: as for `World`.
        inline: whether callers may define exports.
        **environ: added to `ENVIRON`.
    """

    def __init__(self, *exports: Any, inline: bool = False, **environ: str) -> None:
        super().__init__(*exports)
        self.environ = ENVIRON | {"ALLOW_INLINE_EXPORTS": str(inline).lower()} | environ
        self.around: Any = Seen()  # see `Watched`
        self.key_error: ExportError | None = None
        self.pigment: bool | ExportError = True  # whether the key may read metadata, too
        self.keys_used: list[str | None] = []
        self.catalog_error: ExportError | None = None

    def _catalog(self, _data: bytes) -> Any:
        self.chosen += 1
        if self.catalog_error:
            raise self.catalog_error
        return self.catalog()

    def _read_key(self, secret: str | None) -> str:
        if self.key_error:
            raise self.key_error
        return f"k3y-that-is-shown-nowhere {secret}"

    def _check_key(self, secret: str | None, _deadline: Any) -> bool:
        self.keys_used.append(secret)
        if isinstance(self.pigment, ExportError):
            raise self.pigment
        return self.pigment

    def app(self, call: Deadline | None = None) -> App:
        """Return the app's parts, bound to a call of the same length on this world's clocks."""
        seconds = call.ends_at - call.began_at if call else ANSWER_SECONDS
        deadline = self.deadline(seconds, patience_seconds=seconds / 2)
        read = settings.load(self.environ)
        runs = self.runs(self.around, deployment=read.deployment, zone=read.export_time_zone.key)
        return App(
            settings=read,
            lake=CallLake(runs.lake.once, deadline),
            folder=Path(__file__).parents[2],
            load_catalog=self._catalog,
            make_runs=lambda lake: replace(runs, lake=lake),
            read_key=self._read_key,
            check_key=self._check_key,
            base_url=URL,
        )

    def call(self, headers: Mapping[str, str], query: Mapping[str, str] | None = None, body: bytes = b"") -> HttpCall:
        return HttpCall(self.app, self.environ, headers, query or {}, body)

    # Calls

    def post(
        self, body: Any = b"", key: str | None = None, query: Mapping[str, str] | None = None, **headers: str
    ) -> Told:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"idempotency-key": key} if key is not None else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return told("/api/runs", "post", self.call(sent, query, data).start_run())

    def get(self, run_id: str, query: Mapping[str, str] | None = None, **headers: str) -> Told:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return told("/api/runs/{runId}", "get", self.call(sent, query).run_status(run_id))

    def cancel(self, run_id: str, query: Mapping[str, str] | None = None, **headers: str) -> Told:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return told("/api/runs/{runId}/cancel", "post", self.call(sent, query).cancel_run(run_id))

    def status(self, query: Mapping[str, str] | None = None) -> Told:
        """Ask for a run that does not exist."""
        return self.get("20261124T060000Z-0000000000000000", query)

    def recent(self, query: Mapping[str, str] | None = None) -> Told:
        return told("/api/runs", "get", self.call({}, query).list_runs())

    def health(self, query: Mapping[str, str] | None = None, *, deep: bool = False) -> Told:
        return told("/api/health", "get", self.call({}, {"deep": "true"} if deep else query).health())

    def poison(self, messages: Iterable[str]) -> None:
        for text in messages:
            record_poison(self.runs(), text, queue="poison")

    def names(self, answer: Told) -> list[str]:
        """Return the exports in a run's plan."""
        plan = self.runs().plan_of(answer.body["run_id"])
        assert plan
        return list(plan.names)
