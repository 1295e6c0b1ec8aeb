"""Where things lie in the lake."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.lake.paths import (
    Layout,
    RunFolder,
    instant_text,
    is_run_id,
    new_run_id,
    replaces,
    root_problems,
    template_problems,
)

RUN_ID = "20261124T060000Z-0123456789abcdef"
DEFAULT = "{name}/dt={date}/{name}.csv"


def test_the_default_template_gives_one_file_a_day() -> None:
    layout = Layout("raw/pigment", DEFAULT)
    destination = layout.destination("revenue", snapshot_date=date(2026, 11, 24), run_id=RUN_ID)
    assert destination.path == "raw/pigment/revenue/dt=2026-11-24/revenue.csv"
    assert destination.folder == "raw/pigment/revenue"
    assert destination.replaces
    assert destination.latest == "raw/pigment/revenue/_latest.json"
    assert destination.staged(RUN_ID, "ab") == f"raw/pigment/revenue/_{RUN_ID}.ab.partial"
    assert destination.held(RUN_ID, "ab") == f"raw/pigment/revenue/_held/{RUN_ID}.ab.held"


def test_a_day_may_stand_in_three_folders_as_readers_partition_by_it() -> None:
    layout = Layout("", "{name}/year={year}/month={month}/day={day}/{name}.csv")
    destination = layout.destination("revenue", snapshot_date=date(2026, 1, 2), run_id=RUN_ID)
    assert destination.path == "revenue/year=2026/month=01/day=02/revenue.csv"
    assert destination.folder == "revenue"
    assert destination.replaces


def test_a_template_with_folders_before_the_name_keeps_them_in_the_exports_folder() -> None:
    layout = Layout("", "plans/{name}/{instant}_{name}_{run_id}.csv")
    destination = layout.destination("pnl", snapshot_date=date(2026, 11, 24), run_id=RUN_ID)
    assert destination.path == f"plans/pnl/20261124T060000Z_pnl_{RUN_ID}.csv"
    assert destination.folder == "plans/pnl"
    assert not destination.replaces


@pytest.mark.parametrize(
    "template",
    [
        DEFAULT,
        "a/b/{name}/{date}.csv",
        "{name}/{run_id}/x.csv",
        "{name}/y/{instant}.csv",
        "{name}/{year}{month}/{day}.csv",
    ],
)
def test_good_templates_have_no_problem(template: str) -> None:
    assert template_problems(template) == []


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{name}.csv", "just {name}"),
        ("{date}/{name}/{name}.csv", "before any other placeholder"),
        ("x{name}/{date}.csv", "just {name}"),
        ("{name}/{name}.csv", "one of {date}"),
        ("{name}/{date}.txt", ".csv"),
        ("{name}/{hour}/{date}.csv", "unknown placeholder {hour}"),
        ("{name}/{year}/{month}.csv", "{year}, {month} and {day} together"),
        ("{name}/_x/{date}.csv", "'_' or '.'"),
        ("{name}/../{date}.csv", "'_' or '.'"),
        ("/{name}/{date}.csv", "'_' or '.'"),
        ("{name}//{date}.csv", "'_' or '.'"),
        ("{name}/{date}/{date.csv", "'_' or '.'"),
        ("{name}/a b/{date}.csv", "letters"),
        ("{name}/" + "x" * 600 + "{date}.csv", "letters"),
        ("", "just {name}"),
    ],
)
def test_bad_templates_are_told_why(template: str, hint: str) -> None:
    assert any(hint in problem for problem in template_problems(template))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}nameditrus_/.=-x ", max_size=40))
def test_a_template_without_problems_makes_safe_paths(template: str) -> None:
    template = "{name}/" + template
    if template_problems(template):
        return
    destination = Layout("", template).destination("revenue", snapshot_date=date(2026, 1, 2), run_id=RUN_ID)
    assert destination.path.startswith(f"{destination.folder}/")
    assert destination.path.endswith(".csv")
    assert all(part and part[0] not in "_." for part in destination.path.split("/"))
    assert replaces(template) == (RUN_ID not in destination.path and RUN_ID[:16] not in destination.path)


@pytest.mark.parametrize("root", ["", "a", "raw/pigment", "a-b/c_d/e.f"])
def test_good_roots_have_no_problem(root: str) -> None:
    assert root_problems(root) == []


@pytest.mark.parametrize("root", ["/a", "a/", "a//b", "..", "a/../b", "_runs", "a b", "ü", "x" * 600])
def test_bad_roots_are_told_why(root: str) -> None:
    assert root_problems(root)


def test_run_ids_begin_with_their_instant_in_utc_and_sort_by_it() -> None:
    early = datetime(2026, 11, 24, 5, 59, 59, tzinfo=UTC)
    assert instant_text(early) == "20261124T055959Z"
    assert new_run_id(early, "f" * 16) < new_run_id(datetime(2026, 11, 24, 6, tzinfo=UTC), "0" * 16)


@pytest.mark.parametrize("text", ["", "../x", RUN_ID.upper(), RUN_ID + "\n", RUN_ID[:-1], "x" + RUN_ID])
def test_what_has_not_the_form_of_a_run_id_is_none(text: str) -> None:
    assert is_run_id(RUN_ID)
    assert not is_run_id(text)


def test_a_runs_folder_is_found_by_the_day_in_its_id() -> None:
    folder = Layout("raw", DEFAULT).run(RUN_ID)
    assert folder.plan == f"raw/_runs/dt=2026-11-24/{RUN_ID}/run.json"
    assert folder.receipt("pnl") == f"raw/_runs/dt=2026-11-24/{RUN_ID}/receipts/pnl.json"
    assert folder.name_of(folder.receipt("pnl")) == "pnl"
    assert folder.result.endswith("/result.json")
    assert folder.success.endswith("/_SUCCESS")


@pytest.mark.parametrize("path", ["x/receipts/a.txt", "x/result.json", "y/receipts/a.json", "x/receipts/a.json.json"])
def test_what_is_no_receipt_names_no_export(path: str) -> None:
    assert RunFolder("x").name_of(path) is None


def test_a_claim_lies_where_no_key_can_lead_out_of_its_folder() -> None:
    path = Layout("raw", DEFAULT).claim("../../etc")
    assert path.startswith("raw/_runs/_keys/")
    assert ".." not in path
