"""`check`: whether everything that an export needs is as it must be, one line each, with what to do where it is not."""

import os
from collections.abc import Iterator, Mapping
from functools import partial

import click

from pigment_export import wiring
from pigment_export.app.health import checked
from pigment_export.app.schemas import Check
from pigment_export.cli.catalog_text import exports_file_of, exports_now, read_text
from pigment_export.cli.crew import attended
from pigment_export.cli.names import names
from pigment_export.cli.output import FAILED, OK, emit_json, emit_state
from pigment_export.cli.parts import app_of, settings_of
from pigment_export.errors import ConfigurationError
from pigment_export.settings import Settings

VAULT_SCOPE, STORAGE_SCOPE = "https://vault.azure.net/.default", "https://storage.azure.com/.default"
WRONG = "correct it, and check again"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def check(*, as_json: bool) -> int:
    """Check settings, identity, key, Pigment, every configured id, and the lake.

    With PIGMENT_API_KEY alone, what needs no Azure is checked. Exit code 1: something is wrong.
    """
    lines: list[Check] = []
    for line in _lines(os.environ):
        lines.append(line)
        if not as_json:
            remedy = f"\n{line.remedy}" if line.remedy else ""
            emit_state("ok" if line.ok else "wrong", f"{line.name}: {line.detail}{remedy}")
    if as_json:
        emit_json([line.model_dump(exclude_none=True) for line in lines])
    return OK if all(line.ok for line in lines) else FAILED


def _lines(environ: Mapping[str, str]) -> Iterator[Check]:
    """What was looked at; where nothing further can be, it ends early."""
    try:
        settings = settings_of(environ)
        app = app_of(environ) if settings.data_lake_url or settings.data_lake_file_system else None
    except ConfigurationError as error:
        yield from (Check(name="settings", ok=False, detail=problem, remedy=WRONG) for problem in error.problems)
        return
    yield Check(name="settings", ok=True, detail="complete" if app else "complete, for commands without a lake")
    for scope in _scopes(settings):
        line = checked("identity", partial(_sign_in, settings, environ, scope))
        yield line
        if not line.ok:
            return  # all further ones would only say so again
    yield from app.health.each(attended()) if app else _without_lake(settings, environ)
    yield checked("expiry of the Pigment key", partial(_expiry, settings, environ))
    yield from names(environ, exports_now(environ, app))


def _scopes(settings: Settings) -> list[str]:
    uses = ((settings.key_vault_url, VAULT_SCOPE), (settings.data_lake_url, STORAGE_SCOPE))
    return [scope for used, scope in uses if used]


def _sign_in(settings: Settings, environ: Mapping[str, str], scope: str) -> str:
    identity = wiring.identity_of(settings, environ)
    identity.get_token(scope)
    return f"signed in{f' as {identity.name}' if identity.name else ''}, for {scope.split('/')[2]}"


def _without_lake(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    keys = wiring.keys_of(settings, lambda: wiring.identity_of(settings, environ))
    pigment = wiring.pigment_of(settings, keys)

    def catalog() -> str:
        return f"{len(read_text(exports_file_of(environ), environ).exports())} exports"

    def use_key() -> str:
        if pigment.check_key(None, attended()):
            return "Pigment accepts it for exports and metadata"
        return "Pigment accepts it for exports; it may not read metadata, which only finding ids needs"

    yield checked("read the catalog", catalog)
    yield checked("use the Pigment key", use_key)
    yield Check(name="lake", ok=True, detail="not set (DATA_LAKE_URL): fetch, add and what finds ids need none")


def _expiry(settings: Settings, environ: Mapping[str, str]) -> str:
    key = wiring.keys_of(settings, lambda: wiring.identity_of(settings, environ)).read(None)
    if key.expires_at is None:
        return "not known here: Pigment's page of API keys shows it; its last day no longer works"
    return f"{key.expires_at:%Y-%m-%d}, as the vault says"
