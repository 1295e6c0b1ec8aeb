"""Fetching one export to a local folder: what is checked before Pigment is asked, and the call."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pigment_export import wiring
from pigment_export.catalog.exports import delimiter_of
from pigment_export.catalog.file import define
from pigment_export.cli.crew import Progressed
from pigment_export.cli.folder import FolderFile
from pigment_export.cli.parts import settings_of
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Format, Transferred, stopwatch, transfer


def file_in(folder: Path, name: str) -> FolderFile:
    """Return a file on its way into a folder.

    Args:
        folder: where it goes.
        name: its name, with `.csv` or without.
    """
    return FolderFile(folder, name if name.endswith(".csv") else f"{name}.csv", nonce=wiring.new_nonce())


def prepared(
    environ: Mapping[str, str], definition: Mapping[str, Any], file: FolderFile
) -> Callable[[Deadline, Progressed], tuple[Path, Transferred]]:
    """Check all that can be checked before Pigment is asked; the rest is one call.

    Args:
        environ: the environment; a key or a vault is enough.
        definition: kind, id and options, as the catalog has them.
        file: where it goes.

    Returns:
        What fetches: where the file is then, and what was moved.

    Raises:
        ExportError: settings, definition, folder or key are wrong; Pigment was not asked.
    """
    settings = settings_of(environ)
    export = define(str(definition["kind"]), definition, where="command line")
    file.check()
    keys = wiring.keys_of(settings, lambda: wiring.identity_of(settings, environ))
    keys.read(export.secret)
    pigment = wiring.pigment_of(settings, keys)

    form = Format(delimiter_of(export))

    def start(deadline: Deadline, progress: Progressed) -> tuple[Path, Transferred]:
        for attempt in deadline.attempts():
            with attempt, file:
                elapsed = stopwatch()
                with pigment.open(export, deadline) as source:
                    moved = transfer(source, file, form, progress=progress, elapsed=elapsed)
                path = file.publish()
        return path, moved

    return start
