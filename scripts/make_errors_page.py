"""Write the tables of `docs/errors.md` from the app's own.

From the project's folder: `python -m scripts.make_errors_page`.
"""

from collections.abc import Mapping
from pathlib import Path

from pigment_export import network
from pigment_export.errors import ErrorRow, SetupError
from pigment_export.pigment import failures
from pigment_export.pigment.errors import ANSWERS, meaning_of

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"


def tables() -> Mapping[str, list[list[str]]]:
    """Return the cells of each table by the name that its marks on the page have."""
    answers = [(str(status), answer) for status, answer in sorted(ANSWERS.items())]
    answers += [("5xx", meaning_of(500)), ("any other", meaning_of(299))]
    rows = [row for row in vars(network).values() if isinstance(row, ErrorRow)]
    return {
        "answers": [
            [f"`{row.code}`", status, "yes" if row.retryable else "no", row.who, row.remedy] for status, row in answers
        ],
        "failures": [
            [
                f"`{row.code}`",
                ", ".join(raised.__name__ for raised in row.raised),
                "yes" if row.retryable else "no",
                row.who,
                row.remedy,
            ]
            for row in failures.FAILURES
        ],
        "network": [[f"`{row.code}`", row.what, again(row), row.who, row.remedy] for row in rows],
    }


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
