"""Settings: the environment, read once into a frozen value, with everything wrong told at once.

`SETTINGS` is the one table of them: code, docs/settings.md, local.settings.json.example and their tests go by it.
"""

import getpass
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pigment_export.errors import ConfigurationError
from pigment_export.layout import root_problems, template_problems

_VAULT_SECRET = re.compile(r"[0-9a-zA-Z-]{1,127}")
_QUEUE = re.compile(r"[a-z0-9](?!.*--)[a-z0-9-]{1,53}[a-z0-9]")  # 63 characters at most, with '-poison' behind it
_FILE_SYSTEM = re.compile(r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]")
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")
AUTH_LEVELS = ("FUNCTION", "ANONYMOUS", "ADMIN")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: of the environment variable.
        what: what it is for, in a sentence.
        example: a value that would do.
        default: what holds where it is not set; None where there is none.
        read: text to value; raises ValueError that says what is allowed.
        required: whether the app cannot do without.
        laptop_only: whether it has no place in Azure.
    """

    name: str
    what: str
    example: str
    default: str | None = None
    read: Callable[[str], Any] = str
    required: bool = False
    laptop_only: bool = False


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError("an https:// address without a path")
    return f"https://{parts.netloc}"


def _matching(pattern: re.Pattern[str], allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(allowed)
        return text

    return read


def _without_problems(problems_of: Callable[[str], list[str]]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if problems := problems_of(text):
            raise ValueError("; ".join(problems))
        return text

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):  # noqa: PLR2004
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError("a name of the IANA database, as Europe/Paris") from exc


def _schedule(text: str) -> str:
    fields = text.split()
    if len(fields) != 6 or not all(map(_CRON_FIELD.fullmatch, fields)):  # noqa: PLR2004 - NCRONTAB has six fields
        raise ValueError("six fields, seconds first, in UTC: second minute hour day month weekday")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    if not all(re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", name) for name in names):
        raise ValueError("names of groups, with commas between them")
    return names


def _auth_level(text: str) -> str:
    if text.upper() not in AUTH_LEVELS:
        raise ValueError(f"one of {', '.join(AUTH_LEVELS)}")
    return text.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("PIGMENT_BASE_URL", "Origin of Pigment's API.", "https://pigment.app", "https://pigment.app", _origin),
    Setting(
        "KEY_VAULT_URL", "The Key Vault that holds the Pigment key.", "https://my-vault.vault.azure.net", read=_origin
    ),
    Setting(
        "PIGMENT_KEY_SECRET",
        "Name of the secret with the Pigment key.",
        "pigment-api-key",
        "pigment-api-key",
        _matching(_VAULT_SECRET, "up to 127 letters, digits and '-'"),
    ),
    Setting(
        "PIGMENT_API_KEY",
        "The Pigment key itself, instead of a vault; refused inside Azure.",
        "(the key)",
        laptop_only=True,
    ),
    Setting(
        "DATA_LAKE_URL",
        "The storage account with a hierarchical namespace.",
        "https://mylake.dfs.core.windows.net",
        read=_origin,
        required=True,
    ),
    Setting(
        "DATA_LAKE_FILE_SYSTEM",
        "The file system (container) in it.",
        "planning",
        read=_matching(_FILE_SYSTEM, "3 to 63 lower-case letters, digits and single '-'"),
        required=True,
    ),
    Setting(
        "DATA_LAKE_ROOT",
        "Folder below which everything is kept; empty for the file system's root.",
        "raw/pigment",
        "",
        _without_problems(root_problems),
    ),
    Setting(
        "EXPORTS_FILE",
        "The catalog: a path in the package, or lake:PATH for a file in the file system.",
        "lake:config/exports.toml",
        "exports.toml",
    ),
    Setting("EXPORT_SCHEDULE", "When the timer fires, in UTC (NCRONTAB).", "0 0 6 * * *", "0 0 6 * * *", _schedule),
    Setting(
        "EXPORT_SCHEDULE_GROUPS",
        "Groups that the timer exports; empty for all that is enabled.",
        "daily,finance",
        "",
        _names,
    ),
    Setting(
        "EXPORT_QUEUE",
        "The storage queue with one message per export.",
        "pigment-exports",
        "pigment-exports",
        _matching(_QUEUE, "3 to 55 lower-case letters, digits and single '-'"),
    ),
    Setting(
        "EXPORT_PATH",
        "Path of a file, with {name} and one of {date}, {instant}, {run_id}.",
        "{name}/dt={date}/{name}.csv",
        "{name}/dt={date}/{name}.csv",
        _without_problems(template_problems),
    ),
    Setting("EXPORT_TIME_ZONE", "Whose days the snapshot dates are.", "Europe/Paris", "UTC", _zone),
    Setting(
        "ALLOW_INLINE_EXPORTS",
        "Whether an HTTP caller may define an export himself: he then reads whatever the key's owner sees.",
        "false",
        "false",
        _boolean,
    ),
    Setting("RUN_HOURS", "Hours until a run expires.", "6", "6", _whole(1, 24)),
    Setting(
        "FRESHNESS_HOURS", "Hours without success after which an export is stale.", "26", "26", _whole(1, 24 * 366)
    ),
    Setting("RETENTION_DAYS", "Days that records of ended runs and held files are kept.", "90", "90", _whole(8, 3660)),
    Setting("IDENTITY_CLIENT_ID", "Client id of the user-assigned identity.", "11111111-2222-4333-8444-555555555555"),
    Setting("HTTP_AUTH_LEVEL", "Who may call the HTTP functions.", "FUNCTION", "FUNCTION", _auth_level),
    Setting("PUBLIC_BASE_URL", "Origin that answers name in Location.", "https://exports.example.com", read=_origin),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, read; the fields are `SETTINGS` in lower case. The key shows in no `repr`."""

    deployment: str
    pigment_base_url: str
    key_vault_url: str | None
    pigment_key_secret: str
    pigment_api_key: str | None = field(repr=False)
    data_lake_url: str
    data_lake_file_system: str
    data_lake_root: str
    exports_file: str
    export_schedule: str
    export_schedule_groups: tuple[str, ...]
    export_queue: str
    export_path: str
    export_time_zone: ZoneInfo
    allow_inline_exports: bool
    run_hours: int
    freshness_hours: int
    retention_days: int
    identity_client_id: str | None
    http_auth_level: str
    public_base_url: str | None


