"""Write `exports.schema.json`, the catalog's schema for editors, from the models that validate it.

From the project's folder: `python -m scripts.make_schema`.
"""

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from pigment_export.catalog.exports import NAME_PATTERN, OPTIONS, Export

MODELS = (Export, *OPTIONS.values())
REFERENCE = "#/$defs/{model}"
NAMES = {kind: f"{kind.capitalize()}Export" for kind in OPTIONS}
"""The schemas of exports, by kind."""


def schemas_by_kind(definitions: dict[str, Any], reference: str) -> dict[str, Any]:
    """Return definitions with a schema for the exports of each kind, with the options of that kind.

    Args:
        definitions: the schemas of `MODELS`, and others.
        reference: to one of them.
    """
    others = {name: schema for name, schema in definitions.items() if name not in ("Export", "Kind")}
    export = definitions["Export"]
    exports = {
        NAMES[kind]: {
            **export,
            "description": f"A {kind}.",
            "properties": {
                **export["properties"],
                "kind": {"const": str(kind), "description": "What it exports.", "type": "string"},
                "options": {
                    "$ref": reference.format(model=options.__name__),
                    "default": options().model_dump(),
                    "description": f"Pigment's options for a {kind}.",
                },
            },
            "title": NAMES[kind],
        }
        for kind, options in OPTIONS.items()
    }
    return dict(sorted((others | exports).items()))


def document() -> dict[str, Any]:
    """Return the catalog's schema: a table of exports by their names."""
    _, written = models_json_schema([(model, "validation") for model in MODELS])
    definitions = schemas_by_kind(written["$defs"], REFERENCE)
    for name in NAMES.values():
        del definitions[name]["properties"]["name"]  # in the file, it is the table's name
        definitions[name]["required"] = ["id", "kind"]
    of_kind = {str(kind): REFERENCE.format(model=name) for kind, name in NAMES.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The catalog of exports",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": NAME_PATTERN},
        "additionalProperties": {
            "discriminator": {"mapping": of_kind, "propertyName": "kind"},
            "oneOf": [{"$ref": definition} for definition in of_kind.values()],
        },
        "$defs": definitions,
    }


def main() -> None:
    """Write the file next to the catalog."""
    path = Path(__file__).parent.parent / "exports.schema.json"
    path.write_text(json.dumps(document(), indent=1) + "\n")
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
