"""`docs/openapi.json` is made of the types that validate."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from scripts.make_openapi import document

WRITTEN = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())


def test_the_document_is_what_the_types_say() -> None:
    assert document() == WRITTEN, "python -m scripts.make_openapi writes it anew"


def test_its_schemas_are_schemas_and_its_calls_are_the_apps() -> None:
    for schema in WRITTEN["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert {path: sorted(calls) for path, calls in WRITTEN["paths"].items()} == {
        "/api/runs": ["get", "post"],
        "/api/runs/{runId}": ["get"],
        "/api/runs/{runId}/cancel": ["post"],
        "/api/health": ["get"],
        "/api/status": ["get"],
    }
