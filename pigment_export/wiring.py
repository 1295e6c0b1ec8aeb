"""The composition root: settings and identity become ready parts. Nothing is built before it is asked for.

Adapters are imported inside the functions: a call for the version or an error pays for no Azure library.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from pigment_export import __version__
from pigment_export.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pigment_export.app.calls import HttpCall
    from pigment_export.app.functions import Triggers
    from pigment_export.app.parts import App
    from pigment_export.azure.file_system import FileSystem
    from pigment_export.azure.identity import Identity
    from pigment_export.catalog.file import Catalog
    from pigment_export.lake.interface import Records
    from pigment_export.lake.paths import Layout
    from pigment_export.pigment.client import Keys, Pigment
    from pigment_export.retry import Deadline
    from pigment_export.runs.deployment import Runs
    from pigment_export.runs.schedule import Look, Watch
    from pigment_export.settings import Settings

APP_FOLDER = Path(__file__).parent.parent  # of the deployed app, with its catalog


def new_nonce() -> str:
    """16 random hexadecimal digits."""
    return secrets.token_hex(8)


def identity_of(settings: Settings, environ: Mapping[str, str]) -> Identity:
    """The app's identity: user-assigned where its client id is set, else whatever is there (a developer's, too)."""
    import logging

    from pigment_export.azure import identity

    for library in ("azure", "msal", "urllib3"):  # a line for each request or failure says what our events do
        logging.getLogger(library).setLevel(logging.ERROR)
    return identity.identity_of(settings.identity_client_id, environ)


def keys_of(settings: Settings, identity: Callable[[], Identity]) -> Keys:
    """Where Pigment keys come from: the vault where one is set, else the key in the environment of a laptop.

    The vault wins: a key that was set for a try must not decide what a run writes into the lake.
    """
    from pigment_export.azure.vault import FixedKey, Vault

    if settings.key_vault_url is None:
        return FixedKey(str(settings.pigment_api_key))
    return Vault(settings.key_vault_url, settings.pigment_key_secret, identity())


def pigment_of(settings: Settings, keys: Keys) -> Pigment:
    """Pigment's API."""
    from pigment_export.pigment.client import Pigment

    return Pigment(settings.pigment_base_url, keys, version=__version__)


def pigment_alone_of(settings: Settings, environ: Mapping[str, str]) -> tuple[Pigment, Keys]:
    """Pigment, and the keys that it is asked with, for what needs no lake."""
    keys = keys_of(settings, lambda: identity_of(settings, environ))
    return pigment_of(settings, keys), keys


@dataclass(frozen=True)
class Base:
    """What every function needs, a tick of the timer too: settings, identity, and the lake."""

    settings: Settings
    identity: Identity
    file_system: FileSystem
    records: Records
    layout: Layout
    folder: Path


def base_of(environ: Mapping[str, str], folder: Path = APP_FOLDER) -> Base:
    """Build what every function needs.

    Args:
        environ: the environment.
        folder: what a relative `EXPORTS_FILE` begins at.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    from pigment_export import settings as reading
    from pigment_export.azure.file_system import FileSystem
    from pigment_export.azure.records import LakeRecords
    from pigment_export.lake.paths import Layout

    try:
        settings = reading.load(environ)
    except ConfigurationError as error:
        raise ConfigurationError([*error.problems, *_catalog_problems(environ, folder)], code="settings") from error
    identity = identity_of(settings, environ)
    file_system = FileSystem(settings.data_lake_url, settings.data_lake_file_system, identity)
    layout = Layout(settings.data_lake_root, settings.export_path)
    return Base(settings, identity, file_system, LakeRecords(file_system), layout, folder)


def runs_of(base: Base, pigment: Pigment) -> Runs:
    """The runs of this deployment, on its lake."""
    from pigment_export.azure.adls import LakeFiles
    from pigment_export.runs.deployment import Runs

    settings, files = base.settings, LakeFiles(base.file_system)
    return Runs(
        files=files,
        records=base.records,
        now=files.now,
        layout=base.layout,
        deployment=settings.deployment,
        time_zone=settings.export_time_zone,
        hours=settings.run_hours,
        schedule=settings.export_schedule,
        fetch=pigment.open,
        new_nonce=new_nonce,
    )


def catalog_bytes_of(base: Base, deadline: Deadline) -> bytes:
    """The catalog's bytes, from a file or from the lake."""
    from pigment_export.catalog.source import read_bytes

    def read_lake(path: str) -> bytes:
        record = deadline.retry(lambda: base.records.read(path))
        if record.etag is None:
            lake = f"{base.settings.data_lake_file_system} of {base.settings.data_lake_url}"
            raise ConfigurationError([f"EXPORTS_FILE: there is no {path} in the file system {lake}"], code="catalog")
        return record.data

    return read_bytes(base.settings.exports_file, folder=base.folder, read_lake=read_lake)


