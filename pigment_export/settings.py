"""Settings: the environment, read once into a frozen model, with everything wrong told at once.

A setting is one row of `Settings`: its name, its type and what there is to say of it. Code, docs/settings.md and
local.settings.json.example go by these rows, and tests hold them together.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from pigment_export import network
from pigment_export.cron import expression_in, zone_in
from pigment_export.environment import AUTH_LEVELS, deployment_of, is_in_azure, text_of
from pigment_export.errors import ConfigurationError
from pigment_export.lake.paths import root_problems, template_problems

_ORIGIN = re.compile(r"(https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]{1,5})?)/?", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VAULT_SECRET = re.compile(r"[0-9a-zA-Z-]{1,127}")
# 63 characters at most, and '-poison' stands behind ours.
# Source: https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
_QUEUE = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,54}[a-z0-9]")
_FILE_SYSTEM = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[!-~]+")  # printable ASCII: all that a header takes
ALIKE = 0.9  # of two names without their underscores: DATALAKE_URL, EXPORT_TIMEZONE, PIGMENT_BASE_URI


@dataclass(frozen=True, slots=True)
class Setting:
    """What there is to say of a setting, and how its text becomes a value.

    Attributes:
        what: what it is for, in a sentence.
        example: a value that would do.
        read: text to value; raises ValueError that says what is allowed.
        default: the text that holds where it is not set; None where there is none.
        required: whether the app cannot do without.
        laptop_only: whether it has no place in Azure.
        shown: whether a wrong value may stand in a message: a key, or a token in an address, may not.
        name: of the environment variable: that of its row, in capitals.
    """

    what: str
    example: str
    read: Callable[[str], Any]
    default: str | None = None
    required: bool = False
    laptop_only: bool = False
    shown: bool = True
    name: str = ""


def _row(what: str, example: str, read: Callable[[str], Any], *, default: str | None = None, **more: Any) -> Any:
    row = Setting(what, example, read, default, **more)
    return Field(default="" if row.required else None, repr=not row.laptop_only, json_schema_extra={"row": row})  # type: ignore[dict-item]


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


def _auth_level(text: str) -> str:
    if text.upper() not in AUTH_LEVELS:
        raise ValueError(f"one of {', '.join(AUTH_LEVELS)}")
    return text.upper()


def _exports_file(text: str) -> str:
    if text.startswith("lake:") and {"", ".", ".."} & set(text.removeprefix("lake:").split("/")):
        raise ValueError("lake:PATH has a path from the file system's root, without '/' at its ends, '.' or '..'")
    return text


class Settings(BaseModel):
    """The settings, read: a row each. The key shows in no `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)

    deployment: str
    pigment_base_url: str = _row(
        "Origin of Pigment's API.", "https://pigment.app", _origin, default="https://pigment.app", shown=False
    )
    key_vault_url: str | None = _row(
        "The Key Vault that holds the Pigment key; needed in Azure.",
        "https://my-vault.vault.azure.net",
        _origin,
        shown=False,
    )
    pigment_key_secret: str = _row(
        "Name of the secret with the Pigment key.",
        "pigment-api-key",
        _matching(_VAULT_SECRET, "the secret's name, never the key: up to 127 letters, digits and '-'"),
        default="pigment-api-key",
        shown=False,
    )
    pigment_api_key: str | None = _row(
        "The Pigment key itself; not used where `KEY_VAULT_URL` is set, refused inside Azure.",
        "(the key)",
        _matching(_KEY, "printable ASCII without spaces"),
        laptop_only=True,
        shown=False,
    )
    data_lake_url: str = _row(
        "The storage account, with a hierarchical namespace.",
        "https://mylake.dfs.core.windows.net",
        _lake_origin,
        required=True,
        shown=False,
    )
    data_lake_file_system: str = _row(
        "The file system (container) in it.",
        "planning",
        _matching(_FILE_SYSTEM, "3 to 63 lower-case letters, digits and single '-'"),
        required=True,
    )
    data_lake_root: str = _row(
        "Folder below which everything is kept; empty for the file system's root.",
        "raw/pigment",
        _without_problems(root_problems),
        default="",
    )
    exports_file: str = _row(
        "The catalog: a path in the package, or lake:PATH for a file in the file system.",
        "lake:config/exports.toml",
        _exports_file,
        default="exports.toml",
    )
    export_schedule: str = _row(
        "When exports without a `schedule` of their own run: five cron fields, in `EXPORT_TIME_ZONE`; `none`: never.",
        "0 6 * * *",
        expression_in,
        default="0 6 * * *",
    )
    export_queue: str = _row(
        "The storage queue with one message per export. The host reads it, too: set it.",
        "pigment-exports",
        _matching(_QUEUE, "3 to 56 lower-case letters, digits and single '-'"),
        default="pigment-exports",
    )
    export_path: str = _row(
        "Path of a file, with {name} and one of {date}, {instant}, {run_id}, or {year}, {month} and {day}.",
        "{name}/dt={date}/{name}.csv",
        _without_problems(template_problems),
        default="{name}/dt={date}/{name}.csv",
    )
    export_time_zone: ZoneInfo = _row(
        "Time zone of `EXPORT_SCHEDULE` and of a file's date.", "Europe/Paris", zone_in, default="UTC"
    )
    allow_inline_exports: bool = _row(
        "Whether an HTTP caller may define an export: the caller then reads whatever the key's owner sees.",
        "false",
        _boolean,
        default="false",
    )
    run_hours: int = _row("Hours until a run expires; at most 24.", "6", _whole(1, 24), default="6")
    freshness_hours: int = _row(
        "Hours after an occurrence of its schedule by which an export must have succeeded; else it is stale.",
        "6",
        _whole(1, 24 * 366),
        default="6",
    )
    retention_days: int = _row(
        "Days that records of ended runs and held files are kept; at least 8: a queue message lives 7.",
        "90",
        _whole(8, 3660),
        default="90",
    )
    identity_client_id: str | None = _row(
        "Client id of the user-assigned identity; without it, the identity that is signed in.",
        "11111111-2222-4333-8444-555555555555",
        _matching(_UUID, "a UUID"),
    )
    http_auth_level: str = _row(
        "Which key a call needs: `FUNCTION`, `ADMIN`, or `ANONYMOUS` behind Entra.",
        "FUNCTION",
        _auth_level,
        default="FUNCTION",
    )
    public_base_url: str | None = _row(
        "Origin that answers name in `Location`, where it is not the site's own.",
        "https://exports.example.com",
        _origin,
        shown=False,
    )

    @field_validator("*", mode="plain")
    @classmethod
    def _read(cls, text: str, info: ValidationInfo) -> Any:
        row = _row_of(cls.model_fields[str(info.field_name)])
        return row.read(text) if row else text


def _row_of(field: FieldInfo) -> Setting | None:
    more = field.json_schema_extra
    return cast("Setting", more["row"]) if isinstance(more, dict) else None


SETTINGS = tuple(
    replace(row, name=name.upper()) for name, field in Settings.model_fields.items() if (row := _row_of(field))
)
"""The rows of all settings, in order."""


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
    problems = [*_key_problems(environ), *_misspelt(environ)]
    texts = {row.name: text_of(environ, row.name) or row.default for row in SETTINGS}
    if lake:
        problems += [
            f"{row.name}: missing. {row.what} Example: {row.example}"
            for row in SETTINGS
            if row.required and texts[row.name] is None
        ]
    given: Any = {name.lower(): text for name, text in texts.items() if text is not None}
    settings: Settings | None = None
    try:
        settings = Settings(deployment=deployment_of(environ), **given)
    except ValidationError as exc:
        rows = {row.name.lower(): row for row in SETTINGS}
        for error in exc.errors(include_url=False):
            row = rows[str(error["loc"][0])]
            shown = f" (not {texts[row.name]!r})" if row.shown else ""
            allowed = error["msg"].removeprefix("Value error, ")
            problems.append(f"{row.name}: allowed: {allowed}{shown}. Example: {row.example}")
    problems += network.problems(environ)
    if problems or settings is None:
        raise ConfigurationError(problems, code="settings")
    return settings


def _key_problems(environ: Mapping[str, str]) -> list[str]:
    has_key, has_vault = bool(text_of(environ, "PIGMENT_API_KEY")), bool(text_of(environ, "KEY_VAULT_URL"))
    if has_key and is_in_azure(environ):
        return ["PIGMENT_API_KEY: has no place in Azure: store the key in Key Vault, set KEY_VAULT_URL and remove it"]
    if not has_key and not has_vault:
        return [
            "KEY_VAULT_URL: missing (on a laptop, PIGMENT_API_KEY will do). Example: https://my-vault.vault.azure.net"
        ]
    return []


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Name variables that are no setting and look like one: the setting's default would quietly hold in their place."""
    own = {_letters(row.name): row.name for row in SETTINGS}
    for name in environ:
        if name not in own.values() and text_of(environ, name):
            for close in difflib.get_close_matches(_letters(name), own, 1, cutoff=ALIKE):
                yield f"{name}: no setting has this name; did you mean {own[close]}?"


def _letters(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "")
