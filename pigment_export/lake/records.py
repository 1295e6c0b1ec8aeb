"""The format of records: JSON that a person can read, and metadata that the service accepts. Pure.

A listing returns the metadata of many files at once, so the fields that it needs are also in the metadata. The service
accepts at most 8 KiB of ASCII without line breaks, and trims spaces: values are percent-encoded, and long ones are cut.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import quote, unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema

LONGEST_VALUE = 1024  # characters per metadata value: no record has more than six long texts
_OURS = "pigment_"  # prefix of our metadata names: a file without any of them was not written by this app


def _instant(value: Any) -> datetime:
    """Read an instant; reject numbers and instants without a time zone."""
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
    """A record that reads and writes itself, as JSON and as metadata. It ignores unknown fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True)

    def to_fields(self) -> dict[str, Any]:
        """Return the fields as JSON values, without those that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        return (json.dumps(self.to_fields(), ensure_ascii=False, indent=1) + "\n").encode()

    def to_metadata(self) -> dict[str, str]:
        """Return the fields as metadata: ASCII without line breaks, as the service requires."""
        return encode(self.to_fields())

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read a stored record.

        Raises:
            ValueError: it is not such a record.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as exc:
            wrong = ", ".join(".".join(map(str, error["loc"])) or "its JSON" for error in exc.errors(include_url=False))
            raise ValueError(f"missing or malformed: {wrong}") from exc

    @classmethod
    def found_in(cls, data: bytes) -> Self | None:
        """Read a stored record; None if there is none, or it is not readable."""
        try:
            return cls.from_json(data)
        except ValueError:
            return None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Read the metadata that `to_metadata` wrote; None if it is something else."""
        try:
            return cls.model_validate(decode(metadata))
        except ValidationError:
            return None


def encode(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return fields as metadata; lists are joined by commas."""
    return {f"{_OURS}{name}": _value(value) for name, value in fields.items()}


def decode(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return our fields of the metadata, without others."""
    return {name.removeprefix(_OURS): unquote(value) for name, value in metadata.items() if name.startswith(_OURS)}


def _value(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    while len(quoted := quote(text, safe=",:+/")) > LONGEST_VALUE:
        text = text[: max(0, len(text) - (len(quoted) - LONGEST_VALUE + 11) // 12)]  # a character takes at most 12
    return quoted
