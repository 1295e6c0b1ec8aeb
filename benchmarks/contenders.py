"""The ways to move an export into a lake that `transfer` compares, and the parts of this app's way, each as a command.

python -m benchmarks.contenders WAY SOURCE SINK FILE

WAY: `whole`; `export` with any of `gzip`, `chunk=MIB`, `flight=APPENDS`, `at_once=EXPORTS`, `times=EXPORTS`; or a part:
`start`, `read`, `append`, `inspect`, `hash`. FILE is the file that the source serves.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.servers import Servers

type Way = Callable[[Servers, Path], list[str]]

EXPORT = {"name": "export", "kind": "view", "id": "44444444-4444-4444-8444-444444444444"}
PARTS = ("start", "read", "append", "inspect", "hash")
SHARED_FOLDER = "files"


def python(way: str) -> Way:
    """Return the command that runs a way or a part of this module in its own process."""

    def command(servers: Servers, file: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.contenders", way, servers.source, servers.sink, str(file)]

    return command


def _rclone(servers: Servers, file: Path) -> list[str]:
    remote = f':azureblob,sas_url="{servers.sink}/?sv=2021-12-02&sig=none":{SHARED_FOLDER}/{file.name}'
    options = ["--config", "/dev/null", "--quiet", "--ignore-size"]
    return ["rclone", *options, "copyurl", f"{servers.source}/{file.name}", remote]


def _rclone_with_proofs(servers: Servers, file: Path) -> list[str]:
    """Copy, then read twice more, to hash and to count rows: from the source, because the sink keeps nothing."""
    copy = " ".join(f"'{part}'" for part in _rclone(servers, file))
    remote = f"':http,url=\"{servers.source}\":{file.name}'"
    read = f"rclone --config /dev/null --quiet hashsum sha256 --download {remote}"
    count = f"rclone --config /dev/null --quiet cat {remote} | wc -l"
    return ["bash", "-ec", f"{copy}; {read}; {count}"]


def _curl(servers: Servers, file: Path) -> list[str]:
    return ["curl", "--silent", "--fail", "--http2", "--output", "/dev/null", f"{servers.source}/{file.name}"]


OURS, GZIPPED, RCLONE = "this app, all proofs", "this app, gzip at rest", "rclone copyurl"
WAYS: dict[str, Way] = {
    OURS: python("export"),
    GZIPPED: python("export gzip"),
    RCLONE: _rclone,
    "rclone copyurl, then sha256 and a row count": _rclone_with_proofs,
    "the whole body, then one upload": python("whole"),
    "curl, reading only": _curl,
}


class _Credential:
    def get_token(self, *_: str, **__: object) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("of-no-use", 2**40)


def export(source: str, sink: str, *, gzip: bool = False, **said: int) -> None:
    """Move exports with the app's own adapters; print the seconds of each.

    Args:
        source: Pigment's address.
        sink: the lake's address.
        gzip: whether to store them as gzip.
        **said: `chunk` and `flight`: MiB of a chunk, appends in flight; `at_once` and `times`: numbers of parallel
            and of successive exports.
    """
    from pigment_export.azure.adls import AdlsLake
    from pigment_export.catalog.exports import from_json
    from pigment_export.keys import FixedKey
    from pigment_export.pigment.client import Pigment
    from pigment_export.retry import Deadline
    from pigment_export.transfer import stream

    stream.IN_FLIGHT = said.get("flight", stream.IN_FLIGHT)
    chunk_bytes = said["chunk"] * 2**20 if "chunk" in said else stream.CHUNK_BYTES
    lake = AdlsLake(sink, SHARED_FOLDER, _Credential())
    pigment = Pigment(source, FixedKey("a-key-of-no-use"), version="bench")
    definition = from_json({**EXPORT, "gzip": gzip})

    class Sink:
        def __init__(self, path: str) -> None:
            self.path = path

        def open(self) -> None:
            self.etag = lake.create(self.path)

        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
            lake.append(self.path, position, data)

        def finish(self, size: int) -> None:
            lake.flush(self.path, size, self.etag, content_type="text/csv")

    def one(number: int) -> float:
        began = time.perf_counter()
        with pigment.open(definition, Deadline(3000)) as body:
            stream.transfer(body, Sink(f"{number}.partial"), gzip=gzip, chunk_bytes=chunk_bytes)
        return time.perf_counter() - began

    at_once = said.get("at_once", 1)
    with ThreadPoolExecutor(at_once) as exports:
        print(*exports.map(one, range(at_once * said.get("times", 1))))


def part(name: str, source: str, sink: str, file: Path) -> None:
    """Do one part of `export`, for as many bytes and with the same imports."""
    from pigment_export.azure.adls import AdlsLake
    from pigment_export.azure.data_lake import DataLakeFileClient  # noqa: F401 - imported with the first staged file
    from pigment_export.catalog.exports import from_json
    from pigment_export.keys import FixedKey
    from pigment_export.pigment.client import Pigment
    from pigment_export.retry import Deadline
    from pigment_export.transfer.inspector import Inspector
    from pigment_export.transfer.stream import CHUNK_BYTES

    definition = from_json(EXPORT)
    chunk = bytearray(CHUNK_BYTES)
    with file.open("rb") as opened:
        del chunk[opened.readinto(chunk) :]
    rows = chunk[: chunk.rindex(b"\n") + 1]
    times = file.stat().st_size // len(rows)
    if name == "read":
        with Pigment(source, FixedKey("a-key-of-no-use"), version="bench").open(definition, Deadline(3000)) as body:
            while body.readinto(memoryview(chunk)):
                pass
    elif name == "append":
        lake = AdlsLake(sink, SHARED_FOLDER, _Credential())
        lake.create("export.partial")
        for number in range(times):
            lake.append("export.partial", number * len(rows), rows)
    elif name == "inspect":
        inspector = Inspector()
        for _ in range(times):
            inspector.update(rows)
        inspector.finish()
    elif name == "hash":
        sha256 = hashlib.sha256()
        for _ in range(times):
            sha256.update(rows)


def whole(source: str, sink: str, file: Path) -> None:
    """Read the whole body, then upload it."""
    import requests
    from azure.storage.filedatalake import DataLakeFileClient

    body = requests.get(f"{source}/{file.name}", timeout=600).content
    lake = DataLakeFileClient(sink, SHARED_FOLDER, file.name, credential=_Credential())
    lake.upload_data(body, length=len(body), overwrite=True)


def main(way: str, source: str, sink: str, file: Path) -> None:
    """Run a way or a part."""
    name, *words = way.split()
    if name == "export":
        said = dict(word.split("=") for word in words if "=" in word)
        export(source, sink, gzip="gzip" in words, **{option: int(value) for option, value in said.items()})
    elif name == "whole":
        whole(source, sink, file)
    else:
        part(name, source, sink, file)


if __name__ == "__main__":
    main(*sys.argv[1:4], Path(sys.argv[4]))
