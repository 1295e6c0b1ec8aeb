"""Write the tables of `docs/errors.md` and `docs/errors-azure.md` from the app's tables.

From the project's folder: `python -m scripts.make_errors_page`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pigment_export import keys, network
from pigment_export.azure import errors as azure_errors
from pigment_export.azure.errors import LAKE, NO_ANSWER, SERVER_ERRORS, UNREADABLE, VAULT, Refusal
from pigment_export.errors import ConflictError, ErrorRow, MissingError, SetupError
from pigment_export.pigment import errors

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
AZURE_PAGE = PAGE.with_name("errors-azure.md")

FAILURES = {
    "deadline_passed": "the call's time was up while its first attempt received the body",
    "out_of_time": "the call's time was up in a later attempt, or before the first byte",
    "pigment_redirect": "Pigment answered with a redirect, which the app does not follow",
    "pigment_unproven_end": "nothing would prove that the body is complete",
    "pigment_protocol_error": "the answer breaks HTTP",
    "pigment_timeout": "no byte came in time",
    "pigment_body_cut": "the body was cut, or does not match its length or its gzip trailer",
    "pigment_connection_lost": "the connection ended, or the server dropped the request, before an answer came",
    "pigment_unreachable": "no connection to Pigment could be made",
}
"""What happened, by code: these errors have the exception's own text as their reason."""


def tables() -> Mapping[str, list[list[str]]]:
    """Return the cells of each table, by the name in its marks on the page."""
    answers = [(str(status), row) for status, row in sorted(errors.ANSWERS.items())]
    answers += [(f"{status}, of a list, metric or table", row) for status, row in errors.OF_BLOCKS.items()]
    answers += [("5xx", errors.meaning_of(500)), ("any other", errors.meaning_of(299))]
    failures = [(FAILURES[row.code], row) for row in errors.FAILURES.values()]
    failures.insert(1, (FAILURES[errors.OUT_OF_TIME.code], errors.OUT_OF_TIME))
    bodies = [errors.ERROR_PAGE, errors.PARTIAL, errors.NO_EXPORTS, errors.NO_METADATA, errors.UNREADABLE_LISTING]
    return {
        "answers": [cells(status, row) for status, row in answers],
        "failures": [cells(of, row) for of, row in failures],
        "bodies": [cells(row.what, row) for row in bodies],
        "identity": [cells(row.what, row) for row in _rows_of(azure_errors, "identity_")],
        "lake": _refusals(LAKE),
        "lake_own": _own(LAKE, _rows_of(azure_errors, "lake_")),
        "vault": _refusals(VAULT),
        "vault_own": _own(VAULT, _rows_of(keys, "key_")),
        "network": [cells(row.what, row) for row in vars(network).values() if isinstance(row, ErrorRow)],
    }


def cells(when: str, row: ErrorRow) -> list[str]:
    """Return one line of a table.

    Args:
        when: the row's second cell.
        row: the error.
    """
    return [f"`{row.code}`", when, again(row), row.who, row.remedy]


def _rows_of(module: object, prefix: str) -> list[ErrorRow]:
    rows = vars(module).values()
    return [row for row in rows if isinstance(row, ErrorRow) and row.code.startswith(prefix)]


def _refusals(rows: Sequence[Refusal]) -> list[list[str]]:
    """Return the lines of a service's own answers."""
    return [cells(_taken(row), row) for row in rows if UNREADABLE not in row.statuses]


def _own(rows: Sequence[Refusal], more: Sequence[ErrorRow]) -> list[list[str]]:
    """Return the lines of the errors that the app itself detects."""
    unreadable = (row for row in rows if UNREADABLE in row.statuses)
    return [cells(row.what, row) for row in (*unreadable, *more)]


def _taken(row: Refusal) -> str:
    """Return the answers that a row matches."""
    single = [str(status) for status in sorted(row.statuses - {NO_ANSWER} - SERVER_ERRORS, key=str)]
    taken = [
        *(["no answer"] if NO_ANSWER in row.statuses else []),
        *single,
        *(["5xx"] if row.statuses >= SERVER_ERRORS else []),
        *sorted(row.names),
    ]
    return ", ".join(taken) or "anything else"


def again(row: ErrorRow) -> str:
    """Return a page's words for whether an error is retried."""
    if issubclass(row.error, SetupError):
        return "setup"
    if issubclass(row.error, ConflictError | MissingError):
        return "after the app has read the path again"
    return "yes" if row.retryable else "no"


def render(page: str) -> str:
    """Return a page with its tables replaced by the code's.

    Args:
        page: its text, with marks `<!-- name -->` and `<!-- /name -->` around the rows of each table.
    """
    for name, rows in tables().items():
        if f"<!-- {name} -->" not in page:
            continue
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        lines = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
        page = before + mark + lines + closing + after
    return page


if __name__ == "__main__":
    for path in (PAGE, AZURE_PAGE):
        path.write_text(render(path.read_text()))
