"""`docs/errors.md` and `docs/events.md` say what the code does."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from requests import exceptions

import pigment_export
from pigment_export.errors import ERROR_ROWS, PermanentError, RetryableError
from pigment_export.events import Event
from pigment_export.pigment.errors import failure_of
from pigment_export.pigment.http2 import exceptions as http2
from scripts.make_errors_page import AZURE_PAGE, PAGE, render, tables

ROOT = Path(__file__).parent.parent


def test_the_tables_are_those_of_the_code() -> None:
    pages = [PAGE.read_text(), AZURE_PAGE.read_text()]
    for name, rows in tables().items():
        assert sum(f"<!-- {name} -->" in page for page in pages) == 1
        assert rows
    for page in pages:
        assert page == render(page), "run `make schema`"


def test_every_class_of_the_registry_is_on_a_page() -> None:
    for module in pkgutil.walk_packages(pigment_export.__path__, "pigment_export."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    pages = PAGE.read_text() + (ROOT / "docs" / "errors-azure.md").read_text()
    assert not [code for code in ERROR_ROWS if f"`{code}`" not in pages]


def test_every_cause_is_made_by_a_row() -> None:
    """So that it is in the registry; a receipt's cause is read, not made."""
    package = ROOT / "pigment_export"
    making = {str(path.relative_to(package)) for path in package.rglob("*.py") if calls(path, "Cause")}
    assert making == {"errors.py", "delivery/receipt.py"}


def calls(path: Path, name: str) -> bool:
    nodes = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == name for node in nodes)


OWN = [value for value in vars(http2).values() if isinstance(value, type) and value.__module__ == http2.__name__]


@pytest.mark.parametrize("raised", OWN, ids=lambda raised: raised.__name__)
def test_every_exception_of_the_transport_has_a_row_of_its_own(raised: type[exceptions.RequestException]) -> None:
    assert len(OWN) == 6
    error = failure_of(raised("seen"), detail="seen", first_attempt=True)
    assert isinstance(error, PermanentError | RetryableError)
    assert "seen" in error.cause.reason
    assert error.cause.code != "pigment_unreachable"


def test_every_event_that_is_logged_is_on_its_page() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    for path in (ROOT / "pigment_export").rglob("*.py"):
        for name in re.findall(r"log\(\s*Event\.([A-Z_]+)", path.read_text()):
            assert f"`{Event[name]}`" in page, name
