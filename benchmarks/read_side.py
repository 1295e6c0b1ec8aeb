"""How fast a body is read over HTTP/2 and TLS: the app's adapter, h2 alone, and curl, side by side.

nginx (Debian: `apt-get install nginx-light`) serves one CSV on a free port of this machine and is stopped afterwards.
Each reader runs in a process of its own, in turns, so that a busy machine disturbs all alike.

    python benchmarks/read_side.py [--megabytes 400] [--repeats 5]
"""

import argparse
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
import requests
import trustme

sys.path.insert(0, str(Path(__file__).parent.parent))
from pigment_export.pigment.http2.adapter import Http2Adapter
from pigment_export.pigment.http2.body import Timeouts, body_of

CHUNK_BYTES = 8 * 1024 * 1024
H2_READ_BYTES = 256 * 1024
H2_WINDOW_BYTES = 16 * 1024 * 1024


def with_adapter(url: str, bundle: str) -> int:
    """The app's way."""
    with requests.Session() as session:
        session.mount("https://", Http2Adapter())
        timeouts = Timeouts(10, 60, 60)
        with session.get(url, stream=True, timeout=timeouts, verify=bundle) as response:  # type: ignore[arg-type]
            body = body_of(response)
            buffer = memoryview(bytearray(CHUNK_BYTES))
            total = 0
            while count := body.readinto(buffer):
                total += count
    return total


def with_h2_alone(url: str, bundle: str) -> int:
    """As h2's documentation shows it, with windows as large as the adapter's."""
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
    """Libcurl's own reader, for a measure."""
    command = ["curl", "--silent", "--fail", "--http2", "--cacert", bundle, "--output", "/dev/null"]
    done = subprocess.run(
        [*command, "--write-out", "%{size_download}", url], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


READERS: dict[str, Callable[[str, str], int]] = {"adapter": with_adapter, "h2 alone": with_h2_alone, "curl": with_curl}


def read_once(name: str, url: str, bundle: str) -> None:
    """In a process of its own: read, and print bytes, seconds and CPU seconds."""
    began, cpu_before = time.perf_counter(), cpu_seconds()
    total = READERS[name](url, bundle)
    print(total, time.perf_counter() - began, cpu_seconds() - cpu_before)


def cpu_seconds() -> float:
    """Of this process and what it started."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def make_csv(path: Path, size: int) -> None:
    """Rows as Pigment writes them, a little different each."""
    block = b"".join(b"FR;Jan %02d;%d.%02d;%d\n" % (i % 28, i * 7919 % 9973, i % 100, i) for i in range(100_000))
    with path.open("wb") as file:
        file.write(b"Country;Month;Cost;Revenue\n")
        while file.tell() < size:
            file.write(block[: size - file.tell()])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def configure_nginx(folder: Path, port: int) -> Path:
    """Write nginx's configuration, certificate and CA; everything stays in the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    path = folder / "nginx.conf"
    places = "\n".join(f"  {kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path.write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{}}
http {{
  access_log off; sendfile off; output_buffers 2 256k; http2_chunk_size 16k;
{places}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    root {folder};
  }}
}}
""")
    return path


def wait_for(port: int) -> None:
    """Until somebody listens."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    sys.exit("nginx did not start")


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
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        sys.exit("nginx is missing: apt-get install nginx-light")
    readers = [name for name in READERS if name != "curl" or shutil.which("curl")]
    size = options.megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx reads it as another user
        make_csv(folder / "export.csv", size)
        port = free_port()
        with subprocess.Popen([nginx, "-p", name, "-c", configure_nginx(folder, port)]) as server:
            try:
                wait_for(port)
                report(
                    measure(readers, f"https://localhost:{port}/export.csv", folder / "ca.pem", size, options.repeats)
                )
            finally:
                server.terminate()


def measure(readers: list[str], url: str, bundle: Path, size: int, repeats: int) -> dict[str, list[list[float]]]:
    """MB/s and CPU seconds of each reading, by reader."""
    found: dict[str, list[list[float]]] = {name: [] for name in readers}
    for _ in range(repeats):
        for name in readers:
            command = [sys.executable, __file__, "--read", name, url, str(bundle)]
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
