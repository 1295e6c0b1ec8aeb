"""Settings: the environment, read once into a frozen value, with everything wrong told at once.

`SETTINGS` is the one table of them: code, docs/settings.md, local.settings.json.example and their tests go by it.
Without pydantic: `function_app` reads the auth level while the host indexes it, and must not pay for more.
"""

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from pigment_export import network
from pigment_export.errors import ConfigurationError
from pigment_export.lake.paths import root_problems, template_problems

_ORIGIN = re.compile(r"(https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]{1,5})?)/?", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VAULT_SECRET = re.compile(r"[0-9a-zA-Z-]{1,127}")
# 63 characters at most, and '-poison' stands behind ours.
# Source: https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
_QUEUE = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,54}[a-z0-9]")
_FILE_SYSTEM = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_GROUP = re.compile(r"[a-z][a-z0-9_-]{0,63}")  # as the catalog names them
_KEY = re.compile(r"[!-~]+")  # printable ASCII: all that a header takes
_CRON = (  # second, minute, hour, day, month, weekday: what a field is made of, and its greatest number
    (re.compile(r"[0-9]+"), 59),
    (re.compile(r"[0-9*/,-]+"), 59),
    (re.compile(r"[0-9*/,-]+"), 23),
    (re.compile(r"[0-9*/,-]+"), 31),
    (re.compile(r"[0-9A-Za-z*/,-]+"), 12),
    (re.compile(r"[0-9A-Za-z*/,-]+"), 6),  # Sunday is 0
)
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
        shown: whether a wrong value may stand in a message: a key, or a token in an address, may not.
    """

    name: str
    what: str
    example: str
    default: str | None = None
    read: Callable[[str], Any] = str
    required: bool = False
    laptop_only: bool = False
    shown: bool = True


def _origin(text: str) -> str:
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError("an https:// address with nothing behind the host")
    return found[1].lower()


def _lake_origin(text: str) -> str:
    origin = _origin(text)
    if ".dfs." not in origin:
        raise ValueError("the account's Data Lake address (.dfs., not .blob.)")
    return origin


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
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
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
    if len(fields) != len(_CRON) or not all(
        made_of.fullmatch(part) and all(int(number) <= greatest for number in re.findall("[0-9]{1,9}", part))
        for part, (made_of, greatest) in zip(fields, _CRON, strict=True)
    ):
        raise ValueError(
            "six fields, in UTC: second minute hour day month weekday; the second is one number, since the host tells "
            "nothing of the occurrences of a schedule that fires more often than once a minute"
        )
    return " ".join(fields)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    if not all(map(_GROUP.fullmatch, names)) or len(set(names)) < len(names):
        raise ValueError("names of groups, each once, with commas between them")
    return names


def _auth_level(text: str) -> str:
    if text.upper() not in AUTH_LEVELS:
        raise ValueError(f"one of {', '.join(AUTH_LEVELS)}")
    return text.upper()


def _exports_file(text: str) -> str:
    if text.startswith("lake:") and {"", ".", ".."} & set(text.removeprefix("lake:").split("/")):
        raise ValueError("lake:PATH has a path from the file system's root, without '/' at its ends, '.' or '..'")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "PIGMENT_BASE_URL",
        "Origin of Pigment's API.",
        "https://pigment.app",
        "https://pigment.app",
        _origin,
        shown=False,
    ),
    Setting(
        "KEY_VAULT_URL",
        "The Key Vault that holds the Pigment key; needed in Azure.",
        "https://my-vault.vault.azure.net",
        read=_origin,
        shown=False,
    ),
    Setting(
        "PIGMENT_KEY_SECRET",
        "Name of the secret with the Pigment key.",
        "pigment-api-key",
        "pigment-api-key",
        _matching(_VAULT_SECRET, "the secret's name, never the key: up to 127 letters, digits and '-'"),
        shown=False,
    ),
    Setting(
        "PIGMENT_API_KEY",
        "The Pigment key itself, in place of `KEY_VAULT_URL`; refused inside Azure.",
        "(the key)",
        read=_matching(_KEY, "printable ASCII without spaces"),
        laptop_only=True,
        shown=False,
    ),
    Setting(
        "DATA_LAKE_URL",
        "The storage account, with a hierarchical namespace.",
        "https://mylake.dfs.core.windows.net",
        read=_lake_origin,
        required=True,
        shown=False,
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
        _exports_file,
    ),
    Setting(
        "EXPORT_SCHEDULE",
        "When the timer fires: NCRONTAB, in UTC. The host reads it, too: set it.",
        "0 0 6 * * *",
        "0 0 6 * * *",
        _schedule,
    ),
    Setting(
        "EXPORT_SCHEDULE_GROUPS",
        "Groups that the timer exports; empty for all that is enabled.",
        "daily,finance",
        "",
        _names,
    ),
    Setting(
        "EXPORT_QUEUE",
        "The storage queue with one message per export. The host reads it, too: set it.",
        "pigment-exports",
        "pigment-exports",
        _matching(_QUEUE, "3 to 56 lower-case letters, digits and single '-'"),
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
        "Whether an HTTP caller may define an export: it then reads whatever the key's owner sees.",
        "false",
        "false",
        _boolean,
    ),
    Setting("RUN_HOURS", "Hours until a run expires; at most 24.", "6", "6", _whole(1, 24)),
    Setting(
        "FRESHNESS_HOURS",
        "Hours without success after which an export is stale.",
        "26",
        "26",
        _whole(1, 24 * 366),
    ),
    Setting(
        "RETENTION_DAYS",
        "Days that records of ended runs and held files are kept; at least 8: a queue message lives 7.",
        "90",
        "90",
        _whole(8, 3660),
    ),
    Setting(
        "IDENTITY_CLIENT_ID",
        "Client id of the user-assigned identity; without it, whoever is signed in.",
        "11111111-2222-4333-8444-555555555555",
        read=_matching(_UUID, "a UUID"),
    ),
    Setting(
        "HTTP_AUTH_LEVEL",
        "Which key a call needs: `FUNCTION`, `ADMIN`, or `ANONYMOUS` behind Entra.",
        "FUNCTION",
        "FUNCTION",
        _auth_level,
    ),
    Setting(
        "PUBLIC_BASE_URL",
        "Origin that answers name in `Location`, where it is not the site's own.",
        "https://exports.example.com",
        read=_origin,
        shown=False,
    ),
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
    values: dict[str, Any] = {}
    problems = _key_problems(environ)
    for setting in SETTINGS:
        text = _text(environ, setting.name) or setting.default
        values[setting.name.lower()] = "" if setting.required else None
        if text is None:
            if setting.required and lake:
                problems.append(f"{setting.name}: missing. {setting.what} Example: {setting.example}")
            continue
        try:
            values[setting.name.lower()] = setting.read(text)
        except ValueError as exc:
            given = f" (not {text!r})" if setting.shown else ""
            problems.append(f"{setting.name}: allowed: {exc}{given}. Example: {setting.example}")
    problems += network.problems(environ)
    if problems:
        raise ConfigurationError(problems, code="settings")
    return Settings(deployment=deployment_of(environ), **values)


def deployment_of(environ: Mapping[str, str]) -> str:
    """The app's own name: the site's in Azure, who and where elsewhere."""
    user = _text(environ, "USER") or _text(environ, "USERNAME") or "somebody"
    return _text(environ, "WEBSITE_SITE_NAME") or f"local/{user}@{socket.gethostname()}"


def auth_level_of(environ: Mapping[str, str]) -> str:
    """`HTTP_AUTH_LEVEL` alone, for the decorators; where it is wrong, a key is asked for, and `load` tells."""
    level = _text(environ, "HTTP_AUTH_LEVEL").upper()
    return level if level in AUTH_LEVELS else "FUNCTION"


def is_in_azure(environ: Mapping[str, str]) -> bool:
    """Whether this is a site of Azure, and no laptop."""
    return bool(_text(environ, "WEBSITE_SITE_NAME") or _text(environ, "WEBSITE_INSTANCE_ID"))


def _text(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _key_problems(environ: Mapping[str, str]) -> list[str]:
    has_key, has_vault = bool(_text(environ, "PIGMENT_API_KEY")), bool(_text(environ, "KEY_VAULT_URL"))
    if has_key and is_in_azure(environ):
        return ["PIGMENT_API_KEY: has no place in Azure: store the key in Key Vault, set KEY_VAULT_URL and remove it"]
    if has_key and has_vault:
        return ["PIGMENT_API_KEY and KEY_VAULT_URL: only one may be set: which key would it be?"]
    if not has_key and not has_vault:
        return [
            "KEY_VAULT_URL: missing (on a laptop, PIGMENT_API_KEY will do). Example: https://my-vault.vault.azure.net"
        ]
    return []
