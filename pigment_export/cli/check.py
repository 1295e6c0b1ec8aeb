"""`check`: check everything that an export needs, one line each, with what to do if a check fails."""

import os
from collections.abc import Iterator
from functools import partial

from pigment_export import wiring
from pigment_export.app.health import checked, each, use_key
from pigment_export.app.schemas import Check
from pigment_export.catalog.exports import Export
from pigment_export.cli.catalog_text import read_text
from pigment_export.cli.find import PERSONAL, Finder
from pigment_export.cli.output import FAILED, OK, emit_json
from pigment_export.cli.parts import app_now, attended, settings_now
from pigment_export.cli.table import emit_state
from pigment_export.environment import exports_file_of
from pigment_export.errors import ConfigurationError, ExportError
from pigment_export.settings import Settings

VAULT_SCOPE, STORAGE_SCOPE = "https://vault.azure.net/.default", "https://storage.azure.com/.default"


def check(*, as_json: bool) -> int:
    """Check everything, and print each check as it is done."""
    lines: list[Check] = []
    for line in _lines():
        lines.append(line)
        if not as_json:
            remedy = f"\n{line.remedy}" if line.remedy else ""
            emit_state("ok" if line.ok else "wrong", f"{line.name}: {line.detail}{remedy}")
    if as_json:
        emit_json([line.model_dump(exclude_none=True) for line in lines])
    return OK if all(line.ok for line in lines) else FAILED


def _lines() -> Iterator[Check]:
    """Yield the checks; end early if no further one is possible."""
    try:
        settings = settings_now()
        app = app_now() if settings.data_lake_url or settings.data_lake_file_system else None
    except ConfigurationError as error:
        for problem in error.problems:
            yield Check(name="settings", ok=False, detail=problem, remedy="correct it, and check again")
        return
    yield Check(name="settings", ok=True, detail="complete" if app else "complete for commands that need no lake")
    for used, scope in ((settings.key_vault_url, VAULT_SCOPE), (settings.data_lake_url, STORAGE_SCOPE)):
        if used:
            line = checked("identity", partial(_sign_in, settings, scope))
            yield line
            if not line.ok:
                return  # all further checks would fail for the same reason
    yield from each(app.within(attended())) if app else _without_lake(settings)
    yield checked("expiry of the Pigment key", partial(_expiry, settings))
    try:
        exports = app.within(attended()).catalog().exports if app else read_text(exports_file_of(os.environ)).exports()
    except ExportError:
        return  # it was reported above
    yield from _names(exports)


def _sign_in(settings: Settings, scope: str) -> str:
    identity = wiring.identity_of(settings, os.environ)
    identity.get_token(scope)
    return f"signed in{f' as {identity.name}' if identity.name else ''}, for {scope.split('/')[2]}"


def _without_lake(settings: Settings) -> Iterator[Check]:
    pigment, _ = wiring.pigment_alone_of(settings, os.environ)

    yield checked("read the catalog", lambda: f"{len(read_text(exports_file_of(os.environ)).exports())} exports")
    yield checked("use the Pigment key", partial(use_key, pigment.check_key, None, attended()))
    yield Check(
        name="lake", ok=True, detail="not set (DATA_LAKE_URL): fetch, add and the commands that find ids do not need it"
    )


def _expiry(settings: Settings) -> str:
    key = wiring.pigment_alone_of(settings, os.environ)[1].read(None)
    if key.expires_at is None:
        return "unknown: see the page of API keys in Pigment; on its last day, a key no longer works"
    return f"{key.expires_at:%Y-%m-%d}, by its date in the vault"


def _names(exports: tuple[Export, ...]) -> Iterator[Check]:
    """Check each export's id; yield a single check if the key cannot read metadata."""
    if not exports:
        return
    finder = Finder()
    try:
        finder.applications()
    except ExportError:
        detail = "not checked: this needs a key with the scope Modeling metadata"
        yield Check(name="ids of the exports", ok=True, detail=detail)
        return
    for export in exports:
        yield _name(finder, export)


def _name(finder: Finder, export: Export) -> Check:
    found, remedy = finder.find(export.id, None, export.application) or finder.find(export.id), None
    detail = f"{found.kind} {found.name}, in {found.application}" if found else f"{export.kind} {export.id}"
    if found is None and export.secret is not None:
        detail += f": this key does not see it; the export has its own key ({export.secret})"
    elif found is None:
        detail = f"the key's owner sees nothing with the id {export.id} in Pigment"
        remedy = "check the id (pigment-export blocks, views) and the access rights of the key's owner"
    elif found.kind is not export.kind:
        detail, remedy = f"{detail}; its kind in the catalog is {export.kind}", "correct it"
    elif found.type == PERSONAL:
        detail += "; a personal view: only a key that belongs to its owner can export it"
    return Check(name=export.name, ok=remedy is None, detail=detail, remedy=remedy)
