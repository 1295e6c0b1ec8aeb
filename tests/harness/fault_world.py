"""One delivery over the real protocols, with a fault of one dependency at one step: its outcome and its cost.

The servers run as long as the tests; each delivery has its own clients. Waits are counted, not slept.
"""

import hashlib
import itertools
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from emulators.everything import SECRET, Everything
from emulators.lake.account import Lake as LakeServer
from emulators.network import Authority
from emulators.pigment.model import REVENUE
from emulators.pigment.service import DEMO_KEY
from emulators.vault import Vault as VaultServer
from pigment_export import wiring
from pigment_export.azure import clients, identity
from pigment_export.azure.adls import AdlsLake
from pigment_export.azure.vault import Vault
from pigment_export.catalog.exports import Export
from pigment_export.delivery.receipt import Receipt
from pigment_export.errors import ExportError
from pigment_export.lake.call import CallLake
from pigment_export.pigment import client as pigment_client
from pigment_export.pigment.client import Pigment
from pigment_export.retry import CALL_SECONDS, Deadline
from pigment_export.runs.claim import ClaimRequest, claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import deliver_export
from pigment_export.settings import load
from pigment_export.transfer.stream import Source
from tests.harness.run_world import export

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)  # the lake's clock; it advances by a second each time it is read
SHORT_SECONDS = 0.4  # in place of every timeout
LASTING = 200  # times: more than the attempts of any call
REQUESTS_OF_A_TRY = 30  # to the lake, at most: an attempt without a fault makes half as many
WATCHDOG_SECONDS = 30.0  # of real time for one delivery, whose waits take none
NAME = "revenue"
SHORTENED = {
    clients: ("CONNECT_SECONDS", "READ_SECONDS"),
    identity: ("CONNECT_SECONDS", "READ_SECONDS"),
    pigment_client: ("CONNECT_SECONDS", "FIRST_BYTE_SECONDS", "IDLE_SECONDS"),
}


@dataclass(frozen=True, slots=True)
class Observed:
    """The outcome of a delivery, and its cost.

    Attributes:
        outcome: `healed`, `held CLASS`, `failed CLASS`, or `again CLASS` if the message comes back.
        asked: number of export requests to Pigment.
        staged: number of staged files that were created.
        bodies: bytes read of bodies, as a multiple of the size of one body.
        waited_seconds: sum of all waits.
        requests: number of requests to the lake.
    """

    outcome: str
    asked: int
    staged: int
    bodies: float
    waited_seconds: float
    requests: int


class Counted:
    """A source that counts the bytes that are read."""

    def __init__(self, source: Source, count: Callable[[int], None]) -> None:
        self._source, self._count = source, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def readinto(self, buffer: memoryview) -> int:
        read = self._source.readinto(buffer)
        self._count(read)
        return read


