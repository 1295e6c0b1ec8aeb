"""What a soak counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Figures:
    """What happened.

    Attributes:
        runs: that were claimed.
        killed_runs: in which the worker process was killed, of those.
        kills: of the worker process, by what ran in it.
        deploys: that cut a version off.
        faults: that struck, by what they are.
        outcomes: of exports: `succeeded`, `healed` (succeeded although something struck their run), …
        calls: of people: `release`, `cancel`.
        violations: what did not hold.
    """

    runs: int = 0
    killed_runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    deploys: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Self) -> None:
        """Add another world's."""
        self.runs += other.runs
        self.killed_runs += other.killed_runs
        self.kills += other.kills
        self.deploys += other.deploys
        self.faults += other.faults
        self.outcomes += other.outcomes
        self.calls += other.calls
        self.violations += other.violations
