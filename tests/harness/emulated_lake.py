"""Fixtures for the lake stand-in's own tests: the lake, and clients of the real SDK that connect to it."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.filedatalake import DataLakeServiceClient, FileSystemClient

from emulators.lake.account import Lake
from tests.harness.credential import Giving

TOKEN = "emulated:https://storage.azure.com:system:00"


@pytest.fixture(scope="session")
def certificate_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(certificate_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    certificate_authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def tls(certificate_authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate_authority.issue_cert("127.0.0.1", *Lake.hosts).configure_cert(context)
    return context


@pytest.fixture
def lake(tls: ssl.SSLContext, tmp_path: Path) -> Iterator[Lake]:
    with Lake(tls, account_key="bm90IGEgc2VjcmV0OiBtYWRlIHVwIGZvciB0ZXN0cw==", folder=tmp_path) as running:
        yield running


@pytest.fixture
def connect(lake: Lake, ca_file: Path) -> Iterator[Callable[..., DataLakeServiceClient]]:
    """Yield a function that opens a client without retries, with the given credential and scheme."""
    with contextlib.ExitStack() as opened:

        def open_client(
            credential: Any = None,
            *,
            scheme: str = "https",
            kind: type = DataLakeServiceClient,
            **options: Any,
        ) -> Any:
            url = f"{scheme}://127.0.0.1:{lake.address[1]}/{lake.account}"
            options |= {"connection_verify": str(ca_file), "retry_total": 0}
            client = kind(url, credential or Giving(TOKEN), **options)
            return opened.enter_context(client)

        yield open_client


@pytest.fixture
def service(connect: Callable[..., DataLakeServiceClient]) -> DataLakeServiceClient:
    return connect()


@pytest.fixture
def files(service: DataLakeServiceClient) -> FileSystemClient:
    return service.get_file_system_client("planning")


@pytest.fixture
def blobs(connect: Callable[..., Any]) -> ContainerClient:
    return connect(kind=BlobServiceClient).get_container_client("planning")
