"""The alert rules: each query asks for events and fields that the app logs, and is looked at often enough."""

import json
import re
from typing import Any

import pytest

from pigment_export.azure.errors import IDENTITY_MISSING, IDENTITY_REFUSED, LAKE, VAULT
from pigment_export.delivery.receipt import EVENT_FIELDS
from pigment_export.errors import SetupError
from pigment_export.events import Event
from tests.harness.infra_templates import INFRA, ROOT, SCENARIOS, app_settings, resources, snapshot

QUERIES = {file.stem: file.read_text() for file in sorted((INFRA / "alerts").glob("*.kql"))}
EVENTS_PAGE = (ROOT / "docs" / "events.md").read_text()


SUMMARY_FIELDS = set(EVENT_FIELDS)


def names_in(text: str) -> set[str]:
    """The names between backticks."""
    return set(re.findall(r"`(\w+)`", text))


RECEIPT_FIELDS = names_in(EVENTS_PAGE.partition("A receipt's fields are")[2].partition("\n\n")[0]) - {"event"}


def documented_fields() -> dict[str, set[str]]:
    """Of every event, the fields that docs/events.md gives it; another test holds that page to the code."""
    found: dict[str, set[str]] = {}
    for name, *_, fields in re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|(.*)\|$", EVENTS_PAGE, re.MULTILINE):
        receipts = RECEIPT_FIELDS if "the receipt's" in fields else set()
        found[name] = {"event"} | names_in(fields) | receipts
    return found


def events_of(query: str) -> set[str]:
    """The events that a query asks for."""
    [line] = re.findall(r"where tostring\(event\.event\) (.+)", query) or [""]
    compared = re.match(r'== "(\w+)"|in \(([^)]*)\)', line)
    return set(re.findall(r"\w+", (compared[1] or compared[2]).replace('"', ""))) if compared else set()


def fields_of(query: str) -> set[str]:
    """The fields of an event that a query reads."""
    return set(re.findall(r"event\.(\w+)", query)) | set(re.findall(r'event\["(\w+)"\]', query))


def columns_of(query: str) -> set[str]:
    """The columns of a query's answer."""
    [projected] = re.findall(r"\| project (.+)", query) or [""]
    return {column.split("=")[0].strip() for column in re.split(r",(?![^(]*\))", projected)}


def rules() -> dict[str, dict[str, Any]]:
    """The rules of a deployment, by the name of their query."""
    made = resources("existing-data", "Microsoft.Insights/scheduledQueryRules")
    return {rule["properties"]["displayName"].removeprefix("Pigment exports: "): rule["properties"] for rule in made}


def test_the_receipts_fields_are_found() -> None:
    assert {"name", "state", "class", "who", "remedy", "seconds"} <= RECEIPT_FIELDS
    assert (RECEIPT_FIELDS - SUMMARY_FIELDS).issubset({"run_id"})  # which each event has beside the summary


def test_every_event_has_its_fields_on_the_page() -> None:
    assert set(documented_fields()) == {event.value for event in Event}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_events_and_fields_that_the_app_logs(name: str) -> None:
    asked = events_of(QUERIES[name])
    if name == "silent":  # it asks for any
        line = json.dumps({"event": Event.HOUSEKEEPING_PASSED, "runs": 0})
        assert line.startswith('{"event":')
        assert "startswith '{\"event\":'" in QUERIES[name]
        return
    if name == "log-limit":  # the workspace's own log
        assert "_LogOperation" in QUERIES[name]
        return
    assert asked
    assert asked <= {event.value for event in Event}
    logged = documented_fields()
    for event in asked:
        assert fields_of(QUERIES[name]) - {"event"} <= logged[event], f"{name} reads of {event} what is never logged"


