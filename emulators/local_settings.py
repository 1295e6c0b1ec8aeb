"""The app's settings for the stand-ins: for the commands that run it, and as a local.settings.json for Core Tools."""

import json
from collections.abc import Mapping
from pathlib import Path

from emulators.host.host_json import read_local_settings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "local.settings.json.example"
_MARK = "Written by 'python -m emulators --settings'"

LEADS_ELSEWHERE = ("PIGMENT_API_KEY", "https_proxy", "no_proxy", "all_proxy", "ALL_PROXY")
"""Variables of the user's shell that would bypass the stand-ins: `PIGMENT_API_KEY` the vault, the others the proxy."""


class SettingsFileError(Exception):
    """The settings file cannot be written; the message says why."""


def app_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the example, with those of the stand-ins over them.

    Args:
        environment: of `Everything`.
    """
    return read_local_settings(EXAMPLE) | dict(environment)


def write(path: Path, environment: Mapping[str, str]) -> None:
    """Write a local.settings.json; keep settings that were added to an earlier one.

    Args:
        path: of the file.
        environment: of `Everything`.

    Raises:
        SettingsFileError: the file there was not written here, or the file cannot be written.
    """
    values = app_settings(environment)
    try:
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if not str(found.get("_comment", "")).startswith(_MARK):
                raise SettingsFileError(f"{path} exists and is not the stand-ins' own: move it, or name another file")
            values = values | read_local_settings(path) | dict(environment)
        comment = f"{_MARK}, which replaces the addresses at every start. It keeps settings that you add."
        content = {"_comment": comment, "IsEncrypted": False, "Values": values}
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError, AttributeError) as error:
        raise SettingsFileError(f"{path}: {error}") from error
