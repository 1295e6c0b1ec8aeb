"""What Pigment lists: applications, their blocks, the views of these. Pure.

Source: Pigment's OpenAPI document, v1-external.
"""

import json
from dataclasses import dataclass

from pigment_export.catalog.exports import Kind
from pigment_export.pigment.errors import UNREADABLE_LISTING

LISTING_BYTES = 16 * 1024 * 1024  # of one answer, at most
_KINDS = {"DimensionList": Kind.LIST, "TransactionList": Kind.LIST, "Metric": Kind.METRIC, "Table": Kind.TABLE}


@dataclass(frozen=True, slots=True)
class Application:
    """An application."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Block:
    """A list, a metric or a table.

    Attributes:
        id: its UUID.
        name: its name for people.
        type: Pigment's word: `DimensionList`, `TransactionList`, `Metric` or `Table`.
    """

    id: str
    name: str
    type: str

    @property
    def kind(self) -> Kind | None:
        """The kind of an export of it; None for a type that this app does not know."""
        return _KINDS.get(self.type)


@dataclass(frozen=True, slots=True)
class View:
    """A view of a block.

    Attributes:
        id: its UUID.
        name: its name for people.
        type: Pigment's word: `Public` or `Personal`.
    """

    id: str
    name: str
    type: str


def read[T](made: type[T], data: bytes) -> tuple[T, ...]:
    """Read a listing; fields that are not known are left out.

    Args:
        made: `Application`, `Block` or `View`.
        data: Pigment's answer.

    Raises:
        PermanentError: it is not the listing that Pigment documents.
    """
    names = made.__slots__  # type: ignore[attr-defined]  # each is a dataclass with slots
    try:
        return tuple(made(**{name: _text(item[name]) for name in names}) for item in _items(json.loads(data)))
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UNREADABLE_LISTING.raised(type(exc).__name__) from None


def _items(value: object) -> list[dict[str, object]]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
