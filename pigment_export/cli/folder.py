"""A local folder, for `fetch`. A file gets its name only when it is complete, and never replaces another."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import Self

from pigment_export.errors import ConfigurationError, ErrorRow, PermanentError, Who

# The errors of file systems without hard links (exFAT, some network shares).
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})


def _row(code: str, remedy: str) -> ErrorRow:
    return ErrorRow(code, PermanentError, Who.CALLER, remedy)


_FULL = _row("folder_full", "free some space, or choose another folder")
_FORBIDDEN = _row("folder_forbidden", "choose a folder that you are allowed to write to")
_FAILED = _row("folder_failed", "choose another folder")
_ROWS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _row("folder_full", "choose a folder on a file system that allows larger files"),
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOENT: _row("folder_missing", "create the folder first"),
    errno.ENOTDIR: _row("folder_missing", "choose a folder"),
    errno.ENAMETOOLONG: _row("folder_failed", "choose a shorter name"),
    errno.EEXIST: _row("folder_file_exists", "move the existing file, or choose another name"),
}


class FolderFile:
    """A file that is written to a folder: a sink of `transfer`, then published. An error in its block drops it.

    Args:
        folder: the folder; it must exist.
        name: the file's name, with its extension.
        nonce: part of the temporary name, so that two fetches do not collide.
    """

    def __init__(self, folder: Path, name: str, *, nonce: str) -> None:
        self.path = folder / name
        self._name = name
        self._partial = folder / f".{name}.{nonce}.partial"
        self._lock = threading.Lock()
        self._file: BufferedWriter | None = None

    def check(self) -> None:
        """Refuse what cannot succeed, before Pigment is asked.

        Raises:
            ConfigurationError: the folder does not exist, the name is not a file name, or the file exists.
            PermanentError: the folder does not accept a new file.
        """
        problem = None
        if not self._name or self._name != Path(self._name).name or min(self._name) < " ":
            problem = f"{self._name!r} is not a file name"
        elif not self.path.parent.is_dir():
            problem = f"{self.path.parent} is not a folder: create it first, or choose another"
        elif os.path.lexists(self.path):
            problem = f"{self.path} exists, and fetch never replaces a file: move it, or choose another name"
        if problem:
            raise ConfigurationError([problem], code="folder")
        with _explained(self._partial):
            self._partial.open("xb").close()
            self._partial.unlink()

    def open(self) -> None:
        """Create the temporary file.

        Raises:
            PermanentError: the folder refuses.
        """
        with _explained(self._partial):
            self._file = self._partial.open("xb")

    def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
        """Write bytes at a position.

        Raises:
            PermanentError: the folder refuses.
        """
        with self._lock, _explained(self._partial):
            file = self._opened()
            file.seek(position)
            file.write(data)

    def finish(self, size: int) -> None:
        """Write all bytes to the disk.

        Raises:
            PermanentError: the folder refuses.
        """
        with self._lock, _explained(self._partial):
            file = self._opened()
            file.flush()
            if os.fstat(file.fileno()).st_size != size:
                raise ValueError(f"{self._partial} does not have the {size} bytes that were appended")
            os.fsync(file.fileno())
            file.close()

    def publish(self) -> None:
        """Give the file its name in one step, unless that name is taken.

        Raises:
            PermanentError: the name is taken, or the folder refuses. The temporary file stays.
        """
        with _explained(self.path):
            _move_without_replacing(self._partial, self.path)
        with suppress(OSError):  # Windows cannot open folders; without this, a power cut may lose the name
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.drop()

    def drop(self) -> None:
        """Remove the temporary file, if it exists."""
        with self._lock, suppress(OSError):
            try:
                if self._file is not None:
                    self._file.close()
            finally:
                self._partial.unlink(missing_ok=True)

    def _opened(self) -> BufferedWriter:
        if self._file is None:
            raise ValueError("the file is not open")
        return self._file


def _move_without_replacing(source: Path, target: Path) -> None:
    if os.name == "nt":
        source.rename(target)  # on Windows, this refuses a name that is taken
        return
    try:
        os.link(source, target)  # a rename would replace an existing file
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        target.open("xb").close()  # reserves the name; for an instant it is an empty file
        source.replace(target)
    else:
        source.unlink()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        row = _ROWS.get(exc.errno or 0, _FAILED)
        raise row.raised(f"{path} could not be written: {exc.strerror or type(exc).__name__}") from exc
