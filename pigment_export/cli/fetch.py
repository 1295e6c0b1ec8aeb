"""`fetch`: one export to a local folder."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pigment_export.cli.address import named
from pigment_export.cli.board import Board
from pigment_export.cli.crew import Crew
from pigment_export.cli.fetching import file_in, prepared
from pigment_export.cli.output import FAILED, INTERRUPTED, OK, emit, emit_json, explain, number, say
from pigment_export.errors import ExportError
from pigment_export.transfer.stream import Transferred


@click.command()
@click.argument("what", metavar="[KIND] ID", nargs=-1, required=True)
@click.option(
    "--to",
    "folder",
    default=".",
    show_default="this one",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the file; it must exist. An existing file is never replaced.",
)
@click.option("--name", help="The file's name.  [default: KIND-ID.csv]")
@click.option("--options", default="{}", metavar="JSON", help="Pigment's options, as the catalog has them.")
@click.option("--timeout-seconds", type=click.IntRange(min=1), help="Wait so long for the body's first byte.")
@click.option("--json", "as_json", is_flag=True, help="Print what was fetched as JSON.")
def fetch(
    *, what: Sequence[str], folder: Path, name: str | None, options: str, timeout_seconds: int | None, as_json: bool
) -> int:
    """Fetch one export to a local folder.

    ID is the address of a page in Pigment, or KIND (list, metric, table or view) and an id. A key is all it needs:
    PIGMENT_API_KEY, or a vault that you may read (KEY_VAULT_URL).

    Example: pigment-export fetch view 44444444-4444-4444-8444-444444444444
    """
    kind, block_id = named(what)
    definition: dict[str, Any] = {"kind": kind, "id": block_id, "options": _options(options)}
    if timeout_seconds is not None:
        definition["timeout_seconds"] = timeout_seconds
    file = file_in(folder, name or f"{kind}-{block_id}")
    start = prepared(os.environ, definition, file)
    only = name or str(kind)
    with Board([only]) as board:
        crew = Crew(lambda _, deadline, progress: start(deadline, progress), board, again=False)
        try:
            ((_, outcome),) = crew.work([only])
        except KeyboardInterrupt:
            crew.stop()
            file.drop()
            say("interrupted: the fetch was ended, and nothing of it is left in the folder")
            return INTERRUPTED
    if isinstance(outcome, ExportError):
        say(explain(outcome))
        return FAILED
    _tell(*outcome, as_json=as_json)
    return OK


def _options(text: str) -> Mapping[str, Any]:
    try:
        chosen = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"not JSON: {exc}", param_hint="--options") from exc
    if not isinstance(chosen, dict):
        raise click.BadParameter("a JSON object, as '{\"friendlyHeaders\": true}'", param_hint="--options")
    return chosen


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
        f"sha256 {moved.sha256}, {moved.protocol}, end proven by {moved.evidence}"
        + "".join(f", {note}" for note in inspection.notes)
        + "\n"
    )
