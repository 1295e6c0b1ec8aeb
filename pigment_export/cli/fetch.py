"""Fetch one export to a local folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pigment_export import settings as reading
from pigment_export import wiring
from pigment_export.catalog.exports import delimiter_of
from pigment_export.catalog.file import define
from pigment_export.cli.folder import FolderFile
from pigment_export.errors import RetryableError
from pigment_export.retry import CALL_SECONDS, Deadline
from pigment_export.transfer.stream import Progress, Transferred, transfer


def fetch_to_folder(
    environ: Mapping[str, str],
    definition: Mapping[str, Any],
    folder: Path,
    file_name: str | None,
    progress: Callable[[Progress], None],
) -> tuple[Path, Transferred]:
    """Fetch one export to a local folder.

    Args:
        environ: the environment; a key or a vault is enough.
        definition: kind, id, options, as in the catalog.
        folder: where the file goes.
        file_name: without `.csv`; by default kind and id.
        progress: told how far the transfer is.

    Returns:
        Where the file is, and what was moved.

    Raises:
        ConfigurationError: settings, definition or folder are wrong; nothing was asked.
        ExportError: the fetch failed; nothing is left in the folder.
    """
    settings = reading.load(environ, lake=False)
    export = define(str(definition["kind"]), definition, where="command line")
    file = FolderFile(folder, f"{file_name or f'{export.kind}-{export.id}'}.csv", nonce=wiring.new_nonce())
    file.check()
    pigment = wiring.pigment_of(settings, wiring.keys_of(settings, lambda: wiring.identity_of(settings, environ)))
    deadline = Deadline(CALL_SECONDS)
    attempt = 0
    while True:
        try:
            with pigment.open(export, deadline) as source:
                moved = transfer(source, file, delimiter=delimiter_of(export), progress=progress)
            return file.publish(), moved
        except RetryableError as error:
            file.drop()
            deadline.pause(error, attempt)
            attempt += 1
        except BaseException:
            file.drop()
            raise
