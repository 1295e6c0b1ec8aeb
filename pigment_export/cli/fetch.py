"""`fetch`: fetch one export to a local folder. Everything that can be checked is checked before Pigment is asked."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pigment_export import wiring
from pigment_export.catalog.file import define
from pigment_export.cli.address import named
from pigment_export.cli.crew import Crew
from pigment_export.cli.folder import FolderFile
from pigment_export.cli.output import FAILED, INTERRUPTED, OK, emit, emit_json, explain, number, say
from pigment_export.cli.parts import settings_now
from pigment_export.errors import ExportError
from pigment_export.retry import Deadline
from pigment_export.transfer.stream import Listen, Transferred, stopwatch, transfer


def fetch(
    *, what: Sequence[str], folder: Path, name: str | None, options: str, timeout_seconds: int | None, as_json: bool
) -> int:
    """Fetch one export to a local folder."""
    kind, found_id = named(what)
    definition = {"kind": kind, "id": found_id, "options": _options(options), "timeout_seconds": timeout_seconds}
    file_name = (name or f"{kind}-{found_id}").removesuffix(".csv")
    file = FolderFile(folder, f"{file_name}.csv", nonce=wiring.new_nonce())
    crew = Crew([name or str(kind)], _prepared(definition, file), again=False)
    with crew.board.live:
        try:
            ((_, moved),) = crew.work()
        except KeyboardInterrupt:
            crew.stop()
            file.drop()
            say("interrupted: the download was stopped, and no partial file is left in the folder")
            return INTERRUPTED
    if isinstance(moved, ExportError):
        say(explain(moved))
        return FAILED
    _tell(file.path, moved, as_json=as_json)
    return OK


def _options(text: str) -> Mapping[str, Any]:
    try:
        chosen = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"not JSON: {exc}", param_hint="--options") from exc
    if not isinstance(chosen, dict):
        raise click.BadParameter("must be a JSON object, such as '{\"friendlyHeaders\": true}'", param_hint="--options")
    return chosen


def _prepared(definition: Mapping[str, Any], file: FolderFile) -> Callable[[str, Deadline, Listen], Transferred]:
    """Check settings, definition, folder and key, and return the function that asks Pigment."""
    settings = settings_now()
    export = define(str(definition["kind"]), definition, where="command line")
    file.check()
    pigment, keys = wiring.pigment_alone_of(settings, os.environ)
    keys.read(export.secret)

    def do(_name: str, deadline: Deadline, progress: Listen) -> Transferred:
        for attempt in deadline.attempts():
            with attempt, file:
                elapsed = stopwatch()
                with pigment.open(export, deadline) as source:
                    moved = transfer(source, file, progress=progress, elapsed=elapsed)
                file.publish()
        return moved

    return do


def _tell(path: Path, moved: Transferred, *, as_json: bool) -> None:
    inspection = moved.inspection
    if as_json:
        emit_json(
            {
                "path": str(path),
                "rows": inspection.rows,
                "columns": inspection.columns,
                "bytes": moved.bytes,
                "sha256": moved.sha256,
                "protocol": moved.protocol,
                "evidence": moved.evidence,
                "seconds": round(moved.seconds, 3),
                "first_byte_seconds": round(moved.first_byte_seconds, 3),
                "notes": list(map(str, inspection.notes)),
            }
        )
        return
    emit(
        f"{path}: {number(inspection.rows)} rows, {len(inspection.columns)} columns, {number(moved.bytes)} bytes, "
        f"sha256 {moved.sha256}, {moved.protocol}, proven complete by {moved.evidence}"
        + "".join(f", {note}" for note in inspection.notes)
        + "\n"
    )
