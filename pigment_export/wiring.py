"""The composition root: settings and identity become ready parts. Nothing is built before it is asked for.

Adapters are imported inside the functions: whoever only wants the version or an error pays for no Azure library.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pigment_export import __version__
from pigment_export.deadline import Deadline
from pigment_export.errors import Cause, ConfigurationError, RetryableError, Who

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from azure.core.credentials import TokenCredential

    from pigment_export.catalog import Catalog
    from pigment_export.pigment import Keys, Pigment
    from pigment_export.plan import Plan, PlannedExport
    from pigment_export.receipts import Standing
    from pigment_export.runs import Runs
    from pigment_export.settings import Settings
    from pigment_export.transfer import Progress, Transferred

CALL_SECONDS = 55 * 60.0  # of one export: five minutes below the host's `functionTimeout` of an hour
INTERRUPTED = Cause(
    "interrupted",
    "the run was interrupted by the person who had started it",
    Who.NOBODY,
    "start a new run when you are ready",
)


def new_nonce() -> str:
    """16 hexadecimal digits that nobody can guess."""
    return secrets.token_hex(8)


def credential_of(settings: Settings) -> TokenCredential:
    """The app's identity: user-assigned where its client id is set, else whatever is there (a developer's, too)."""
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    if settings.identity_client_id:
        return ManagedIdentityCredential(client_id=settings.identity_client_id)
    return DefaultAzureCredential()


def keys_of(settings: Settings, credential: Callable[[], TokenCredential]) -> Keys:
    """Where Pigment keys come from: the vault, or on a laptop the environment."""
    from pigment_export.vault import FixedKey, Vault

    if settings.pigment_api_key:
        return FixedKey(settings.pigment_api_key)
    return Vault(str(settings.key_vault_url), settings.pigment_key_secret, credential())


def pigment_of(settings: Settings, credential: Callable[[], TokenCredential]) -> Pigment:
    """Pigment's API."""
    from pigment_export.pigment import Pigment

    return Pigment(settings.pigment_base_url, keys_of(settings, credential), version=__version__)


def runs_of(settings: Settings) -> Runs:
    """The runs of this deployment, on its lake."""
    from pigment_export.lake import LakeFiles
    from pigment_export.layout import Layout
    from pigment_export.records import LakeRecords
    from pigment_export.runs import Runs

    credential = credential_of(settings)
    files = LakeFiles(settings.data_lake_url, settings.data_lake_file_system, credential)
    return Runs(
        files=files,
        records=LakeRecords(settings.data_lake_url, settings.data_lake_file_system, credential),
        now=files.now,
        layout=Layout(settings.data_lake_root, settings.export_path),
        deployment=settings.deployment,
        time_zone=settings.export_time_zone,
        hours=settings.run_hours,
        fetch=pigment_of(settings, lambda: credential).open,
        new_nonce=new_nonce,
    )


def catalog_of(settings: Settings, runs: Runs, deadline: Deadline) -> Catalog:
    """The catalog, from the package or from the lake."""
    from pathlib import Path

    from pigment_export import catalog

    def read_lake(path: str) -> bytes:
        record = deadline.retry(lambda: runs.records.read(path))
        if record.etag is None:
            raise ConfigurationError([f"EXPORTS_FILE: there is no {path} in the file system"], code="catalog")
        return record.data

    return catalog.read(settings.exports_file, folder=Path(__file__).parent.parent, read_lake=read_lake)


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that this process works on by itself."""

    runs: Runs
    plan: Plan

    def deliver(self, name: str, progress: Callable[[Progress], None]) -> Standing:
        """Bring one export to its final receipt, or leave a `retrying` one and raise."""
        return self.runs.deliver(self.plan, self._planned(name), Deadline(CALL_SECONDS), progress)

    def interrupt(self, name: str) -> Standing:
        """Settle one export that will not be tried again."""
        return self.runs.give_up(self.plan, self._planned(name), INTERRUPTED, Deadline(CALL_SECONDS))

    def _planned(self, name: str) -> PlannedExport:
        planned = self.plan.planned(name)
        if planned is None:
            raise KeyError(name)
        return planned


def start_run(
    environ: Mapping[str, str], *, names: Sequence[str], groups: Sequence[str], day: date | None
) -> StartedRun:
    """Start a run of the catalog on the configured lake.

    Args:
        environ: the environment.
        names: exports; with no names and no groups, all that are enabled.
        groups: groups of exports.
        day: the snapshot date that was asked for.

    Returns:
        The run, whose plan is in the lake.

    Raises:
        ConfigurationError: settings, catalog or what was asked for are wrong; nothing was touched.
        ExportError: the lake cannot be used.
    """
    from pigment_export import settings as reading

    settings = reading.load(environ)
    runs = runs_of(settings)
    deadline = Deadline(CALL_SECONDS)
    exports = catalog_of(settings, runs, deadline).select(names, groups)
    plan = runs.start(exports, trigger="cli", asked_by=settings.deployment, deadline=deadline, date_asked=day)
    return StartedRun(runs, plan)


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
    from pigment_export import settings as reading
    from pigment_export.catalog import define
    from pigment_export.exports import delimiter_of
    from pigment_export.folder import FolderFile
    from pigment_export.transfer import transfer

    settings = reading.load(environ, lake=False)
    export = define(str(definition["kind"]), definition, where="command line")
    file = FolderFile(folder, f"{file_name or f'{export.kind}-{export.id}'}.csv", nonce=new_nonce())
    file.check()
    pigment = pigment_of(settings, lambda: credential_of(settings))
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
