"""Every fault at every step, made to happen over the real protocols: what a delivery comes to, and what it costs."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pigment_export.errors import ERROR_ROWS
from scripts.make_fault_table import MATRIX, PAGE, render
from tests.harness.fault_matrix import Cell, cells
from tests.harness.fault_world import LASTING, NAME, FaultWorld
from tests.harness.run_world import export

# Connections that the libraries leave open after a fault are closed when they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TABLE: dict[str, Any] = tomllib.loads(MATRIX.read_text())
ROWS = {(row["dependency"], row["fault"], step): row for row in TABLE["cells"] for step in row["steps"]}
CELLS = list(cells())
REVENUE_ID = "22222222-2222-4222-8222-222222222222"


def of_each_outcome() -> list[Cell]:
    """One cell of each dependency and outcome, whatever the class; the last that does not wait in real time."""
    found: dict[tuple[str, ...], Cell] = {}
    for cell in CELLS:
        row = ROWS[cell.dependency, cell.fault, cell.step]
        if not cell.impatient:
            states = (row[duration].partition(" ")[0] for duration in ("once", "lasting"))
            found[(cell.dependency, *states)] = cell
    return list(found.values())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        FaultWorld(tmp_path_factory.mktemp("faults"), monkeypatch) as running,
    ):
        yield running


def check(world: FaultWorld, cell: Cell) -> None:
    row = ROWS[cell.dependency, cell.fault, cell.step]
    for duration, times in (("once", 1), ("lasting", LASTING)):
        observed = world.deliver(
            lambda world, times=times: cell.arm(world, times),
            export(NAME, id=REVENUE_ID, **cell.options),
            warm=cell.warm,
            impatient=cell.impatient,
            after_good=cell.after_good,
        )
        assert observed.outcome == row[duration], duration
        assert observed.asked <= row["asked"], duration
        assert observed.staged <= row["staged"], duration
        assert observed.bodies <= row["bodies"] + 0.01, duration  # a changed body is a few bytes longer


@pytest.mark.parametrize("cell", of_each_outcome(), ids=lambda cell: cell.name)
def test_one_cell_of_each_dependency_and_outcome(cell: Cell, world: FaultWorld) -> None:
    check(world, cell)


@pytest.mark.long
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell(cell: Cell, world: FaultWorld) -> None:
    check(world, cell)


VERIFIES_NOT = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_VERIFY": "false",
    "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION": "1",
    "ADAL_PYTHON_SSL_NO_VERIFY": "1",
}


@pytest.mark.parametrize("dependency", ["vault", "pigment", "lake"])
def test_no_variable_of_the_environment_lets_a_certificate_pass(
    dependency: str, world: FaultWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VERIFIES_NOT.items():
        monkeypatch.setenv(name, value)
    (cell,) = [cell for cell in CELLS if (cell.dependency, cell.fault) == (dependency, "certificate not trusted")]
    check(world, cell)


def test_every_cell_that_can_be_made_has_its_row_and_no_row_is_without_a_cell() -> None:
    assert {(cell.dependency, cell.fault, cell.step) for cell in CELLS} == set(ROWS)
    assert sum(len(row["steps"]) for row in TABLE["cells"]) == len(ROWS)


def test_every_class_in_the_table_is_one_of_the_apps() -> None:
    classes = {row[key].partition(" ")[2] for row in TABLE["cells"] for key in ("once", "lasting")} - {""}
    assert classes <= {*ERROR_ROWS, "held_by_guard"}


def test_a_fault_of_a_later_step_asks_pigment_once() -> None:
    assert {row["asked"] for row in TABLE["cells"] if row["dependency"] == "lake"} <= {0, 1}


def test_the_page_has_the_table() -> None:
    page = Path(PAGE).read_text()
    assert page == render(page), "run `make schema`"
