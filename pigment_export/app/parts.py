"""The parts that the app's functions work with, within one call; `wiring` makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pigment_export.catalog.source import read_bytes
from pigment_export.errors import ConfigurationError
from pigment_export.lake.call import CallLake

if TYPE_CHECKING:  # a tick with nothing due imports none of them
    from collections.abc import Callable
    from pathlib import Path

    from pigment_export.catalog.file import Catalog
    from pigment_export.retry import Deadline
    from pigment_export.runs.deployment import Runs
    from pigment_export.settings import Settings


@dataclass(frozen=True, slots=True)
class App:
    """The parts, within one call.

    Attributes:
        settings: of this deployment.
        lake: bound to the deadline of the call.
        folder: base of a relative `EXPORTS_FILE`.
        load_catalog: parses the catalog's bytes.
        make_runs: makes `Runs` on a lake that is bound to a call.
        read_key: reads the Pigment key of a secret (None: the deployment's own), without the cache.
        check_key: checks that Pigment accepts that key for exports; returns whether it can also read metadata.
        base_url: origin for `Location` in answers.
    """

    settings: Settings
    lake: CallLake
    folder: Path
    load_catalog: Callable[[bytes], Catalog]
    make_runs: Callable[[CallLake], Runs]
    read_key: Callable[[str | None], object]
    check_key: Callable[[str | None, Deadline], bool]
    base_url: str

    @property
    def runs(self) -> Runs:
        """The runs of this deployment."""
        return self.make_runs(self.lake)

    def within(self, deadline: Deadline) -> App:
        """Return the same parts within another call."""
        return replace(self, lake=CallLake(self.lake.once, deadline))

    def read_catalog(self) -> bytes:
        """Read the catalog's bytes, from a file or from the lake.

        Raises:
            ConfigurationError: it does not exist.
            ExportError: the lake cannot be read.
        """

        def read_lake(path: str) -> bytes:
            record = self.lake.read(path)
            if record.etag is None:
                lake = f"{self.settings.data_lake_file_system} of {self.settings.data_lake_url}"
                problem = f"EXPORTS_FILE: there is no {path} in the file system {lake}"
                raise ConfigurationError([problem], code="catalog")
            return record.data

        return read_bytes(self.settings.exports_file, folder=self.folder, read_lake=read_lake)

    def catalog(self) -> Catalog:
        """Read the catalog.

        Raises:
            ConfigurationError: it is wrong.
            ExportError: the lake cannot be read.
        """
        return self.load_catalog(self.read_catalog())
