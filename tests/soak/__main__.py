"""`make soak RUNS=N SEED=S`: play worlds of ten runs each, in parallel, until there are N runs or the time is over.

For each world with violations, it prints the command that repeats it.
"""

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.soak.figures import Figures
from tests.soak.world import RUNS, play


def main() -> int:
    """Play worlds, and print the figures.

    Returns:
        0 if there were no violations.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="the least number of runs [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="[%(default)s]")
    parser.add_argument("--world", type=int, help="repeat only this world of an earlier soak")
    parser.add_argument("--jobs", type=int, default=2, help="parallel worlds [%(default)s]")
    parser.add_argument("--minutes", type=float, default=45, help="start no world after this time [%(default)s]")
    asked = parser.parse_args()
    began = time.monotonic()
    total, worlds = Figures(), 0
    numbers = iter([asked.world] if asked.world is not None else range(-(-asked.runs // RUNS)))
    # Not forked: a child of a process with threads may hang.
    with ProcessPoolExecutor(asked.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(play, asked.seed, number) for _, number in zip(range(asked.jobs), numbers, strict=False)}
        while waiting:
            done = next(as_completed(waiting))
            waiting.remove(done)
            number, figures = done.result()
            worlds += 1
            total.add(figures)
            if not worlds % 10:
                print(f"… {total.runs} runs, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            for violation in figures.violations:
                print(f"world {number}: {violation}", flush=True)
            if figures.violations:
                print(f"  to repeat it: python -m tests.soak --seed {asked.seed} --world {number}", flush=True)
            if time.monotonic() - began < asked.minutes * 60 and (number := next(numbers, None)) is not None:
                waiting.add(pool.submit(play, asked.seed, number))
    print(f"seed {asked.seed}: {total.runs} runs in {worlds} worlds, {time.monotonic() - began:.0f} s")
    kills = total.kills.pop("all", 0)
    ran = ", ".join(f"in {name} {count}" for name, count in sorted(total.kills.items()))
    print(f"kills of the worker: {kills} ({ran}), and {total.deploys} deployments, in {total.killed_runs} runs")
    print("faults:", ", ".join(f"{name} {count}" for name, count in sorted(total.faults.items())))
    print("exports:", ", ".join(f"{name} {count}" for name, count in sorted(total.outcomes.items())))
    print("calls:", ", ".join(f"{name} {count}" for name, count in sorted(total.calls.items())))
    print(f"violations: {len(total.violations)}")
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main())
