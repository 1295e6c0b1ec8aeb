"""The source of the catalog's bytes, without the catalog's models: a tick with nothing due needs only the bytes."""

from collections.abc import Callable
from pathlib import Path

from pigment_export.errors import ConfigurationError, MissingError

LARGEST_BYTES = 4 * 1024 * 1024  # a catalog of thousands of exports; more is a mistake
LAKE = "lake:"  # the beginning of an EXPORTS_FILE that is in the file system


def read_bytes(exports_file: str, *, folder: Path, read_lake: Callable[[str], bytes]) -> bytes:
    """Read the catalog from where `EXPORTS_FILE` says.

    Args:
        exports_file: a path, or `lake:PATH` for a file in the file system.
        folder: where a relative path starts: the app's own folder.
        read_lake: reads a file in the lake, by its path in the file system, up to `LARGEST_BYTES` and one more.

    Returns:
        Its bytes, up to `LARGEST_BYTES` and one more.

    Raises:
        ConfigurationError: it does not exist, or cannot be read.
        ExportError: the lake cannot be read.
    """
    try:
        if exports_file.startswith(LAKE):
            return read_lake(exports_file.removeprefix(LAKE))
        with (folder / exports_file).open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except (OSError, MissingError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it does not exist"
        where = "the file system" if exports_file.startswith(LAKE) else str(folder)
        told = f"{exports_file}: cannot be read in {where} ({reason})"
        names = "EXPORTS_FILE can name another file, or lake:PATH for one in the file system"
        problem = f"{told}; `pigment-export add` creates one, and {names}"
        raise ConfigurationError([problem], code="catalog") from exc
