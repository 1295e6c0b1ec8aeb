"""The app's settings on the stand-ins: for the commands that run it, and as a local.settings.json for Core Tools."""

import json
from collections.abc import Mapping
from pathlib import Path

from emulators.host.host_json import read_local_settings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "local.settings.json.example"
_MARK = "Written by 'python -m emulators --settings', and again when it starts again"

LEADS_ELSEWHERE = ("PIGMENT_API_KEY", "https_proxy", "no_proxy", "all_proxy", "ALL_PROXY")
"""Variables of a person's own shell that would keep the app from the stand-ins: the key from the vault, the lower-case
names of a proxy from the network."""


class SettingsFileError(Exception):
    """The file can't be written; the text says why."""


def app_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the example's settings, led to the stand-ins.

    Args:
        environment: of `Everything`.
    """
    return read_local_settings(EXAMPLE) | dict(environment)


def write(path: Path, environment: Mapping[str, str]) -> None:
    """Write a local.settings.json; settings that were added to an earlier one of ours are kept.

    Args:
        path: where.
        environment: of `Everything`.

    Raises:
        SettingsFileError: another one is there, or it can't be written.
    """
    values = app_settings(environment)
    try:
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if not str(found.get("_comment", "")).startswith(_MARK):
                raise SettingsFileError(f"{path} is there and is not the stand-ins' own: move it, or name another file")
            values = values | read_local_settings(path) | dict(environment)
        comment = f"{_MARK}: its addresses hold while the stand-ins run."
        content = {"_comment": comment, "IsEncrypted": False, "Values": values}
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError, AttributeError) as error:
        raise SettingsFileError(f"{path}: {error}") from error
