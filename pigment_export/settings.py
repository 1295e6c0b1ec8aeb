"""Settings: the environment, read once into frozen values, with every problem reported at once.

A setting is one row of `Settings`: its name, its type and its description. Tests check that docs/settings.md and
local.settings.json.example have the same rows.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

from pigment_export import network
from pigment_export.cron import expression_in, zone_in
from pigment_export.environment import AUTH_LEVELS, EXPORTS_FILE, deployment_of, is_in_azure, text_of
from pigment_export.errors import ConfigurationError
from pigment_export.lake.paths import Layout, root_problems, template_problems

ALIKE = 0.9  # similarity of names without underscores: DATALAKE_URL, EXPORT_TIMEZONE, PIGMENT_BASE_URI


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: its description, and how its text becomes a value.

    Attributes:
        what: what it is for, as docs and messages show it.
        read: converts the text to a value; raises ValueError with what is allowed.
        default: the text to use if it is not set; None if there is no default.
        example: a valid value; the default, unless the row names another.
        required: whether the app cannot run without it.
        laptop_only: whether it is rejected in Azure.
        shown: whether messages may show a wrong value: not if it may be a key, or an address with a token.
        name: the environment variable: the name of the row, in capitals.
    """

    what: str
    read: Callable[[str], Any]
    default: str | None = None
    example: str = ""
    required: bool = False
    laptop_only: bool = False
    shown: bool = True
    name: str = ""


def _row(what: str, read: Callable[[str], Any], *, default: str | None = None, example: str = "", **more: Any) -> Any:
    row = Setting(what, read, default, example or default or "", **more)
    return field(repr=not row.laptop_only, metadata={"row": row})


