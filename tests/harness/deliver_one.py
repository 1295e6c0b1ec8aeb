"""A worker process that delivers one export of a run whose plan is in the lake; for tests that kill it."""

import sys

from pigment_export import wiring
from pigment_export.retry import Deadline
from pigment_export.runs.plan import Plan
from pigment_export.runs.work import deliver_export


def main(plan_path: str, name: str) -> None:
    runs = wiring.app(Deadline(300)).runs
    plan = Plan.from_json(runs.lake.read(plan_path).data)
    planned = plan.planned(name)
    assert planned
    sys.stdout.write(deliver_export(runs, plan, planned).state)


if __name__ == "__main__":
    main(*sys.argv[1:])
