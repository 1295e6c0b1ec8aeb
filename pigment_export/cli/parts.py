"""The parts that commands work with: those of the app, with what only the command line says of them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pigment_export import settings as reading
from pigment_export import wiring
from pigment_export.cli.output import say

if TYPE_CHECKING:
    from pigment_export.app.parts import App
    from pigment_export.settings import Settings


def settings_of(environ: Mapping[str, str]) -> "Settings":
    """The settings, of which a key or a vault is enough.

    Raises:
        ConfigurationError: they are wrong.
    """
    settings = reading.load(environ, lake=False)
    _say_which_key(settings)
    return settings


def app_of(environ: Mapping[str, str]) -> "App":
    """The parts of the app; its catalog is looked for in this folder.

    Raises:
        ConfigurationError: settings or catalog are wrong.
    """
    app = wiring.app_of(environ, Path.cwd())
    _say_which_key(app.settings)
    return app


def _say_which_key(settings: "Settings") -> None:
    if settings.pigment_api_key and settings.key_vault_url:
        _say_once("note: the key of KEY_VAULT_URL is used; PIGMENT_API_KEY is not, while both are set")


@cache
def _say_once(text: str) -> None:
    say(text)
