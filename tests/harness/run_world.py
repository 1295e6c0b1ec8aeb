"""A deployment in memory: its lake, clock and catalog, and Pigment's answers; shared by the tests of runs."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest

from pigment_export.catalog.exports import Export, from_json
from pigment_export.catalog.file import Catalog
from pigment_export.delivery.receipt import Receipt
from pigment_export.errors import Cause, ConfigurationError, ExportError, RetryableError, Who
from pigment_export.events import Event
from pigment_export.lake.call import CallLake
from pigment_export.lake.paths import Layout
from pigment_export.retry import Deadline
from pigment_export.runs.claim import Choose, Claim, claim_run
from pigment_export.runs.deployment import Runs
from pigment_export.runs.housekeeping import housekeeping
from pigment_export.runs.plan import ClaimRequest, Plan
from pigment_export.runs.schedule import look
from pigment_export.runs.tick import start_due
from pigment_export.runs.work import deliver_export, process_message
from pigment_export.transfer.stream import Source
from tests.harness.fakes import FakeLake
from tests.harness.stepping import OUTAGE, Around, Watched

if TYPE_CHECKING:
    from pigment_export.lake.interface import Lake

BEGAN = datetime(2026, 11, 24, 6, tzinfo=UTC)
BODY = b"Country;Revenue\nFR;1.50\nDE;2.50\n"
DAILY = "{name}/dt={date}/{name}.csv"
CUT = Cause("pigment_body_cut", "the stream was reset", Who.NO_ACTION, "wait")
REFUSED = Cause("pigment_not_found", "no such metric", Who.EXPORT_OWNER, "check the id")
BROKEN = ConfigurationError(["exports.toml: b: 'id' is missing"])
ASKED = ClaimRequest("http", "monday", "ann", {"names": []})
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_READS = {"read", "look", "names", "list", "now"}


def export(name: str, **definition: Any) -> Export:
    return from_json({"name": name, "kind": "metric", "id": "22222222-2222-4222-8222-222222222222", **definition})


def broken_catalog() -> Any:
    raise BROKEN


@dataclass
class Body:
    """A complete body."""

    data: bytes
    protocol: str = "HTTP/2"
    evidence: str = "END_STREAM"
    delimiter: bytes = b";"
    unpack: None = None

    def readinto(self, buffer: memoryview) -> int:
        chunk, self.data = self.data[: len(buffer)], self.data[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


@dataclass
class Seen:
    """A recorder of requests, which lets them through."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, operation: str, path: str, call: Callable[[], Any]) -> Any:
        self.requests.append((operation, path))
        return call()

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [request for request in self.requests if request[0] not in _READS]

    def paths(self, operation: str) -> list[str]:
        return [path for done, path in self.requests if done == operation]


