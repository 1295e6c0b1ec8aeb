"""Temporary folders that are gone when their program is, however it ends."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emulators.terminal import on_signal


@contextmanager
def temporary_folder(prefix: str, *, within: Path | None = None) -> Iterator[Path]:
    """Make a folder that goes with the block, or with a signal that ends the process in it.

    Args:
        prefix: of its name.
        within: where it is made; the system's place for such otherwise.
    """
    # Named before it is there: a signal may come in between.
    folder = Path(within or tempfile.gettempdir(), f"{prefix}{secrets.token_hex(4)}")

    def remove() -> None:
        moved = folder
        with suppress(OSError):
            moved = folder.rename(folder.with_name(f"{folder.name}.gone"))  # from under threads that still write to it
        shutil.rmtree(moved, ignore_errors=True)

    with on_signal(remove):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            remove()
