"""The composition root: settings and identity become ready parts. Nothing is built before it is asked for.

Adapters are imported inside the functions: a call for the version or an error pays for no Azure library.
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


# What every function needs, a tick of the timer with nothing due as well: settings, records, identity and the lake.
AHEAD = ("settings", "azure.adls", "runs.schedule")


def import_ahead() -> None:
    """Import what every function needs, while the host prepares the first call; that call says what is missing."""
    from importlib import import_module

    for name in AHEAD:
        try:
            import_module(f"pigment_export.{name}")
        except ImportError:
            return


def once[T](make: Callable[[], T]) -> Callable[[], T]:
    """Return what makes a part on first use, and once: a cold start may have a message for each of its threads.

    Args:
        make: makes it; what it raises is raised each time.
    """
    lock, made = RLock(), cache(make)

    def part() -> T:
        with lock:
            return made()

    return part


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
    if settings.key_vault_url is None:
        from pigment_export.keys import FixedKey

        return FixedKey(str(settings.pigment_api_key))
    from pigment_export.azure.vault import Vault

    return Vault(settings.key_vault_url, settings.pigment_key_secret, identity())


def pigment_of(settings: Settings, keys: Keys) -> Pigment:
    """Pigment's API."""
    from pigment_export.pigment.client import Pigment

    return Pigment(settings.pigment_base_url, keys, version=__version__)


def pigment_alone_of(settings: Settings, environ: Mapping[str, str]) -> tuple[Pigment, Keys]:
    """Pigment, and the keys that it is asked with, for what needs no lake."""
    keys = keys_of(settings, lambda: identity_of(settings, environ))
    return pigment_of(settings, keys), keys


def app_of(environ: Mapping[str, str], folder: Path = APP_FOLDER) -> Callable[[Deadline], App]:
    """The parts that the app's functions, and the command line's runs, work with.

    Args:
        environ: the environment.
        folder: what a relative `EXPORTS_FILE` begins at.

    Returns:
        What binds them to the deadline of a call.

    Raises:
        ConfigurationError: the settings are wrong, and the catalog maybe, too.
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
    """The parts of this process, bound to a call; what is wrong with the settings is told each time."""
    return _app()(deadline)


def runs_of(settings: Settings, lake: CallLake, pigment: Pigment) -> Runs:
    """The runs of this deployment."""
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
