"""`apps`, `blocks`, `views`: list what is in Pigment, with ids. Each command asks Pigment for a listing only once.

Pigment's metadata calls return names, ids and types. They do not return the items, scenarios or dimensions of a block.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import click

from pigment_export import wiring
from pigment_export.catalog.exports import Kind, Listed
from pigment_export.cli.address import id_in
from pigment_export.cli.output import emit_json
from pigment_export.cli.parts import attended, settings_now
from pigment_export.cli.table import emit_table

PERSONAL = "Personal"  # a view that only its owner sees


class Finder:
    """Asks Pigment for its listings. It needs only a key, with the scope Modeling metadata.

    Attributes:
        applications: returns all applications that the key's owner sees.
    """

    def __init__(self) -> None:
        pigment, _ = wiring.pigment_alone_of(settings_now(), os.environ)
        self.applications = cache(lambda: pigment.applications(attended()))
        self._blocks_of = cache(lambda owner: pigment.blocks(attended(), owner))
        self._pigment = pigment

    def application(self, text: str) -> Listed:
        """Return an application by its id, its address or (part of) its name.

        Raises:
            click.UsageError: there is none, or more than one.
        """
        wanted = id_in(text, "application")
        found = [thing for thing in self.applications() if thing.id == wanted.lower()]
        found = found or [thing for thing in self.applications() if thing.name.lower() == wanted.lower()]
        found = found or [thing for thing in self.applications() if matches(thing, wanted)]
        if len(found) != 1:
            told = ", ".join(thing.name for thing in found or self.applications())
            raise click.UsageError(f"{'more than one' if found else 'no'} application matches {text!r}: {told}")
        return found[0]

    def blocks(self, application: Listed | None = None) -> Iterator[Listed]:
        """Yield the lists, metrics and tables of one application, or of all."""
        for owner in (application,) if application else self.applications():
            yield from self._blocks_of(owner)

    def views(self, application: Listed | None = None, block: str | None = None) -> Iterator[Listed]:
        """Yield the views of one application or of all, of one block or of all."""
        for owner in (application,) if application else self.applications():
            yield from self._pigment.views(attended(), owner, block=block)

    def find(self, wanted: str, kind: Kind | None = None, application: str | None = None) -> Listed | None:
        """Look for an id among blocks and views.

        Args:
            wanted: the id.
            kind: if it is known.
            application: id of the one to look in; None for all.

        Returns:
            What it is; None if the key's owner sees nothing with this id.
        """
        owner = next((thing for thing in self.applications() if thing.id == application), None)
        if kind is not Kind.VIEW and (found := next((one for one in self.blocks(owner) if one.id == wanted), None)):
            return found
        if kind in (None, Kind.VIEW):
            return next((one for one in self.views(owner) if one.id == wanted), None)
        return None


def matches(thing: Listed, text: str) -> bool:
    """Return whether a text is part of its name or the beginning of its id."""
    return text.lower() in thing.name.lower() or thing.id.startswith(text.lower())


def apps(*, search: str, as_json: bool) -> None:
    """List applications."""
    _show("application", Finder().applications(), search, ("name", "id"), as_json=as_json)


def blocks(*, search: str, app: str | None, as_json: bool) -> None:
    """List lists, metrics and tables."""
    finder = Finder()
    found = finder.blocks(finder.application(app) if app else None)
    _show("block", found, search, ("name", "kind", "id", "type", "application"), as_json=as_json)


def views(*, search: str, app: str | None, block: str | None, as_json: bool) -> None:
    """List views."""
    finder = Finder()
    owner = finder.application(app) if app else None
    found = finder.views(owner, id_in(block, "block") if block else None)
    _show("view", found, search, ("name", "id", "type", "application"), as_json=as_json)


def _show(what: str, things: Iterable[Listed], search: str, titles: Sequence[str], *, as_json: bool) -> None:
    found = [_fields(thing) for thing in things if matches(thing, search)]
    if as_json:
        emit_json(found)
    else:
        emit_table(found, titles, empty=f"the key's owner sees no such {what}")


def _fields(thing: Listed) -> dict[str, Any]:
    """Return it as `--json` prints it."""
    fields = {name: getattr(thing, name) for name in ("name", "id", "type", "kind", "application", "application_id")}
    return fields | ({"is_personal": thing.type == PERSONAL} if thing.kind is Kind.VIEW else {})
