"""How records and metadata are written: JSON that a person can read, and ASCII that the service takes. Pure.

The service takes ASCII metadata without line breaks, and trims spaces: values are percent-encoded.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

_OURS = "pigment_"  # begins each metadata name of ours: a file that has none of them was not written by this app


def instant_in(text: str) -> datetime:
    """Read an instant.

    Raises:
        ValueError: it is none, or has no time zone.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return instant


def encode(fields: Mapping[str, Any]) -> dict[str, str]:
    """Fields as metadata."""
    return {f"{_OURS}{name}": quote(str(value), safe=",:+/") for name, value in fields.items()}


def decode(metadata: Mapping[str, str]) -> dict[str, str]:
    """Our fields in metadata; others are left out."""
    return {name.removeprefix(_OURS): unquote(value) for name, value in metadata.items() if name.startswith(_OURS)}


def read_record(data: bytes) -> Any:
    """Read a JSON record.

    Raises:
        ValueError: it is no JSON, or nested deeper than anything that this app writes.
    """
    try:
        return json.loads(data)
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc


def as_record(value: Any) -> bytes:
    """A value as a JSON record, legible to a person."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
