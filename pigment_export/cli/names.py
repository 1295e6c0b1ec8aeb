"""What the ids of configured exports are in Pigment, as far as the deployment's key may tell."""

from collections.abc import Iterator, Mapping, Sequence

from pigment_export.app.health import checked
from pigment_export.app.schemas import Check
from pigment_export.catalog.exports import Export
from pigment_export.cli.finder import PERSONAL, Finder


def names(environ: Mapping[str, str], exports: Sequence[Export]) -> Iterator[Check]:
    """Look for each export's id.

    Args:
        environ: the environment.
        exports: of the catalog.

    Yields:
        A check for each; one for all where the key may not read metadata.
    """
    if not exports:
        return
    finder = Finder(environ)
    if not checked("read metadata", lambda: f"{len(finder.applications())}").ok:
        detail = "not looked for: this needs a key with the scope Modeling metadata"
        yield Check(name="ids of the exports", ok=True, detail=detail)
        return
    for export in exports:
        yield _name(finder, export)


def _name(finder: Finder, export: Export) -> Check:
    found = finder.find(export.id, None, export.application) or finder.find(export.id)
    if found is None and export.secret is not None:
        detail = f"{export.kind} {export.id}: not seen by this key; the export has one of its own ({export.secret})"
        return Check(name=export.name, ok=True, detail=detail)
    if found is None:
        detail = f"Pigment lists nothing with the id {export.id} that the key's owner sees"
        remedy = "check the id (pigment-export blocks, views), and the access rights of the key's owner"
        return Check(name=export.name, ok=False, detail=detail, remedy=remedy)
    what = f"{found.kind} {found.name}, in {found.application}"
    if found.kind is not export.kind:
        return Check(name=export.name, ok=False, detail=f"{what}; the catalog says {export.kind}", remedy="correct it")
    personal = "; a personal view: only a key of its owner's can export it" if found.type == PERSONAL else ""
    return Check(name=export.name, ok=True, detail=f"{what}{personal}")
