"""`python -m emulators.start`: make a first run, then run the app with all stand-ins until interrupted."""

import argparse
import json
import os
import urllib.request

from emulators.everything import Everything
from emulators.folders import temporary_folder
from emulators.host.command import add_host_options, open_host, print_overview, serve
from emulators.host.front import Keys
from emulators.host.host import RUNNING, Host
from emulators.lake.account import new_account_key
from emulators.local_settings import LEADS_ELSEWHERE, ROOT, app_settings
from emulators.pigment.faults import add_fault_option

STATUS_PAGE = "/api/status"


def main() -> None:
    """Start everything, complete a first run so that there is something to see, and serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m emulators.start", description=__doc__, epilog="Environment variables override the settings."
    )
    add_host_options(parser)
    add_fault_option(parser)
    asked = parser.parse_args()
    keys = Keys() if asked.enable_auth else None
    own = {name: value for name, value in os.environ.items() if name not in LEADS_ELSEWHERE}
    with (
        temporary_folder("start-") as folder,
        Everything(folder, account_key=new_account_key()) as everything,
    ):
        everything.pigment.faults.extend(asked.fault)
        environ = app_settings(everything.environment) | own | everything.environment
        with open_host(ROOT, environ, keys=keys, port=asked.port) as host:
            print_overview(host, keys)
            if host.state == RUNNING:
                _show_a_run(host, everything, keys)
            serve(host)


def _show_a_run(host: Host, everything: Everything, keys: Keys | None) -> None:
    """Start a run as a caller does, wait for its end, and print where to look at it."""
    key = {"x-functions-key": keys.function} if keys else {}
    request = urllib.request.Request(  # noqa: S310 - our own host
        f"{host.url}/api/runs", b"{}", {"Content-Type": "application/json", **key}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        started = json.load(answer)
    host.run_until_idle()
    code, header = (f"?code={keys.function}", f" -H 'x-functions-key: {keys.function}'") if keys else ("", "")
    published = sorted(path for path in everything.lake.tree() if path.endswith(".csv"))
    print(f"\nThe first run is {started['run_id']}. Open:")
    print(f"  status page  {host.url}{STATUS_PAGE}{code}")
    for path in published[:1]:
        print(f"  a file       {everything.lake.link(path)}")
    print("Start another run, and follow it:")
    print(f"  curl -X POST -H 'Content-Type: application/json'{header} -d '{{}}' {host.url}/api/runs")
    print(f"  curl{header} {host.url}/api/runs")
    print("Press Ctrl-C to stop.")
