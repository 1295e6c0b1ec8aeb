"""The newest good files of many exports, by their `_latest.json`.

Azure role: Storage Blob Data Contributor on the lake's container.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import Latest
from pigment_export.errors import ExportError
from pigment_export.lake.paths import latest
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs

READERS = 8  # at once: a hundred exports take a second or two


def latest_files(runs: Runs, exports: Iterable[Export], deadline: Deadline) -> Mapping[str, Latest]:
    """Read `_latest.json` of each export, several at once.

    Args:
        runs: of this deployment.
        exports: of its catalog.
        deadline: of this call.

    Returns:
        The records by export; one that is missing or unreadable is left out.

    Raises:
        ExportError: the lake cannot be read.
    """
    paths = {export.name: latest(runs.layout.folder(export.name)) for export in exports}

    def read(path: str) -> bytes | None:
        try:
            return runs.records.read(path).data
        except ExportError:
            return None  # read again below: the host drops what another thread than the function's logs of a wait

    with ThreadPoolExecutor(READERS) as pool:
        found = dict(zip(paths, pool.map(read, paths.values()), strict=True))
    again = {
        name: deadline.retry(partial(runs.records.read, paths[name])).data
        for name, data in found.items()
        if data is None
    }
    return {name: record for name, data in (found | again).items() if data and (record := _latest_in(data))}


def _latest_in(data: bytes) -> Latest | None:
    try:
        return Latest.from_json(data)
    except ValueError:
        return None
