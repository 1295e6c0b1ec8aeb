"""What goes wrong with the dependencies in one run: planned by chance, and counted when it struck."""

import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, Self

from emulators.everything import SECRET, Everything
from emulators.lake.account import Dropped, Lake
from emulators.network import Authority, Detour
from emulators.pigment.service import Key, Pigment
from emulators.vault import Vault
from emulators.web import Raw
from tests.soak import chance as choose
from tests.soak.invariants import Judge

WEIGHTS = {"pigment": 6, "lake": 7, "network": 1, "elsewhere": 3, "identity": 1, "vault": 2, "key": 1}
HOSTS = {"pigment": Pigment.hosts, "vault": Vault.hosts, "lake": Lake.hosts}
FIRST, LASTING = [1, 1, 1, 2], 60  # times that identity or vault fails


class Trouble:
    """Lets the dependencies fail; a context manager.

    Args:
        everything: the stand-ins, which run.
        folder: for what is needed beside them.
        chance: chooses.
        judge: is told what it has to know.
    """

    def __init__(self, everything: Everything, folder: Path, chance: Random, judge: Judge) -> None:
        if everything.proxy is None:
            raise AssertionError("the stand-ins run")
        self._everything, self._proxy, self._chance, self._judge = everything, everything.proxy, chance, judge
        self._folder = folder / "stranger"
        self._planned: list[tuple[str, Any]] = []
        self._stack = ExitStack()
        self._elsewhere: dict[str, tuple[str, int] | None] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir()
        stranger = Authority(self._folder).server_context(*Lake.hosts, *Vault.hosts, *Pigment.hosts)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nowhere = closed.getsockname()[:2]
        self._elsewhere = {
            "connection refused": nowhere,
            "refused by the proxy": None,
            "certificate not trusted": self._stack.enter_context(Vault(stranger)).address,
            "certificate of another host": self._everything.vault.address,
            "no TLS": self._everything.identity.address,
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def plan(self) -> None:
        """Let things go wrong from here on."""
        for _ in range(self._chance.choices([0, 1, 2, 3, 5], [2, 4, 3, 2, 1])[0]):
            [kind] = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
            getattr(self, f"_plan_{kind}")()

    def _plan_pigment(self) -> None:
        fault = choose.pigment_fault(self._chance)
        if fault.kind == "cut":
            self._judge.cuts.add(fault.after)
        self._everything.pigment.faults.append(fault)
        self._planned += [(f"pigment {fault.kind}", fault)] * fault.times

    def _plan_lake(self) -> None:
        operation, skip, times, then, name = choose.lake_fault(self._chance)
        self._everything.lake.faults.add(operation, skip=skip, times=times, then=then)
        self._planned += [(name, then)] * times

    def _plan_network(self) -> None:
        statuses = [self._chance.choice([0, 502, 503])] * self._chance.choice([1, 2, 5])
        self._proxy.failures += statuses
        self._planned += [("network", self._proxy)] * len(statuses)

    def _plan_elsewhere(self) -> None:
        """A connection is led elsewhere; one that is open is dropped before, so that another one is needed."""
        dependency, kind = self._chance.choice(sorted(HOSTS)), self._chance.choice(sorted(self._elsewhere))
        if dependency == "lake":
            then = Dropped()
            self._everything.lake.faults.add("any", skip=self._chance.randint(0, 20), times=4, then=then)
            self._planned += [("lake dropped request", then)] * 4
        elif dependency == "vault":
            self._everything.vault.failures.append(Raw())
        is_its_own = dependency == "vault" and kind == "certificate of another host"
        address = self._everything.lake.address if is_its_own else self._elsewhere[kind]
        detours = [Detour(self._chance.choice(HOSTS[dependency]), address)] * self._chance.choice([1, 1, 2, 5])
        self._proxy.detours += detours
        self._planned += [(f"{dependency} {kind}", detours[0])] * len(detours)

    def _plan_identity(self) -> None:
        self._plan_sign_in("identity")

    def _plan_vault(self) -> None:
        self._plan_sign_in("vault")

    def _plan_sign_in(self, server: str) -> None:
        """Now and then it fails for as long as messages come, and comes back when they are sent again."""
        answer = choose.sign_in_fault(self._chance)
        times = LASTING if self._chance.random() < 0.3 else self._chance.choice(FIRST)
        getattr(self._everything, server).failures.extend([answer] * times)
        self._planned += [(server, answer)] * times

    def _plan_key(self) -> None:
        """The key is rotated: Pigment takes only the next one."""
        key = "pgm_" + f"{self._chance.getrandbits(160):040x}"
        self._judge.keys.append(key)
        self._everything.pigment.keys = {key: Key()}
        self._everything.vault.set(SECRET, key)
        self._planned.append(("key rotated", object()))

    def clear(self) -> Counter[str]:
        """Let nothing go wrong any more; returns what struck, by its name."""
        everything = self._everything
        left = Counter(map(id, everything.lake.faults.waiting))
        left.update(map(id, [*everything.identity.failures, *everything.vault.failures, *self._proxy.detours]))
        for fault in everything.pigment.faults:
            left[id(fault)] += fault.times
        left[id(self._proxy)] += len(self._proxy.failures)
        struck = Counter(name for name, _ in self._planned)
        for name, fault in {id(fault): (name, fault) for name, fault in self._planned}.values():
            struck[name] -= left[id(fault)]
        for waiting in (everything.identity, everything.vault, self._proxy):
            waiting.failures.clear()
        self._proxy.detours.clear()
        everything.pigment.faults.clear()
        everything.lake.faults.clear()
        self._planned.clear()
        return +struck
