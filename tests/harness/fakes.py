"""A lake in memory that behaves like the adapter: the same contract tests run over both."""

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pigment_export.azure.errors import LAKE, NO_ANSWER, meaning_of
from pigment_export.errors import ExportError
from pigment_export.lake.interface import ListedBlob, PathInfo, StoredRecord
from pigment_export.lake.paths import parent

ANYTHING = "*"  # a condition that no adapter sends: any existing file is replaced
EPOCH = datetime(2026, 11, 24, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Node:
    etag: str
    created_at: datetime
    written_at: datetime
    data: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[int, bytes] = field(default_factory=dict)
    is_record: bool = False


def refused(name: str, path: str) -> ExportError:
    """Return the error that the adapter raises for one of the service's error codes."""
    status = 412 if name.endswith("ConditionNotMet") else 409 if name.endswith("AlreadyExists") else NO_ANSWER
    return meaning_of(LAKE, status, frozenset({name})).raised(f"{path} ({name})")


class FakeLake:
    """A file system. Thread-safe; its clock moves only when it is advanced.

    Args:
        now: the clock's first instant.
    """

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._nodes: dict[str, _Node] = {}
        self._folders: set[str] = {""}

    # For the tests

    def now(self) -> datetime:
        return self._now.replace(microsecond=0)

    def advance(self, by: timedelta) -> None:
        self._now += by

    def paths(self) -> list[str]:
        with self._lock:
            return sorted(self._nodes)

    def folders(self) -> list[str]:
        with self._lock:
            return sorted(self._folders - {""})

    def content(self, path: str) -> bytes:
        return self._nodes[path].data

    def put(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Write a file, as another program would."""
        with self._lock:
            self._make_parents(path)
            self._nodes[path] = self._new(data=data, metadata=dict(metadata), is_record=True)

    # Files

    def look(self, path: str) -> PathInfo:
        with self._lock:
            if path in self._folders:
                return PathInfo(self.now(), '"folder"', 0, {"hdi_isfolder": "true"})
            node = self._nodes.get(path)
            if node is None:
                return PathInfo(self.now())
            return PathInfo(self.now(), node.etag, len(node.data), dict(node.metadata))

    def create(self, path: str) -> str:
        with self._lock:
            self._check_free(path)
            self._make_parents(path)
            self._nodes[path] = self._new()
            return self._nodes[path].etag

    def append(self, path: str, position: int, data: bytes | bytearray | memoryview) -> None:
        with self._lock:
            node = self._appendable(path)
            self._nodes[path] = replace(node, pending={**node.pending, position: bytes(data)})

    def flush(self, path: str, size: int, etag: str, *, content_type: str) -> str:
        assert content_type
        with self._lock:
            node = self._unchanged(self._appendable(path), path, etag)
            data = bytearray(node.data)
            while len(data) < size and len(data) in node.pending:
                data += node.pending[len(data)]
            if len(data) != size:
                raise refused("InvalidFlushPosition", path)
            return self._write(path, data=bytes(data), pending={})

    def describe(self, path: str, metadata: Mapping[str, str], etag: str) -> str:
        with self._lock:
            self._unchanged(self._node(path), path, etag)
            return self._write(path, metadata=dict(metadata))

    def rename(self, source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        with self._lock:
            if source not in self._nodes:
                raise refused("SourcePathNotFound", source)
            if parent(destination) not in self._folders:
                raise refused("RenameDestinationParentPathNotFound", destination)
            if source_etag not in {ANYTHING, self._nodes[source].etag}:
                raise refused("SourceConditionNotMet", source)
            self._check_replaceable(destination, replacing)
            self._nodes[destination] = self._nodes.pop(source)

    def make_folder(self, path: str) -> None:
        with self._lock:
            self._make_parents(f"{path}/")

    def delete(self, path: str, etag: str | None = None) -> None:
        with self._lock:
            if etag is not None and path in self._nodes:
                self._unchanged(self._nodes[path], path, etag)
            self._nodes.pop(path, None)

    def read_range(self, path: str, length: int, etag: str, *, offset: int = 0) -> bytes:
        with self._lock:
            return self._unchanged(self._node(path), path, etag).data[offset : offset + length]

    # Records

    def read(self, path: str) -> StoredRecord:
        with self._lock:
            node = self._nodes.get(path)
            return StoredRecord(self.now()) if node is None else StoredRecord(self.now(), node.etag, node.data)

    def write(self, path: str, data: bytes, metadata: Mapping[str, str], *, replacing: str | None) -> None:
        with self._lock:
            self._check_replaceable(path, replacing)
            self.put(path, data, metadata)

    def names(self, prefix: str) -> Sequence[str]:
        with self._lock:
            return [path for path in sorted({*self._nodes, *self._folders}) if path.startswith(prefix)]

    def list(self, prefix: str) -> Iterable[ListedBlob]:
        with self._lock:
            return [
                ListedBlob(path, dict(node.metadata), node.created_at, node.written_at, len(node.data))
                for path, node in sorted(self._nodes.items())
                if path.startswith(prefix)
            ]

    # Within

    def _new(self, **fields: Any) -> _Node:
        return _Node(f'"0x{next(self._numbers):X}"', self.now(), self.now(), **fields)

    def _write(self, path: str, **fields: Any) -> str:
        etag = f'"0x{next(self._numbers):X}"'
        self._nodes[path] = replace(self._nodes[path], etag=etag, written_at=self.now(), **fields)
        return etag

    def _node(self, path: str) -> _Node:
        if path not in self._nodes:
            raise refused("PathNotFound", path)
        return self._nodes[path]

    def _appendable(self, path: str) -> _Node:
        node = self._node(path)
        if node.is_record:
            raise refused("PathAlreadyExists", path)
        return node

    @staticmethod
    def _unchanged(node: _Node, path: str, etag: str) -> _Node:
        if etag not in {ANYTHING, node.etag}:
            raise refused("ConditionNotMet", path)
        return node

    def _check_free(self, path: str) -> None:
        if path in self._nodes or path in self._folders:
            raise refused("PathAlreadyExists", path)

    def _check_replaceable(self, path: str, replacing: str | None) -> None:
        if replacing == ANYTHING:
            return
        if replacing is None:
            self._check_free(path)
        elif path not in self._nodes or self._nodes[path].etag != replacing:
            raise refused("ConditionNotMet", path)

    def _make_parents(self, path: str) -> None:
        for at, letter in enumerate(path):
            if letter == "/":
                self._folders.add(path[:at])
