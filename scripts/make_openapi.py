"""Write `docs/openapi.json`, the description of the app's HTTP interface, from the models that validate and answer.

From the project's folder: `python -m scripts.make_openapi`.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from pigment_export import __version__
from pigment_export.app import page
from pigment_export.app.http import POLL_SECONDS, PROBLEM, RETRY_SECONDS
from pigment_export.app.requests import Query, RunRequest
from pigment_export.app.schemas import HealthReport, Problem, Run, RunList
from pigment_export.app.start import INLINE_FIELDS, LONGEST_KEY
from scripts.make_schema import MODELS, NAMES, schemas_by_kind

JSON = "application/json"
REFERENCE = "#/components/schemas/{model}"
RUN_FAILED = "RunFailed"
ABOUT = """\
Start and follow runs that export data from Pigment to the lake. A start answers 202 with `Location`. That address \
answers 202 while the run is in progress, 200 if every export succeeded, and 409 if not. If the Functions host itself \
refuses a call (no function key, no token, a wrong method), its answer does not have the bodies described here."""

LATER = {"description": "Seconds to wait before the next call.", "schema": {"type": "integer", "minimum": 1}}
TO_FOLLOW = {
    "Location": {
        "description": "Absolute address of the run, to follow it.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    },
    "Retry-After": {**LATER, "required": True, "example": POLL_SECONDS},
}
REFUSALS = {
    400: "The body is not a JSON object, or is too large.",
    401: "No principal: the call needs a token from Entra, or a function key.",
    403: "This deployment only runs exports that are in its catalog.",
    404: "This deployment has no run with this id.",
    422: "The request is not allowed; the answer lists every problem.",
    500: "The app's own settings, catalog or records are wrong.",
    503: "A service does not answer at the moment; or, without `Retry-After`, the app's setup allows no calls.",
}


class _Schema(GenerateJsonSchema):
    """A schema in which a field that answers may omit is never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Allow null only in requests."""
        if self.mode == "serialization":
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Omit a default of null."""
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def document() -> dict[str, Any]:
    """Return the whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pigment exports to the lake", "version": __version__, "description": ABOUT},
        "servers": [{"url": "https://{host}", "variables": {"host": {"default": "my-app.azurewebsites.net"}}}],
        "security": [{"functionKey": []}, {"entra": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "functionKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": "If `HTTP_AUTH_LEVEL` is `FUNCTION` or `ADMIN`.",
                },
                "entra": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token from Entra for the app's registration, if authentication is turned on.",
                },
            },
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key with the same request returns the same run. Without a key, each call starts one.",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]*$"},
    }
    run_id = {
        "name": "runId",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "example": "20261124T060000Z-0123456789abcdef",
    }
    goes_on = _told("The run is in progress.", "Run", headers=TO_FOLLOW)
    failing = _told("A check failed; each failed check has a remedy. Or as for the other calls.", "HealthReport")
    failing["content"] |= _refusal(503)["content"]
    return {
        "/api/runs": {
            "post": {
                "operationId": "startRun",
                "summary": "Start a run, or return the one with the same key",
                "parameters": [key],
                "requestBody": {"content": {JSON: {"schema": _of("RunRequest")}}},
                "responses": {
                    "202": _told("The run has been started, now or by an earlier call.", "Run", headers=TO_FOLLOW),
                    **_refusals(400, 401, 403, 422, 500, 503),
                    "409": _told(
                        "The run to retry has not ended, or the run of this key expired before it began.",
                        "Problem",
                        PROBLEM,
                    ),
                },
            },
            "get": {
                "operationId": "listRuns",
                "summary": "List recent runs, newest first",
                "parameters": _query("limit", "state"),
                "responses": {"200": _told("The runs.", "RunList"), **_refusals(401, 422, 500, 503)},
            },
        },
        "/api/runs/{runId}": {
            "get": {
                "operationId": "runStatus",
                "summary": "Show the progress or the result of a run",
                "parameters": [run_id],
                "responses": {
                    "200": _told("Every export succeeded.", "Run"),
                    "202": goes_on,
                    "409": _told("The run has ended, and an export failed or is held.", RUN_FAILED, PROBLEM),
                    **_refusals(401, 404, 422, 500, 503),
                },
            }
        },
        "/api/runs/{runId}/cancel": {
            "post": {
                "operationId": "cancelRun",
                "summary": "Cancel a run: no further export starts, and downloads in progress stop",
                "parameters": [run_id],
                "responses": {
                    "200": _told("The run had already ended, and every export succeeded.", "Run"),
                    "202": _told("The run is cancelled, and its exports are ending.", "Run", headers=TO_FOLLOW),
                    "409": _told("The run had already ended, and an export failed or is held.", RUN_FAILED, PROBLEM),
                    **_refusals(401, 404, 422, 500, 503),
                },
            }
        },
        "/api/health": {
            "get": {
                "operationId": "health",
                "summary": "Check whether the app is up and, with `deep`, whether it can export",
                "parameters": _query("deep"),
                "responses": {
                    "200": _told("The app is up, and every check that was requested passed.", "HealthReport"),
                    "503": failing,
                    **_refusals(401, 422, 500),
                },
            }
        },
        "/api/status": {
            "get": {
                "operationId": "statusPage",
                "summary": "Show the status page, for people",
                "responses": {
                    "200": {
                        "description": "A self-contained page: health, last files, failures and held files.",
                        "headers": {name: {"schema": {"type": "string"}} for name in page.headers()},
                        "content": {"text/html": {"schema": {"type": "string"}}},
                    },
                    **_refusals(401, 422, 500, 503),
                },
            }
        },
    }


def _query(*names: str) -> list[dict[str, Any]]:
    """Return the query parameters of a call; others are rejected."""
    properties = Query.model_json_schema(mode="serialization", schema_generator=_Schema)["properties"]
    return [
        {"name": name, "in": "query", "description": properties[name].pop("description"), "schema": properties[name]}
        for name in names
    ]


def _of(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}


def _told(what: str, name: str, media_type: str = JSON, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"description": what, "content": {media_type: {"schema": _of(name)}}}
    return told | ({"headers": headers} if headers else {})


def _refusal(status: int) -> dict[str, Any]:
    later = {"Retry-After": {**LATER, "example": RETRY_SECONDS}} if status == 503 else None  # noqa: PLR2004 - the status
    return _told(REFUSALS[status], "Problem", PROBLEM, later)


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): _refusal(status) for status in statuses}


def _schemas() -> dict[str, Any]:
    _, written = models_json_schema(
        [
            *((model, "validation") for model in (RunRequest, *MODELS)),
            *((model, "serialization") for model in (Run, RunList, HealthReport, Problem)),
        ],
        ref_template=REFERENCE,
        schema_generator=_Schema,
    )
    schemas = schemas_by_kind(written["$defs"], REFERENCE)
    for name in NAMES.values():
        schema = schemas[name]
        schema["properties"] = {name: schema["properties"][name] for name in INLINE_FIELDS}
        del schema["properties"]["options"]["default"]  # its fields have their own
    schemas["RunRequest"]["properties"]["export"] = {
        "description": schemas["RunRequest"]["properties"]["export"]["description"],
        "anyOf": [{"oneOf": [_of(name) for name in NAMES.values()]}, {"type": "null"}],
    }
    run, problem = schemas["Run"], schemas["Problem"]
    schemas[RUN_FAILED] = {
        "title": RUN_FAILED,
        "description": "A run that has failed: the fields of a problem, and those of the run.",
        "type": "object",
        "properties": {**run["properties"], **problem["properties"]},
        "required": [*run["required"], *problem["required"]],
        "additionalProperties": False,
    }
    return dict(sorted(schemas.items()))


def main() -> None:
    """Write the file."""
    path = Path(__file__).parent.parent / "docs" / "openapi.json"
    path.write_text(json.dumps(document(), indent=1) + "\n")
    print(f"wrote docs/{path.name}")


if __name__ == "__main__":
    main()
