"""`add`: a table in the catalog from the address of a page in Pigment, or from a choice."""

import os
import re
import sys
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import click

from pigment_export.catalog.exports import Kind
from pigment_export.catalog.file import define
from pigment_export.cli.address import Address, named, read_address
from pigment_export.cli.catalog_text import read_text
from pigment_export.cli.find import PERSONAL, Finder, Thing
from pigment_export.cli.output import emit, emit_json, say
from pigment_export.environment import exports_file_of
from pigment_export.errors import ExportError

LONGEST_NAME = 60  # of a name that is made here; the catalog takes a few more characters
MOST_SHOWN = 30  # of a choice

type Chosen = tuple[Kind, str, Address, Thing | None]
"""What to add: a kind and an id, where in Pigment it is, and its line of a listing, as far as these are known."""


def add(
    *, what: Sequence[str], name: str | None, whole_block: bool, exports_file: str | None, as_json: bool, **more: Any
) -> None:
    """Add an export to the catalog."""
    finder = _finder()
    kind, found_id, place, found = _named(finder, what, whole_block=whole_block) if what else _choose(finder)
    catalog = read_text(exports_file or exports_file_of(os.environ))
    there = {export.name: export for export in catalog.exports()}
    same = [key for key, export in there.items() if (export.kind, export.id) == (kind, found_id)]
    if same and name is None:
        say(f"{catalog.file} has it already, as {', '.join(same)}; to export it once more, give it a --name")
        return
    if name in there:
        raise click.UsageError(f"{catalog.file} has an export {name!r} already: choose another --name")
    name = name or _free_name(kind, found_id, found, there)
    fields = {
        "kind": str(kind),
        "id": found_id,
        "application": place.application,
        "block": place.block if kind is Kind.VIEW else None,
        "owner": more["owner"],
        "groups": list(more["groups"]) or None,
    }
    fields = {field: value for field, value in fields.items() if value is not None}
    define(name, fields, where="command line")
    remarks = {"id": f"{_one_line(found.name)}, in {_one_line(found.application)}"} if found else {}
    catalog.replace(catalog.with_table(name, fields, remarks))
    if found and found.type == PERSONAL:
        say("note: this view is personal: only a key of its owner's can export it, and only while it exists for them")
    if as_json:
        emit_json({"file": catalog.file, "name": name, **fields})
    else:
        emit(f"added [{name}] to {catalog.file}\n")
        say(f"next: pigment-export run {name}")


def _finder() -> Finder | None:
    """None where there is no key to ask with."""
    try:
        return Finder()
    except ExportError as error:
        say(f"note: Pigment is not asked for names: {error.cause.reason.splitlines()[0]}")
        return None


def _named(finder: Finder | None, what: Sequence[str], *, whole_block: bool) -> Chosen:
    address = read_address(what[-1])
    if address is None and len(what) == 1:
        found = finder.find(what[0].lower()) if finder else None
        if found is None or found.kind is None:
            raise click.UsageError(
                f"{what[0]!r} is no address, and no list, metric, table or view of this id is known: write its kind"
                f" before it ({', '.join(Kind)})"
            )
        return found.kind, found.id, Address(found.application_id), found
    if whole_block and address and address.kind:
        what = [address.kind, what[-1]]
    kind, found_id = named(what)
    return _looked_up(finder, kind, found_id.lower(), address or Address())


def _looked_up(finder: Finder | None, kind: Kind, wanted: str, place: Address) -> Chosen:
    """With its name in Pigment, where the key may ask."""
    found = None
    if finder:
        try:
            found = finder.find(wanted, kind, place.application)
        except ExportError as error:
            say(f"note: its name is not known: {error.cause.reason}")
            return kind, wanted, place, None
        if found is None:
            raise click.UsageError(
                f"Pigment lists no {kind} {wanted} that the key's owner sees: check the id, the kind, and the"
                " access rights of the key's owner"
            )
        if found.kind is not kind:
            raise click.UsageError(f"{wanted} is {found.name}, which is a {found.kind}, not a {kind}")
        place = replace(place, application=found.application_id)
    return kind, wanted, place, found


def _choose(finder: Finder | None) -> Chosen:
    """Let a person choose: the application, then a block or one of its views."""
    if finder is None or not sys.stdin.isatty():
        raise click.UsageError("name what to add: the address of a page in Pigment, or a kind and an id")
    application = _one_of("application", finder.applications())
    block = _one_of("block", [found for found in finder.blocks(application) if found.kind is not None])
    views = list(finder.views(application, block.id))
    whole = replace(block, name=f"the whole {block.kind}")
    chosen = _one_of("view", [whole, *views]) if views else whole
    chosen = block if chosen is whole else chosen
    return chosen.kind or Kind.LIST, chosen.id, Address(application.id, block=block.id), chosen


def _one_of(what: str, things: Sequence[Thing]) -> Thing:
    """Ask for one of them by its number, or for a part of its name until few are left."""
    left = list(things)
    while True:
        for number, thing in enumerate(left[:MOST_SHOWN], start=1):
            say(f"{number:>4}  {thing.name}  ({thing.type})")
        if len(left) > MOST_SHOWN:
            say(f"      and {len(left) - MOST_SHOWN} more")
        answer = click.prompt(f"{what}: number, or a part of its name", err=True).strip()
        if answer.isdecimal() and 1 <= int(answer) <= min(len(left), MOST_SHOWN):
            return left[int(answer) - 1]
        narrowed = [thing for thing in things if thing.matches(answer)]
        if len(narrowed) == 1:
            return narrowed[0]
        left = narrowed or list(things)


def _free_name(kind: Kind, found_id: str, found: Thing | None, taken: Collection[str]) -> str:
    of_kind = f"{kind}_{found_id[:8]}"
    texts = [found.name, f"{found.name} {found.application}"] if found else []
    names = [_slug(text) or of_kind for text in texts] or [of_kind]
    numbered = (f"{names[-1]}_{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (*names, *numbered) if name not in taken)


def _slug(text: str) -> str:
    """A name in Pigment as the name of a folder: P&L by country becomes p_l_by_country."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].rstrip("_")
    return slug if slug[:1].isalpha() or not slug else f"x_{slug}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
