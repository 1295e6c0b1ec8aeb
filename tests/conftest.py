"""Fixtures that run everything: the stand-ins in this process, the app in processes of its own."""

import importlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.everything import Everything
from emulators.host import process
from tests.harness.forking import ForkServer, inherited

type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share tests out by file."""
    return importlib.import_module("tests.harness.scheduling").ByFile(config, log)


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a shell has what it starts in the background ignore it, for good."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Everything]:
    with Everything(tmp_path) as running:
        yield running


@pytest.fixture
def environment(everything: Everything) -> dict[str, str]:
    return {**inherited(os.environ), **everything.environment}


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """What starts the app's modules in processes of their own, quickly."""
    with ForkServer(tmp_path_factory.mktemp("forks")) as server:
        yield server


@pytest.fixture
def forked_workers(forks: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the workers of a host from a process that has their libraries: a second less for each."""
    monkeypatch.setattr(process, "start_worker", forks.start_worker)


@pytest.fixture
def command(forks: ForkServer, environment: dict[str, str]) -> Run:
    """Run the command line to its end, in an environment of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        merged = {name: value for name, value in {**environment, **variables}.items() if value}
        return forks.start("pigment_export", *arguments, environment=merged).finish()

    return run
