"""The network's setup is judged before anything is asked, and no part of a proxy's address is ever shown."""

import itertools
import socket
import ssl
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from pigment_export import network
from pigment_export.errors import ConfigurationError, ErrorRow
from pigment_export.settings import load

SETTINGS = {"PIGMENT_API_KEY": "x", "DATA_LAKE_URL": "https://l.dfs.core.windows.net", "DATA_LAKE_FILE_SYSTEM": "abc"}


@pytest.mark.parametrize("variable", network.CA_BUNDLE_VARIABLES)
@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_ca_bundle_that_cannot_be_used_is_a_wrong_setting(
    tmp_path: Path, variable: str, content: bytes | None
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{variable}: .*ca.pem .*allowed: a"):
        load({**SETTINGS, variable: str(bundle)})


def test_the_bundle_in_use_is_the_one_that_is_judged(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    missing = str(tmp_path / "missing")
    assert network.problems({"REQUESTS_CA_BUNDLE": str(bundle), "CURL_CA_BUNDLE": missing}) == []
    assert network.problems({"REQUESTS_CA_BUNDLE": str(tmp_path)}) == []
    assert len(network.problems({"CURL_CA_BUNDLE": missing})) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://proxy:3128",
        "proxy:3128",
        "proxy",
        "http://user:p%40ss@proxy:3128/",
        "http://[::1]:3128",
    ],
)
def test_a_proxys_address_may_be_written_as_requests_takes_it(address: str) -> None:
    assert network.proxy_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://user:s3cr#et@proxy:3128",
        "http://user:s3cr/et@proxy:3128",
        "http://user:s3cr?et@proxy:3128",
        "http://proxy:port",
        "http://proxy:0",
        "http://[::1",
        "http://",
    ],
)
@pytest.mark.parametrize("variable", network.PROXY_VARIABLES)
def test_a_proxys_address_that_cannot_be_used_is_a_wrong_setting(variable: str, address: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load({**SETTINGS, variable: address})
    (problem,) = raised.value.problems
    assert problem.startswith(f"{variable}: ")
    assert "s3cr" not in problem
    assert problem.endswith(network.PROXY_FORM)
    assert network.problems({variable: address, "NO_PROXY": "*"}) == []


def test_lower_case_wins() -> None:
    environ = {"https_proxy": "http://proxy:3128", "HTTPS_PROXY": "socks5://proxy", "ALL_PROXY": "socks5://proxy"}
    assert [problem.partition(":")[0] for problem in network.problems(environ)] == ["ALL_PROXY"]


@given(st.text(st.characters(codec="utf-8"), min_size=8), st.text(max_size=20))
def test_no_part_of_a_password_is_shown(password: str, behind: str) -> None:
    problem = network.proxy_problem(f"http://user:§{password}§@proxy{behind}") or ""
    assert "§" not in problem


def chained(*errors: BaseException) -> BaseException:
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (chained(requests.ConnectionError("x"), socket.gaierror(-2, "unknown")), network.HOST_UNKNOWN),
        (requests.exceptions.SSLError(untrusted(20)), network.CERTIFICATE_UNTRUSTED),
        (untrusted(10), network.CERTIFICATE_WRONG),
        (untrusted(62), network.CERTIFICATE_WRONG),
        (OSError("Tunnel connection failed: 403 Forbidden"), network.PROXY_FORBIDS),
        (chained(ValueError(), OSError("Tunnel connection failed: 407 x")), network.PROXY_CREDENTIALS),
        (OSError("Tunnel connection failed: 502 Bad Gateway"), network.PROXY_UNREACHABLE),
        (
            OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"),
            network.CA_BUNDLE_UNUSABLE,
        ),
        (requests.exceptions.InvalidProxyURL("x"), network.PROXY_ADDRESS),
        (requests.ConnectionError("reset"), None),
        (ConnectionRefusedError(111, "refused"), None),
    ],
    ids=repr,
)
def test_the_setups_errors_are_told_apart(error: BaseException, row: ErrorRow | None) -> None:
    assert network.row_of(error) is row


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert network.row_of(one) is None
