"""`python -m emulators.host`: run a function app on the machine's clock until interrupted."""

import argparse
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from emulators.host.calls import LogLine
from emulators.host.front import Keys
from emulators.host.functions import HttpTrigger, QueueTrigger, TimerTrigger
from emulators.host.host import ERROR, Host
from emulators.host.host_json import read_local_settings
from emulators.http1 import port
from emulators.terminal import print_line

LOCAL_PORT = 7071  # Core Tools' own


def main() -> None:
    """Run a function app until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m emulators.host", description=__doc__)
    parser.add_argument("folder", type=Path, help="the app's folder, with function_app.py and host.json")
    add_host_options(parser)
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="file whose Values the app gets [FOLDER/local.settings.json]"
    )
    asked = parser.parse_args()
    if asked.settings and not asked.settings.is_file():
        parser.error(f"{asked.settings} does not exist")
    try:
        local = read_local_settings(asked.settings or asked.folder / "local.settings.json")
    except ValueError as error:
        parser.error(str(error))
    keys = Keys() if asked.enable_auth else None
    with open_host(asked.folder, local | os.environ, keys=keys, port=asked.port) as host:
        print_overview(host, keys)
        serve(host)


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """Add the host's options to a command."""
    parser.add_argument(
        "--port", type=port, default=LOCAL_PORT, help="port for HTTP on 127.0.0.1; 0 for a free one [%(default)s]"
    )
    parser.add_argument("--enable-auth", action="store_true", help="require keys, which are generated and printed")


def open_host(folder: Path, environ: dict[str, str], *, keys: Keys | None, port: int) -> Host:
    """Return a host that writes its log to the terminal."""

    def echo(line: LogLine) -> None:
        print_line(f"[{line.at:%H:%M:%S}] {line.text}")

    environ = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"} | environ
    return Host(folder, environ, clock=lambda: datetime.now(UTC), keys=keys, port=port, echo=echo)


def print_overview(host: Host, keys: Keys | None) -> None:
    """Print the functions and how to call them; each command can be pasted as it is."""
    print("This is a simulator of the Azure Functions host, not the host: see emulators/host/README.md")
    admin = f" -H 'x-functions-key: {keys.master}'" if keys else ""
    for function in host.functions.values():
        match function.trigger:
            case HttpTrigger(route, methods, auth_level):
                print(f"  {function.name}: [{','.join(methods) or 'any'}] {host.url}/{route.template} ({auth_level})")
            case TimerTrigger(schedule):
                print(f"  {function.name}: next at {schedule.after(datetime.now(UTC)).isoformat()}; to fire it now:")
                where = f"{host.url}/admin/functions/{function.name}"
                print(f"    curl -X POST -H 'Content-Type: application/json' -d '{{}}'{admin} {where}")
            case QueueTrigger(queue):
                print(f"  {function.name}: queue {queue}")
    if keys:
        print(f"Keys (header x-functions-key, or ?code=): function {keys.function}, master {keys.master}")


def serve(host: Host) -> None:
    """Run until interrupted, even if the host is in the error state: its log says why."""
    host.serve()
    if host.state == ERROR:
        signal.pause()
