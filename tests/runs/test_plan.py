"""What a run is: decided once, the same ever after."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export.catalog.exports import from_json
from pigment_export.errors import ConfigurationError
from pigment_export.lake.paths import Layout
from pigment_export.runs.claim import new_plan
from pigment_export.runs.plan import ClaimRequest, Plan
from tests.harness.run_world import World

MIN, MAX = datetime(2000, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis adds the time zone
EXPORT = from_json({"name": "revenue", "kind": "view", "id": "44444444-4444-4444-8444-444444444444", "groups": ["a"]})


def plan(
    claimed_at: datetime, zone: str = "UTC", day: date | None = None, template: str = "{name}/dt={date}/{name}.csv"
) -> Plan:
    runs = replace(World().runs(zone=zone), layout=Layout("raw", template))
    return new_plan(runs, ClaimRequest("cli", "key", "ann", date_asked=day), [EXPORT], claimed_at)


@settings(max_examples=100, deadline=None)
@given(
    st.datetimes(MIN, MAX, timezones=st.just(UTC)),
    st.sampled_from(["UTC", "Europe/Paris", "Pacific/Auckland", "America/Los_Angeles"]),
)
def test_a_plan_is_read_as_it_was_written(claimed_at: datetime, zone: str) -> None:
    claimed_at = claimed_at.replace(microsecond=0)
    written = plan(claimed_at, zone)
    assert Plan.from_json(written.to_json()) == written
    assert written.claimed_at < written.day_ends_at <= claimed_at + timedelta(hours=25)
    assert written.snapshot_date == claimed_at.astimezone(ZoneInfo(zone)).date()


def test_the_day_is_that_of_the_time_zone_also_when_the_clocks_change() -> None:
    spring = plan(datetime(2026, 3, 28, 23, 30, tzinfo=UTC), "Europe/Paris")
    assert spring.snapshot_date == date(2026, 3, 29)
    assert spring.day_ends_at == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_a_date_in_the_future_is_refused() -> None:
    now = datetime(2026, 11, 24, 6, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="is in the future"):
        plan(now, day=date(2026, 11, 25))
    assert plan(now, "Pacific/Auckland", day=date(2026, 11, 24)).date_asked


def test_what_may_replace_depends_on_the_day_and_the_template() -> None:
    claimed_at = datetime(2026, 11, 24, 23, 50, tzinfo=UTC)
    today, asked = plan(claimed_at), plan(claimed_at, day=date(2026, 11, 24))
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    for run, late, expected in (
        (today, timedelta(0), True),
        (today, timedelta(hours=1), True),
        (today, timedelta(hours=1, seconds=1), False),
        (asked, timedelta(0), True),
        (asked, timedelta(seconds=1), False),
        (plan(claimed_at, template="{name}/{run_id}.csv"), timedelta(0), False),
    ):
        assert run.task(run.exports[0]).may_replace(midnight + late) == expected


def test_an_export_is_found_by_its_name() -> None:
    run = plan(datetime(2026, 11, 24, 6, tzinfo=UTC))
    assert run.names == ("revenue",)
    assert run.planned("revenue") is run.exports[0]
    assert run.planned("other") is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"run_id": 1}', b'{"run_id": "../../x"}', b"null", b'"x"'])
def test_what_is_no_plan_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Plan.from_json(data)
