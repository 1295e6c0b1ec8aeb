"""`python -m emulators`: start the stand-ins, print what leads a program to them, stop on Ctrl-C."""

import argparse
import base64
import contextlib
import shlex
import signal
import tempfile
import threading
from pathlib import Path

from emulators.everything import ACCOUNT, FILE_SYSTEM, Everything
from emulators.pigment_faults import Fault


def main() -> None:
    """Run until told to stop."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emulators-")))
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
        everything.pigment.faults.extend(options.fault)
        for name, value in everything.environment.items():
            print(f"$env:{name} = '{value}'" if options.powershell else f"export {name}={shlex.quote(value)}")
        lake_host, lake_port = everything.lake.address
        print(f"# the lake, without the proxy: https://{lake_host}:{lake_port}/{ACCOUNT} (file system {FILE_SYSTEM})")
        print("# paste the lines above into another shell, then: python -m pigment_export run")
        print("# running; Ctrl-C stops", flush=True)
        stop.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulators",
        description="Local stand-ins for Pigment, Key Vault, managed identity and ADLS Gen2, on real protocols, "
        "behind a proxy that plays the network. emulators/README.md says what is not faithful.",
    )
    parser.add_argument("--powershell", action="store_true", help="print the variables for PowerShell")
    parser.add_argument("--folder", type=Path, help="where the certificate and the lake's files go [a temporary one]")
    parser.add_argument("--proxy-port", type=int, default=0, help="the proxy's port [a free one]")
    parser.add_argument(
        "--map",
        type=_mapping,
        action="append",
        default=[],
        metavar="HOST=ADDRESS:PORT",
        help="lead a host name elsewhere, as *.dfs.core.windows.net=127.0.0.1:9000; may be repeated",
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="HOST", help="let a host through to itself; may be repeated"
    )
    parser.add_argument(
        "--account-key", type=_account_key, metavar="BASE64", help="the lake takes signatures by this key, too"
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="KIND,NAME=VALUE,…",
        help="something goes wrong with Pigment, as reset,path=metric,after=5000,code=0; may be repeated",
    )
    parser.add_argument("--gzip", action="store_true", help="Pigment compresses for those who ask for it")
    parser.add_argument("--http1", action="store_true", help="Pigment speaks HTTP/1.1 only, as through an old proxy")
    return parser.parse_args()


def _mapping(text: str) -> tuple[str, tuple[str, int]]:
    host, _, address = text.partition("=")
    name, _, port = address.rpartition(":")
    if not host or not name or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST=ADDRESS:PORT")
    return host.lower(), (name, int(port))


def _account_key(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise argparse.ArgumentTypeError("not base64") from exc
    return text


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


if __name__ == "__main__":
    main()
