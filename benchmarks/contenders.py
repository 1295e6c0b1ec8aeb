"""The ways to bring an export into a lake that `transfer` measures, each as a command.

python -m benchmarks.contenders ours|whole SOURCE SINK NAME [gzip]
"""

import sys
from collections.abc import Callable

from benchmarks.servers import Servers


def _python(way: str, *more: str) -> Callable[[Servers, str], list[str]]:
    def command(servers: Servers, name: str) -> list[str]:
        return [sys.executable, "-m", "benchmarks.contenders", way, servers.source, servers.sink, name, *more]

    return command


def _rclone(servers: Servers, name: str) -> list[str]:
    remote = f':azureblob,sas_url="{servers.sink}/?sv=2021-12-02&sig=none":files/{name}'
    return [
        "rclone",
        "--config",
        "/dev/null",
        "--quiet",
        "--ignore-size",
        "copyurl",
        f"{servers.source}/{name}",
        remote,
    ]


def _rclone_with_proofs(servers: Servers, name: str) -> list[str]:
    """Copy, then read twice more, to hash and to count rows: from the source, since the sink keeps nothing."""
    copy = " ".join(f"'{part}'" for part in _rclone(servers, name))
    remote = f"':http,url=\"{servers.source}\":{name}'"
    read = f"rclone --config /dev/null --quiet hashsum sha256 --download {remote}"
    count = f"rclone --config /dev/null --quiet cat {remote} | wc -l"
    return ["bash", "-ec", f"{copy}; {read}; {count}"]


def _curl(servers: Servers, name: str) -> list[str]:
    return ["curl", "--silent", "--fail", "--http2", "--output", "/dev/null", f"{servers.source}/{name}"]


COMMANDS: dict[str, Callable[[Servers, str], list[str]]] = {
    "this app, all proofs": _python("ours"),
    "this app, gzip at rest": _python("ours", "gzip"),
    "rclone copyurl": _rclone,
    "rclone copyurl, then sha256 and a row count": _rclone_with_proofs,
    "the whole body, then one upload": _python("whole"),
    "curl, reading only": _curl,
}


class _Key:
    def reveal(self) -> str:
        return "a-key-of-no-use"


class _Keys:
    def read(self, name: str | None) -> _Key:
        del name
        return _Key()

    read_again = read


def ours(source: str, sink: str, *, gzip: bool) -> None:
    """Move an export through the app's own adapters."""
    from pigment_export.azure.adls import LakeFiles
    from pigment_export.azure.file_system import FileSystem
    from pigment_export.catalog.exports import from_json
    from pigment_export.pigment.client import Pigment
    from pigment_export.retry import Deadline
    from pigment_export.transfer.stream import Format, transfer

    lake = LakeFiles(FileSystem(sink, "files", _token()))

    class Sink:
        def open(self) -> None:
            self.etag = lake.create("export.partial")

        def append(self, position: int, data: bytes | bytearray | memoryview) -> None:
            lake.append("export.partial", position, data)

        def finish(self, size: int) -> None:
            lake.flush("export.partial", size, self.etag, content_type="text/csv")

    definition = {"name": "export", "kind": "view", "id": "44444444-4444-4444-8444-444444444444", "gzip": gzip}
    with Pigment(source, _Keys(), version="bench").open(from_json(definition), Deadline(3000)) as body:
        moved = transfer(body, Sink(), Format(b";", gzip=gzip))
    print(moved)


def whole(source: str, sink: str, name: str) -> None:
    """Read the whole body, then upload it."""
    import requests
    from azure.storage.filedatalake import DataLakeFileClient

    body = requests.get(f"{source}/{name}", timeout=600).content
    DataLakeFileClient(sink, "files", name, credential=_token()).upload_data(body, length=len(body), overwrite=True)


def _token() -> object:
    from azure.core.credentials import AccessToken

    class Credential:
        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken("of-no-use", 2**40)

    return Credential()


if __name__ == "__main__":
    way, at_source, at_sink, file, *more = sys.argv[1:]
    if way == "ours":
        ours(at_source, at_sink, gzip="gzip" in more)
    else:
        whole(at_source, at_sink, file)
