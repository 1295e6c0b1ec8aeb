"""Temporary folders that are removed when their program ends, also by a signal."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emulators.terminal import on_signal


@contextmanager
def temporary_folder(prefix: str, *, within: Path | None = None) -> Iterator[Path]:
    """Create a folder; remove it at the end of the block, or when a signal ends the process.

    Args:
        prefix: of its name.
        within: its parent; default: the system's temporary folder.
    """
    # Named before it is created: a signal may come in between.
    folder = Path(within or tempfile.gettempdir(), f"{prefix}{secrets.token_hex(4)}")

    def remove() -> None:
        moved = folder
        with suppress(OSError):
            moved = folder.rename(folder.with_name(f"{folder.name}.gone"))  # other threads may still write to it
        shutil.rmtree(moved, ignore_errors=True)

    with on_signal(remove):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            remove()
