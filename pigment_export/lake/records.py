"""How records are written: JSON that a person can read, and metadata that the service takes. Pure.

A listing shows the metadata of many files at once, so that what it needs stands there, too. The service takes ASCII
without line breaks, trims spaces, and takes 8 KiB in all: values are percent-encoded, and long ones are cut.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import quote, unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema

LONGEST_VALUE = 1024  # characters of one metadata value: no record has more than six long texts
_OURS = "pigment_"  # begins each metadata name of ours: a file that has none of them was not written by this app


def _instant(value: Any) -> datetime:
    """Read an instant; one without a time zone, or a number, is none."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise ValueError("an instant with its time zone is needed")
    return instant


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(datetime.isoformat, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time, with its time zone; ISO 8601 in records."""


class Record(BaseModel):
    """A record that reads and writes itself, as JSON and as metadata. Fields that it doesn't know are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True)

    def to_fields(self) -> dict[str, Any]:
        """Return the fields as JSON values, without those that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        return (json.dumps(self.to_fields(), ensure_ascii=False, indent=1) + "\n").encode()

    def to_metadata(self) -> dict[str, str]:
        """Return the fields as metadata: ASCII without line breaks, as the service demands."""
        return encode(self.to_fields())

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read a stored record.

        Raises:
            ValueError: it is no such record.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as exc:
            wrong = ", ".join(".".join(map(str, error["loc"])) or "its JSON" for error in exc.errors(include_url=False))
            raise ValueError(f"missing or malformed: {wrong}") from exc

    @classmethod
    def found_in(cls, data: bytes) -> Self | None:
        """Read a stored record; None where there is none, or nothing that can be read as one."""
        try:
            return cls.from_json(data)
        except ValueError:
            return None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Read what `to_metadata` wrote; None where it is something else."""
        try:
            return cls.model_validate(decode(metadata))
        except ValidationError:
            return None


def encode(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return fields as metadata; lists are joined by commas."""
    return {f"{_OURS}{name}": _value(value) for name, value in fields.items()}


def decode(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return our fields in metadata; others are left out."""
    return {name.removeprefix(_OURS): unquote(value) for name, value in metadata.items() if name.startswith(_OURS)}


def _value(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    while len(quoted := quote(text, safe=",:+/")) > LONGEST_VALUE:
        text = text[: max(0, len(text) - (len(quoted) - LONGEST_VALUE + 11) // 12)]  # a character takes 12 at most
    return quoted
