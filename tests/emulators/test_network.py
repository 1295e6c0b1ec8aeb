"""The proxy that plays the network, its certificates, and all stand-ins together, as real clients meet them."""

import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from emulators.everything import Everything
from emulators.network import Authority, Proxy
from emulators.pigment.faults import KINDS
from emulators.pigment.model import REVENUE
from emulators.pigment.service import DEMO_KEY, EXPIRED_KEY, EXPORT_ONLY_KEY

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20.0  # a test that hangs fails instead
AUTHORIZATION = {"Authorization": f"Bearer {DEMO_KEY}"}


@contextmanager
def listener() -> Iterator[socket.socket]:
    """A plain TCP server that a test answers for by hand."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        yield server


def connect(proxy: Proxy, request: str) -> tuple[socket.socket, str]:
    """Ask the proxy for something; the connection and the answer's first line."""
    connection = socket.create_connection(proxy.address, timeout=PATIENCE_SECONDS)
    connection.sendall(f"{request}\r\nHost: any\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"the proxy hung up after {head!r}"
        head += byte
    return connection, head.decode().splitlines()[0]


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def session_through(proxy: Proxy, ca_file: Path) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"https": "http://{}:{}".format(*proxy.address)}
    session.verify = str(ca_file)
    return session


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("pigment.app", ("127.0.0.1", 1)),
        ("PIGMENT.APP", ("127.0.0.1", 1)),
        ("my.vault.azure.net", ("127.0.0.1", 2)),
        ("special.vault.azure.net", ("127.0.0.1", 3)),
        ("deep.my.vault.azure.net", None),
        ("vault.azure.net", None),
        ("www.pigment.app", None),
        ("pigment.app.example.com", None),
        ("pypi.org", ("pypi.org", 443)),
        ("files.pythonhosted.org", ("files.pythonhosted.org", 443)),
        ("", None),
    ],
)
def test_a_name_leads_where_it_was_told_and_an_exact_one_wins(host: str, expected: tuple[str, int] | None) -> None:
    routes = {
        "pigment.app": ("127.0.0.1", 1),
        "*.vault.azure.net": ("127.0.0.1", 2),
        "special.vault.azure.net": ("127.0.0.1", 3),
    }
    proxy = Proxy(routes, passthrough=["pypi.org", "*.pythonhosted.org"])
    with proxy:
        assert proxy.route(host, 443) == expected


@pytest.mark.parametrize("target", ["example.com:443", "pigment.app:https", "pigment.app", ":443", "pigment.app:4a"])
def test_any_other_name_is_refused_and_remembered(target: str) -> None:
    with Proxy({"pigment.app": ("127.0.0.1", 9)}) as proxy:
        connection, status = connect(proxy, f"CONNECT {target} HTTP/1.1")
        with connection:
            assert status == "HTTP/1.1 403 Forbidden"
            assert read_all(connection) == b""
        assert proxy.refused == [target]


def test_a_name_can_be_led_elsewhere_and_be_refused_later() -> None:
    with Proxy({"*.vault.azure.net": ("127.0.0.1", 1)}) as proxy:
        proxy.lead("*.vault.azure.net", ("127.0.0.1", 2))
        assert proxy.route("a.vault.azure.net", 443) == ("127.0.0.1", 2)
        proxy.lead("*.vault.azure.net", None)
        assert proxy.route("a.vault.azure.net", 443) is None


def test_a_refusal_fails_loudly_in_requests(tmp_path: Path) -> None:
    with (
        Proxy({}) as proxy,
        session_through(proxy, Authority(tmp_path).ca_file) as session,
        pytest.raises(requests.exceptions.ProxyError, match="403"),
    ):
        session.get("https://login.microsoftonline.com/", timeout=PATIENCE_SECONDS)
    assert proxy.refused == ["login.microsoftonline.com:443"]


def test_only_connect_is_served() -> None:
    with Proxy({}) as proxy:
        connection, status = connect(proxy, "GET http://pigment.app/ HTTP/1.1")
        connection.close()
        assert status == "HTTP/1.1 405 Method Not Allowed"


def test_a_target_that_nobody_listens_at_is_a_bad_gateway() -> None:
    with listener() as server:
        nobody = server.getsockname()
    with Proxy({"pigment.app": nobody}) as proxy:
        connection, status = connect(proxy, "CONNECT pigment.app:443 HTTP/1.1")
        connection.close()
        assert status == "HTTP/1.1 502 Bad Gateway"
        assert proxy.refused == []


def test_a_host_that_is_let_through_is_reached_at_its_own_port() -> None:
    with listener() as server, Proxy({}, passthrough=["127.0.0.1"]) as proxy:
        connection, status = connect(proxy, f"CONNECT 127.0.0.1:{server.getsockname()[1]} HTTP/1.1")
        with connection, server.accept()[0]:
            assert status == "HTTP/1.1 200 OK"


