"""The namespace of the lake stand-in: file systems, directories and files, with their conditions and leases.

This module has no HTTP and no locks: the server runs one operation at a time under one lock, so that each is atomic,
as a rename in a hierarchical namespace is. A refusal is raised as `Refused` before anything has changed.

Guesses, where the service's behaviour is not published:
- a repeated append at the same position replaces the earlier one; an append below the flushed length is dropped;
- a flush drops bytes that were appended beyond its position, unless they are to be retained (published), and its
  position must be the end of an append (guess);
- appended bytes that were not flushed are lost when a create overwrites the file, and move with a rename;
- overwriting a path gives it a new creation time;
- a rename checks its source first, then the destination's parent, then the conditions;
- a lease moves with a renamed file.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from emulators.lake.access import Access, AccessRequest, changed, of_new_path
from emulators.lake.bodies import Body, length_of
from emulators.lake.nodes import NO_CONDITIONS, Conditions, FileSystem, Node
from emulators.lake.problems import Problem, Refused

_FILE_SYSTEM_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$root|\$web|\$logs")


class Store:
    """All file systems of one account.

    Args:
        clock: returns the aware instant for Last-Modified and Creation-Time.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._etags = itertools.count(0x8DD0B5000000000)
        self.file_systems: dict[str, FileSystem] = {}

    def now(self) -> datetime:
        """Return the lake's time."""
        return self._clock()

    # File systems

    def create_file_system(self, name: str, metadata: Mapping[str, str]) -> FileSystem:
        """Create an empty file system."""
        if not _FILE_SYSTEM_NAME.fullmatch(name):
            raise Refused(Problem.NAME, "the file system's name")
        if name in self.file_systems:
            raise Refused(Problem.FILE_SYSTEM_EXISTS)
        now = self.now()
        root = Node(directory=True, etag=self._etag(), created=now, modified=now, access=Access())
        made = FileSystem(name, self._etag(), now, {"": root}, dict(metadata))
        self.file_systems[name] = made
        return made

    def file_system(self, name: str) -> FileSystem:
        """Return the file system of that name."""
        if name not in self.file_systems:
            raise Refused(Problem.FILE_SYSTEM_MISSING)
        return self.file_systems[name]

    def delete_file_system(self, name: str, lease_id: str | None) -> None:
        """Delete a file system with its content."""
        self.file_system(name).lease.check(self.now(), lease_id)
        del self.file_systems[name]

    def set_file_system_metadata(self, name: str, metadata: Mapping[str, str]) -> FileSystem:
        """Replace a file system's metadata."""
        system = self.file_system(name)
        system.metadata = dict(metadata)
        system.etag, system.modified = self._etag(), self.now()
        return system

    # Paths

    def node(self, name: str, path: str) -> Node:
        """Return the file or directory at the path."""
        node = self.file_system(name).nodes.get(path)
        if node is None:
            raise Refused(Problem.PATH_MISSING)
        return node

    def file(self, name: str, path: str) -> Node:
        """Return the file at the path."""
        node = self.node(name, path)
        if node.directory:
            raise Refused(Problem.WRONG_TYPE, "the path is a directory")
        return node

    def create(
        self,
        name: str,
        path: str,
        *,
        directory: bool,
        conditions: Conditions = NO_CONDITIONS,
        lease_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        asked: AccessRequest = AccessRequest(),  # noqa: B008 - frozen: one for all calls is right
    ) -> Node:
        """Create a directory or an empty file, with its parents; a file replaces an existing file."""
        system = self.file_system(name)
        if not path:
            raise Refused(Problem.NAME, "the root exists already")
        old = system.nodes.get(path)
        conditions.check(old, taken=Problem.PATH_EXISTS)
        if old is not None:
            if old.directory != directory:
                raise Refused(Problem.PATH_CONFLICT, "the path is of the other kind")
            old.lease.check(self.now(), lease_id)
        self._make_parents(system, path)
        made = self._place(system, path, directory=directory, asked=asked)
        made.metadata, made.settings = dict(metadata or {}), dict(settings or {})
        if old is not None:
            made.lease = old.lease
        return made

    def append(self, name: str, path: str, position: int, body: Body, lease_id: str | None) -> Node:
        """Store bytes for a later flush; the file does not change."""
        node = self._appendable(name, path)
        node.lease.check(self.now(), lease_id)
        node.pending[position] = body
        return node

    def flush(
        self,
        name: str,
        path: str,
        position: int,
        *,
        conditions: Conditions = NO_CONDITIONS,
        lease_id: str | None = None,
        retain: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> Node:
        """Extend the file to `position` with the appended bytes, which must have no gap."""
        node = self._appendable(name, path)
        conditions.check(node)
        node.lease.check(self.now(), lease_id)
        added: list[Body] = []
        reached = node.length
        while reached < position and reached in node.pending:
            added.append(node.pending[reached])
            reached += added[-1].length
        if reached != position:
            raise Refused(Problem.FLUSH_POSITION, f"the position is {position}, the appended bytes end at {reached}")
        node.content += tuple(added)
        node.length = position
        node.pending = {at: body for at, body in node.pending.items() if retain and at >= position}
        node.settings.update(settings or {})
        return self._touch(node)

    def rename(
        self,
        source: tuple[str, str],
        destination: tuple[str, str],
        *,
        source_conditions: Conditions = NO_CONDITIONS,
        conditions: Conditions = NO_CONDITIONS,
        source_lease_id: str | None = None,
        lease_id: str | None = None,
    ) -> Node:
        """Move a file or a directory, over a file or an empty directory of the same kind."""
        if not destination[1]:
            raise Refused(Problem.NAME, "the root cannot be replaced")
        from_system, to_system = self.file_system(source[0]), self.file_system(destination[0])
        node = from_system.nodes.get(source[1])
        if node is None or not source[1]:
            raise Refused(Problem.SOURCE_MISSING)
        parent = to_system.nodes.get(_parent(destination[1]))
        if parent is None:
            raise Refused(Problem.PARENT_MISSING)
        old = to_system.nodes.get(destination[1])
        source_conditions.check(
            node, failed=Problem.SOURCE_CONDITION, unchanged=Problem.SOURCE_CONDITION, taken=Problem.SOURCE_CONDITION
        )
        conditions.check(old, taken=Problem.PATH_EXISTS)
        if not parent.directory:
            raise Refused(Problem.PATH_CONFLICT, "the destination's parent is a file")
        if source[0] == destination[0] and destination[1].startswith(f"{source[1]}/"):
            raise Refused(Problem.SOURCE_INVALID, "a directory cannot move into itself")
        node.lease.check(self.now(), source_lease_id)
        if old is node:
            return node
        if old is not None:
            self._check_replaceable(to_system, destination[1], old, by=node, lease_id=lease_id)
            del to_system.nodes[destination[1]]
        moved = [(source[1], node), *from_system.under(source[1])]
        for path, inner in moved:
            del from_system.nodes[path]
            to_system.nodes[destination[1] + path[len(source[1]) :]] = inner
        return node

    def delete(
        self,
        name: str,
        path: str,
        *,
        recursive: bool,
        conditions: Conditions = NO_CONDITIONS,
        lease_id: str | None = None,
        most: int | None = None,
    ) -> bool:
        """Delete a path, with `most` at most that number of the paths in it; return whether everything is deleted."""
        if not path:
            raise Refused(Problem.NAME, "the root is deleted with its file system")
        system = self.file_system(name)
        node = self._writable(name, path, conditions, lease_id)
        inside = [inner for inner, _ in system.under(path)] if node.directory else []
        if inside and not recursive:
            raise Refused(Problem.NOT_EMPTY)
        deepest_first = inside[::-1]
        for inner in deepest_first if most is None else deepest_first[:most]:
            del system.nodes[inner]
        if most is not None and len(inside) > most:
            return False
        del system.nodes[path]
        return True

    def set_metadata(
        self, name: str, path: str, metadata: Mapping[str, str], conditions: Conditions, lease_id: str | None
    ) -> Node:
        """Replace all metadata of a path."""
        node = self._writable(name, path, conditions, lease_id)
        node.metadata = dict(metadata)
        return self._touch(node)

    def set_settings(
        self, name: str, path: str, settings: Mapping[str, str], conditions: Conditions, lease_id: str | None
    ) -> Node:
        """Replace all stored HTTP headers of a path; those not given are cleared."""
        node = self._writable(name, path, conditions, lease_id)
        node.settings = dict(settings)
        return self._touch(node)

    def set_access(
        self, name: str, path: str, asked: AccessRequest, conditions: Conditions, lease_id: str | None
    ) -> Node:
        """Change owner, group, permissions or ACL of a path; its ETag does not change (guess)."""
        node = self._writable(name, path, conditions, lease_id)
        node.access = changed(node.access, asked)
        return node

    # Blobs

    def put(
        self,
        name: str,
        path: str,
        made_of: Body | tuple[tuple[str, Body], ...],
        *,
        conditions: Conditions = NO_CONDITIONS,
        lease_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Node:
        """Write a whole file with its parents, from one body, or from blocks with their ids."""
        node = self.create(
            name, path, directory=False, conditions=conditions, lease_id=lease_id, metadata=metadata, settings=settings
        )
        node.content = (made_of,) if isinstance(made_of, Body) else tuple(body for _, body in made_of)
        node.blocks = {} if isinstance(made_of, Body) else dict(made_of)
        node.length = length_of(node.content)
        node.from_blob_api = True
        self.file_system(name).uncommitted.pop(path, None)
        return node

    def put_block(self, name: str, path: str, block_id: str, body: Body, lease_id: str | None) -> None:
        """Store a block for a later Put Block List."""
        system = self.file_system(name)
        node = system.nodes.get(path)
        if node is not None:
            if node.directory:
                raise Refused(Problem.WRONG_TYPE, "the path is a directory")
            node.lease.check(self.now(), lease_id)
        kept = system.uncommitted.setdefault(path, {})
        if any(len(other) != len(block_id) for other in kept):
            raise Refused(Problem.BLOCK_LIST, "all block ids of a blob have the same length")
        kept[block_id] = body

    def committed_and_uncommitted(self, name: str, path: str) -> tuple[dict[str, Body], dict[str, Body]]:
        """Return a blob's committed blocks, and its uncommitted ones, by id."""
        system = self.file_system(name)
        node = system.nodes.get(path)
        return (node.blocks if node is not None else {}), system.uncommitted.get(path, {})

    # Within

    def _etag(self) -> str:
        return f'"0x{next(self._etags):X}"'

    def _touch(self, node: Node) -> Node:
        node.etag, node.modified = self._etag(), self.now()
        return node

    def _writable(self, name: str, path: str, conditions: Conditions, lease_id: str | None) -> Node:
        node = self.node(name, path)
        conditions.check(node)
        node.lease.check(self.now(), lease_id)
        return node

    def _appendable(self, name: str, path: str) -> Node:
        node = self.file(name, path)
        if node.from_blob_api:
            raise Refused(Problem.WRITTEN_AS_BLOB, "the file was written through the Blob API")
        return node

    def _make_parents(self, system: FileSystem, path: str) -> None:
        ancestors = [path[:at] for at, letter in enumerate(path) if letter == "/"]
        if any(ancestor in system.nodes and not system.nodes[ancestor].directory for ancestor in ancestors):
            raise Refused(Problem.PATH_CONFLICT, "a parent of the path is a file")
        for ancestor in ancestors:
            if ancestor not in system.nodes:
                self._place(system, ancestor, directory=True, asked=AccessRequest())

    def _place(self, system: FileSystem, path: str, *, directory: bool, asked: AccessRequest) -> Node:
        parent = system.nodes[_parent(path)]
        access = of_new_path(parent.access, directory=directory, asked=asked)
        now = self.now()
        made = Node(directory=directory, etag=self._etag(), created=now, modified=now, access=access)
        system.nodes[path] = made
        return made

    def _check_replaceable(self, system: FileSystem, path: str, old: Node, *, by: Node, lease_id: str | None) -> None:
        if old.directory != by.directory:
            raise Refused(Problem.RENAME_TYPES, "a file and a directory cannot replace each other")
        if next(system.under(path), None) is not None:
            raise Refused(Problem.NOT_EMPTY, "the destination is a directory that is not empty")
        old.lease.check_holder(self.now(), lease_id)  # without an id, overwriting breaks the lease


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
