"""One deployment over the stand-ins, in which chance does its worst, run after run."""

import functools
import hashlib
import http.client
import json
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from emulators.everything import SECRET, Everything
from emulators.host import process
from emulators.host.host import RUNNING, Host, SimulatedClock
from emulators.local_settings import ROOT, app_settings
from emulators.pigment.model import Model
from emulators.pigment.service import Key
from tests.harness.forking import ForkServer
from tests.soak import chance as choose
from tests.soak.figures import Figures
from tests.soak.invariants import GOOD, Judge, Sent, open_runs, receipts_of, runs_in
from tests.soak.strikes import LAST_OF_A_TICK, LAST_REQUEST, PATIENCE_SECONDS, Strike, deploy, kill
from tests.soak.trouble import Trouble

RUNS = 10  # of one world
BEGAN = datetime(2026, 3, 1, 5, 54, tzinfo=UTC)
OK, ACCEPTED, NO_ANSWER = 200, 202, 599
QUEUE = "pigment-exports"
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
        self._folder, self._stack = folder, ExitStack()
        self._lock = threading.Lock()
        self._bodies = 0
        self._at_body: list[Callable[[], None]] = []  # called in the middle of the next bodies
        self.everything = Everything(folder)
        key = "pgm_" + f"{self.chance.getrandbits(160):040x}"
        self.judge = Judge(self.sent, [key])
        self.everything.pigment.keys = {key: Key()}
        self.everything.vault.set(SECRET, key)
        self.everything.lake.clock = self.clock
        self.everything.pigment.switches.body = self._body
        self._ended: set[str] = set()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.everything)
            self.trouble = stack.enter_context(Trouble(self.everything, self._folder, self.chance, self.judge))
            self._put_catalog()
            self.host = stack.enter_context(self._host("ann"))
            self.hosts = [self.host]
            if self.chance.random() < 0.25:  # another deployment on the same lake, by mistake; or the same one twice
                self.hosts.append(stack.enter_context(self._host(self.chance.choice(["ann", "bob"]))))
            stack.callback(self.everything.lake.faults.clear)
            self._stack = stack.pop_all()
        return self

    def _host(self, user: str) -> Host:
        settings = {
            **app_settings(self.everything.environment),
            "PATH": os.environ["PATH"],
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "EXPORTS_FILE": "lake:config/exports.toml",
            "USER": user,  # the deployment's name
            **choose.settings(self.chance),
        }
        return Host(ROOT, settings, clock=self.clock, prelude=Path(__file__).with_name("prelude.py"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def live(self, runs: int = RUNS) -> Figures:
        """Do so many runs, each with what chance has for it; then see what is left behind."""
        try:
            for number in range(runs):
                self._run(number)
            self._check_sweep()
        except Exception as error:  # noqa: BLE001 - a call that never ended, a host that is gone: the seed is to be told
            self.figures.violations.append(f"this world ended with an exception: {error!r}")
        self.figures.runs = len(runs_in(self.everything.lake.tree()))
        return self.figures

    def _run(self, number: int) -> None:
        """Something goes wrong, a run is asked for, and all comes to its end."""
        self._change_the_world()
        self.trouble.plan()
        is_tick = self.chance.random() < 0.25
        killed = self.figures.kills["all"] + self.figures.deploys
        with ExitStack() as stack:
            strikes = [stack.enter_context(strike) for strike in self._strikes(is_tick=is_tick)]
            before = set(runs_in(self.everything.lake.tree()))
            if is_tick:
                self._tick()
            else:
                self._start_run(number)
            self._disturb_queue()
            if self.chance.random() < 0.05:
                for folder in open_runs(self.everything.lake.tree()):
                    status = self._call(f"/api/runs/{folder.rpartition('/')[2]}/cancel", {}, {})
                    self.figures.calls["cancel" if status in (OK, ACCEPTED) else "cancel refused"] += 1
            self._run_until_idle()
            if self.chance.random() < 0.3:
                self.clock.advance(timedelta(minutes=6))  # what struck first is still there at the second attempt
                self._run_until_idle()
        faults = self.trouble.clear()
        self.figures.faults.update(faults)
        self._settle()
        self._judge(f"run {number}")
        self._release(set(runs_in(self.everything.lake.tree())) - before)
        new = set(runs_in(self.everything.lake.tree())) - before
        struck = any(strike.struck for strike in strikes)
        self.figures.killed_runs += len(new) if self.figures.kills["all"] + self.figures.deploys > killed else 0
        self._count_outcomes(healed=struck or bool(faults))

    def _strikes(self, *, is_tick: bool) -> Iterator[Strike]:
        """What strikes in a run: SIGKILL, now and then a deploy or a clock that jumps; a tick on purpose within it."""
        last = LAST_OF_A_TICK if is_tick and self.chance.random() < 0.7 else LAST_REQUEST
        for _ in range(self.chance.choices([0, 1, 2], [6, 3, 1])[0]):
            host = self.chance.choice(self.hosts)
            strike = self.chance.choices(
                [
                    functools.partial(self._kill, host),
                    functools.partial(self._deploy, host, choose.settings(self.chance)),
                    functools.partial(self._jump, self.chance.choice(choose.JUMPS)),
                ],
                [7, 2, 1],
            )[0]
            yield Strike(self.everything.lake, self.chance, self._at_body.append, strike, last_request=last)

    def _kill(self, host: Host) -> bool:
        is_struck = kill(host, lambda name: self.figures.kills.update([name]))
        self.figures.kills["all"] += is_struck
        return is_struck

    def _deploy(self, host: Host, settings: dict[str, str]) -> bool:
        is_struck = deploy(host, settings)
        self.figures.deploys += is_struck
        return is_struck

    def _jump(self, by: timedelta) -> bool:
        """Put the clock forward, as for a machine that slept."""
        self.clock.advance(by)
        self.figures.faults["clock jumped"] += 1
        return True

    def _run_until_idle(self) -> None:
        """Let each deployment do what is due; all of them begin before one has ended."""
        for host in self.hosts:
            host.dispatch()
        for host in self.hosts:
            host.run_until_idle(patience_seconds=PATIENCE_SECONDS)

    def _change_the_world(self) -> None:
        pigment, chance = self.everything.pigment, self.chance
        pigment.model = Model()
        for block in pigment.model.blocks.values():
            block.rows = choose.rows(chance)
        pigment.switches.gzip, pigment.switches.length = chance.random() < 0.4, chance.random() < 0.3
        if chance.random() < 0.15:
            self._put_catalog()
        if chance.random() < 0.1:
            self.clock.advance(-choose.BACK)
            self.figures.faults["clock put back"] += 1
        else:
            self.clock.advance(chance.choice(choose.PAUSES))

    def _put_catalog(self) -> None:
        self.everything.lake.write("config/exports.toml", choose.catalog(self.chance).encode())

    def _start_run(self, number: int) -> None:
        """Ask for a run, now and then twice, and again until it is answered; of one deployment, or of each."""
        chosen = [self.chance.choice(self.hosts)] if self.chance.random() < 0.5 else self.hosts
        for host in chosen:
            for _ in range(self.chance.choice([1, 1, 2])):
                for _attempt in range(4):
                    if self._call("/api/runs", {}, {"Idempotency-Key": f"run-{number}"}, host) < 500:
                        break

    def _tick(self) -> None:
        """Let the timers tick, now and then twice: at once, or one after the other."""
        ticks = [host for host in self.hosts for _ in range(self.chance.choice([1, 1, 2]))]
        threads = [threading.Thread(target=self._fire, args=(host,)) for host in ticks]
        at_once = self.chance.random() < 0.5
        for thread in threads:
            thread.start()
            if not at_once:
                thread.join()
        for thread in threads:
            thread.join()

    @staticmethod
    def _fire(host: Host) -> None:
        with suppress(RuntimeError, TimeoutError):  # it is being deployed
            host.fire("export_on_schedule")

    def _call(self, path: str, body: Any, headers: dict[str, str], host: Host | None = None) -> int:
        request = urllib.request.Request(  # noqa: S310 - our own host
            f"{(host or self.host).url}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", **headers},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                text, status = answer.read().decode(), answer.status
        except urllib.error.HTTPError as refused:
            text, status = refused.read().decode(), refused.code
        except (OSError, http.client.HTTPException):  # it is being deployed
            self._wait_for(host or self.host)
            return NO_ANSWER
        if self.judge.leaks(text):
            self.figures.violations.append("the key is in an answer")
        return int(status)

    @staticmethod
    def _wait_for(host: Host) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while host.state != RUNNING and time.monotonic() < ends:
            time.sleep(0.01)

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
        for host in self.hosts:
            for message in list(host.queues[QUEUE].messages) if QUEUE in host.queues else []:
                draw = self.chance.random()
                if draw < 0.05:
                    host.queues[QUEUE].delete(message)
                    self.figures.faults["message lost"] += 1
                elif draw < 0.2:
                    host.put(QUEUE, message.text)
                    self.figures.faults["message doubled"] += 1

    def _settle(self) -> None:
        """Let time go on until every run has ended, and all that is told of it agrees."""
        for step in STEPS:
            self._run_until_idle()
            waiting = any(QUEUE in host.queues and host.queues[QUEUE].messages for host in self.hosts)
            if not waiting and not self.judge.unsettled(self.everything.lake):
                return
            self.clock.advance(step)

    def _judge(self, where: str) -> None:
        found = self.judge.unsafe(self.everything.lake) + self.judge.unsettled(self.everything.lake)
        for host in self.hosts:
            found += [f"a host is in the state {host.state}"] if host.state != RUNNING else []
            found += ["the key is in the log" for line in host.log if self.judge.leaks(line.text)]
            host.log.clear()
        self.figures.violations += [f"{where}: {violation}" for violation in found]

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
            self._run_until_idle()
        self._settle()
        self._judge("at the end")
        left = [path for path in self.everything.lake.tree() if path.endswith(".partial")]
        self.figures.violations += [f"{path} was never removed" for path in left]

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
        digest, at = hashlib.sha256(whole).hexdigest(), self.clock()
        before = self.sent.get(digest)  # the same bytes may be sent again, by a clock that was put back
        self.sent[digest] = Sent(path, max(at, before.at) if before else at, whole)
        half = len(whole) // 2
        yield whole[:half]
        while self._at_body:
            self._at_body.pop()()
        yield whole[half:]


def play(seed: int, number: int) -> tuple[int, Figures]:
    """Live one world through.

    Returns:
        Its number, and what happened.
    """
    process.start_worker = _forks().start_worker  # type: ignore[assignment]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, World(Path(folder), f"{seed}/{number}") as world:
        return number, world.live()


@functools.cache
def _forks() -> ForkServer:
    """What the workers of this process are forked from: a second less for each. It ends with this process."""
    return ForkServer(Path())
