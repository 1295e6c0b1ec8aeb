"""`apps`, `blocks`, `views`: list what is in Pigment, with ids. Each command asks Pigment for a listing only once.

Pigment's metadata calls return names, ids and types. They do not return the items, scenarios or dimensions of a block.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from pigment_export import wiring
from pigment_export.catalog.exports import Kind
from pigment_export.cli.address import id_in
from pigment_export.cli.output import emit_json
from pigment_export.cli.parts import attended, settings_now
from pigment_export.cli.table import emit_table

PERSONAL = "Personal"  # a view that only its owner sees


@dataclass(frozen=True, slots=True)
class Thing:
    """A line of a listing.

    Attributes:
        id: its UUID.
        name: its name for people.
        type: Pigment's word for it.
        kind: of an export of it; None for an application, and for a type that this app does not know.
        application: the name of the application that it belongs to.
        application_id: and its id.
        block: id of a view's block, if that is known.
    """

    id: str
    name: str
    type: str
    kind: Kind | None
    application: str
    application_id: str
    block: str | None = None

    def matches(self, text: str) -> bool:
        """Return whether a text is part of its name or the beginning of its id."""
        return text.lower() in self.name.lower() or self.id.startswith(text.lower())

    def to_fields(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        fields = {name: getattr(self, name) for name in ("name", "id", "type", "kind", "application", "application_id")}
        return fields | ({"is_personal": self.type == PERSONAL} if self.kind is Kind.VIEW else {})


class Finder:
    """Asks Pigment for its listings. It needs only a key, with the scope Modeling metadata."""

    def __init__(self) -> None:
        self._pigment, _ = wiring.pigment_alone_of(settings_now(), os.environ)
        self._applications: tuple[Thing, ...] | None = None
        self._blocks: dict[str, tuple[Thing, ...]] = {}

    def applications(self) -> tuple[Thing, ...]:
        """Return all applications that the key's owner sees."""
        if self._applications is None:
            self._applications = tuple(
                Thing(found.id, found.name, "Application", None, found.name, found.id)
                for found in self._pigment.applications(attended())
            )
        return self._applications

    def application(self, text: str) -> Thing:
        """Return an application by its id, its address or (part of) its name.

        Raises:
            click.UsageError: there is none, or more than one.
        """
        wanted = id_in(text, "application")
        found = [thing for thing in self.applications() if thing.id == wanted.lower()]
        found = found or [thing for thing in self.applications() if thing.name.lower() == wanted.lower()]
        found = found or [thing for thing in self.applications() if thing.matches(wanted)]
        if len(found) != 1:
            told = ", ".join(thing.name for thing in found or self.applications())
            raise click.UsageError(f"{'more than one' if found else 'no'} application matches {text!r}: {told}")
        return found[0]

    def blocks(self, application: Thing | None = None) -> Iterator[Thing]:
        """Yield the lists, metrics and tables of one application, or of all."""
        for owner in (application,) if application else self.applications():
            if owner.id not in self._blocks:
                self._blocks[owner.id] = tuple(
                    Thing(found.id, found.name, found.type, found.kind, owner.name, owner.id)
                    for found in self._pigment.blocks(attended(), application=owner.id)
                )
            yield from self._blocks[owner.id]

    def views(self, application: Thing | None = None, block: str | None = None) -> Iterator[Thing]:
        """Yield the views of one application or of all, of one block or of all."""
        for owner in (application,) if application else self.applications():
            for found in self._pigment.views(attended(), application=owner.id, block=block):
                yield Thing(found.id, found.name, found.type, Kind.VIEW, owner.name, owner.id)

    def find(self, wanted: str, kind: Kind | None = None, application: str | None = None) -> Thing | None:
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


def _show(what: str, things: Iterable[Thing], search: str, titles: Sequence[str], *, as_json: bool) -> None:
    found = [thing.to_fields() for thing in things if thing.matches(search)]
    if as_json:
        emit_json(found)
    else:
        emit_table(found, titles, empty=f"the key's owner sees no such {what}")
