"""`add`: a table in the catalog from the address of a page in Pigment, or from a choice."""

import os
import re
import sys
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from pigment_export.catalog.exports import Kind
from pigment_export.catalog.file import define
from pigment_export.cli.address import named, read_address
from pigment_export.cli.catalog_text import CatalogText, exports_file_of, read_text
from pigment_export.cli.finder import PERSONAL, Finder, Thing
from pigment_export.cli.output import OK, emit, emit_json, say
from pigment_export.errors import ExportError

LONGEST_NAME = 60  # of a name that is made here; the catalog takes a few more characters
MOST_SHOWN = 30  # of a choice


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What to add: a kind and an id, and where in Pigment it is, as far as that is known."""

    kind: Kind
    id: str
    application: str | None = None
    block: str | None = None
    found: Thing | None = None


@click.command()
@click.argument("what", metavar="[[KIND] ID]", nargs=-1)
@click.option("--name", help="The export's name.  [default: made from its name in Pigment]")
@click.option("--owner", help="Named in receipts and alerts.")
@click.option("--group", "groups", multiple=True, help="A group that it belongs to; may be repeated.")
@click.option("--whole-block", is_flag=True, help="Of an address that shows a view: export the block behind it.")
@click.option("--file", "exports_file", help="The catalog: a path or lake:PATH.  [default: EXPORTS_FILE]")
@click.option("--json", "as_json", is_flag=True, help="Print what was added as JSON.")
def add(
    *,
    what: Sequence[str],
    name: str | None,
    whole_block: bool,
    exports_file: str | None,
    as_json: bool,
    **more: Any,
) -> int:
    """Add an export to the catalog; comments and order of the file stay.

    ID is the address of a page in Pigment, or an id; without it, you choose from a list. A key that may read metadata
    finds its name and kind; with any other, an address or KIND and an id will do.

    Example: pigment-export add "https://pigment.app/application/…/tables/…?viewId=…"
    """
    finder = _finder()
    chosen = _choose(finder) if not what else _named(finder, what, whole_block=whole_block)
    catalog = read_text(exports_file or exports_file_of(os.environ), os.environ)
    there = {export.name: export for export in catalog.exports()}
    same = [key for key, export in there.items() if (export.kind, export.id) == (chosen.kind, chosen.id)]
    if same and name is None:
        say(f"{catalog.file} has it already, as {', '.join(same)}; to export it once more, give it a --name")
        return OK
    if name in there:
        raise click.UsageError(f"{catalog.file} has an export {name!r} already: choose another --name")
    fields = _fields(chosen, **more)
    _add(catalog, name or _free_name(chosen, there), fields, chosen, as_json=as_json)
    return OK


def _add(catalog: CatalogText, name: str, fields: dict[str, object], chosen: _Chosen, *, as_json: bool) -> None:
    define(name, fields, where="command line")
    found = chosen.found
    remarks = {"id": f"{_one_line(found.name)}, in {_one_line(found.application)}"} if found else {}
    text = catalog.with_table(name, fields, remarks)
    catalog.replace(text)
    if found and found.type == PERSONAL:
        say("note: this view is personal: only a key of its owner's can export it, and only while it exists for them")
    if as_json:
        emit_json({"file": catalog.file, "name": name, **fields})
    else:
        emit(f"added [{name}] to {catalog.file}\n")
        say(f"next: pigment-export run {name}")


def _fields(chosen: _Chosen, owner: str | None, groups: Sequence[str]) -> dict[str, object]:
    fields = {
        "kind": str(chosen.kind),
        "id": chosen.id,
        "application": chosen.application,
        "block": chosen.block if chosen.kind is Kind.VIEW else None,
        "owner": owner,
        "groups": list(groups) or None,
    }
    return {field: value for field, value in fields.items() if value is not None}


def _finder() -> Finder | None:
    """None where there is no key to ask with."""
    try:
        return Finder(os.environ)
    except ExportError as error:
        say(f"note: Pigment is not asked for names: {error.cause.reason.splitlines()[0]}")
        return None


def _named(finder: Finder | None, what: Sequence[str], *, whole_block: bool) -> _Chosen:
    address = read_address(what[-1])
    if address is not None:
        words = [str(address.kind), what[-1]] if whole_block and address.kind else what
        kind, found_id = named(words)
        return _looked_up(finder, _Chosen(kind, found_id, address.application, address.block))
    if len(what) > 1:
        kind, found_id = named(what)
        return _looked_up(finder, _Chosen(kind, found_id.lower()))
    found = finder.find(what[0].lower()) if finder else None
    if found is None or found.kind is None:
        raise click.UsageError(
            f"{what[0]!r} is no address, and no list, metric, table or view of this id is known: write its kind before"
            f" it ({', '.join(Kind)})"
        )
    return _Chosen(found.kind, found.id, found.application_id, found=found)


def _looked_up(finder: Finder | None, chosen: _Chosen) -> _Chosen:
    """With its name in Pigment, where the key may ask."""
    if finder is None:
        return chosen
    try:
        found = finder.find(chosen.id, chosen.kind, chosen.application)
    except ExportError as error:
        say(f"note: its name is not known: {error.cause.reason}")
        return chosen
    if found is None:
        raise click.UsageError(
            f"Pigment lists no {chosen.kind} {chosen.id} that the key's owner sees: check the id, the kind, and the"
            " access rights of the key's owner"
        )
    if found.kind is not chosen.kind:
        raise click.UsageError(f"{chosen.id} is {found.name}, which is a {found.kind}, not a {chosen.kind}")
    return replace(chosen, application=found.application_id, found=found)


def _choose(finder: Finder | None) -> _Chosen:
    """Let a person choose: the application, then a block or one of its views."""
    if finder is None or not sys.stdin.isatty():
        raise click.UsageError("name what to add: the address of a page in Pigment, or a kind and an id")
    application = _one_of("application", finder.applications())
    block = _one_of("block", [found for found in finder.blocks(application) if found.kind is not None])
    views = list(finder.views(application, block.id))
    whole = replace(block, name=f"the whole {block.kind}")
    chosen = _one_of("view", [whole, *views]) if views else whole
    if chosen.id == block.id:
        return _Chosen(block.kind or Kind.LIST, block.id, application.id, found=block)
    return _Chosen(Kind.VIEW, chosen.id, application.id, block.id, chosen)


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


def _free_name(chosen: _Chosen, taken: Collection[str]) -> str:
    found = chosen.found
    name = _slug(found.name) if found else ""
    if not name:
        name = f"{chosen.kind}_{chosen.id[:8]}"
    if name in taken and found:
        name = _slug(f"{found.name} {found.application}")
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _slug(text: str) -> str:
    """A name in Pigment as the name of a folder: P&L by country becomes p_l_by_country."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].rstrip("_")
    return slug if slug[:1].isalpha() or not slug else f"x_{slug}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
