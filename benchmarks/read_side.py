"""Measure how fast a body is read over HTTP/2 and TLS: with the app's adapter, h2 alone, and curl.

nginx (Debian: `apt-get install nginx-light`) serves one CSV on a free port of this machine and is stopped afterwards.
Each reader runs in its own process, in turns, so that a busy machine affects all equally.

    python -m benchmarks.read_side [--megabytes 400] [--repeats 5]
"""

import argparse
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
import requests

from benchmarks.transfer import source_of
from pigment_export.pigment.http2.adapter import Http2Adapter
from pigment_export.pigment.http2.body import body_of
from pigment_export.pigment.http2.exchange import Timeouts

CHUNK_BYTES = 8 * 1024 * 1024
H2_READ_BYTES = 256 * 1024
H2_WINDOW_BYTES = 16 * 1024 * 1024


def with_adapter(url: str, bundle: str) -> int:
    """Read as the app does."""
    with requests.Session() as session:
        session.mount("https://", Http2Adapter())
        timeouts = Timeouts(10, 60, 60)
        with session.get(url, stream=True, timeout=timeouts, verify=bundle) as response:  # type: ignore[arg-type]
            body = body_of(response)
            buffer = memoryview(bytearray(CHUNK_BYTES))
            total = 0
            reader = body.decoded()
            while count := reader.readinto(buffer):
                total += count
    return total


def with_h2_alone(url: str, bundle: str) -> int:
    """Read as h2's documentation shows it, with windows as large as the adapter's."""
    host, port = url.split("/")[2].split(":")
    context = ssl.create_default_context(cafile=bundle)
    context.set_alpn_protocols(["h2"])
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    total = 0
    ended = False
    with (
        socket.create_connection((host, int(port))) as plain,
        context.wrap_socket(plain, server_hostname=host) as sock,
    ):
        connection.initiate_connection()
        connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: H2_WINDOW_BYTES})
        connection.increment_flow_control_window(H2_WINDOW_BYTES - 65_535)
        fields = [(":method", "GET"), (":authority", host), (":scheme", "https"), (":path", "/export.csv")]
        connection.send_headers(1, fields, end_stream=True)
        sock.sendall(connection.data_to_send())
        while not ended:
            received = sock.recv(H2_READ_BYTES)
            if not received:
                sys.exit("the server hung up")
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.DataReceived):
                    total += len(event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                ended = ended or isinstance(event, h2.events.StreamEnded)
            if answer := connection.data_to_send():
                sock.sendall(answer)
    return total


def with_curl(url: str, bundle: str) -> int:
    """Read with curl, for comparison."""
    command = ["curl", "--silent", "--fail", "--http2", "--cacert", bundle, "--output", "/dev/null"]
    done = subprocess.run(
        [*command, "--write-out", "%{size_download}", url], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


READERS: dict[str, Callable[[str, str], int]] = {"adapter": with_adapter, "h2 alone": with_h2_alone, "curl": with_curl}


def read_once(name: str, url: str, bundle: str) -> None:
    """Read once, in this process of its own, and print bytes, seconds and CPU seconds."""
    began, cpu_before = time.perf_counter(), cpu_seconds()
    total = READERS[name](url, bundle)
    print(total, time.perf_counter() - began, cpu_seconds() - cpu_before)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--read", nargs=3, metavar=("READER", "URL", "CA"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read_once(*options.read)
        return
    readers = [name for name in READERS if name != "curl" or shutil.which("curl")]
    with source_of("narrow", options.megabytes * 1_000_000) as (servers, file):
        url, bundle = f"{servers.source}/{file.name}", file.parent / "ca.pem"
        report(measure(readers, url, bundle, file.stat().st_size, options.repeats))


def measure(readers: list[str], url: str, bundle: Path, size: int, repeats: int) -> dict[str, list[list[float]]]:
    """Return MB/s and CPU seconds of each reading, by reader."""
    found: dict[str, list[list[float]]] = {name: [] for name in readers}
    for _ in range(repeats):
        for name in readers:
            command = [sys.executable, "-m", "benchmarks.read_side", "--read", name, url, str(bundle)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            total, *figures = map(float, done.stdout.split())
            if total != size:
                sys.exit(f"{name} read {total:,.0f} of {size:,} bytes")
            found[name].append([size / 1e6 / figures[0], *figures[1:]])
    return found


def report(found: dict[str, list[list[float]]]) -> None:
    """Print medians and ratios."""
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    rate_alone, cpu_alone = medians["h2 alone"]
    print(f"{'reader':10} {'MB/s':>6} {'range':>11} {'x h2 alone':>11} {'CPU s':>7} {'h2 alone / it':>14}")
    for name, (rate, cpu) in medians.items():
        rates = f"{min(row[0] for row in found[name]):.0f}-{max(row[0] for row in found[name]):.0f}"
        print(f"{name:10} {rate:6.0f} {rates:>11} {rate / rate_alone:11.1f} {cpu:7.2f} {cpu_alone / cpu:14.1f}")


if __name__ == "__main__":
    main()
