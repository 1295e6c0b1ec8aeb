"""One deployment over the stand-ins, in which chance does its worst, run after run."""

import hashlib
import json
import os
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from emulators.everything import SECRET, Everything
from emulators.host.host import Host, SimulatedClock
from emulators.lake.account import Held
from emulators.local_settings import ROOT, app_settings
from emulators.pigment.model import Model
from emulators.pigment.service import Key
from tests.soak import chance as choose
from tests.soak.figures import Figures
from tests.soak.invariants import GOOD, Judge, Sent, open_runs, receipts_of, runs_in

RUNS = 10  # of one world
BEGAN = datetime(2026, 3, 1, 5, 54, tzinfo=UTC)
OK, ACCEPTED = 200, 202
QUEUE = "pigment-exports"
PATIENCE_SECONDS = 240.0
# How time goes on until every run has ended: messages come back, then housekeeping passes, then runs expire.
STEPS = [timedelta(minutes=6)] * 16 + [timedelta(minutes=70)] * 10 + [timedelta(days=1)] * 3


class World:
    """One deployment; a context manager.

    Args:
        folder: for the stand-ins' files.
        seed: what chance goes by.
    """

    def __init__(self, folder: Path, seed: str) -> None:
        self.chance = Random(seed)  # noqa: S311 - repeatable, on purpose
        self.clock = SimulatedClock(BEGAN)
        self.figures = Figures()
        self.sent: dict[str, Sent] = {}
        self._lock = threading.Lock()
        self._bodies = 0
        self.at_body: Callable[[], None] | None = None  # called in the middle of the next body
        self.everything = Everything(folder)
        key = "pgm_" + f"{self.chance.getrandbits(160):040x}"
        self.judge = Judge(self.sent, key)
        self.everything.pigment.keys = {key: Key()}
        self.everything.vault.set(SECRET, key)
        self.everything.lake.clock = self.clock
        self.everything.pigment.switches.body = self._body
        self._ended: set[str] = set()

    def __enter__(self) -> Self:
        self.everything.__enter__()
        if self.everything.proxy is None:
            raise AssertionError("the stand-ins run")
        self.proxy = self.everything.proxy
        self._put_catalog()
        settings = {
            **app_settings(self.everything.environment),
            "PATH": os.environ["PATH"],
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "EXPORTS_FILE": "lake:config/exports.toml",
            "EXPORT_PATH": self.chance.choice(choose.TEMPLATES),
            "RUN_HOURS": str(self.chance.choice([1, 6])),
        }
        self.host = Host(ROOT, settings, clock=self.clock, prelude=Path(__file__).with_name("prelude.py"))
        self.host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.everything.lake.faults.clear()
        self.host.stop()
        self.everything.__exit__(kind, error, trace)

    def live(self, runs: int = RUNS) -> Figures:
        """Do so many runs, each with what chance has for it; then see what is left behind."""
        try:
            for number in range(runs):
                self._run(number)
            self._check_sweep()
        except Exception as error:  # noqa: BLE001 - a call that never ended, a host that is gone: the seed is to be told
            self.figures.violations.append(f"this world came to a bad end: {error!r}")
        self.figures.runs = len(runs_in(self.everything.lake.tree()))
        return self.figures

    def _run(self, number: int) -> None:
        """Something goes wrong, a run is asked for, and all comes to its end."""
        self._change_the_world()
        planned = self._plan_faults()
        with ExitStack() as stack:
            kills = [stack.enter_context(Kill(self)) for _ in range(self.chance.choices([0, 1, 2], [6, 3, 1])[0])]
            before = set(runs_in(self.everything.lake.tree()))
            self._trigger(number)
            self._disturb_queue()
            if self.chance.random() < 0.05:
                for folder in open_runs(self.everything.lake.tree()):
                    status = self._call(f"/api/runs/{folder.rpartition('/')[2]}/cancel", {}, {})
                    self.figures.calls["cancel" if status in (OK, ACCEPTED) else "cancel refused"] += 1
            self.host.run_until_idle(patience_seconds=PATIENCE_SECONDS)
            if self.chance.random() < 0.3:
                self.clock.advance(timedelta(minutes=6))  # what struck first is still there at the second try
                self.host.run_until_idle(patience_seconds=PATIENCE_SECONDS)
        struck = self._count_faults(planned)
        self._settle()
        self._judge(f"run {number}")
        self._release(set(runs_in(self.everything.lake.tree())) - before)
        new = set(runs_in(self.everything.lake.tree())) - before
        killed = sum(kill.struck for kill in kills)
        self.figures.kills += killed
        self.figures.killed_runs += len(new) if killed else 0
        self._count_outcomes(healed=bool(struck or killed))

    def _change_the_world(self) -> None:
        pigment, chance = self.everything.pigment, self.chance
        pigment.model = Model()
        for block in pigment.model.blocks.values():
            block.rows = choose.rows(chance)
        pigment.switches.gzip, pigment.switches.length = chance.random() < 0.4, chance.random() < 0.3
        if chance.random() < 0.15:
            self._put_catalog()
        self.clock.advance(chance.choice(choose.PAUSES))

    def _put_catalog(self) -> None:
        self.everything.lake.write("config/exports.toml", choose.catalog(self.chance).encode())

    def _plan_faults(self) -> list[tuple[str, Any]]:
        """Let things go wrong; returns each by its name."""
        planned: list[tuple[str, Any]] = []
        for _ in range(self.chance.choices([0, 1, 2, 3, 5], [2, 4, 3, 2, 1])[0]):
            match self.chance.choices(["pigment", "lake", "network", "identity", "vault"], [5, 6, 1, 1, 1])[0]:
                case "pigment":
                    fault = choose.pigment_fault(self.chance)
                    if fault.kind == "cut":
                        self.judge.cuts.add(fault.after)
                    self.everything.pigment.faults.append(fault)
                    planned += [(f"pigment {fault.kind}", fault)] * fault.times
                case "lake":
                    operation, skip, times, then, name = choose.lake_fault(self.chance)
                    self.everything.lake.faults.add(operation, skip=skip, times=times, then=then)
                    planned += [(name, then)] * times
                case "network":
                    statuses = [self.chance.choice([0, 502, 503])] * self.chance.choice([1, 2, 5])
                    self.proxy.failures += statuses
                    planned += [("network", self.proxy)] * len(statuses)
                case other:
                    answer = choose.sign_in_fault(self.chance)
                    (self.everything.identity if other == "identity" else self.everything.vault).failures.append(answer)
                    planned.append((other, answer))
        return planned

    def _count_faults(self, planned: list[tuple[str, Any]]) -> int:
        """Count what struck, and let nothing else go wrong; returns how many there were."""
        pigment, lake = self.everything.pigment, self.everything.lake
        left = Counter(map(id, lake.faults.waiting))
        left.update(map(id, [*self.everything.identity.failures, *self.everything.vault.failures]))
        for fault in pigment.faults:
            left[id(fault)] += fault.times
        left[id(self.proxy)] += len(self.proxy.failures)
        struck = Counter(name for name, _ in planned)
        for name, fault in {id(fault): (name, fault) for name, fault in planned}.values():
            struck[name] -= left[id(fault)]
        self.figures.faults.update(+struck)
        pigment.faults.clear()
        lake.faults.clear()
        self.proxy.failures.clear()
        self.everything.identity.failures.clear()
        self.everything.vault.failures.clear()
        return sum(struck.values())

    def _trigger(self, number: int) -> None:
        """Ask for a run: by a call, repeated until it is answered, or by the timer, which may tick twice."""
        if self.chance.random() < 0.25:
            for _ in range(self.chance.choice([1, 2])):
                self.host.fire("export_on_schedule")
            return
        for _ in range(self.chance.choice([1, 1, 2])):
            for _attempt in range(4):
                if self._call("/api/runs", {}, {"Idempotency-Key": f"run-{number}"}) < 500:
                    break

    def _call(self, path: str, body: Any, headers: dict[str, str]) -> int:
        request = urllib.request.Request(  # noqa: S310 - our own host
            f"{self.host.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                text, status = answer.read().decode(), answer.status
        except urllib.error.HTTPError as refused:
            text, status = refused.read().decode(), refused.code
        if self.judge.leaks(text):
            self.figures.violations.append("the key is in an answer")
        return int(status)

    def _release(self, runs: set[str]) -> None:
        """Release now and then what was held in these runs, as a person would."""
        lake = self.everything.lake
        for folder in sorted(runs):
            held = [name for name, receipt in receipts_of(lake, folder).items() if receipt["state"] == "held"]
            if held and self.chance.random() < 0.5:
                asked = {"release_of": folder.rpartition("/")[2], "exports": held}
                self.figures.calls[
                    "release" if self._call("/api/runs", asked, {}) == ACCEPTED else "release refused"
                ] += 1
                self._settle()
                self._judge(f"release of {folder}")

    def _disturb_queue(self) -> None:
        """Lose messages, or double them."""
        if QUEUE not in self.host.queues:
            return
        queue = self.host.queues[QUEUE]
        for message in list(queue.messages):
            draw = self.chance.random()
            if draw < 0.05:
                queue.delete(message)
                self.figures.faults["message lost"] += 1
            elif draw < 0.2:
                self.host.put(QUEUE, message.text)
                self.figures.faults["message doubled"] += 1

    def _settle(self) -> None:
        """Let time go on until every run has ended, and all that is told of it agrees."""
        for step in STEPS:
            self.host.run_until_idle(patience_seconds=PATIENCE_SECONDS)
            waiting = QUEUE in self.host.queues and self.host.queues[QUEUE].messages
            if not waiting and not self.judge.unsettled(self.everything.lake):
                return
            self.clock.advance(step)

    def _judge(self, where: str) -> None:
        found = self.judge.unsafe(self.everything.lake) + self.judge.unsettled(self.everything.lake)
        found += ["the key is in the log" for line in self.host.log if self.judge.leaks(line.text)]
        self.figures.violations += [f"{where}: {violation}" for violation in found]
        self.host.log.clear()

    def _count_outcomes(self, *, healed: bool) -> None:
        for folder in runs_in(self.everything.lake.tree()):
            if folder in self._ended:
                continue
            self._ended.add(folder)
            for receipt in receipts_of(self.everything.lake, folder).values():
                state = receipt["state"]
                kind = "healed" if healed and state == "succeeded" else state
                self.figures.outcomes[kind if kind in GOOD | {"healed"} else f"{kind} ({receipt['class']})"] += 1

    def _check_sweep(self) -> None:
        """Two days later, nothing that was staged is left."""
        for _ in range(2):
            self.clock.advance(timedelta(days=1, hours=1))
            self.host.run_until_idle(patience_seconds=PATIENCE_SECONDS)
        self._settle()
        self._judge("at the end")
        left = [path for path in self.everything.lake.tree() if path.endswith(".partial")]
        self.figures.violations += [f"{path} was never swept" for path in left]

    def _body(self, path: str, body: Iterator[bytes]) -> Iterator[bytes]:
        """Make each body another one, and remember it; the process may be killed in its middle."""
        whole = b"".join(body)
        with self._lock:
            self._bodies += 1
            number = self._bodies
        header, _, _ = whole.partition(b"\n")
        delimiters = header.count(b";")
        if whole.count(b"\n") > 1:  # a header alone stays one
            whole += f"fetch {number}".encode() + b";" * delimiters + b"\n"
        self.sent[hashlib.sha256(whole).hexdigest()] = Sent(path, self.clock(), whole)
        half = len(whole) // 2
        yield whole[:half]
        strike, self.at_body = self.at_body, None
        if strike:
            strike()
        yield whole[half:]


def play(seed: int, number: int) -> tuple[int, Figures]:
    """Live one world through.

    Returns:
        Its number, and what happened.
    """
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, World(Path(folder), f"{seed}/{number}") as world:
        return number, world.live()


class Kill:
    """One SIGKILL for the worker process, at a request to the lake or in the middle of a body; a context manager.

    Args:
        world: whose worker.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._over = False
        self._reached, self._release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.struck = False

    def __enter__(self) -> Self:
        chance = self._world.chance
        if chance.random() < 0.25:
            self._world.at_body = self.strike
        else:
            held = Held(before=chance.random() < 0.5, reached=self._reached, release=self._release)
            self._world.everything.lake.faults.add("any", skip=chance.randint(0, 60), times=1, then=held)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._reached.set()
        self._thread.join()

    def strike(self) -> None:
        """Be in the middle of a body; returns when the process is gone."""
        self._reached.set()
        self._release.wait(PATIENCE_SECONDS)

    def _work(self) -> None:
        self._reached.wait()
        host = self._world.host
        pid = None if self._over else host.worker_pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.struck = True
            while host.worker_pid == pid:
                time.sleep(0.005)
        self._release.set()
