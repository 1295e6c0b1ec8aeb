"""`apps`, `blocks`, `views`: what there is in Pigment, with the ids that exports name it by."""

import os
from collections.abc import Sequence
from typing import Any

import click

from pigment_export.cli.address import id_in
from pigment_export.cli.finder import PERSONAL, Finder, Thing
from pigment_export.cli.output import OK, emit_json, emit_table

_search = click.argument("search", default="", metavar="[SEARCH]")
_application = click.option("--app", help="Only of this application: its name, id or address.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@_search
@_json
def apps(*, search: str, as_json: bool) -> int:
    """List Pigment's applications.

    SEARCH is a part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """
    found = [thing for thing in Finder(os.environ).applications() if thing.matches(search)]
    return _show(found, ("name", "id"), as_json=as_json, empty="no such application that the key's owner sees")


@click.command()
@_search
@_application
@_json
def blocks(*, search: str, app: str | None, as_json: bool) -> int:
    """List lists, metrics and tables.

    SEARCH is a part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """
    finder = Finder(os.environ)
    owner = finder.application(app) if app else None
    found = [thing for thing in finder.blocks(owner) if thing.matches(search)]
    titles = ("name", "kind", "id", "type", "application")
    return _show(found, titles, as_json=as_json, empty="no such block that the key's owner sees")


@click.command()
@_search
@_application
@click.option("--block", help="Only of this block: its id or address.")
@_json
def views(*, search: str, app: str | None, block: str | None, as_json: bool) -> int:
    """List views. A personal one can be exported only with a key of its owner's.

    SEARCH is a part of a name, or the beginning of an id. The key needs the scope "Modeling metadata".
    """
    finder = Finder(os.environ)
    owner = finder.application(app) if app else None
    found = [thing for thing in finder.views(owner, id_in(block, "block") if block else None) if thing.matches(search)]
    titles = ("name", "id", "type", "application")
    return _show(found, titles, as_json=as_json, empty="no such view that the key's owner sees")


def _show(found: Sequence[Thing], titles: Sequence[str], *, as_json: bool, empty: str) -> int:
    if as_json:
        emit_json([_fields(thing) for thing in found])
    else:
        emit_table(titles, [[str(_fields(thing)[title] or "") for title in titles] for thing in found], empty=empty)
    return OK


def _fields(thing: Thing) -> dict[str, Any]:
    fields = {
        "name": thing.name,
        "id": thing.id,
        "type": thing.type,
        "kind": thing.kind,
        "application": thing.application,
        "application_id": thing.application_id,
    }
    return fields | ({"is_personal": thing.type == PERSONAL} if thing.kind == "view" else {})
