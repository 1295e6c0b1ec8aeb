"""`docs/errors.md` and `docs/events.md` say what the code does."""

import re
from pathlib import Path

import pytest
import requests
from requests import exceptions

from pigment_export.errors import PermanentError, RetryableError
from pigment_export.events import Event
from pigment_export.pigment import failures
from pigment_export.pigment.http2 import adapter as http2
from pigment_export.pigment.http2 import gzip as inflate
from scripts.make_errors_page import PAGE, render, tables

ROOT = Path(__file__).parent.parent


def test_the_tables_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    for name, rows in tables().items():
        assert f"<!-- {name} -->" in page
        assert rows
    assert page == render(page), "run `make schema`"


def test_every_class_that_the_code_can_give_is_on_a_page() -> None:
    pages = PAGE.read_text() + (ROOT / "docs" / "errors-azure.md").read_text()
    for path in (ROOT / "pigment_export").rglob("*.py"):
        text = path.read_text()
        codes = re.findall(r'(?:Cause|Answer|Failure|Refusal)\(\s*(?:\([^)]*\),\s*)?"([a-z_]+)"', text)
        codes += re.findall(r'code="([a-z_]+)"', text)
        for code in codes:
            assert f"`{code}`" in pages, f"{code} of {path.name}"


def own_exceptions() -> list[type[exceptions.RequestException]]:
    return [
        value
        for module in (http2, inflate)
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, requests.RequestException)
        and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("raised", own_exceptions(), ids=lambda raised: raised.__name__)
def test_every_exception_of_the_transport_has_its_row(raised: type[exceptions.RequestException]) -> None:
    error = failures.failure_of(raised("seen"))
    assert isinstance(error, PermanentError | RetryableError)
    assert error.cause.reason == "seen"
    assert not issubclass(raised, exceptions.ChunkedEncodingError) or error.cause.code in (
        "pigment_body_cut",
        "pigment_unproven_end",
    )


def test_every_event_that_is_logged_is_on_its_page() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    for path in (ROOT / "pigment_export").rglob("*.py"):
        for name in re.findall(r"log\(\s*Event\.([A-Z_]+)", path.read_text()):
            assert f"`{Event[name]}`" in page, name
