"""`docs/errors.md` and `docs/events.md` say what the code does."""

import re
from pathlib import Path

import pytest
import requests
from requests import exceptions

from pigment_export.errors import PermanentError, RetryableError
from pigment_export.events import Event
from pigment_export.pigment import failures
from pigment_export.pigment.errors import ANSWERS, meaning_of
from pigment_export.pigment.http2 import adapter as http2
from pigment_export.pigment.http2 import gzip as inflate

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "errors.md"


def answers_table() -> str:
    rows = [(str(status), answer) for status, answer in sorted(ANSWERS.items())]
    rows += [("5xx", meaning_of(500)), ("any other", meaning_of(299))]
    return "\n".join(
        f"| `{answer.code}` | {status} | {'yes' if answer.retryable else 'no'} | {answer.who} | {answer.remedy} |"
        for status, answer in rows
    )


def failures_table() -> str:
    return "\n".join(
        f"| `{row.code}` | {', '.join(raised.__name__ for raised in row.raised)} | "
        f"{'yes' if row.retryable else 'no'} | {row.who} | {row.remedy} |"
        for row in failures.FAILURES
    )


@pytest.mark.parametrize(("part", "table"), [("answers", answers_table()), ("failures", failures_table())])
def test_the_tables_are_those_of_the_code(part: str, table: str) -> None:
    found = re.search(rf"<!-- {part} -->\n(.*)\n<!-- /{part} -->", PAGE.read_text(), re.DOTALL)
    assert found, f"put this between the marks of {part}:\n{table}"
    assert found[1] == table


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