def test_an_end_of_one_direction_is_passed_on_and_the_other_goes_on() -> None:
    with listener() as server, Proxy({"pigment.app": server.getsockname()}) as proxy:
        client, _ = connect(proxy, "CONNECT pigment.app:443 HTTP/1.1")
        answering, _ = server.accept()
        with client, answering:
            answering.settimeout(PATIENCE_SECONDS)
            client.sendall(b"all I have to say")
            client.shutdown(socket.SHUT_WR)
            assert read_all(answering) == b"all I have to say"
            answering.sendall(b"x" * 1_000_000)
            answering.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"x" * 1_000_000


def test_what_a_client_sends_right_behind_its_request_reaches_the_server() -> None:
    with listener() as server, Proxy({"pigment.app": server.getsockname()}) as proxy:
        client, _ = connect(proxy, "CONNECT pigment.app:443 HTTP/1.1")
        client.close()
        server.accept()[0].close()
        with socket.create_connection(proxy.address, timeout=PATIENCE_SECONDS) as eager:
            eager.sendall(b"CONNECT pigment.app:443 HTTP/1.1\r\nHost: any\r\n\r\nhello")
            with server.accept()[0] as answering:
                answering.settimeout(PATIENCE_SECONDS)
                assert answering.recv(5, socket.MSG_WAITALL) == b"hello"


def test_requests_fail_as_often_as_is_asked_for() -> None:
    with listener() as server, Proxy({"pigment.app": server.getsockname()}) as proxy:
        proxy.failures += [503, 0]
        connection, status = connect(proxy, "CONNECT pigment.app:443 HTTP/1.1")
        connection.close()
        assert status == "HTTP/1.1 503 Service Unavailable"
        with socket.create_connection(proxy.address, timeout=PATIENCE_SECONDS) as dropped:
            dropped.sendall(b"CONNECT pigment.app:443 HTTP/1.1\r\nHost: any\r\n\r\n")
            assert read_all(dropped) == b""
        connection, status = connect(proxy, "CONNECT pigment.app:443 HTTP/1.1")
        connection.close()
        assert status == "HTTP/1.1 200 OK"


def test_stopping_closes_tunnels_and_waits_for_no_silent_client() -> None:
    with listener() as server:
        proxy = Proxy({"pigment.app": server.getsockname()})
        proxy.start()
        client, _ = connect(proxy, "CONNECT pigment.app:443 HTTP/1.1")
        with (
            client,
            server.accept()[0] as answering,
            socket.create_connection(proxy.address, timeout=PATIENCE_SECONDS) as silent,
            socket.create_connection(proxy.address, timeout=PATIENCE_SECONDS) as halting,
        ):
            answering.settimeout(PATIENCE_SECONDS)
            halting.sendall(b"CONNECT pigment.app:443 HTTP/1.1\r\n")
            other, _ = connect(proxy, "GET / HTTP/1.1")  # it was accepted after those two
            other.close()
            stopping = threading.Thread(target=proxy.stop, daemon=True)
            stopping.start()
            stopping.join(PATIENCE_SECONDS)
            assert not stopping.is_alive()
            assert [read_all(end) for end in (client, answering, silent, halting)] == [b""] * 4
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(proxy.address, timeout=PATIENCE_SECONDS)


def test_a_certificate_is_good_for_its_names_and_their_wildcards_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server_side = authority.server_context("pigment.app", "*.vault.azure.net", alpn=["h2", "http/1.1"])
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    trusting.set_alpn_protocols(["http/1.1", "h2"])

    def shake_hands(context: ssl.SSLContext, name: str) -> str | None:
        ours, theirs = socket.socketpair()

        def serve() -> None:
            try:
                server_side.wrap_socket(theirs, server_side=True).close()
            except OSError:
                theirs.close()

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            with context.wrap_socket(ours, server_hostname=name) as wrapped:
                return wrapped.selected_alpn_protocol()
        finally:
            ours.close()
            serving.join()

    assert [shake_hands(trusting, name) for name in ("pigment.app", "my.vault.azure.net", "127.0.0.1")] == ["h2"] * 3
    for context, name in ((trusting, "example.com"), (ssl.create_default_context(capath=str(tmp_path)), "pigment.app")):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(context, name)


def test_the_real_names_lead_to_the_stand_ins_and_nothing_else_is_asked_for(tmp_path: Path) -> None:
    with Everything(tmp_path) as everything:
        assert everything.proxy is not None
        with session_through(everything.proxy, everything.ca_file) as session:
            statuses = {
                url: session.get(url, headers=AUTHORIZATION, timeout=PATIENCE_SECONDS).status_code
                for url in (
                    "https://pigment.app/api/v1/applications",
                    "https://pigmentdemo.vault.azure.net/secrets/pigment-api-key/?api-version=7.4",
                    "https://pigmentdemolake.dfs.core.windows.net/planning?resource=filesystem&recursive=true",
                    "https://pigmentdemolake.blob.core.windows.net/planning?restype=container",
                )
            }
        assert list(statuses.values()) == [200, 401, 401, 401]
        assert everything.proxy.refused == []


