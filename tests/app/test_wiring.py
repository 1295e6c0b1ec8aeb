"""The composition root: what is wrong is told at once, and nothing is built before it is asked for."""

import pytest

from pigment_export import wiring
from pigment_export.errors import ConfigurationError


def problems_of(**environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        wiring.app_of(environ)
    assert caught.value.cause.code == "settings"
    return caught.value.problems


def test_a_catalog_that_is_missing_is_told_beside_missing_settings() -> None:
    problems = problems_of(EXPORTS_FILE="mine.toml")
    assert [problem.partition(":")[0] for problem in problems] == [
        "KEY_VAULT_URL",
        "DATA_LAKE_URL",
        "DATA_LAKE_FILE_SYSTEM",
        "mine.toml",
    ]


def test_a_catalog_in_the_lake_is_read_when_there_are_settings() -> None:
    assert not any("lake:" in problem for problem in problems_of(EXPORTS_FILE="lake:mine.toml"))
    assert len(problems_of()) == 3  # the package's own catalog is fine