def test_the_classes_that_an_alert_names_are_those_of_a_refused_access() -> None:
    named = set(re.findall(r'"((?:vault|lake|identity)_\w+)"', QUERIES["access-refused"]))
    rows = (*LAKE, *VAULT, IDENTITY_MISSING, IDENTITY_REFUSED)
    # An endpoint that is not the primary one is a setting: its exports fail, and that is an alert of its own.
    assert named == {row.code for row in rows if row.error is SetupError} - {"lake_read_only"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_query_is_a_rule_of_every_deployment(scenario: str) -> None:
    made = resources(scenario, "Microsoft.Insights/scheduledQueryRules")
    [component] = resources(scenario, "Microsoft.Insights/components")
    own_logs = f'AppTraces\n| where _ResourceId =~ "{component["id"]}"\n'
    asked = {found["query"] for rule in made for found in rule["properties"]["criteria"]["allOf"]}
    for query in QUERIES.values():
        assert any(one.startswith(query.replace("AppTraces\n", own_logs)) for one in asked)
    names = {rule["properties"]["displayName"].removeprefix("Pigment exports: ") for rule in made}
    assert {re.sub(r"-\d+$", "", name) for name in names} == set(QUERIES)  # a route's rules are numbered


def minutes(span: str) -> int:
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", span)
    assert found
    days, hours, rest = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + rest


# Source: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule
WINDOWS = {1, 5, 10, 15, 30, 45, *(hours * 60 for hours in (1, 2, 3, 4, 5, 6, 24, 48))}
FREQUENCIES = WINDOWS - {2 * 24 * 60}


@pytest.mark.parametrize("name", QUERIES)
def test_a_rule_looks_in_steps_that_azure_knows(name: str) -> None:
    rule = rules()[name]
    assert minutes(rule["windowSize"]) in WINDOWS
    assert minutes(rule["evaluationFrequency"]) in FREQUENCIES
    assert rule["skipQueryValidation"] is True  # on the first deployment the table is not there yet


@pytest.mark.parametrize("name", QUERIES)
def test_a_rule_misses_nothing_between_two_looks(name: str) -> None:
    rule = rules()[name]
    window, every = minutes(rule["windowSize"]), minutes(rule["evaluationFrequency"])
    assert every <= window <= 2 * 24 * 60  # Azure looks back two days at most
    assert window >= 2 * every, "logs arrive late"


@pytest.mark.parametrize("name", QUERIES)
def test_an_alert_resolves_by_itself(name: str) -> None:
    """Azure resolves none that is looked at less often than every twelve hours."""
    rule = rules()[name]
    assert rule["autoMitigate"] is True
    assert minutes(rule["evaluationFrequency"]) <= 12 * 60


def test_alerts_about_exports_are_by_owner_and_not_by_export() -> None:
    """Azure fires 300 alerts a look at most; a broken key fails every export at once."""
    for name in ("export-failed", "stale", "near-time-limit"):
        [criterion] = rules()[name]["criteria"]["allOf"]
        split = {found["name"] for found in criterion["dimensions"]}
        assert "owner" in split
        assert "groups" in columns_of(QUERIES[name])  # a route may ask for one
        assert "name" not in split or name == "near-time-limit"


def test_a_message_whose_export_succeeded_or_is_sent_again_alarms_no_one() -> None:
    assert 'tostring(event.state) !in ("succeeded", "retrying")' in QUERIES["poison"]
    assert "state" in documented_fields()["poison_recorded"]


@pytest.mark.parametrize("name", QUERIES)
def test_a_rule_tells_by_columns_that_its_query_has(name: str) -> None:
    [criterion] = rules()[name]["criteria"]["allOf"]
    dimensions = {found["name"] for found in criterion["dimensions"]}
    assert dimensions <= columns_of(QUERIES[name])
    for column in dimensions & {"owner"}:  # what an event may leave out
        assert f"{column} = coalesce(tostring(event.{column}), " in QUERIES[name], "an empty dimension may tell nothing"
    assert len(criterion["dimensions"]) <= 6
    assert (criterion["timeAggregation"], criterion["operator"], criterion["threshold"]) == ("Count", "GreaterThan", 0)


def test_silence_is_told_after_housekeeping_has_missed_twice() -> None:
    """`housekeeping` writes at every hour's minute 37, so a window of three hours has two at least."""
    assert minutes(rules()["silent"]["windowSize"]) == 180


def test_the_time_limit_is_told_of_well_before_it_is_met() -> None:
    [seconds] = re.findall(r"todouble\(event\.seconds\) > (\d+)", QUERIES["near-time-limit"])
    limit = json.loads((ROOT / "host.json").read_text())["functionTimeout"]
    hours, whole_minutes, rest = map(int, limit.split(":"))
    timeout_seconds = (hours * 60 + whole_minutes) * 60 + rest
    own_deadline_seconds = timeout_seconds - 300
    assert 0.7 * own_deadline_seconds < int(seconds) < 0.9 * own_deadline_seconds


def test_the_host_samples_no_event_away_and_keeps_their_level() -> None:
    logging = json.loads((ROOT / "host.json").read_text()).get("logging", {})
    sampling = logging.get("applicationInsights", {}).get("samplingSettings", {})
    assert sampling.get("isEnabled") is False or "Trace" in sampling.get("excludedTypes", "").split(";")
    levels = logging.get("logLevel", {})
    kept = {"Trace", "Debug", "Information"}
    assert all(level in kept for name, level in levels.items() if name in ("default", "Function"))


def test_the_named_addresses_are_told() -> None:
    [group] = resources("all-new", "Microsoft.Insights/actionGroups")
    assert [found["emailAddress"] for found in group["properties"]["emailReceivers"]] == ["planning@example.com"]
    assert len(group["properties"]["groupShortName"]) <= 12
    for rule in resources("all-new", "Microsoft.Insights/scheduledQueryRules"):
        assert rule["properties"]["actions"]["actionGroups"] == [group["id"]]


def test_an_existing_action_group_is_told_and_none_is_made() -> None:
    assert resources("existing-data", "Microsoft.Insights/actionGroups") == []
    for rule in rules().values():
        [group] = rule["actions"]["actionGroups"]
        assert group.endswith("/actionGroups/ag-operations")


def test_without_an_address_the_rules_exist_and_tell_no_one() -> None:
    for rule in resources("private-new", "Microsoft.Insights/scheduledQueryRules"):
        assert rule["properties"]["actions"]["actionGroups"] == []
    assert resources("private-new", "Microsoft.EventGrid/systemTopics") == []


@pytest.mark.parametrize("scenario", ["all-new", "existing-data"])
def test_key_vault_tells_of_secrets_near_their_expiry(scenario: str) -> None:
    [topic] = resources(scenario, "Microsoft.EventGrid/systemTopics")
    [told] = resources(scenario, "Microsoft.EventGrid/systemTopics/eventSubscriptions")
    assert topic["properties"]["topicType"] == "Microsoft.KeyVault.vaults"
    assert "/providers/Microsoft.KeyVault/vaults/" in topic["properties"]["source"]
    properties = told["properties"]
    assert properties["eventDeliverySchema"] == "CloudEventSchemaV1_0"  # the only one that leads to an alert
    assert properties["filter"]["includedEventTypes"] == [
        "Microsoft.KeyVault.SecretNearExpiry",
        "Microsoft.KeyVault.SecretExpired",
    ]
    assert properties["destination"]["endpointType"] == "MonitorAlert"
    assert len(properties["destination"]["properties"]["actionGroups"]) == 1


def test_the_app_logs_to_the_workspace_that_the_rules_ask() -> None:
    [workspace] = resources("existing-data", "Microsoft.OperationalInsights/workspaces")
    [component] = resources("existing-data", "Microsoft.Insights/components")
    assert component["properties"]["WorkspaceResourceId"] == workspace["id"]
    assert component["name"] in app_settings("existing-data")["APPLICATIONINSIGHTS_CONNECTION_STRING"]
    assert len(snapshot("existing-data")["predictedResources"]) > len(rules())
    for rule in rules().values():
        assert workspace["name"] in rule["scopes"][0] or "monitoring" in rule["scopes"][0]


ALERTS_PAGE = (ROOT / "docs" / "alerts.md").read_text()


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    sections = dict(re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", ALERTS_PAGE, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(QUERIES)
    for name, text in sections.items():
        for part in ("**What you see.**", "**Why.**", "**What to do.**"):
            assert part in text, f"{name}: {part}"
    for rule in rules().values():
        assert rule["description"].endswith("What to do: docs/alerts.md.")


def test_the_page_of_alerts_names_only_events_and_queries_that_exist() -> None:
    assert set(re.findall(r"infra/alerts/([\w-]+)\.kql", ALERTS_PAGE)) <= set(QUERIES)
    for query in re.findall(r"```kusto\n(.*?)```", ALERTS_PAGE, re.DOTALL):
        if query.startswith("Usage |"):  # the workspace's own table
            continue
        events = events_of(query)
        assert events
        assert events <= {event.value for event in Event}
        for event in events:
            assert fields_of(query) - {"event"} <= documented_fields()[event]
