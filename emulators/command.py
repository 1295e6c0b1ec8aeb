"""`python -m emulators`: start the stand-ins, print the variables that direct a program to them, stop on Ctrl-C."""

import argparse
import base64
import contextlib
import re
import shlex
import sys
import threading
from pathlib import Path

from emulators import local_settings
from emulators.everything import ACCOUNT, FILE_SYSTEM, Everything
from emulators.folders import temporary_folder
from emulators.http1 import port
from emulators.pigment.faults import add_fault_option
from emulators.pigment.model import Model
from emulators.pigment.service import DEMO_KEY, EXPIRED_KEY, EXPORT_ONLY_KEY, WINDOW_REQUESTS


def main() -> None:
    """Run the stand-ins until interrupted."""
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = (options.folder or stack.enter_context(temporary_folder("emulators-"))).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        everything = stack.enter_context(
            Everything(
                folder,
                account_key=options.account_key,
                maps=dict(options.map),
                passthrough=options.allow,
                proxy_port=options.proxy_port,
                http2=not options.http1,
            )
        )
        everything.pigment.switches.gzip = options.gzip
        everything.pigment.switches.limit = options.limit
        everything.pigment.faults.extend(options.fault)
        blocks = everything.pigment.model.blocks
        for block, rows in options.rows:
            blocks[block].rows = rows
        lines = _variables(everything, powershell=options.powershell)
        if options.settings:
            try:
                local_settings.write(options.settings, everything.environment)
            except local_settings.SettingsFileError as error:
                sys.exit(f"python -m emulators: {error}")
            bin_folder = Path(sys.executable).parent
            lines = core_tools(
                options.settings.resolve(), bin_folder, powershell=options.powershell or sys.platform == "win32"
            )
        host, port = everything.lake.address
        print(*lines, sep="\n")
        print(f"# the lake, without the proxy: https://{host}:{port}/{ACCOUNT} (file system {FILE_SYSTEM})")
        print(f"# Pigment keys: {DEMO_KEY} (in the vault), {EXPORT_ONLY_KEY} (only exports), {EXPIRED_KEY} (rejected)")
        print("# running; press Ctrl-C to stop")
        threading.Event().wait()


def _variables(everything: Everything, *, powershell: bool) -> list[str]:
    """Return the variables for a shell, and a first command; they can be pasted as they are, in any folder."""
    there, python = local_settings.ROOT, sys.executable
    if powershell:
        removed = [f"Remove-Item Env:{name} -ErrorAction Ignore" for name in ("PIGMENT_API_KEY", "ALL_PROXY")]
        variables = [f"$env:{name} = {_quoted(value)}" for name, value in everything.environment.items()]
        first = f"Push-Location {_quoted(there)}; & {_quoted(python)} -m pigment_export run; Pop-Location"
    else:
        removed = [f"unset {' '.join(local_settings.LEADS_ELSEWHERE)}"]
        variables = [f"export {name}={shlex.quote(value)}" for name, value in everything.environment.items()]
        first = f"(cd {shlex.quote(str(there))} && {shlex.quote(python)} -m pigment_export run)"
    return [*removed, *variables, "# paste the lines above into another shell, then:", first]


def core_tools(settings: Path, bin_folder: Path, *, powershell: bool) -> list[str]:
    """Return the commands that start the app with Azure Functions Core Tools.

    Args:
        settings: the file that was written.
        bin_folder: Python's. Core Tools run the first Python on the PATH.
        powershell: whether the commands are for PowerShell.
    """
    activate = bin_folder / ("Activate.ps1" if powershell else "activate")
    if powershell:
        environment = (
            f". {_quoted(activate)}" if activate.exists() else f"$env:PATH = {_quoted(f'{bin_folder};')} + $env:PATH"
        )
        start = f"Set-Location {_quoted(settings.parent)}; {environment}; func start"
    else:
        folder = shlex.quote(str(bin_folder))
        environment = f"source {folder}/activate" if activate.exists() else f"export PATH={folder}:$PATH"
        start = f"cd {shlex.quote(str(settings.parent))} && {environment} && func start"
    return [
        f"# wrote {settings}. Start Azurite in a second shell, the app in a third:",
        "npx azurite --silent --inMemoryPersistence",
        start,
    ]


def _quoted(text: object) -> str:
    """Quote for PowerShell, which also takes typographic quotes for quotes."""
    return f"'{re.sub("(['\u2018-\u201b])", r'\1\1', str(text))}'"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulators",
        description="Local stand-ins for Pigment, Key Vault, managed identity and ADLS Gen2, on real protocols, "
        "behind a proxy that acts as the network. emulators/README.md lists the differences from the real services.",
    )
    parser.add_argument("--powershell", action="store_true", help="print variables or commands for PowerShell")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="write a local.settings.json for 'func start' instead of printing variables",
    )
    parser.add_argument("--folder", type=Path, help="folder for the certificate and the lake's files [a temporary one]")
    parser.add_argument("--proxy-port", type=port, default=0, help="the proxy's port [a free one]")
    parser.add_argument(
        "--map",
        type=_mapping,
        action="append",
        default=[],
        metavar="HOST=ADDRESS:PORT",
        help="connect a host name to another server, e.g. *.dfs.core.windows.net=127.0.0.1:9000; repeatable",
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="HOST", help="connect this name to the real host; repeatable"
    )
    parser.add_argument(
        "--rows",
        type=_rows,
        action="append",
        default=[],
        metavar="BLOCK=N",
        help="number of rows of a block, by its id; 0: only a header; repeatable",
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help=f"requests in five minutes before 429 [no limit; Pigment's own is {WINDOW_REQUESTS}]",
    )
    parser.add_argument(
        "--account-key", type=_account_key, metavar="BASE64", help="the lake also accepts signatures with this key"
    )
    add_fault_option(parser)
    parser.add_argument("--gzip", action="store_true", help="Pigment compresses for clients that accept it")
    parser.add_argument("--http1", action="store_true", help="Pigment speaks only HTTP/1.1, as through an old proxy")
    return parser.parse_args()


def _mapping(text: str) -> tuple[str, tuple[str, int]]:
    host, _, address = text.partition("=")
    name, _, number = address.rpartition(":")
    try:
        there = (name, port(number))
    except ValueError:
        there = None
    if not host or not name or not there:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST=ADDRESS:PORT")
    return host.lower(), there


def _account_key(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise argparse.ArgumentTypeError("not base64") from exc
    return text


def _rows(text: str) -> tuple[str, int]:
    block, _, rows = text.partition("=")
    if not rows.isdecimal() or block.lower() not in Model().blocks:
        raise argparse.ArgumentTypeError(f"{text!r} is not BLOCK=N with the id of an existing block")
    return block.lower(), int(rows)
