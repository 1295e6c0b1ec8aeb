"""Health: whether the app can do its work, each check with what to do where it can't.

The lake's two promises that everything rests on are tried on the real service: it refuses a rename over what has
changed, and one over what is there. Azure roles: as for an export.
"""

import http
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pigment_export.app.schemas import Check
from pigment_export.errors import Cause, ConflictError, ExportError, PermanentError, Who
from pigment_export.lake.interface import Files
from pigment_export.retry import Deadline

STALE_ETAG = '"0x0000000000000"'  # of nothing that ever was
PROBE_METADATA = {"pigment_probe": "kept"}


@dataclass(frozen=True, slots=True)
class Health:
    """The checks.

    Attributes:
        read_key: reads the Pigment key.
        reach_pigment: asks Pigment for its applications; the HTTP status.
        files: the lake's files.
        probes: prefix of the files to try the lake with.
        new_nonce: 16 hexadecimal digits that nobody else has.
    """

    read_key: Callable[[], object]
    reach_pigment: Callable[[Deadline], int]
    files: Files
    probes: str
    new_nonce: Callable[[], str]

    def checks(self, deadline: Deadline) -> tuple[Check, ...]:
        """Look at everything, one after the other, whatever each comes to.

        Args:
            deadline: of this call.
        """
        probe = f"{self.probes}{self.new_nonce()}"
        moving, standing = f"{probe}.moving.partial", f"{probe}.standing.partial"
        etags: dict[str, str] = {}

        def write() -> str:
            for path in (moving, standing):
                etags[path] = self.files.create(path)
            etags[moving] = self.files.describe(moving, PROBE_METADATA, etags[moving])
            return "two small files were written"

        def refuse(replacing: str | None, over: str) -> str:
            try:
                self.files.rename(moving, standing, source_etag=etags[moving], replacing=replacing)
            except ConflictError as error:
                return f"refused, as it must be ({error.cause.code})"
            raise _broken(f"the lake renamed a file over {over}, against the condition")

        def rename() -> str:
            self.files.rename(moving, standing, source_etag=etags[moving], replacing=etags[standing])
            if dict(self.files.look(standing).metadata) != PROBE_METADATA:
                raise _broken("a rename did not keep the file's metadata")
            return "done, and the metadata is kept"

        def steps() -> Iterator[tuple[str, Callable[[], str]]]:
            yield "read the Pigment key", self._read_key
            yield "reach Pigment", lambda: self._reach_pigment(deadline)
            yield "write to the lake", write
            if len(etags) == 2:  # noqa: PLR2004 - both files
                yield "no rename over a file that has changed", lambda: refuse(STALE_ETAG, "one that had changed")
                yield "no rename over a file that is there", lambda: refuse(None, "one that was there")
                yield "rename over a file as it was seen", rename

        with self._removed(moving, standing):
            return tuple(_check(name, look) for name, look in steps())

    def _read_key(self) -> str:
        self.read_key()
        return "read"

    def _reach_pigment(self, deadline: Deadline) -> str:
        if self.reach_pigment(deadline) == http.HTTPStatus.OK:
            return "it answers, and takes the key"
        return "it answers; it does not let the key see metadata, as one that may only export, or is not valid"

    @contextmanager
    def _removed(self, *paths: str) -> Iterator[None]:
        """Remove the files in the end; what cannot be removed is swept a day later."""
        try:
            yield
        finally:
            for path in paths:
                with suppress(ExportError):
                    self.files.delete(path)


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except ExportError as error:
        remedy = f"{error.cause.who}: {error.cause.remedy}"
        return Check(name=name, ok=False, detail=f"{error.cause.reason} [{error.cause.code}]", remedy=remedy)


def _broken(reason: str) -> PermanentError:
    remedy = "use a storage account with a hierarchical namespace, and no proxy that rewrites requests before it"
    return PermanentError(Cause("lake_breaks_promise", reason, Who.ADMINISTRATOR, remedy))
