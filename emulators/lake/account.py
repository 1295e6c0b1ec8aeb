"""A stand-in for one ADLS Gen2 account: the DFS and the Blob protocol on one TLS listener, with faults on demand.

README.md lists its operations, assumptions and limits. This module joins the others: `store` (the namespace) over
`nodes`; `dfs`, `blob` and `blob_lists` (the protocols); `messages` (what these share); `problems` (error answers);
`bodies` (bytes on disk); `leases`, `access`, `auth`, `sas`, `faults`; `server` (HTTP).
"""

import base64
import contextlib
import itertools
import secrets
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlencode

from emulators.folders import temporary_folder
from emulators.lake import auth as lake_auth
from emulators.lake import dfs as lake_dfs
from emulators.lake import sas as lake_sas
from emulators.lake.bodies import Spool, read
from emulators.lake.faults import Answer, Call, Delay, Dropped, Fault, Faults, Held, LostReply, Page
from emulators.lake.messages import Reply, Request, check_metadata
from emulators.lake.problems import Refused
from emulators.lake.server import Server, Service
from emulators.lake.store import Store

__all__ = ["Answer", "Call", "Delay", "Dropped", "Held", "Lake", "LostReply", "Page"]


def new_account_key() -> str:
    """Return a random account key, in base64."""
    return base64.b64encode(secrets.token_bytes(64)).decode()