def _matching(pattern: str, allowed: str, read: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """Return a reader of texts that match."""
    compiled = re.compile(pattern)

    def read_matching(text: str) -> Any:
        if not compiled.fullmatch(text):
            raise ValueError(allowed)
        return read(text)

    return read_matching


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


_origin = _matching(
    r"(?ai)https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]{1,5})?/?",
    "an https:// address with nothing after the host",
    lambda text: text.lower().removesuffix("/"),
)
_boolean = _matching("(?ai)true|false", "true or false", lambda text: text.lower() == "true")
_auth_level = _matching(f"(?ai){'|'.join(AUTH_LEVELS)}", f"one of {', '.join(AUTH_LEVELS)}", str.upper)
_key = _matching("[!-~]+", "printable ASCII without spaces")  # what a header accepts
_uuid = _matching("(?ai)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID")
_secret = _matching("[0-9a-zA-Z-]{1,127}", "the secret's name, never the key: up to 127 letters, digits and '-'")
# At most 63 characters, including the '-poison' that the host appends.
# Source: https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
_queue = _matching("(?!.*--)[a-z0-9][a-z0-9-]{1,54}[a-z0-9]", "3 to 56 lower-case letters, digits and single '-'")
_file_system = _matching("(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "3 to 63 lower-case letters, digits and single '-'")


def _lake_origin(text: str) -> str:
    origin: str = _origin(text)
    if ".dfs." not in origin:
        raise ValueError("the account's Data Lake address (.dfs., not .blob.)")
    return origin


def _exports_file(text: str) -> str:
    if text.startswith("lake:") and {"", ".", ".."} & set(text.removeprefix("lake:").split("/")):
        raise ValueError("lake:PATH needs a path from the file system's root, without '/' at either end, '.' or '..'")
    return text


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings as values, one row each. No `repr` shows the key."""

    deployment: str
    # fmt: off
    # A table: what each is for, then how its text is read.
    pigment_base_url: str = _row("Address of Pigment's API, without a path.",
        _origin, default="https://pigment.app", shown=False)
    key_vault_url: str | None = _row("The Key Vault that holds the Pigment key. Required in Azure.",
        _origin, example="https://my-vault.vault.azure.net", shown=False)
    pigment_key_secret: str = _row("Name of the Key Vault secret that holds the Pigment key.",
        _secret, default="pigment-api-key", shown=False)
    pigment_api_key: str | None = _row(
        "The Pigment key itself. Ignored if `KEY_VAULT_URL` is set, refused in Azure.",
        _key, example="(the key)", laptop_only=True, shown=False)
    data_lake_url: str = _row("Address of the storage account, which must have a hierarchical namespace.",
        _lake_origin, example="https://mylake.dfs.core.windows.net", required=True, shown=False)
    data_lake_file_system: str = _row("The file system (container) in that account.",
        _file_system, example="planning", required=True)
    data_lake_root: str = _row("Folder that everything is written to. Empty: the root of the file system.",
        _without_problems(root_problems), default="", example="raw/pigment")
    exports_file: str = _row("Path of the catalog: in the package, or lake:PATH for a file in the file system.",
        _exports_file, default=EXPORTS_FILE, example="lake:config/exports.toml")
    export_schedule: str = _row(
        "When exports without a `schedule` of their own run: five cron fields in `EXPORT_TIME_ZONE`, or `none`.",
        expression_in, default="0 6 * * *")
    export_queue: str = _row(
        "The storage queue with one message per export. Always set it for the app: the Functions host reads it, too.",
        _queue, default="pigment-exports")
    export_path: str = _row(
        "Path of each file: {name}, and at least one of {date}, {instant}, {run_id}, or {year}, {month} and {day}.",
        _without_problems(template_problems), default="{name}/dt={date}/{name}.csv")
    export_time_zone: ZoneInfo = _row("Time zone of `EXPORT_SCHEDULE` and of a file's date.",
        zone_in, default="UTC", example="Europe/Paris")
    allow_inline_exports: bool = _row(
        "Whether HTTP callers can define exports of their own. They can then read all that the key's owner sees.",
        _boolean, default="false")
    run_hours: int = _row("Hours until a run expires; at most 24.",
        _whole(1, 24), default="6")
    freshness_hours: int = _row(
        "An export is stale if it has not succeeded this many hours after an occurrence of its schedule.",
        _whole(1, 24 * 366), default="6")
    retention_days: int = _row(
        "Days to keep held files and the records of ended runs. At least 8, since a queue message lives for 7.",
        _whole(8, 3660), default="90")
    identity_client_id: str | None = _row(
        "Client ID of the user-assigned identity. Empty: the system-assigned one, or on a laptop your own sign-in.",
        _uuid, example="11111111-2222-4333-8444-555555555555")
    http_auth_level: str = _row(
        "Which key an HTTP call needs: `FUNCTION`, `ADMIN`, or `ANONYMOUS` (none) if Entra authenticates callers.",
        _auth_level, default="FUNCTION")
    public_base_url: str | None = _row("Address that `Location` headers begin with, if it is not the app's own.",
        _origin, example="https://exports.example.com", shown=False)
    # fmt: on

    @property
    def layout(self) -> Layout:
        """The paths in the lake."""
        return Layout(self.data_lake_root, self.export_path)


SETTINGS = tuple(replace(row.metadata["row"], name=row.name.upper()) for row in fields(Settings) if row.metadata)
"""The rows of all settings, in order."""


def load(environ: Mapping[str, str], *, lake: bool = True) -> Settings:
    """Read the settings.

    Args:
        environ: the environment; an empty value counts as not set.
        lake: whether a lake is needed. `fetch` needs none, and gets empty texts for the lake's settings.

    Raises:
        ConfigurationError: a setting is missing or wrong. It lists every problem, each with an example.
    """
    values: dict[str, Any] = {"deployment": deployment_of(environ)}
    missing, wrong = [], []
    for row in SETTINGS:
        text = text_of(environ, row.name) or row.default
        values[row.name.lower()] = "" if row.required else None
        if text is not None:
            try:
                values[row.name.lower()] = row.read(text)
            except ValueError as exc:
                shown = f" (not {text!r})" if row.shown else ""
                wrong.append(f"{row.name}: allowed: {exc}{shown}. Example: {row.example}")
        elif row.required and lake:
            missing.append(f"{row.name}: missing. {row.what} Example: {row.example}")
    problems = [*_key_problems(environ), *_misspelt(environ), *missing, *wrong, *network.problems(environ)]
    if problems:
        raise ConfigurationError(problems, code="settings")
    return Settings(**values)


def _key_problems(environ: Mapping[str, str]) -> Iterator[str]:
    if text_of(environ, "PIGMENT_API_KEY"):
        if is_in_azure(environ):
            yield "PIGMENT_API_KEY: not allowed in Azure: store the key in Key Vault, set KEY_VAULT_URL and remove it"
    elif not text_of(environ, "KEY_VAULT_URL"):
        yield "KEY_VAULT_URL: missing (or, on a laptop, PIGMENT_API_KEY). Example: https://my-vault.vault.azure.net"


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Report variables that look like a misspelt setting: the app would silently use the setting's default instead."""
    own = {_letters(row.name): row.name for row in SETTINGS}
    for name in environ:
        if name not in own.values() and text_of(environ, name):
            for close in difflib.get_close_matches(_letters(name), own, 1, cutoff=ALIKE):
                yield f"{name}: no setting has this name; did you mean {own[close]}?"


def _letters(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "")
