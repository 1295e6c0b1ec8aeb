"""`python -m emulators.demo`: show a run in a few lines: timer, queue, files, HTTP, and one failure."""

import argparse
import json
import os
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from emulators.everything import Everything
from emulators.folders import temporary_folder
from emulators.host.host import Host, SimulatedClock
from emulators.local_settings import ROOT, app_settings
from emulators.pigment.faults import add_fault_option
from emulators.pigment.model import REVENUE

FIRST_LINES = 3
KEPT = ("PATH", "HOME", "LANG", "SYSTEMROOT", "USER")  # what the app gets of this shell's variables
OK, CONFLICT = 200, 409


def main() -> int:
    """Fire the timer, show the results, then make an export fail.

    Returns:
        0 if both runs ended as expected, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m emulators.demo", description=__doc__)
    add_fault_option(parser)
    faults = parser.parse_args().fault
    clock = SimulatedClock(datetime.now(UTC).replace(hour=5, minute=54, second=0, microsecond=0))
    with temporary_folder("demo-") as folder, Everything(folder) as everything:
        everything.lake.clock = clock
        everything.pigment.faults.extend(faults)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        environ = kept | app_settings(everything.environment) | {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
        print("The app runs on stand-ins for Pigment, Key Vault, managed identity, ADLS Gen2 and the Functions host.\n")
        with Host(ROOT, environ, clock=clock) as host:
            good = _fire(host, everything, environ["EXPORT_SCHEDULE"]) and _call(host, everything)
        if everything.proxy and everything.proxy.refused:
            print(f"The proxy rejected these hosts: {everything.proxy.refused}")
            return 1
        print("\nTo try the app yourself: make start")
        return 0 if good else 1


def _fire(host: Host, everything: Everything, schedule: str) -> bool:
    """Run the schedule, show the four files, and return whether the run succeeded."""
    host.advance(timedelta(minutes=12))
    _, listed = _ask(f"{host.url}/api/runs")
    if not listed["runs"]:
        print("No run has started. The host's log:", *(line.text for line in host.log), sep="\n  ")
        return False
    run = listed["runs"][0]
    print(f"At six (EXPORT_SCHEDULE={schedule!r}) a run starts, with one queue message for each export:\n")
    for line in host.log:
        if line.level in ("WARNING", "ERROR"):
            print(f"  {line.text}")
    print(_table([_receipt(everything, path) for path in _paths(everything, "receipts/")]))
    print("Files of one export and of the run in the lake (names that begin with _ are records, which readers skip):")
    for path, size in sorted(everything.lake.tree().items()):
        if path.startswith("revenue/") or path.endswith(("_SUCCESS", "result.json", "receipts/revenue.json")):
            print(f"  {size:>8,}  {path}")
    published = next(path for path in _paths(everything, ".csv") if path.endswith("pnl_view.csv"))
    print(f"\nThe first lines of {published}:")
    for text in everything.lake.read(published).decode().splitlines()[:FIRST_LINES]:
        print(f"  {text}")
    status, told = _show("GET", host, f"/api/runs/{run['run_id']}")
    return status == OK and told["counts"] == {"succeeded": 4}


def _call(host: Host, everything: Everything) -> bool:
    """Delete a metric, request it, and return whether the run ends in 409 with a reason."""
    print("\nThe metric is deleted in Pigment, then a pipeline requests it:")
    del everything.pigment.model.blocks[REVENUE]
    _, started = _show("POST", host, "/api/runs", {"exports": ["revenue"]})
    host.run_until_idle()
    status, told = _show("GET", host, f"/api/runs/{started['run_id']}")
    print("The last good file stays in place. The receipt says what went wrong, who must act, and what to do:")
    (path,) = (path for path in _paths(everything, "receipts/") if started["run_id"] in path)
    cause = _receipt(everything, path)
    print(f"  {cause['reason']}\n  {cause['who']}: {cause['remedy']}")
    return status == CONFLICT and told["counts"] == {"failed": 1}


def _show(method: str, host: Host, path: str, body: Any = None) -> tuple[int, Any]:
    status, told = _ask(f"{host.url}{path}", method, body)
    shown = {name: told[name] for name in ("state", "of", "done", "counts", "detail") if name in told}
    print(f"\n$ curl -X {method} {path}" + (f" -d '{json.dumps(body)}'" if body else ""))
    print(f"  {status} {json.dumps(shown)}")
    return status, told


def _ask(url: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())  # noqa: S310 - our own host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def _paths(everything: Everything, part: str) -> list[str]:
    return sorted(path for path in everything.lake.tree() if part in path)


def _receipt(everything: Everything, path: str) -> dict[str, Any]:
    receipt: dict[str, Any] = json.loads(everything.lake.read(path))
    return receipt


def _table(receipts: list[dict[str, Any]]) -> str:
    titles = ("name", "state", "rows", "bytes", "seconds", "path")
    rows = [titles, *(tuple(f"{receipt.get(title, '')}" for title in titles) for receipt in receipts)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(titles))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(f"  {line}" for line in lines) + "\n"
