"""docs/reading.md: each snippet that can be run here is run, with the real reader, on files as the app writes them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

import pytest

from emulators.everything import Everything
from emulators.pigment.model import REVENUE

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

type Run = Callable[..., CompletedProcess[str]]

PAGE = (Path(__file__).parent.parent / "docs" / "reading.md").read_text()
LAKE = "abfss://planning@mylake.dfs.core.windows.net"
DAYS = (date(2026, 11, 24), date(2026, 11, 25))
NASTY = 'Country;Month;Revenue\nFrance;"Jan;\n""21""";1234.5\nÎle;Feb 21;\n'


def snippet(title: str) -> str:
    """The one Python snippet below a title."""
    (section,) = [part for part in PAGE.split("\n## ")[1:] if part.startswith(f"{title}\n")]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return code


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two days of one export, as they lie in the lake: the second has quotes, line breaks, an empty field."""
    folder = tmp_path / "planning"
    for day, text in zip(DAYS, ("Country;Month;Revenue\nFrance;Jan 21;1.5\n", NASTY), strict=True):
        file = folder / "revenue" / f"dt={day}" / "revenue.csv"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    (folder / "revenue" / "_held").mkdir()
    (folder / "revenue" / "_held" / "20261124T060000Z-0123456789abcdef.aa.held").write_text("a;b\n1;2\n")
    (folder / "revenue" / "_20261124T060000Z-0123456789abcdef.aa.partial").write_text("Country;Mon")
    return folder


def read(title: str, lake: Path, wanted: str, day: date = DAYS[0]) -> Any:
    """Run a snippet on the local lake, for a day; a value that it makes."""
    code = snippet(title).replace(LAKE, str(lake))
    for other in ("2026-11-24", "2026, 11, 24"):
        code = code.replace(other, f"{day:%Y-%m-%d}" if "-" in other else f"{day.year}, {day.month}, {day.day}")
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - the page's own code
    return space[wanted]


def test_duckdb_reads_days_quotes_line_breaks_numbers_and_empty_fields(lake: Path) -> None:
    assert read("DuckDB", lake, "revenue").fetchall() == [("France", "Jan 21", 1.5, DAYS[0])]
    assert sorted(read("DuckDB", lake, "revenue", DAYS[1]).fetchall()) == [
        ("France", 'Jan;\n"21"', 1234.5, DAYS[1]),
        ("Île", "Feb 21", None, DAYS[1]),
    ]


def test_polars_reads_days_quotes_line_breaks_numbers_and_empty_fields(lake: Path) -> None:
    first: pl.DataFrame = read("polars", lake, "revenue")
    assert first.select("Country", "Month", "Revenue", "dt").rows() == [("France", "Jan 21", 1.5, DAYS[0])]
    second: pl.DataFrame = read("polars", lake, "revenue", DAYS[1])
    assert second.select("Country", "Month", "Revenue").rows() == [
        ("France", 'Jan;\n"21"', 1234.5),
        ("Île", "Feb 21", None),
    ]


def test_pandas_reads_days_quotes_line_breaks_numbers_and_empty_fields(lake: Path) -> None:
    frame: pd.DataFrame = read("pandas", lake, "revenue", DAYS[1])
    assert list(frame.columns) == ["Country", "Month", "Revenue", "dt"]
    assert frame["Month"].tolist() == ['Jan;\n"21"', "Feb 21"]
    assert frame["Revenue"].tolist()[0] == 1234.5
    assert frame["Revenue"].isna().tolist() == [False, True]


def test_changes_between_two_days_are_found(lake: Path) -> None:
    code = snippet("Incremental readers").replace(LAKE, str(lake))
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - the page's own code
    assert len(space["changed"].fetchall()) == 2


def test_what_the_app_has_written_is_read_and_says_whether_today_is_complete(
    command: Run, everything: Everything, tmp_path: Path
) -> None:
    """Two runs a day apart, their lake copied to a folder, and every reader on it."""
    everything.lake.clock = lambda: datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert command("run", "revenue").returncode == 0
    everything.pigment.model.blocks[REVENUE].rows = 990
    everything.lake.clock = lambda: datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert command("run", "revenue").returncode == 0
    lake = tmp_path / "planning"
    for path in everything.lake.tree():
        (lake / path).parent.mkdir(parents=True, exist_ok=True)
        (lake / path).write_bytes(everything.lake.read(path))
    day, rows, path = (read("Is today complete?", lake, name) for name in ("day", "rows", "path"))
    assert (rows, path) == (990, f"revenue/dt={day}/revenue.csv")
    for title in ("DuckDB", "polars", "pandas"):
        assert len(read(title, lake, "revenue", day)) == 990
    assert len(read("DuckDB", lake, "revenue", day - timedelta(days=1))) == 1000


def test_the_page_speaks_of_every_reader() -> None:
    for reader in ("Spark", "Fabric", "Synapse", "Databricks", "DuckDB", "polars", "pandas", "Power BI", "Excel"):
        assert reader in PAGE
