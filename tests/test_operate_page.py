"""The queries of docs/operate.md and docs/alerts.md name only events and fields that the app logs."""

import re
from pathlib import Path

import pytest

from pigment_export.events import Event

DOCS = Path(__file__).parent.parent / "docs"
EVENTS = (DOCS / "events.md").read_text()
QUERIES = [
    (page, query)
    for page in ("operate.md", "alerts.md")
    for query in re.findall(r"```kusto\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
]


def fields_of(event: str) -> set[str]:
    """The fields that docs/events.md gives an event; a receipt's where it says so."""
    (row,) = [line for line in EVENTS.splitlines() if line.startswith(f"| `{event}`")]
    receipt = set(re.findall(r"`(\w+)`", EVENTS.partition("| event |")[0]))
    fields = set(re.findall(r"`(\w+)`", row.rpartition(" | ")[2]))
    return fields | (receipt if "the receipt's" in row else set())


def test_there_are_queries_to_hold() -> None:
    assert len(QUERIES) > 5


@pytest.mark.parametrize(("page", "query"), QUERIES)
def test_a_query_names_only_events_and_fields_that_are_logged(page: str, query: str) -> None:
    named = re.search(r'event\.event\) (?:==|in) \(?((?:"\w+"(?:, )?)+)', query)
    events = re.findall(r'"(\w+)"', named[1]) if named else [str(event) for event in Event]
    assert set(events) <= {str(event) for event in Event}, page
    allowed = set().union(*(fields_of(event) for event in events)) | {"event"}
    used = set(re.findall(r'event\.(\w+)|event\["(\w+)"\]', query))
    assert {first or second for first, second in used} <= allowed, page
