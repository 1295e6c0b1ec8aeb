"""The parts that commands work with: those of the app, with messages that only the command line prints."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pigment_export import wiring
from pigment_export.cli.output import say
from pigment_export.retry import CLAIM_SECONDS, Deadline
from pigment_export.settings import Settings, load

if TYPE_CHECKING:
    from pigment_export.app.parts import App


_say_once = cache(say)  # a command reads its settings more than once


def settings_now() -> Settings:
    """Return the settings; a key or a vault is enough.

    Raises:
        ConfigurationError: they are wrong.
    """
    settings = load(os.environ, lake=False)
    _note_unused_key(settings)
    return settings


def app_now() -> "App":
    """Return the parts of the app, with the catalog of the current folder, for a call that begins now.

    Work after a prompt, a sign-in or the hours of a run is a call of its own: `within(attended())`.

    Raises:
        ConfigurationError: settings or catalog are wrong.
    """
    app = wiring.app_of(os.environ, Path.cwd())(attended())
    _note_unused_key(app.settings)
    return app


def attended() -> Deadline:
    """Return the deadline of a call that a person waits for. Each wait is printed at once."""
    return Deadline(CLAIM_SECONDS, is_attended=True, on_retry=say)


def _note_unused_key(settings: Settings) -> None:
    if settings.pigment_api_key and settings.key_vault_url:
        _say_once("note: using the key from KEY_VAULT_URL and ignoring PIGMENT_API_KEY, because both are set")
