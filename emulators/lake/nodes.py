"""Files, directories and file systems of the lake stand-in, and the conditions of requests."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from emulators.lake.access import Access
from emulators.lake.bodies import Body
from emulators.lake.leases import Lease
from emulators.lake.problems import Problem, Refused


@dataclass(slots=True)
class Node:
    """A file or a directory. `settings` are its stored HTTP headers, by their standard names."""

    directory: bool
    etag: str
    created: datetime
    modified: datetime
    access: Access
    metadata: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    content: tuple[Body, ...] = ()
    pending: dict[int, Body] = field(default_factory=dict)
    blocks: dict[str, Body] = field(default_factory=dict)
    """The committed blocks by id, if Put Block List wrote the file."""
    from_blob_api: bool = False
    lease: Lease = field(default_factory=Lease)
    expires: datetime | None = None
    """Only returned, never acted on; the same applies to the next field."""
    encryption_context: str = ""
    length: int = 0


@dataclass(slots=True)
class FileSystem:
    """A container of paths; `nodes` maps each path to its node. The root's path is empty."""

    name: str
    etag: str
    modified: datetime
    nodes: dict[str, Node]
    metadata: dict[str, str] = field(default_factory=dict)
    uncommitted: dict[str, dict[str, Body]] = field(default_factory=dict)
    """The uncommitted blocks by path and block id."""
    lease: Lease = field(default_factory=Lease)

    def under(self, directory: str) -> Iterator[tuple[str, Node]]:
        """Yield the paths in a directory at any depth, in the order of listings."""
        prefix = f"{directory}/" if directory else ""
        inside = (path for path in self.nodes if path and path.startswith(prefix))
        for path in sorted(inside, key=lambda path: path.split("/")):
            yield path, self.nodes[path]


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditional headers of a request, for its path or for a rename's source."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None

    def check(
        self,
        node: Node | None,
        *,
        failed: Problem = Problem.CONDITION,
        unchanged: Problem = Problem.CONDITION,
        taken: Problem = Problem.CONDITION,
    ) -> None:
        """Refuse the request if a condition does not hold.

        Args:
            node: at the path; None if nothing is there.
            failed: the refusal for If-Match and If-Unmodified-Since.
            unchanged: the refusal for If-None-Match with an ETag, and for If-Modified-Since.
            taken: the refusal for `If-None-Match: *` if the path exists.
        """
        if self.if_match is not None and (node is None or self.if_match not in {"*", node.etag}):
            raise Refused(failed, "If-Match")
        if node is None:
            return
        if self.if_none_match == "*":
            raise Refused(taken, "If-None-Match: *")
        if self.if_none_match == node.etag:
            raise Refused(unchanged, "If-None-Match")
        modified = node.modified.replace(microsecond=0)
        if self.if_modified_since is not None and modified <= self.if_modified_since:
            raise Refused(unchanged, "If-Modified-Since")
        if self.if_unmodified_since is not None and modified > self.if_unmodified_since:
            raise Refused(failed, "If-Unmodified-Since")


NO_CONDITIONS = Conditions()