def catalog_of(base: Base, deadline: Deadline) -> Catalog:
    """The catalog, from a file or from the lake."""
    from pigment_export.catalog.file import load

    return load(catalog_bytes_of(base, deadline), file=base.settings.exports_file)


def watch_of(base: Base) -> Watch:
    """What a tick of the timer needs in order to see whether anything is due."""
    from functools import partial

    from pigment_export.runs.schedule import Watch

    settings = base.settings
    return Watch(
        records=base.records,
        path=base.layout.schedules(settings.deployment),
        read_catalog=partial(catalog_bytes_of, base),
        schedule=settings.export_schedule,
        time_zone=settings.export_time_zone.key,
    )


def _catalog_problems(environ: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """Return what is wrong with a catalog that is a file, to be told beside wrong settings."""
    from pigment_export import settings as reading
    from pigment_export.catalog.file import load
    from pigment_export.catalog.source import LAKE, read_bytes

    default = next(row.default for row in reading.SETTINGS if row.name == "EXPORTS_FILE")
    exports_file = environ.get("EXPORTS_FILE", "").strip() or str(default)
    try:
        if not exports_file.startswith(LAKE):
            load(read_bytes(exports_file, folder=folder, read_lake=lambda _: b""), file=exports_file)
    except ConfigurationError as error:
        return error.problems
    return ()


def app_of(environ: Mapping[str, str], folder: Path = APP_FOLDER) -> App:
    """The parts that the app's functions, and the command line's runs, work with.

    Args:
        environ: the environment.
        folder: what a relative `EXPORTS_FILE` begins at.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    return _app_on(base_of(environ, folder), environ)


def _app_on(base: Base, environ: Mapping[str, str]) -> App:
    from functools import partial

    from pigment_export.app.health import Health
    from pigment_export.app.parts import App
    from pigment_export.environment import origin_of

    settings = base.settings
    keys = keys_of(settings, lambda: base.identity)
    pigment = pigment_of(settings, keys)
    runs = runs_of(base, pigment)
    catalog = partial(catalog_of, base)
    return App(
        version=__version__,
        settings=settings,
        runs=runs,
        catalog=catalog,
        health=Health(
            catalog, keys.read_again, pigment.check_key, runs.files, runs.records, runs.layout.probes, new_nonce
        ),
        base_url=settings.public_base_url or origin_of(environ),
    )


_lock = RLock()
_base: Base | None = None
_app: App | None = None


def base() -> Base:
    """What every function needs, built once, on first use; what is wrong with the settings is told each time."""
    global _base  # noqa: PLW0603 - kept between calls: connections and tokens
    with _lock:
        if _base is None:
            _base = base_of(os.environ)
        return _base


def app() -> App:
    """The parts, built once, on first use."""
    global _app  # noqa: PLW0603 - kept between calls: what the vault last said
    with _lock:
        if _app is None:
            _app = _app_on(base(), os.environ)
        return _app


def on_schedule() -> list[str]:
    """What a tick of the timer does; where nothing is due, no more is imported than a look takes."""
    from pigment_export.app.tick import tick

    return tick(lambda: watch_of(base()), _start_due)


def _start_due(seen: Look, deadline: Deadline) -> list[str]:
    from functools import partial

    from pigment_export.catalog.file import load
    from pigment_export.runs.tick import start_due

    file = base().settings.exports_file
    return start_due(app().runs, watch_of(base()), seen, partial(load, file=file), deadline)


def triggers() -> Triggers:
    """What the functions for timers and queues do."""
    from pigment_export.app.functions import Triggers

    return Triggers(app)


def http_call(headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> HttpCall:
    """What the HTTP functions make of one call.

    Args:
        headers: by name, in lower case.
        query: parameters of the address, by name.
        body: as it came.
    """
    from pigment_export.app.calls import HttpCall
    from pigment_export.app.http import HttpRequest
    from pigment_export.app.package import import_everything

    return HttpCall(app, os.environ, import_everything, status_page, HttpRequest(headers, query, body))


def status_page(app: App, deadline: Deadline) -> tuple[str, Mapping[str, str]]:
    """Make the status page, for HTTP and for the command line.

    Args:
        app: the parts.
        deadline: of this call.

    Returns:
        The HTML document, and the headers that it is served with.

    Raises:
        ExportError: the catalog is wrong, or the lake cannot be read.
    """
    from pigment_export.app import overview, page

    return page.render(overview.overview_of(app, deadline)), page.headers()


def incomplete(missing: ImportError) -> tuple[int, bytes, Mapping[str, str], str]:
    """Answer a call where the package lacks a library, which nothing else of the app could do.

    Args:
        missing: what an import raised.

    Returns:
        Status, body, headers and media type.
    """
    from pigment_export.app import package

    return package.incomplete(missing)


def auth_level() -> str:
    """`HTTP_AUTH_LEVEL`, which the host wants to know while it indexes the functions."""
    from pigment_export import environment

    return environment.auth_level_of(os.environ)