class World:
    """A deployment's lake, clock and catalog, and Pigment's answers.

    Args:
        *exports: of the catalog: definitions or names.
    """

    def __init__(self, *exports: str | Export) -> None:
        self.lake = FakeLake(now=BEGAN)
        self.exports = tuple(export(item) if isinstance(item, str) else item for item in exports or ("revenue",))
        self.says: dict[str, bytes | ExportError] = {}
        self.fetched: list[str] = []  # exports that were requested from Pigment
        self.chosen = 0  # how often the catalog was read
        self.out_until = datetime.min.replace(tzinfo=UTC)  # until then, no dependency of the app answers
        self._nonces = itertools.count(1)
        self._seconds = 0.0

    # The parts of the app

    def runs(
        self,
        around: Around | None = None,
        *,
        deployment: str = "app",
        zone: str = "UTC",
        schedule: str = "0 6 * * *",
        template: str = DAILY,
    ) -> Runs:
        through = around or Seen()

        def answered(operation: str, path: str, call: Callable[[], Any]) -> Any:
            self._check_up()
            return through(operation, path, call)

        return Runs(
            lake=CallLake(cast("Lake", Watched(self.lake, answered)), self.deadline()),
            layout=Layout("", template),
            deployment=deployment,
            time_zone=ZoneInfo(zone),
            hours=6,
            schedule=schedule,
            fetch=self._fetch,
            new_nonce=lambda: f"{next(self._nonces):016x}",
        )

    def deadline(self, seconds: float = 3300, *, patience_seconds: float = 120) -> Deadline:
        """Return a deadline whose waits advance all clocks."""

        def sleep(waited: float) -> None:
            self._seconds += waited
            self.lake.advance(timedelta(seconds=waited))

        return Deadline(seconds, patience_seconds=patience_seconds, clock=lambda: self._seconds, sleep=sleep)

    def pass_seconds(self, seconds: float) -> None:
        """Advance all clocks, as if a call took that long."""
        self._seconds += seconds
        self.lake.advance(timedelta(seconds=seconds))

    def choose(self) -> Sequence[Export]:
        self.chosen += 1
        return self.exports

    def catalog(self) -> Catalog:
        return Catalog("exports.toml", self.exports)

    @contextmanager
    def _fetch(self, asked: Export, _deadline: Deadline) -> Iterator[Source]:
        self._check_up()
        self.fetched.append(asked.name)
        answer = self.says.get(asked.name, BODY)
        if isinstance(answer, ExportError):
            raise answer
        yield Body(answer)

    def _within(self, runs: Runs | None) -> Runs:
        """Return the runs, within a call that begins now."""
        return (runs or self.runs()).within(self.deadline())

    def _check_up(self) -> None:
        if self.lake.now() < self.out_until:
            raise RetryableError(OUTAGE)

    # Actions of tests

    def claim(self, runs: Runs | None = None, asked: ClaimRequest = ASKED, choose: Choose | None = None) -> Claim:
        return claim_run(self._within(runs), asked, choose or self.choose)

    def tick(self, runs: Runs | None = None, *, catalog: Callable[[], Catalog] | None = None) -> list[str]:
        """Run the function of the timer."""
        runs = self._within(runs)
        read = catalog or self.catalog
        see = partial(
            look,
            runs.lake,
            runs.layout.schedules(runs.deployment),
            lambda: repr(read()).encode(),
            schedule=runs.schedule,
            time_zone=runs.time_zone.key,
        )
        seen = see()
        return [] if seen.is_idle else start_due(runs, see, seen, lambda _: read())

    def occurrences(self) -> dict[str, list[tuple[str, ...]]]:
        """Return the exports of each scheduled run, by occurrence."""
        found: dict[str, list[tuple[str, ...]]] = {}
        plans = [Plan.from_json(self.lake.content(claim)) for claim in self.claims()]
        for plan in sorted(plans, key=lambda plan: plan.run_id):
            if plan.trigger == "schedule":
                found.setdefault(plan.request["occurrence"], []).append(plan.names)
        return found

    def work(self, messages: Iterable[str], runs: Runs | None = None) -> list[Receipt | None]:
        return [process_message(self._within(runs), text) for text in messages]

    def deliver(self, plan: Plan, *names: str) -> None:
        """Deliver these exports of a run, or all."""
        for planned in plan.exports:
            if planned.export.name in (names or plan.names):
                deliver_export(self.runs().within(self.deadline(patience_seconds=0)), plan, planned)

    def housekeeping(
        self,
        runs: Runs | None = None,
        *,
        catalog: Callable[[], Catalog] | None = None,
        retention: timedelta = 30 * DAY,
        freshness_hours: int = 6,
        deadline: Deadline | None = None,
    ) -> list[str]:
        return housekeeping(
            (runs or self.runs()).within(deadline or self.deadline(2400)),
            catalog or self.catalog,
            freshness_hours=freshness_hours,
            retention=retention,
        )

    # Observations of tests

    def is_there(self, path: str) -> bool:
        return path in self.lake.paths()

    def under(self, prefix: str) -> list[str]:
        return [path for path in self.lake.paths() if path.startswith(prefix)]

    def claims(self) -> list[str]:
        return self.under("_runs/_keys/")

    def plans(self) -> list[str]:
        """Return the paths of all `run.json`."""
        return [path for path in self.under("_runs/dt=") if path.endswith("/run.json")]

    def json(self, path: str) -> dict[str, Any]:
        return json.loads(self.lake.content(path))

    def state(self, plan: Plan, name: str) -> str | None:
        """Return the state in a receipt, or None without one."""
        path = plan.folder.receipt(name)
        return self.json(path)["state"] if self.is_there(path) else None

    def result(self, plan: Plan) -> str | None:
        return self.json(plan.folder.result)["state"] if self.is_there(plan.folder.result) else None

    def break_record(self, path: str, metadata: dict[str, str] | None = None) -> None:
        """Replace a record with an unreadable one."""
        self.lake.delete(path)
        self.lake.put(path, b"{", metadata or {})


def events(caplog: pytest.LogCaptureFixture, event: Event) -> list[dict[str, Any]]:
    """Return the events of one name that were logged so far."""
    said = [json.loads(record.getMessage()) for record in caplog.records if record.name == "pigment_export"]
    return [fields for fields in said if fields["event"] == event]
