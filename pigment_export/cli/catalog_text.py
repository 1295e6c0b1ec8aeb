"""The text of the catalog, in a local file or in the lake. Adding a table keeps every comment."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import tomlkit
from tomlkit.exceptions import TOMLKitError

from pigment_export import wiring
from pigment_export.catalog.exports import Export
from pigment_export.catalog.file import load
from pigment_export.catalog.source import LAKE
from pigment_export.cli.parts import app_now, attended
from pigment_export.errors import ConfigurationError, ConflictError

_BARE = re.compile(r"(?<!\r)\n")  # a line end that is not Windows'
NEW_FILE = "# The catalog has one table per export, named like the export and its folder in the lake.\n"


@dataclass(frozen=True, slots=True)
class CatalogText:
    """The text of a catalog, and a function that replaces it.

    Attributes:
        file: the value of `EXPORTS_FILE`.
        text: of the whole file; empty if the file does not exist yet.
        replace: replaces the text; raises ConflictError if the file has changed meanwhile.
    """

    file: str
    text: str
    replace: Callable[[str], None]

    def exports(self) -> tuple[Export, ...]:
        """The exports in the text.

        Raises:
            ConfigurationError: the text is not a valid catalog; the error has every problem.
        """
        if all(not line.strip() or line.lstrip().startswith("#") for line in self.text.splitlines()):
            return ()
        return load(self.text.encode(), file=self.file).exports

    def with_table(self, name: str, fields: Mapping[str, Any], remarks: Mapping[str, str]) -> str:
        """Return the text with one more table at its end.

        Args:
            name: of the table.
            fields: of the table, in order.
            remarks: comments after fields, by name.

        Raises:
            ConfigurationError: the new text is not a valid catalog.
        """
        try:
            document = tomlkit.parse(self.text or NEW_FILE)
            table = tomlkit.table()
            for field, value in fields.items():
                table.add(field, value)
                if field in remarks:
                    table[field].comment(remarks[field])
            if not self.text.endswith("\n\n"):
                document.add(tomlkit.nl())
            document.add(name, table)
        except TOMLKitError as exc:
            raise ConfigurationError([f"{self.file}: not TOML: {exc}"], code="catalog") from exc
        text = tomlkit.dumps(document)
        if "\r\n" in self.text and not _BARE.search(self.text):
            text = _BARE.sub("\r\n", text)
        load(text.encode(), file=self.file)
        return text


def read_text(exports_file: str) -> CatalogText:
    """Read the catalog's text.

    Args:
        exports_file: a path, or `lake:PATH` for a file in the file system, which needs the settings of a lake.

    Raises:
        ConfigurationError: settings are missing, or the file is not UTF-8.
        ExportError: the lake cannot be used.
    """
    if exports_file.startswith(LAKE):
        return _in_lake(exports_file)
    path = Path(exports_file).resolve()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as exc:
        raise click.FileError(exports_file, exc.strerror) from exc
    return CatalogText(exports_file, _decoded(data, exports_file), lambda text: _replace(path, data, text))


def _replace(path: Path, before: bytes, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{wiring.new_nonce()}")
    try:
        temporary.write_bytes(text.encode())
        if path.exists():
            shutil.copymode(path, temporary)
            if path.read_bytes() != before:
                raise click.FileError(str(path), "it has changed meanwhile; run the command again")
        temporary.replace(path)
    except OSError as exc:
        raise click.FileError(str(path), exc.strerror or str(exc)) from exc
    finally:
        temporary.unlink(missing_ok=True)


def _in_lake(exports_file: str) -> CatalogText:
    app = app_now()
    path = exports_file.removeprefix(LAKE)
    record = app.lake.read(path)

    def replace(text: str) -> None:
        lake = app.within(attended()).lake
        try:
            lake.deadline.retry(lambda: lake.write(path, text.encode(), {}, replacing=record.etag))
        except ConflictError as exc:
            raise click.FileError(
                exports_file, "it has changed meanwhile; look at it, and run the command again"
            ) from exc

    return CatalogText(exports_file, _decoded(record.data, exports_file), replace)


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigurationError([f"{file}: not UTF-8: save it as UTF-8"], code="catalog") from exc
