"""Fixtures: the adapter over the lake stand-in; a plugin that needs `emulated_lake`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from emulators.lake.account import Lake
from pigment_export.azure.adls import AdlsLake
from pigment_export.azure.identity import Identity
from tests.harness.credential import Giving


@pytest.fixture
def token() -> str:
    """Return a bearer token that the stand-in accepts, and that must appear nowhere."""
    return "emulated:https://storage.azure.com:system:5ec2e75ec2e7"


@pytest.fixture
def open_lake(
    lake: Lake, ca_file: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AdlsLake]]:
    """Yield a function that opens the adapter on the stand-in; its arguments override the defaults."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    with ExitStack() as opened:

        def open_adapter(
            *,
            url: str = f"https://127.0.0.1:{lake.address[1]}/{lake.account}",
            file_system: str = "planning",
            token: str = token,
            credential: Any = None,
        ) -> AdlsLake:
            identity = Identity(lambda: credential or Giving(token))
            return opened.enter_context(closing(AdlsLake(url, file_system, identity)))

        yield open_adapter


@pytest.fixture
def real_lake(open_lake: Callable[..., AdlsLake]) -> AdlsLake:
    return open_lake()
