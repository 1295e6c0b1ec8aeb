"""Write `exports.schema.json`, the catalog's schema for editors, from the models that validate it.

From the project's folder: `python -m scripts.make_schema`.
"""

import json
from pathlib import Path

from pigment_export.catalog.exports import json_schema


def main() -> None:
    """Write the file beside the catalog."""
    path = Path(__file__).parent.parent / "exports.schema.json"
    path.write_text(json.dumps(json_schema(), indent=1) + "\n")
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
