"""Check whether the app can work: one line per dependency, with what to fix.

Each check really does what it names: it reads the key without the cache, has Pigment accept it for an export, and tests
on the real lake the guarantees that the app relies on. Azure roles: as for an export.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from pigment_export import __version__
from pigment_export.app.parts import App
from pigment_export.app.schemas import Check, HealthReport
from pigment_export.errors import ConfigurationError, ConflictError, ErrorRow, ExportError, PermanentError, Who
from pigment_export.lake.interface import Lake
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs

STALE_ETAG = '"0x0000000000000"'  # of no existing file
PROBE = b"pigment\n"
PROBE_METADATA = {"pigment_probe": "kept"}

LAKE_BREAKS_PROMISE = ErrorRow(
    "lake_breaks_promise",
    PermanentError,
    Who.ADMINISTRATOR,
    "use a storage account with a hierarchical namespace, without a proxy that rewrites requests to it",
)


def report(app: App, *, deep: bool) -> HealthReport:
    """Return the health report for a caller.

    Args:
        app: the parts.
        deep: whether to check everything.
    """
    checks = tuple(each(app)) if deep else ()
    state = "up" if all(check.ok for check in checks) else "failing"
    return HealthReport(state=state, version=__version__, deployment=app.settings.deployment, checks=checks)


def each(app: App) -> Iterator[Check]:
    """Yield the checks, each run on demand, also after failed ones.

    Args:
        app: the parts.
    """
    secrets: set[str | None] = set()

    def read_catalog() -> str:
        exports = app.catalog().exports
        secrets.update(export.secret for export in exports if export.enabled)
        return f"{sum(export.enabled for export in exports)} of {len(exports)} exports are enabled"

    def read_key(secret: str | None) -> str:
        app.read_key(secret)
        return "read"

    yield checked("read the catalog", read_catalog)
    for secret in sorted(secrets or {None}, key=lambda name: name or ""):
        of_secret = f" {secret}" if secret else ""
        yield checked(f"read the Pigment key{of_secret}", partial(read_key, secret))
        yield checked(f"use the Pigment key{of_secret}", partial(use_key, app.check_key, secret, app.lake.deadline))
    yield from _of_lake(app.runs)


def use_key(check_key: Callable[[str | None, Deadline], bool], secret: str | None, deadline: Deadline) -> str:
    """Ask Pigment whether it accepts a key.

    Args:
        check_key: as `App` has it.
        secret: name of the key's secret; None for the deployment's own.
        deadline: of this call.

    Raises:
        ExportError: Pigment does not accept it.
    """
    if check_key(secret, deadline):
        return "Pigment accepts it for exports and metadata"
    return (
        "Pigment accepts it for exports; it is not allowed to read metadata, which only the commands that find ids need"
    )


def _of_lake(runs: Runs) -> Iterator[Check]:
    """Test the lake's guarantees with two small files and a record; those of renames only if the files were written.

    All three are removed at the end; the sweep removes leftovers a day later.
    """
    lake = runs.lake.once
    probe = f"{runs.layout.probes}{runs.new_nonce()}"
    moving, standing, record = (f"{probe}.{name}.partial" for name in ("moving", "standing", "record"))
    etags: dict[str, str] = {}

    def write() -> str:
        etags.update({moving: _written(lake, moving, PROBE_METADATA), standing: _written(lake, standing, {})})
        return "two small files were written and read"

    def refuse(replacing: str | None) -> str:
        """Rename with a condition that does not hold: the lake must refuse, and nothing may have moved."""
        try:
            lake.rename(moving, standing, source_etag=etags[moving], replacing=replacing)
        except ConflictError as error:
            if lake.look(standing).etag == etags[standing]:
                return f"refused, as expected ({error.cause.code})"
        what = "had changed" if replacing else "was there"
        raise LAKE_BREAKS_PROMISE.raised(f"the lake renamed a file over one that {what}")

    def rename() -> str:
        lake.rename(moving, standing, source_etag=etags[moving], replacing=etags[standing])
        if dict(lake.look(standing).metadata) != PROBE_METADATA:
            raise LAKE_BREAKS_PROMISE.raised("a rename did not keep the file's metadata")
        return "done, and the metadata is kept"

    try:
        yield checked("write to the lake", write)
        if etags:
            yield checked("no rename over a file that has changed", partial(refuse, STALE_ETAG))
            yield checked("no rename over a file that is there", partial(refuse, None))
            yield checked("rename over a file as it was seen", rename)
        yield checked("write a record once", partial(_write_once, lake, record))
    finally:
        for path in (moving, standing, record):
            with suppress(ExportError):
                lake.delete(path)


def _written(lake: Lake, path: str, metadata: Mapping[str, str]) -> str:
    etag = lake.create(path)
    lake.append(path, 0, PROBE)
    etag = lake.flush(path, len(PROBE), etag, content_type="text/csv")
    etag = lake.describe(path, metadata, etag)
    if lake.read_range(path, len(PROBE), etag) != PROBE:
        raise LAKE_BREAKS_PROMISE.raised("a file does not contain what was written to it")
    return etag


def _write_once(lake: Lake, path: str) -> str:
    lake.write(path, PROBE, PROBE_METADATA, replacing=None)
    try:
        lake.write(path, b"other\n", {}, replacing=None)
    except ConflictError as error:
        refused = f"and refused the second time ({error.cause.code})"
    else:
        raise LAKE_BREAKS_PROMISE.raised("the lake overwrote a record, although the write's condition did not hold")
    listed = [(row.path, dict(row.metadata)) for row in lake.list(path)]
    if lake.read(path).data != PROBE or listed != [(path, PROBE_METADATA)]:
        raise LAKE_BREAKS_PROMISE.raised("a record is not read or listed as it was written")
    return f"written, listed, {refused}"


def checked(name: str, look: Callable[[], str]) -> Check:
    """Return the outcome of a check.

    Args:
        name: of the check.
        look: runs it; returns what was seen, or raises.
    """
    try:
        return Check(name=name, ok=True, detail=look())
    except ExportError as error:
        problems = "; ".join(error.problems) if isinstance(error, ConfigurationError) else error.cause.reason
        remedy = f"{error.cause.who}: {error.cause.remedy}"
        return Check(name=name, ok=False, detail=f"{problems} [{error.cause.code}]", remedy=remedy)
