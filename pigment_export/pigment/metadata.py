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
class Listed:
    """An application, a block (a list, a metric or a table), or a view of one.

    Attributes:
        id: its UUID.
        name: its name for people.
        type: Pigment's word: `DimensionList`, `TransactionList`, `Metric` or `Table` for a block, `Public` or
            `Personal` for a view, nothing for an application.
    """

    id: str
    name: str
    type: str = ""

    @property
    def kind(self) -> Kind | None:
        """The kind of an export of a block; None for a type that this app does not know."""
        return _KINDS.get(self.type)


def read(data: bytes, *fields: str) -> tuple[Listed, ...]:
    """Read a listing.

    Args:
        data: Pigment's answer.
        *fields: that each line has, of those of `Listed`; others are left out.

    Raises:
        PermanentError: it is not the listing that Pigment documents.
    """
    try:
        lines = json.loads(data)
        listed = tuple(Listed(**{field: line[field] for field in fields}) for line in lines)
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UNREADABLE_LISTING.raised(type(exc).__name__) from None
    texts = (text for one in listed for text in (one.id, one.name, one.type))
    if not isinstance(lines, list) or not all(isinstance(text, str) for text in texts):
        raise UNREADABLE_LISTING.raised("TypeError")
    return listed
