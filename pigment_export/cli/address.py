"""Arguments that name something in Pigment: the address of a page, or a kind and an id. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click

from pigment_export.catalog.exports import Kind

_UUID = r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}"
_PARTS = re.compile(
    rf"/application/(?P<application>{_UUID})|/(?P<kind>list|metric|table)s/(?P<block>{_UUID})"
    rf"|[?&#]viewid=(?P<view>{_UUID})"
)


@dataclass(frozen=True, slots=True)
class Address:
    """The ids in the address of a page in Pigment; None for each that it does not have."""

    application: str | None = None
    kind: Kind | None = None
    block: str | None = None
    view: str | None = None


def read_address(text: str) -> Address | None:
    """Read the address of a page in Pigment.

    Args:
        text: anything; an address has `://` in it.

    Returns:
        Its ids; None if the text is not an address.
    """
    if "://" not in text:
        return None
    found: dict[str, str] = {}
    for part in _PARTS.finditer(text.lower()):
        found = {name: value for name, value in part.groupdict().items() if value} | found
    kind = found.pop("kind", None)
    return Address(**found, kind=Kind(kind) if kind else None)


def named(words: Sequence[str]) -> tuple[Kind, str]:
    """Return the kind and the id that one or two arguments name: an address (its view, if it shows one), or both.

    Args:
        words: from the command line.

    Returns:
        The kind, and the id as it was written.

    Raises:
        click.UsageError: they name nothing that can be exported.
    """
    *kinds, text = words
    kind = _kind(kinds)
    address = read_address(text)
    if address is None:
        if kind is None:
            raise click.UsageError(f"{text!r} is not an address: write its kind before it ({', '.join(Kind)})")
        return kind, text
    if kind is None:
        kind = Kind.VIEW if address.view else address.kind
    found = address.view if kind is Kind.VIEW else address.block if kind is address.kind else None
    if kind is None or found is None:
        what = f"a {kind}" if kind else "a list, a metric, a table or a view"
        raise click.UsageError(f"this is not the address of {what}: open it in Pigment and copy the whole address")
    return kind, found


def id_in(text: str, part: str) -> str:
    """Return an id, from an address or as it is.

    Args:
        text: from the command line.
        part: `application`, `block` or `view`.

    Raises:
        click.UsageError: the address has none.
    """
    address = read_address(text)
    if address is None:
        return text
    found: str | None = getattr(address, part)
    if found is None:
        raise click.UsageError(f"the address has no {part}: {text}")
    return found


def _kind(words: Sequence[str]) -> Kind | None:
    if len(words) > 1:
        raise click.UsageError("give one kind and one id, or one address")
    try:
        return Kind(words[0].lower()) if words else None
    except ValueError as exc:
        raise click.UsageError(f"{words[0]!r} is not a kind; allowed: {', '.join(Kind)}") from exc