def load(environ: Mapping[str, str], *, lake: bool = True) -> Settings:
    """Read the settings.

    Args:
        environ: the environment; an empty value counts as none.
        lake: whether a lake is needed; `fetch` does without, and gets an empty text for its settings.

    Returns:
        The settings.

    Raises:
        ConfigurationError: with every problem, each with an example.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environ.get(setting.name, "").strip() or setting.default
        values[setting.name.lower()] = None
        if text is not None:
            try:
                values[setting.name.lower()] = setting.read(text)
            except ValueError as exc:
                problems.append(f"{setting.name}: {text!r} will not do; allowed: {exc}. Example: {setting.example}")
        elif setting.required:
            if lake:
                problems.append(f"{setting.name} is missing: {setting.what} Example: {setting.example}")
            values[setting.name.lower()] = ""
    problems += _key_problems(environ, values)
    if problems:
        raise ConfigurationError(problems, code="settings")
    return Settings(deployment=deployment_of(environ), **values)


def deployment_of(environ: Mapping[str, str]) -> str:
    """The app's own name: the site's in Azure, who and where elsewhere."""
    return environ.get("WEBSITE_SITE_NAME") or f"local/{getpass.getuser()}@{socket.gethostname()}"


def _key_problems(environ: Mapping[str, str], values: Mapping[str, Any]) -> list[str]:
    has_key, has_vault = bool(values["pigment_api_key"]), bool(environ.get("KEY_VAULT_URL", "").strip())
    if has_key and (environ.get("WEBSITE_SITE_NAME") or environ.get("WEBSITE_INSTANCE_ID")):
        return ["PIGMENT_API_KEY has no place in Azure: store the key in Key Vault, set KEY_VAULT_URL and remove it"]
    if not has_key and not has_vault:
        return [
            (
                "KEY_VAULT_URL is missing: the Key Vault that holds the Pigment key. Example: "
                "https://my-vault.vault.azure.net (on a laptop PIGMENT_API_KEY will do instead)"
            )
        ]
    return []