class FaultWorld:
    """The servers, and deliveries that use them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.everything = Everything(folder)
        self._monkeypatch = monkeypatch
        self._folder = folder
        self._stack = ExitStack()
        self._numbers, self._seconds = itertools.count(), itertools.count()
        self.bytes_read = 0
        self.body = b""
        self.key = DEMO_KEY

    def close_identity(self) -> None:
        """Move the identity endpoint to a port where nothing listens."""
        host, port = self.closed
        self._monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{host}:{port}/msi/token")

    def __enter__(self) -> Self:
        self._stack.enter_context(self.everything)
        (self._folder / "stranger").mkdir()
        stranger = Authority(self._folder / "stranger")
        # A server with a certificate that no client here trusts, a port that never answers, and a closed port.
        hosts = (*LakeServer.hosts, *VaultServer.hosts, *self.everything.pigment.hosts)
        self.untrusted = self._stack.enter_context(LakeServer(stranger.server_context(*hosts)))
        self.silent = self._stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[:2]
        with socket.create_server(("127.0.0.1", 0)) as closed:
            self.closed = closed.getsockname()[:2]
        for name, value in self.everything.environment.items():
            self._monkeypatch.setenv(name, value)
        self.body = self._whole_body()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _whole_body(self) -> bytes:
        block = self.everything.pigment.model.blocks[REVENUE]
        block.rows = 2000
        observed = self.deliver(lambda _: None)
        assert observed.outcome == "healed"
        [path] = [path for path in self.everything.lake.tree() if path.endswith(".csv")]
        return self.everything.lake.read(path)

    def deliver(
        self,
        arm: Callable[["FaultWorld"], None],
        definition: Export | None = None,
        *,
        warm: bool = True,
        impatient: bool = False,
        after_good: bool = False,
    ) -> Observed:
        """Claim a run of one export, inject a fault and deliver. Then deliver without it if the message came back.

        Args:
            arm: injects the fault.
            definition: the export; by default a metric.
            warm: whether the lake's token and the key were read before; otherwise the first contact is in the call.
            impatient: whether every timeout is short.
            after_good: whether an earlier run has published a good file.
        """
        everything, waits = self.everything, []
        self.bytes_read = 0
        number = next(self._numbers)
        everything.lake.clock = lambda: NOON + timedelta(seconds=next(self._seconds))

        def clock() -> float:
            return time.monotonic() + sum(waits)

        self._monkeypatch.setenv("DATA_LAKE_ROOT", f"cell{number}")
        chosen = definition or export(NAME, id=REVENUE)
        with self._clients(clock, waits.append) as (runs, _):
            for key in ("earlier", "this") if after_good else ("this",):
                plan = claim_run(runs, ClaimRequest("http", key, "a test", {}), lambda: [chosen]).plan
                if key == "earlier":
                    deliver_export(runs, plan, plan.exports[0])
        with self._timeouts(impatient=impatient), self._clients(clock, waits.append) as (runs, keys):
            if warm:
                runs.lake.now()
                keys.read(None)
            calls, asked = len(everything.lake.calls), len(everything.pigment.requests)
            began, waited = time.monotonic(), len(waits)
            arm(self)
            try:
                outcome = self._outcome(runs.within(Deadline(CALL_SECONDS, clock=clock, sleep=waits.append)), plan)
            finally:
                self.disarm()
            assert time.monotonic() - began < WATCHDOG_SECONDS
            assert sum(waits) <= CALL_SECONDS
            new = everything.lake.calls[calls:]
            # No retry without a wait: each wait may be followed by the requests of one attempt, and no more.
            assert len(new) <= REQUESTS_OF_A_TRY * (len(waits) - waited + 1)
            observed = Observed(
                outcome,
                asked=len(everything.pigment.requests) - asked,
                staged=sum(call.operation == "create" and call.status == 201 for call in new),
                bodies=self.bytes_read / len(self.body) if self.body else 0.0,
                waited_seconds=sum(waits),
                requests=len(new),
            )
        if outcome.startswith("again"):
            with self._clients(clock, waits.append) as (runs, keys):
                receipt = deliver_export(runs, plan, plan.exports[0])
                assert receipt.state == "succeeded", "the message came back, and nothing was in the way"
        self._check(plan, outcome, after_good=after_good)
        return observed

    def _check(self, plan: Plan, outcome: str, *, after_good: bool) -> None:
        """Check that no incomplete file is readable, and that no staged file is left."""
        tree = self.everything.lake.tree()
        destination = plan.exports[0].destination
        if outcome.split(maxsplit=1)[0] in ("healed", "again") and self.body:
            content = self.everything.lake.read(destination.path)
            receipt = Receipt.found_in(self.everything.lake.read(plan.folder.receipt(NAME)))
            assert receipt
            assert receipt.sha256 == hashlib.sha256(content).hexdigest()
        elif self.body and not after_good:
            assert destination.path not in tree
        assert not [path for path in tree if path.startswith(destination.folder) and path.endswith(".partial")]

    @contextmanager
    def _timeouts(self, *, impatient: bool) -> Iterator[None]:
        with self._monkeypatch.context() as patched:
            if impatient:
                for module, names in SHORTENED.items():
                    for name in names:
                        patched.setattr(module, name, SHORT_SECONDS)
            yield

    @contextmanager
    def _clients(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[tuple[Runs, Vault]]:
        settings = load(os.environ)
        identity = wiring.identity_of(settings, os.environ)
        lake = AdlsLake(settings.data_lake_url, settings.data_lake_file_system, identity)
        keys = Vault(str(settings.key_vault_url), SECRET, identity, clock=clock)
        idle = pigment_client.IDLE_SECONDS
        pigment = Pigment(settings.pigment_base_url, keys, version="0", idle_seconds=idle)
        runs = wiring.runs_of(settings, CallLake(lake, Deadline(CALL_SECONDS, clock=clock, sleep=sleep)), pigment)

        @contextmanager
        def fetch(definition: Export, deadline: Deadline) -> Iterator[Source]:
            with pigment.open(definition, deadline) as source:
                yield Counted(source, self._count)

        yield replace(runs, fetch=fetch), keys
        lake.close()
        keys.close()

    def _count(self, read: int) -> None:
        self.bytes_read += read

    @staticmethod
    def _outcome(runs: Runs, plan: Plan) -> str:
        try:
            receipt = deliver_export(runs, plan, plan.exports[0])
        except ExportError as error:
            return f"again {error.cause.code}"
        if receipt.state == "succeeded":
            return "healed"
        assert receipt.cause
        assert receipt.cause.who
        assert receipt.cause.remedy
        return f"{receipt.state} {receipt.cause.code}"

    def disarm(self) -> None:
        """Remove all faults."""
        everything = self.everything
        everything.lake.faults.clear()
        everything.identity.failures.clear()
        everything.vault.failures.clear()
        everything.pigment.faults.clear()
        everything.pigment.switches.body, everything.pigment.switches.gzip = None, False
        assert everything.proxy
        for server in (everything.vault, everything.pigment, everything.lake):
            for host in server.hosts:
                everything.proxy.lead(host, server.address)
        for name, value in everything.environment.items():
            self._monkeypatch.setenv(name, value)
