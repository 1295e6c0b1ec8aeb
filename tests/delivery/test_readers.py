"""What each guard spares a reader: held files, read as they would have been read.

With DuckDB, polars and pandas; with Spark too, in `make long`, where it is installed.
"""

import functools
import gzip
import importlib
import importlib.util
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pigment_export.delivery.receipt import Receipt, State
from tests.delivery.test_deliver import DAY, World
from tests.delivery.test_release import Releases

GOOD = b"Country;Revenue\nFR;1.50\nDE;2.50\nES;3.50\n"
RAGGED = GOOD + b"IT;4.50;surprise\n"
SHORT_ROW = b"Country;Revenue\nFR\nDE;2.50\n"
HEADER_ONLY = b"Country;Revenue\n"
CUT_IN_A_FIELD = b"Country;Revenue\nFR;1.50\nDE;2.50\nES;3."
RENAMED = b"Country;Amount\nFR;1.50\nDE;2.50\nES;3.50\n"
ERROR_PAGE = b"Internal error: please try again later\n"


def with_duckdb(path: Path) -> list[tuple[Any, ...]]:
    duckdb = importlib.import_module("duckdb")  # seconds, which no other test should pay
    return duckdb.read_csv(str(path), sep=";", header=True).fetchall()


def with_polars(path: Path) -> list[tuple[Any, ...]]:
    return importlib.import_module("polars").read_csv(path, separator=";").rows()


def with_pandas(path: Path) -> list[tuple[Any, ...]]:
    table = importlib.import_module("pandas").read_csv(path, sep=";")
    return [tuple(row) for row in table.itertuples(index=False)]


@functools.cache
def spark() -> Any:
    sql = importlib.import_module("pyspark.sql")
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


@pytest.fixture(scope="module", autouse=True)
def _without_spark_in_the_end() -> Iterator[None]:
    yield
    if spark.cache_info().currsize:
        spark().stop()


def with_spark(path: Path, **changed: Any) -> list[tuple[Any, ...]]:
    """Read as docs/reading.md does, but for `enforceSchema`."""
    options = {
        "header": True,
        "sep": ";",
        "quote": '"',
        "escape": '"',
        "multiLine": True,
        "mode": "FAILFAST",
        **changed,
    }
    reader = spark().read.options(**options).schema("Country STRING, Revenue DOUBLE")
    return [tuple(row) for row in reader.csv(str(path)).collect()]


HAS_SPARK = importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None
SPARK = [
    pytest.mark.long,
    pytest.mark.skipif(not HAS_SPARK, reason="needs `pip install pyspark` (500 MB) and Java 17 or newer"),
]


def of_spark(test: Callable[..., None]) -> Callable[..., None]:
    for mark in SPARK:
        test = mark(test)
    return test


READERS = [
    with_duckdb,
    with_polars,
    with_pandas,
    pytest.param(with_spark, marks=SPARK),
]
each_reader = pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
ROWS = [("FR", 1.5), ("DE", 2.5), ("ES", 3.5)]


def delivered(body: bytes, **definition: Any) -> tuple[World, Receipt]:
    """A good file, and an hour later another body."""
    world = World(**definition)
    world.deliver(world.plan(), GOOD)
    world.lake.advance(timedelta(hours=1))
    return world, world.deliver(world.plan(), body)


@pytest.fixture
def on_disk(tmp_path: Path) -> Callable[..., Path]:
    def put(data: bytes, name: str = "revenue.csv") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return put


@each_reader
def test_what_is_published_is_read_by_every_reader_with_its_options_alone(
    read: Callable[[Path], Any], on_disk: Callable[..., Path]
) -> None:
    world = World()
    world.deliver(world.plan(), GOOD)
    assert read(on_disk(world.lake.content(DAY))) == ROWS


@each_reader
def test_a_compressed_file_is_read_by_its_name(read: Callable[[Path], Any], on_disk: Callable[..., Path]) -> None:
    world = World(gzip=True)
    receipt = world.deliver(world.plan(), GOOD)
    assert receipt.path.endswith(".csv.gz")
    assert gzip.decompress(world.lake.content(receipt.path)) == GOOD
    assert read(on_disk(world.lake.content(receipt.path), "revenue.csv.gz")) == ROWS


@each_reader
@pytest.mark.parametrize("body", [RAGGED, SHORT_ROW], ids=["too many fields", "too few"])
def test_ragged_rows_are_held_since_readers_refuse_such_a_file_or_guess(
    read: Callable[[Path], Any], on_disk: Callable[..., Path], body: bytes
) -> None:
    world, receipt = delivered(body)
    assert (receipt.state, receipt.code) == (State.HELD, "held_by_guard")
    assert "ragged_rows" in (receipt.reason or "")
    held = on_disk(world.lake.content(receipt.path))
    expected = [tuple(line.split(";")) for line in body.decode().splitlines()[1:]]
    seen: list[tuple[Any, ...]] | None = None  # refused whole; each reader has an error of its own
    with suppress(Exception):
        seen = read(held)
    # Or filled, or dropped: in no case what Pigment sent.
    assert seen is None or [tuple(map(str, row)) for row in seen] != expected
    assert read(on_disk(world.lake.content(DAY))) == ROWS