class Lake:
    """One storage account with a hierarchical namespace. A context manager; `start` and `stop` do the same.

    Args:
        tls: the server's certificate, for 127.0.0.1 and both hosts.
        account: the account's name.
        file_systems: to create; the first is the default of the methods below.
        account_key: base64; with it, Shared Key and signatures are accepted, too, also over plain HTTP.
        folder: for the content of files; default: a temporary folder.

    Attributes:
        address: host and port of the listener, while it runs.
        clock: returns the aware instant for Date, Last-Modified and Creation-Time; replace it to simulate days.
        faults: for requests to come.
    """

    hosts = ("*.dfs.core.windows.net", "*.blob.core.windows.net")

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        account: str = "pigmentdemolake",
        file_systems: Sequence[str] = ("planning",),
        account_key: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self.account = account
        self.account_key = account_key
        self.address = ("127.0.0.1", 0)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.faults = Faults()
        self._tls = tls
        self._folder = folder
        self._file_system = file_systems[0] if file_systems else ""
        self._store = Store(lambda: self.clock())  # noqa: PLW0108 - the clock may be replaced at any time
        self._lock = threading.Lock()
        self._running = contextlib.ExitStack()
        self._numbers = itertools.count(1)
        self._calls: list[Call] = []
        for name in file_systems:
            self._store.create_file_system(name, {})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._spool = Spool(self._running.enter_context(temporary_folder("lake-", within=self._folder)))
        server = Server(self._tls, self.account, self._spool, self._answer, self._store.now)
        self.address = server.address
        self._running.callback(server.stop)
        self._running.callback(self.faults.stop)
        server.start()

    def stop(self) -> None:
        """End every wait, close every connection and remove the files. A stopped lake cannot be started again."""
        self._running.close()

    # For tests

    @property
    def calls(self) -> list[Call]:
        """Every request that was answered, lost or dropped so far, in the order of arrival."""
        with self._lock:
            return sorted(self._calls, key=lambda call: call.number)

    def tree(self, file_system: str | None = None) -> dict[str, int]:
        """Return the length in bytes of each file by its path."""
        with self._lock:
            nodes = self._store.file_system(file_system or self._file_system).under("")
            return {path: node.length for path, node in nodes if not node.directory}

    def folders(self, file_system: str | None = None) -> list[str]:
        """Return the path of each directory."""
        with self._lock:
            nodes = self._store.file_system(file_system or self._file_system).under("")
            return [path for path, node in nodes if node.directory]

    def read(self, path: str, file_system: str | None = None) -> bytes:
        """Return a file's bytes."""
        with self._lock:
            node = self._store.file(file_system or self._file_system, path)
            content, length = node.content, node.length
        return b"".join(read(content, 0, length))

    def metadata(self, path: str, file_system: str | None = None) -> dict[str, str]:
        """Return the metadata of a file or directory."""
        with self._lock:
            return dict(self._store.node(file_system or self._file_system, path).metadata)

    def write(
        self,
        path: str,
        content: bytes,
        metadata: Mapping[str, str] | None = None,
        file_system: str | None = None,
    ) -> None:
        """Write a file, as another program would."""
        body = self._spool.receive([content])
        with self._lock:
            self._store.put(file_system or self._file_system, path, body, metadata=check_metadata(metadata or {}))

    def link(self, path: str) -> str:
        """Return an address from which any program can read a file for a day.

        Raises:
            ValueError: there is no account key to sign it with.
        """
        if self.account_key is None:
            raise ValueError("a link needs an account key")
        until = self.clock() + timedelta(days=1)
        query = {"sv": "2024-11-04", "sr": "b", "sp": "r", "se": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        asked = Request("GET", self._file_system, path, query, {}, {}, self._spool.receive(()), "")
        query["sig"] = lake_auth.signature(lake_sas.string_to_sign(asked, self.account), self.account_key)
        host, port = self.address
        return f"http://{host}:{port}/{self.account}/{self._file_system}/{quote(path, safe='/=')}?{urlencode(query)}"

    def delete(self, path: str, file_system: str | None = None) -> None:
        """Delete a file, or a directory with its content, regardless of leases."""
        with self._lock:
            name = file_system or self._file_system
            self._store.node(name, path).lease.forget()
            self._store.delete(name, path, recursive=True)

    # For the server

    def _answer(self, request: Request, service: Service, *, encrypted: bool) -> Reply | None:
        """Return the answer to a request, after its fault if there is one; None closes the connection."""
        with self._lock:
            number = next(self._numbers)
        name, run = service.operation(request)
        fault = self.faults.take(name, request.path)
        match fault:
            case Held(before=True):
                self.faults.hold(fault)
            case Delay(seconds):
                self.faults.stopping.wait(seconds)
        reply = None if isinstance(fault, Dropped) else self._reply(request, service, run, fault, encrypted)
        if isinstance(fault, Held) and not fault.before:
            self.faults.hold(fault)
        self._record(number, request, service, name, 0 if reply is None else reply.status)
        return None if isinstance(fault, LostReply) else reply

    def _reply(
        self,
        request: Request,
        service: Service,
        run: Callable[[Store, Request], Reply],
        fault: Fault | None,
        encrypted: bool,  # noqa: FBT001 - private
    ) -> Reply:
        if isinstance(fault, Page):
            return Reply(200, {"Content-Type": "text/html"}, fault.body, is_own=False)
        if isinstance(fault, Answer):
            reply = service.error(fault.status, fault.code, "a fault", self.clock())
            if fault.retry_after is not None:
                reply.headers["Retry-After"] = str(fault.retry_after)
            return reply
        try:
            lake_auth.check(request, self.account, self.account_key, self.clock(), encrypted=encrypted)
            with self._lock:
                return run(self._store, request)
        except Refused as refused:
            reply = service.refusal(refused.problem, refused.detail, self.clock())
            if refused.problem.status == 401:
                reply.headers["WWW-Authenticate"] = lake_auth.CHALLENGE
            return reply

    def _record(self, number: int, request: Request, service: Service, name: str, status: int) -> None:
        source = ""
        if name == "rename":
            with contextlib.suppress(Refused):
                source = lake_dfs.rename_source(request)[1]
        headers = {key: value for key, value in request.headers.items() if key != "authorization"}
        call = Call(
            number,
            service.NAME,
            name,
            request.file_system,
            request.path,
            source,
            request.query,
            headers,
            status,
        )
        with self._lock:
            self._calls.append(call)
