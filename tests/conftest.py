"""Fixtures that run everything: the stand-ins in this process, the app in processes of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulators.everything import Everything

ROOT = Path(__file__).parent.parent
type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Everything]:
    with Everything(tmp_path) as running:
        yield running


@pytest.fixture
def environment(everything: Everything) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
    return {**kept, **everything.environment}


@pytest.fixture
def command(environment: dict[str, str]) -> Run:
    """Run the command line to its end, in an environment of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        merged = {name: value for name, value in {**environment, **variables}.items() if value}
        return subprocess.run(
            [sys.executable, "-m", "pigment_export", *arguments],
            cwd=ROOT,
            env=merged,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
