"""Check whether the app can do its work: one line for each thing that it depends on, with what to fix.

A check passes only where what it names was really done: the key is read past what is kept, Pigment accepts it for an
export, and the lake's promises that everything rests on are tried on the real service. Azure roles: as for an export.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from pigment_export.app.schemas import Check, HealthReport
from pigment_export.catalog.file import Catalog
from pigment_export.errors import ConfigurationError, ConflictError, ErrorRow, ExportError, PermanentError, Who
from pigment_export.lake.interface import Files, Records
from pigment_export.retry import Deadline

STALE_ETAG = '"0x0000000000000"'  # of nothing that ever was
PROBE = b"pigment\n"
PROBE_METADATA = {"pigment_probe": "kept"}

LAKE_BREAKS_PROMISE = ErrorRow(
    "lake_breaks_promise",
    PermanentError,
    "",
    Who.ADMINISTRATOR,
    "use a storage account with a hierarchical namespace, and no proxy that rewrites requests before it",
)

type Step = tuple[str, Callable[[], str]]  # a check's name, and what does it: returns what was seen, or raises


@dataclass(frozen=True, slots=True)
class Health:
    """The checks.

    Attributes:
        catalog: reads the catalog.
        read_key: reads the Pigment key of a secret (None: the deployment's own), past what is kept.
        check_key: asks Pigment whether it accepts that key for exports; returns whether it may read metadata, too.
        files: the lake's files.
        records: the lake's records.
        probes: prefix of the paths to try the lake with.
        new_nonce: makes 16 random hexadecimal digits.
    """

    catalog: Callable[[Deadline], Catalog]
    read_key: Callable[[str | None], object]
    check_key: Callable[[str | None, Deadline], bool]
    files: Files
    records: Records
    probes: str
    new_nonce: Callable[[], str]

    def report(self, version: str, deployment: str, deadline: Deadline | None) -> HealthReport:
        """Return what a caller is told of the app's health.

        Args:
            version: of the app.
            deployment: the app's own name.
            deadline: for the checks; None for none of them.
        """
        checks = self.checks(deadline) if deadline else ()
        state = "up" if all(check.ok for check in checks) else "failing"
        return HealthReport(state=state, version=version, deployment=deployment, checks=checks)

    def checks(self, deadline: Deadline) -> tuple[Check, ...]:
        """Check everything, one after the other, whatever each comes to.

        Args:
            deadline: of this call.
        """
        return tuple(self.each(deadline))

    def each(self, deadline: Deadline) -> Iterator[Check]:
        """Yield each check as it is done, for a person who waits.

        Args:
            deadline: of this call.
        """
        return (checked(*step) for step in self._steps(deadline))

    def _steps(self, deadline: Deadline) -> Iterator[Step]:
        secrets: set[str | None] = set()  # filled by the first check, which has run when the next one is asked for

        def read_catalog() -> str:
            exports = self.catalog(deadline).exports
            secrets.update(export.secret for export in exports if export.enabled)
            return f"{sum(export.enabled for export in exports)} of {len(exports)} exports are enabled"

        yield "read the catalog", read_catalog
        for secret in sorted(secrets or {None}, key=lambda name: name or ""):
            of_secret = f" {secret}" if secret else ""
            yield f"read the Pigment key{of_secret}", partial(self._read_key, secret)
            yield f"use the Pigment key{of_secret}", partial(self._use_key, secret, deadline)
        yield from _LakeProbe(self.files, self.records, f"{self.probes}{self.new_nonce()}").steps()

    def _read_key(self, secret: str | None) -> str:
        self.read_key(secret)
        return "read"

    def _use_key(self, secret: str | None, deadline: Deadline) -> str:
        if self.check_key(secret, deadline):
            return "Pigment accepts it for exports and metadata"
        return "Pigment accepts it for exports; it may not read metadata, which only finding ids needs"


class _LakeProbe:
    """Tries with two small files and a record what the lake promises; they are removed in the end.

    Args:
        files: the lake's files.
        records: the lake's records.
        path: that the paths begin with.
    """

    def __init__(self, files: Files, records: Records, path: str) -> None:
        self._files = files
        self._records = records
        self._moving, self._standing, self._record = (
            f"{path}.{name}.partial" for name in ("moving", "standing", "record")
        )
        self._etags: dict[str, str] = {}

    def steps(self) -> Iterator[Step]:
        """Yield the checks; those of renames only where there are files to rename."""
        with self._removed():
            yield "write to the lake", self._write
            if len(self._etags) == 2:  # noqa: PLR2004 - both files
                yield "no rename over a file that has changed", partial(self._refuse, STALE_ETAG)
                yield "no rename over a file that is there", partial(self._refuse, None)
                yield "rename over a file as it was seen", self._rename
            yield "write a record once", self._write_once

    def _write(self) -> str:
        etags: dict[str, str] = {}
        for path in (self._moving, self._standing):
            etag = self._files.create(path)
            self._files.append(path, 0, PROBE)
            etag = self._files.flush(path, len(PROBE), etag, content_type="text/csv")
            etags[path] = self._files.describe(path, PROBE_METADATA if path == self._moving else {}, etag)
            if self._files.read(path, len(PROBE), etags[path]) != PROBE:
                raise LAKE_BREAKS_PROMISE.raised("a file does not hold what was written to it")
        self._etags = etags
        return "two small files were written and read"

    def _refuse(self, replacing: str | None) -> str:
        """Rename with a condition that does not hold: the lake must refuse, and nothing may have moved."""
        etag = self._etags[self._moving]
        try:
            self._files.rename(self._moving, self._standing, source_etag=etag, replacing=replacing)
        except ConflictError as error:
            if self._files.look(self._standing).etag == self._etags[self._standing]:
                return f"refused, as it must be ({error.cause.code})"
        raise LAKE_BREAKS_PROMISE.raised(
            f"the lake renamed a file over one that {'had changed' if replacing else 'was there'}"
        )

    def _rename(self) -> str:
        over, etag = self._etags[self._standing], self._etags[self._moving]
        self._files.rename(self._moving, self._standing, source_etag=etag, replacing=over)
        if dict(self._files.look(self._standing).metadata) != PROBE_METADATA:
            raise LAKE_BREAKS_PROMISE.raised("a rename did not keep the file's metadata")
        return "done, and the metadata is kept"

    def _write_once(self) -> str:
        self._records.write(self._record, PROBE, PROBE_METADATA, replacing=None)
        try:
            self._records.write(self._record, b"other\n", {}, replacing=None)
        except ConflictError as error:
            refused = f"and refused the second time ({error.cause.code})"
        else:
            raise LAKE_BREAKS_PROMISE.raised("the lake wrote a record over another, against the condition")
        listed = [(row.path, dict(row.metadata)) for row in self._records.list(self._record)]
        if self._records.read(self._record).data != PROBE or listed != [(self._record, PROBE_METADATA)]:
            raise LAKE_BREAKS_PROMISE.raised("a record is not read or listed as it was written")
        return f"written, listed, {refused}"

    @contextmanager
    def _removed(self) -> Iterator[None]:
        """Remove what was written; what cannot be removed is swept a day later."""
        try:
            yield
        finally:
            for path in (self._moving, self._standing, self._record):
                with suppress(ExportError):
                    self._files.delete(path)


def checked(name: str, look: Callable[[], str]) -> Check:
    """Return what a check came to.

    Args:
        name: of the check.
        look: does it; returns what was seen, or raises.
    """
    try:
        return Check(name=name, ok=True, detail=look())
    except ExportError as error:
        problems = "; ".join(error.problems) if isinstance(error, ConfigurationError) else error.cause.reason
        remedy = f"{error.cause.who}: {error.cause.remedy}"
        return Check(name=name, ok=False, detail=f"{problems} [{error.cause.code}]", remedy=remedy)
