"""Write the fault matrix into `docs/delivery.md`, from the data that the tests use.

From the project's folder: `python -m scripts.make_fault_table`.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MATRIX = ROOT / "tests" / "faults" / "matrix.toml"
PAGE = ROOT / "docs" / "delivery.md"
BEGIN, END = "<!-- faults -->\n", "<!-- /faults -->"


def table(matrix: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the page's section.

    Args:
        matrix: the content of `matrix.toml`.
    """
    for dependency in ("identity", "vault", "pigment", "lake"):
        yield f"### {dependency.capitalize()}"
        yield ""
        yield "| fault | step | once | if it continues | requests to Pigment | staged files | downloads |"
        yield "|---|---|---|---|---|---|---|"
        for row in matrix["cells"]:
            if row["dependency"] == dependency:
                once, lasting = map(_outcome, (row["once"], row["lasting"]))
                cost = f"{row['asked']} | {row['staged']} | {row['bodies']}"
                yield f"| {row['fault']} | {', '.join(row['steps'])} | {once} | {lasting} | {cost} |"
        yield ""
    yield "### What cannot occur"
    yield ""
    yield "| dependency | fault | why |"
    yield "|---|---|---|"
    for row in matrix["never"]:
        yield f"| {row['dependency']} | {row['fault']} | {row['why']} |"


def render(page: str) -> str:
    """Return the page with its table replaced by the data's.

    Args:
        page: its text, with the marks around the section.
    """
    before, mark, rest = page.partition(BEGIN)
    _, closing, after = rest.partition(END)
    lines = "".join(f"{line}\n" for line in table(tomllib.loads(MATRIX.read_text())))
    return before + mark + lines + closing + after


def _outcome(text: str) -> str:
    state, _, code = text.partition(" ")
    return f"{state}: `{code}`" if code else state


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
