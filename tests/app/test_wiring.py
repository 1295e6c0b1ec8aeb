"""The composition root: what is wrong is told at once, and nothing is built before it is asked for."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

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


def test_a_part_is_made_once_however_many_threads_of_a_cold_start_ask_for_it() -> None:
    made, second = [], Event()

    def make() -> int:
        made.append(1)
        if len(made) > 1:
            second.set()
        second.wait(0.2)  # for another thread to come in, if it may
        return len(made)

    part = wiring.once(make)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: part(), range(4))) == [1, 1, 1, 1]


def test_what_a_part_raises_is_raised_each_time() -> None:
    tries = iter([ValueError("wrong"), ValueError("wrong still")])

    def make() -> str:
        for error in tries:
            raise error
        return "right"

    part = wiring.once(make)
    for said in ("wrong$", "wrong still"):
        with pytest.raises(ValueError, match=said):
            part()
    assert part() == "right"


def test_a_catalog_in_the_lake_is_read_when_there_are_settings() -> None:
    assert not any("lake:" in problem for problem in problems_of(EXPORTS_FILE="lake:mine.toml"))
    assert len(problems_of()) == 3  # the package's own catalog is fine