@pytest.mark.parametrize("body", [GOOD.replace(b"\n", b"\r"), GOOD.replace(b"50\nDE", b"50\rDE")], ids=["all", "one"])
def test_rows_that_end_in_a_carriage_return_alone_are_held_since_readers_lose_them(
    on_disk: Callable[..., Path], body: bytes
) -> None:
    world, receipt = delivered(body)
    assert (receipt.state, receipt.code, receipt.rows) == (State.HELD, "held_by_guard", len(ROWS))
    assert "carriage return" in (receipt.reason or "")
    assert delivered(body, ragged_rows="publish")[1].state is State.SUCCEEDED
    held, seen = on_disk(world.lake.content(receipt.path)), []
    for read in READERS:
        with suppress(Exception):  # refused whole; each reader has an error of its own
            seen.append(read(held) == ROWS)
    assert sum(seen) < len(READERS)


@each_reader
def test_a_header_only_would_pass_for_a_day_without_revenue(
    read: Callable[[Path], Any], on_disk: Callable[..., Path]
) -> None:
    world, receipt = delivered(HEADER_ONLY)
    assert receipt.state is State.HELD
    assert read(on_disk(world.lake.content(receipt.path))) == []
    assert read(on_disk(world.lake.content(DAY))) == ROWS


@each_reader
@pytest.mark.parametrize("guard", [{"minimum_rows": 3}, {"maximum_shrink": 0.2}], ids=["minimum_rows", "shrink"])
def test_rows_that_vanished_would_be_read_without_a_word(
    read: Callable[[Path], Any], on_disk: Callable[..., Path], guard: dict[str, Any]
) -> None:
    world, receipt = delivered(GOOD.replace(b"ES;3.50\n", b""), **guard)
    assert receipt.state is State.HELD
    assert read(on_disk(world.lake.content(receipt.path))) == ROWS[:2]
    assert read(on_disk(world.lake.content(DAY))) == ROWS


@each_reader
def test_a_cut_in_the_middle_of_a_field_would_be_read_as_another_number(
    read: Callable[[Path], Any], on_disk: Callable[..., Path]
) -> None:
    world, receipt = delivered(CUT_IN_A_FIELD)
    assert receipt.state is State.HELD
    assert "may have been cut" in (receipt.reason or "")
    assert read(on_disk(world.lake.content(receipt.path)))[-1] == ("ES", 3.0)
    assert read(on_disk(world.lake.content(DAY))) == ROWS


@each_reader
@pytest.mark.parametrize("columns", ["unchanged", ["Country", "Revenue"]], ids=["unchanged", "a list"])
def test_a_renamed_column_breaks_a_reader_that_asks_for_it_by_name(
    read: Callable[[Path], Any], on_disk: Callable[..., Path], columns: Any
) -> None:
    world, receipt = delivered(RENAMED, columns=columns)
    assert receipt.state is State.HELD
    assert read(on_disk(world.lake.content(receipt.path))) == ROWS  # by position all looks well
    duckdb = importlib.import_module("duckdb")
    with pytest.raises(duckdb.BinderException):
        duckdb.read_csv(str(on_disk(world.lake.content(receipt.path))), sep=";").select("Revenue").fetchall()


@of_spark
def test_spark_reads_a_renamed_column_by_position_unless_it_is_told_not_to(on_disk: Callable[..., Path]) -> None:
    renamed = on_disk(RENAMED)
    assert with_spark(renamed) == ROWS
    with pytest.raises(Exception, match="FAILED_READ_FILE"):
        with_spark(renamed, enforceSchema=False)
    assert with_spark(on_disk(GOOD), enforceSchema=False) == ROWS


@of_spark
def test_spark_fills_or_drops_ragged_rows_unless_it_is_told_to_fail(on_disk: Callable[..., Path]) -> None:
    ragged = on_disk(SHORT_ROW)
    assert with_spark(ragged, mode="PERMISSIVE") == [("FR", None), ("DE", 2.5)]
    assert with_spark(ragged, mode="DROPMALFORMED") == [("DE", 2.5)]


@of_spark
def test_spark_reads_an_exports_folder_without_its_records_and_with_its_days(tmp_path: Path) -> None:
    world, _ = delivered(RAGGED)
    for path in world.lake.paths():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(world.lake.content(path))
    (tmp_path / "revenue/_20261124T060000Z.partial").write_bytes(RAGGED)
    reader = spark().read.options(header=True, sep=";", mode="FAILFAST", enforceSchema=False)
    found = reader.schema("Country STRING, Revenue DOUBLE").csv(str(tmp_path / "revenue")).collect()
    assert [tuple(row) for row in found] == [(*row, date(2026, 11, 24)) for row in ROWS]


@each_reader
def test_an_error_page_of_one_line_would_be_read_as_a_header(
    read: Callable[[Path], Any], on_disk: Callable[..., Path]
) -> None:
    world, receipt = delivered(ERROR_PAGE, minimum_rows=0)
    assert receipt.state is State.HELD
    assert read(on_disk(world.lake.content(receipt.path))) in ([], [("Internal error: please try again later",)])
    assert read(on_disk(world.lake.content(DAY))) == ROWS


@each_reader
def test_a_released_file_is_read_like_any_other(read: Callable[[Path], Any], on_disk: Callable[..., Path]) -> None:
    world = Releases()
    assert world.release(world.release_plan()).state is State.SUCCEEDED
    assert read(on_disk(world.lake.content(DAY))) == ROWS[:1]
