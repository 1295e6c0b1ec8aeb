"""The catalog: `exports.toml`, one table per export, validated completely before anything is exported."""

import difflib
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pigment_export.catalog.exports import NAME_PATTERN, OPTIONS, SECRET_PATTERN, Export, Kind
from pigment_export.catalog.source import LAKE, LARGEST_BYTES, read_bytes
from pigment_export.errors import ConfigurationError

SHOWN_CHARACTERS = 60  # of a wrong value: enough to find it by

_PATTERNS = {
    NAME_PATTERN: "a name has lower-case letters, digits, '_' and '-' and begins with a letter; at most 64 characters",
    SECRET_PATTERN: "the name of a Key Vault secret (never the key itself) has up to 127 letters, digits and '-'",
}
_TYPES = {"tuple_type": 'must be a list, such as ["…"]', "model_type": "must be a table, such as { … }"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The exports of a deployment, in the file's order."""

    file: str
    exports: tuple[Export, ...]

    def select(self, names: Sequence[str] = (), groups: Sequence[str] = ()) -> tuple[Export, ...]:
        """Choose exports.

        Args:
            names: exports to choose, enabled or not.
            groups: groups whose enabled exports to choose. Without names and groups: all enabled exports.

        Returns:
            The exports, in the catalog's order.

        Raises:
            ConfigurationError: a name or group is unknown or named twice, or nothing is left to export.
        """
        problems = [
            *_misnamed(names, {export.name for export in self.exports}, "export", self.file),
            *_misnamed(groups, {group for export in self.exports for group in export.groups}, "group", self.file),
        ]
        named, grouped, everything = set(names), set(groups), not (names or groups)
        chosen = tuple(
            export
            for export in self.exports
            if export.name in named or (export.enabled and (everything or grouped & set(export.groups)))
        )
        if not problems and not chosen:
            problems.append(
                f"{self.file}: nothing to export: all exports of this request are disabled ('enabled = false')"
            )
        if problems:
            raise ConfigurationError(problems, code="selection")
        return chosen


def load(data: bytes, *, file: str) -> Catalog:
    """Read a catalog.

    Args:
        data: the TOML; UTF-8, with or without a byte order mark.
        file: its name, for messages.

    Raises:
        ConfigurationError: it is invalid; lists every problem with file, export, field and what is allowed.
    """
    tables = _tables(data, file)
    exports: list[Export] = []
    problems: list[str] = []
    for name, table in tables.items():
        where = f"{file}: {_name(name)}"
        if not isinstance(table, dict):
            problems.append(f"{where}: is outside of any export; allowed: one table per export, such as [revenue]")
        elif "name" in table:
            problems.append(f"{where}.name: unknown; the name of the table is the name of the export")
        else:
            try:
                exports.append(define(name, table, where=file))
            except ConfigurationError as exc:
                problems += exc.problems
    if problems:
        raise ConfigurationError(problems, code="catalog")
    return Catalog(file, tuple(exports))


def problems_in(exports_file: str, folder: Path) -> tuple[str, ...]:
    """Return what is wrong with a catalog in a file. One in the lake is not checked: reading it needs settings.

    Args:
        exports_file: its path, as in `EXPORTS_FILE`.
        folder: where a relative path starts.
    """
    try:
        if not exports_file.startswith(LAKE):
            load(read_bytes(exports_file, folder=folder, read_lake=lambda _: b""), file=exports_file)
    except ConfigurationError as error:
        return error.problems
    return ()


def define(name: str, fields: Mapping[str, Any], *, where: str) -> Export:
    """Make an export from its fields, of a catalog or of a request.

    Args:
        name: its name.
        fields: all other fields, named as in the catalog.
        where: the file or the request; every message begins with it.

    Raises:
        ConfigurationError: a field is wrong; lists every problem with `where`, export, field and what is allowed.
    """
    try:
        return Export.model_validate({**fields, "name": name})
    except ValidationError as exc:
        errors = sorted(exc.errors(include_url=False), key=lambda error: error["loc"] != ("kind",))  # the kind first
    problems = [f"{where}: {_name(name)}{_message_of(error, fields.get('kind'))}" for error in errors]
    raise ConfigurationError(problems, code="catalog")  # without its cause, which shows the input: maybe a key


def _tables(data: bytes, file: str) -> dict[str, Any]:
    if len(data) > LARGEST_BYTES:
        raise ConfigurationError([f"{file}: larger than the limit of {LARGEST_BYTES:,} bytes"], code="catalog")
    try:
        tables = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigurationError([f"{file}: not UTF-8 (at line {line}): save it as UTF-8"], code="catalog") from exc
    except (ValueError, RecursionError) as exc:  # ValueError: TOMLDecodeError, and a number of thousands of digits
        raise ConfigurationError([f"{file}: not TOML: {exc}"], code="catalog") from exc
    if not tables:
        raise ConfigurationError(
            [f"{file}: no exports; allowed: one table per export, such as [revenue]"], code="catalog"
        )
    return tables


def _message_of(error: ErrorDetails, kind: Any) -> str:
    """Return one of pydantic's errors as a message about the file, beginning with the field."""
    # Drop the tags of unions, unless nothing else is left: a field may have such a name.
    path = tuple(part for part in error["loc"] if not str(part).startswith("(")) or error["loc"]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    match error["type"]:
        case _ if path == ("kind",):
            told = "missing" if kind is None else f"unknown{_shown(kind)}"
            return f".kind: {told}; allowed: {', '.join(Kind)}{_like(kind, Kind)}"
        case "extra_forbidden":
            return f"{field}: unknown{_where_it_belongs(path, kind)}"
        case "missing":
            return f"{field}: missing. {_sibling_fields(path, kind)[str(path[-1])].description}"
        case "string_pattern_mismatch":
            shown = "" if path[-1] == "secret" else _shown(error["input"])  # a key may have been pasted there
            return f"{'' if path == ('name',) else field}: {_PATTERNS[error['ctx']['pattern']]}{shown}"
        case wrong if wrong in _TYPES:
            return f"{field}: {_TYPES[wrong]}"
        case _:
            said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
            return f"{field}: {said}{_shown(error['input'])}"


def _where_it_belongs(path: tuple[int | str, ...], kind: Any) -> str:
    name = str(path[-1])
    fields = set(_sibling_fields(path, kind)) - {"name"}
    kinds = [other for other, options in OPTIONS.items() if name in _fields(options)]
    belongs = ""
    if kinds and len(path) == 1:
        belongs = "; it is an option for Pigment: write it below 'options'"
    elif kinds and len(path) == 2:  # noqa: PLR2004 - an option itself, nothing within one
        belongs = f"; it is an option of another kind: {', '.join(kinds)}"
    return f"{belongs}; allowed: {', '.join(sorted(fields))}{_like(name, fields)}"


def _sibling_fields(path: tuple[int | str, ...], kind: Any) -> dict[str, FieldInfo]:
    """Return the fields of the model that contains the last part of a path."""
    model: type[BaseModel] | None = Export
    for part in path[:-1]:
        if part == "options" and model is Export:
            model = OPTIONS[kind]
        elif isinstance(part, str):
            field = _fields(model).get(part)
            model = _inner(field.annotation) if field else None
    return _fields(model)


def _fields(model: type[BaseModel] | None) -> dict[str, FieldInfo]:
    """Return a model's fields by the names that people write."""
    return {field.alias or name: field for name, field in (model.model_fields.items() if model else ())}


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation, through tuples and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_inner, get_args(annotation))), None)


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        value = f"{value[:SHOWN_CHARACTERS]}…"
    if isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 10**SHOWN_CHARACTERS):
        return f" (not {value!r})"
    return ""


def _name(name: Any) -> str:
    return name if isinstance(name, str) and name.isprintable() and len(name) <= SHOWN_CHARACTERS else "(a name)"


def _like(name: Any, allowed: Collection[str]) -> str:
    findable = isinstance(name, str) and len(name) < SHOWN_CHARACTERS
    close = difflib.get_close_matches(name, allowed, 1) if findable else []
    return f" (did you mean {str(close[0])!r}?)" if close else ""


def _misnamed(asked: Sequence[str], known: Collection[str], what: str, file: str) -> list[str]:
    times = Counter(asked)
    return [
        f"{file}: no {what} {name!r}; allowed: {', '.join(sorted(known)) or 'none'}{_like(name, known)}"
        for name in times
        if name not in known
    ] + [f"{what} {name!r} is named twice" for name, count in times.items() if count > 1]
