"""`add`: add a table to the catalog, from the address of a page in Pigment or from a list of choices."""

import os
import re
import sys
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import click

from pigment_export.catalog.exports import Kind, Listed
from pigment_export.catalog.file import define
from pigment_export.cli.address import Address, named, read_address
from pigment_export.cli.catalog_text import read_text
from pigment_export.cli.find import PERSONAL, Finder, matches
from pigment_export.cli.output import emit, emit_json, say
from pigment_export.environment import exports_file_of
from pigment_export.errors import ExportError

LONGEST_NAME = 60  # of a name that is made here; the catalog takes a few more characters
MOST_SHOWN = 30  # of a choice


def add(
    *, what: Sequence[str], name: str | None, whole_block: bool, exports_file: str | None, as_json: bool, **more: Any
) -> None:
    """Add an export to the catalog."""
    finder = _finder()
    thing = _named(finder, what, whole_block=whole_block) if what else _choose(finder)
    catalog = read_text(exports_file or exports_file_of(os.environ))
    there = {export.name: export for export in catalog.exports()}
    same = [key for key, export in there.items() if (export.kind, export.id) == (thing.kind, thing.id)]
    if same and name is None:
        say(f"{catalog.file} already has this export, as {', '.join(same)}; to add it again, give it another --name")
        return
    if name in there:
        raise click.UsageError(f"{catalog.file} already has an export {name!r}: choose another --name")
    name = name or _free_name(thing, there)
    fields = {
        "kind": str(thing.kind),
        "id": thing.id,
        "application": thing.application_id or None,
        "block": thing.block if thing.kind is Kind.VIEW else None,
        "owner": more["owner"],
        "groups": list(more["groups"]) or None,
    }
    fields = {field: value for field, value in fields.items() if value is not None}
    define(name, fields, where="command line")
    remarks = {"id": f"{thing.name}, in {thing.application}"} if thing.name else {}
    catalog.replace(catalog.with_table(name, fields, remarks))
    if thing.type == PERSONAL:
        say(
            "note: this is a personal view: only a key of its owner can export it, and only as long as its owner has it"
        )
    if as_json:
        emit_json({"file": catalog.file, "name": name, **fields})
    else:
        emit(f"added [{name}] to {catalog.file}\n")
        first = "" if catalog.file == exports_file_of(os.environ) else f"set EXPORTS_FILE to {catalog.file}, then "
        say(f"next: {first}pigment-export run {name}")


def _finder() -> Finder | None:
    """Return a finder, or None without a usable key."""
    try:
        return Finder()
    except ExportError as error:
        say(f"note: names cannot be looked up in Pigment: {error.cause.reason.splitlines()[0]}")
        return None


def _named(finder: Finder | None, what: Sequence[str], *, whole_block: bool) -> Listed:
    """Return what the arguments name; its name in Pigment is empty if the key cannot read it."""
    address = read_address(what[-1])
    if address is None and len(what) == 1:
        found = finder.find(what[0].lower()) if finder else None
        if found is None or found.kind is None:
            raise click.UsageError(
                f"{what[0]!r} is not an address, and no list, metric, table or view with this id was found: write its"
                f" kind before it ({', '.join(Kind)})"
            )
        return found
    address = address or Address()
    kind, found_id = named([address.kind, what[-1]] if whole_block and address.kind else what)
    thing = Listed(found_id.lower(), "", "", kind, "", address.application or "", address.block)
    try:
        found = finder.find(thing.id, kind, thing.application_id) if finder else thing
    except ExportError as error:
        say(f"note: its name could not be looked up: {error.cause.reason}")
        return thing
    if found is None:
        raise click.UsageError(
            f"the key's owner sees no {kind} {thing.id} in Pigment: check the id, the kind and the access"
            " rights of the key's owner"
        )
    if found.kind is not kind:
        raise click.UsageError(f"{thing.id} is {found.name}, which is a {found.kind}, not a {kind}")
    return replace(found, block=address.block)


def _choose(finder: Finder | None) -> Listed:
    """Ask for the application, then for a block or one of its views."""
    if finder is None or not sys.stdin.isatty():
        raise click.UsageError("give the address of a page in Pigment, or a kind and an id")
    application = _one_of("application", finder.applications())
    block = _one_of("block", [found for found in finder.blocks(application) if found.kind is not None])
    views = [replace(view, block=block.id) for view in finder.views(application, block.id)]
    whole = replace(block, name=f"the whole {block.kind}")
    chosen = _one_of("view", [whole, *views]) if views else whole
    return block if chosen is whole else chosen


def _one_of(what: str, things: Sequence[Listed]) -> Listed:
    """Ask for one of them by its number, or by part of its name until few are left."""
    left = list(things)
    while True:
        for number, thing in enumerate(left[:MOST_SHOWN], start=1):
            say(f"{number:>4}  {thing.name}  ({thing.type})")
        if len(left) > MOST_SHOWN:
            say(f"      and {len(left) - MOST_SHOWN} more")
        answer = click.prompt(f"{what}: number, or part of its name", err=True).strip()
        if answer.isdecimal() and 1 <= int(answer) <= min(len(left), MOST_SHOWN):
            return left[int(answer) - 1]
        narrowed = [thing for thing in things if matches(thing, answer)]
        if len(narrowed) == 1:
            return narrowed[0]
        left = narrowed or list(things)


def _free_name(thing: Listed, taken: Collection[str]) -> str:
    of_kind = f"{thing.kind}_{thing.id[:8]}"
    texts = [thing.name, f"{thing.name} {thing.application}"] if thing.name else []
    names = [_slug(text) or of_kind for text in texts] or [of_kind]
    numbered = (f"{names[-1]}_{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (*names, *numbered) if name not in taken)


def _slug(text: str) -> str:
    """Return a name in Pigment as the name of a folder: P&L by country becomes p_l_by_country."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].rstrip("_")
    return slug if slug[:1].isalpha() or not slug else f"x_{slug}"
