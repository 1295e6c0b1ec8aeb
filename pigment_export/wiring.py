"""The composition root: builds the parts from settings and identity, each on first use.

Adapters are imported inside the functions: a call for the version, or an error, imports no Azure library.
"""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from pigment_export import __version__
from pigment_export.environment import exports_file_of, origin_of
from pigment_export.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pigment_export.app.parts import App
    from pigment_export.azure.identity import Identity
    from pigment_export.catalog.file import Catalog
    from pigment_export.keys import Keys
    from pigment_export.lake.call import CallLake
    from pigment_export.pigment.client import Pigment
    from pigment_export.retry import Deadline
    from pigment_export.runs.deployment import Runs
    from pigment_export.settings import Settings

APP_FOLDER = Path(__file__).parent.parent  # of the deployed app, with its catalog


# What every function needs, even a tick with nothing due: settings, records, identity and the lake.
AHEAD = ("settings", "azure.adls", "runs.schedule")


def import_ahead() -> None:
    """Import what every function needs, while the host prepares the first call; that call reports missing libraries."""
    from importlib import import_module

    for name in AHEAD:
        try:
            import_module(f"pigment_export.{name}")
        except ImportError:
            return


def once[T](make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that makes a part once, on first use, also with several threads at a cold start.

    Args:
        make: makes the part; if it raises, it is called again next time.
    """
    lock, made = RLock(), cache(make)

    def part() -> T:
        with lock:
            return made()

    return part


def new_nonce() -> str:
    """Return 16 random hexadecimal digits."""
    return secrets.token_hex(8)


def identity_of(settings: Settings, environ: Mapping[str, str]) -> Identity:
    """Return the identity: user-assigned if its client id is set, otherwise the available one (e.g. a developer's)."""
    import logging

    from pigment_export.azure import identity

    for library in ("azure", "msal", "urllib3"):  # their lines for each request and failure repeat our events
        logging.getLogger(library).setLevel(logging.ERROR)
    return identity.identity_of(settings.identity_client_id, environ)


def keys_of(settings: Settings, identity: Callable[[], Identity]) -> Keys:
    """Return the source of Pigment keys: the vault if one is set, otherwise the key in a laptop's environment.

    The vault has priority: a key that was set for an experiment must not decide what a run writes into the lake.
    """
    if settings.key_vault_url is None:
        from pigment_export.keys import FixedKey

        return FixedKey(str(settings.pigment_api_key))
    from pigment_export.azure.vault import Vault

    return Vault(settings.key_vault_url, settings.pigment_key_secret, identity())


def pigment_of(settings: Settings, keys: Keys) -> Pigment:
    """Return the client of Pigment's API."""
    from pigment_export.pigment.client import Pigment

    return Pigment(settings.pigment_base_url, keys, version=__version__)


def pigment_alone_of(settings: Settings, environ: Mapping[str, str]) -> tuple[Pigment, Keys]:
    """Return Pigment and its keys, for commands that need no lake."""
    keys = keys_of(settings, lambda: identity_of(settings, environ))
    return pigment_of(settings, keys), keys


def app_of(environ: Mapping[str, str], folder: Path = APP_FOLDER) -> Callable[[Deadline], App]:
    """Return the parts for the app's functions and the command line's runs.

    Args:
        environ: the environment.
        folder: base of a relative `EXPORTS_FILE`.

    Returns:
        A function that binds them to the deadline of a call.

    Raises:
        ConfigurationError: the settings are wrong, and possibly the catalog.
    """
    from functools import partial

    from pigment_export.app.parts import App
    from pigment_export.azure.adls import AdlsLake
    from pigment_export.lake.call import CallLake
    from pigment_export.settings import load

    try:
        settings = load(environ)
    except ConfigurationError as error:
        from pigment_export.catalog.file import problems_in

        problems = [*error.problems, *problems_in(exports_file_of(environ), folder)]
        raise ConfigurationError(problems, code="settings") from error
    identity = identity_of(settings, environ)
    lake = AdlsLake(settings.data_lake_url, settings.data_lake_file_system, identity)
    keys = once(lambda: keys_of(settings, lambda: identity))
    pigment = once(lambda: pigment_of(settings, keys()))
    return lambda deadline: App(
        settings=settings,
        lake=CallLake(lake, deadline),
        folder=folder,
        load_catalog=partial(_load_catalog, settings.exports_file),
        make_runs=lambda call: runs_of(settings, call, pigment()),
        read_key=lambda secret: keys().read_again(secret),
        check_key=lambda secret, deadline: pigment().check_key(secret, deadline),
        base_url=settings.public_base_url or origin_of(environ),
    )


_app = once(lambda: app_of(os.environ))


def app(deadline: Deadline) -> App:
    """Return the parts of this process, bound to a call. Wrong settings are reported each time."""
    return _app()(deadline)


def runs_of(settings: Settings, lake: CallLake, pigment: Pigment) -> Runs:
    """Return the runs of this deployment."""
    from pigment_export.runs.deployment import Runs

    return Runs(
        lake=lake,
        layout=settings.layout,
        deployment=settings.deployment,
        time_zone=settings.export_time_zone,
        hours=settings.run_hours,
        schedule=settings.export_schedule,
        fetch=pigment.open,
        new_nonce=new_nonce,
    )


def _load_catalog(file: str, data: bytes) -> Catalog:
    from pigment_export.catalog.file import load

    return load(data, file=file)
