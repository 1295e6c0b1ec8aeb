"""Write the tables of `docs/errors.md` from the app's own.

From the project's folder: `python -m scripts.make_errors_page`.
"""

from collections.abc import Mapping
from pathlib import Path

from pigment_export import network
from pigment_export.errors import ErrorRow, SetupError
from pigment_export.pigment import errors

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"


def tables() -> Mapping[str, list[list[str]]]:
    """Return the cells of each table by the name that its marks on the page have."""
    answers = [(str(status), row) for status, row in sorted(errors.ANSWERS.items())]
    answers += [(f"{status}, of a list, metric or table", row) for status, row in errors.OF_BLOCKS.items()]
    answers += [("5xx", errors.meaning_of(500)), ("any other", errors.meaning_of(299))]
    failures = [(", ".join(raised.__name__ for raised in of), row) for of, row in errors.FAILURES]
    failures.insert(1, ("DeadlinePassed, in a later try or before the first byte", errors.OUT_OF_TIME))
    bodies = [errors.ERROR_PAGE, errors.PARTIAL, errors.NO_EXPORTS, errors.NO_METADATA, errors.UNREADABLE_LISTING]
    return {
        "answers": [cells(status, row) for status, row in answers],
        "failures": [cells(of, row) for of, row in failures],
        "bodies": [cells(row.what, row) for row in bodies],
        "network": [cells(row.what, row) for row in vars(network).values() if isinstance(row, ErrorRow)],
    }


def cells(when: str, row: ErrorRow) -> list[str]:
    """Return one line of a table.

    Args:
        when: the row's second cell.
        row: the error.
    """
    return [f"`{row.code}`", when, again(row), row.who, row.remedy]


def again(row: ErrorRow) -> str:
    """Return how a page says whether an error is retried."""
    if issubclass(row.error, SetupError):
        return "setup"
    return "yes" if row.retryable else "no"


def render(page: str) -> str:
    """Return a page with every table as the code has it.

    Args:
        page: its text, with marks `<!-- name -->` and `<!-- /name -->` around the rows of each table.
    """
    for name, rows in tables().items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        lines = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
        page = before + mark + lines + closing + after
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