def test_a_name_that_is_mapped_leads_to_another_server(tmp_path: Path) -> None:
    with listener() as server, Everything(tmp_path, maps={"pigment.app": server.getsockname()}) as everything:
        assert everything.proxy is not None
        client, _ = connect(everything.proxy, "CONNECT pigment.app:443 HTTP/1.1")
        with client, server.accept()[0]:
            assert everything.proxy.route("pigment.app", 443) == server.getsockname()
        assert everything.proxy.route("my.vault.azure.net", 443) == everything.vault.address


def test_there_is_no_environment_before_the_start(tmp_path: Path) -> None:
    everything = Everything(tmp_path)
    with pytest.raises(RuntimeError, match="the stand-ins are not running"):
        _ = everything.environment
    with everything:
        assert everything.environment["NO_PROXY"] == "127.0.0.1,localhost"


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`python -m emulators`, with what it printed until it ran; ended by SIGTERM if it still runs."""
    command = [sys.executable, "-m", "emulators", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if "Ctrl-C to stop" in line:
                    break
            yield process, lines
        finally:
            process.terminate()


def exported(lines: list[str]) -> dict[str, str]:
    words = [shlex.split(line) for line in lines if line.startswith("export ")]
    return dict(word.split("=", 1) for _, word in words)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_the_way_to_the_stand_ins_and_stops_cleanly(signal_number: signal.Signals) -> None:
    fault = "status,path=applications,status=503,times=1"
    with running("--rows", f"{REVENUE}=3", "--fault", fault, "--limit", "3") as (process, lines):
        environment = exported(lines)
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": environment["HTTPS_PROXY"]}
            session.verify = environment["REQUESTS_CA_BUNDLE"]
            get = [
                session.get("https://pigment.app/api/v1/applications", headers=AUTHORIZATION, timeout=PATIENCE_SECONDS)
                for _ in range(2)
            ]
            url = f"https://pigment.app/api/v1/export/metric/{REVENUE}"
            post = [session.post(url, json={}, headers=AUTHORIZATION, timeout=PATIENCE_SECONDS) for _ in range(3)]
        assert [answer.status_code for answer in get] == [503, 200]
        assert [answer.status_code for answer in post] == [200, 200, 429]
        assert len(post[0].text.splitlines()) == 4
        assert {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "KEY_VAULT_URL", "DATA_LAKE_URL"} <= environment.keys()
        process.send_signal(signal_number)
        assert process.wait(PATIENCE_SECONDS) == (130 if signal_number == signal.SIGINT else 0)
        assert not Path(environment["REQUESTS_CA_BUNDLE"]).exists()


def test_the_command_speaks_powershell_and_http1_and_maps_names(tmp_path: Path) -> None:
    with listener() as server:
        mapping = "*.dfs.core.windows.net=127.0.0.1:{1}".format(*server.getsockname())
        folder = tmp_path / "what's \u2018here\u2019"
        with running("--powershell", "--http1", "--folder", str(folder), "--map", mapping) as (_, lines):
            variables = dict(re.findall(r"^\$env:(\w+) = '(.*)'$", "\n".join(lines), re.MULTILINE))
            assert variables["REQUESTS_CA_BUNDLE"] == str(tmp_path / "what''s \u2018\u2018here\u2019\u2019" / "ca.pem")
            host, port = variables["HTTPS_PROXY"].removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
                connection.sendall(b"CONNECT any.dfs.core.windows.net:443 HTTP/1.1\r\nHost: any\r\n\r\n")
                server.accept()[0].close()
                assert b"200" in connection.recv(100)
            with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
                connection.sendall(b"CONNECT pigment.app:443 HTTP/1.1\r\nHost: any\r\n\r\n")
                assert b"200" in connection.recv(100)
                context = ssl.create_default_context(cafile=folder / "ca.pem")
                context.set_alpn_protocols(["h2", "http/1.1"])
                with context.wrap_socket(connection, server_hostname="pigment.app") as wrapped:
                    assert wrapped.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--map", "pigment.app"], "HOST=ADDRESS:PORT"),
        (["--map", "=127.0.0.1:1"], "HOST=ADDRESS:PORT"),
        (["--map", "pigment.app=127.0.0.1:https"], "HOST=ADDRESS:PORT"),
        (["--fault", "earthquake"], "no fault"),
        (["--fault", "reset,code=x"], "'x'"),
        (["--fault", "reset,colour=red"], "colour=red"),
        (["--fault", "reset,path=("], "regular expression"),
        (["--rows", f"{REVENUE}=many"], "BLOCK=N"),
        (["--rows", "nobody=3"], "BLOCK=N"),
        (["--account-key", "?"], "base64"),
    ],
)
def test_a_wrong_argument_is_told_and_nothing_starts(arguments: list[str], hint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulators", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_readme_names_every_option_fault_and_key() -> None:
    readme = (ROOT / "emulators" / "README.md").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "emulators", "--help"],
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    options = set(re.findall(r"^  (--[a-z0-9-]+)", done.stdout, re.MULTILINE))
    assert len(options) > 8
    missing = [word for word in (*options, *KINDS, DEMO_KEY, EXPORT_ONLY_KEY, EXPIRED_KEY) if f"`{word}" not in readme]
    assert missing == []
