"""Half-given parameters, which are refused before anything is made, and what a landing zone asks for."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness.infra_templates import HERE, INFRA, SCENARIOS, predicted, refusal, resources, site, snapshot

ROUTE = {"actionGroupId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/actionGroups/a"}
KEY = "https://kv.vault.azure.net/keys/planning"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"

HALVES: dict[str, tuple[dict[str, Any], str]] = {
    "vault's group": ({"vault": {"resourceGroup": "rg-security"}}, "vault.name"),
    "vault's subscription": ({"vault": {"subscriptionId": "s"}}, "vault.name"),
    "vault's region": ({"alerts": {"existingVaultLocation": "westeurope", "emails": "a@b.c"}}, "vault.name"),
    "vault in another subscription": ({"vault": {"name": "kv", "subscriptionId": "s"}}, "vault.resourceGroup"),
    "lake's group": ({"lake": {"resourceGroup": "rg-data"}}, "lake.account"),
    "lake's subscription": ({"lake": {"subscriptionId": "s"}}, "lake.account"),
    "lake in another subscription": ({"lake": {"account": "lake", "subscriptionId": "s"}}, "lake.resourceGroup"),
    "expiry in an existing lake": ({"lake": {"account": "lake", "recordDays": 100}}, "lake.recordDays"),
    "an operator of others' vault": ({"vault": {"name": "kv"}, "operator": {"id": "o", "type": "User"}}, "operator"),
    "a kind of operator": ({"operator": {"type": "Group"}}, "operator.id"),
    "addresses of others' network": (
        {
            "privateNetwork": True,
            "network": {
                "appSubnetId": SUBNET,
                "endpointSubnetId": SUBNET,
                "addressSpace": "10.0.0.0/24",
                "dnsByPolicy": True,
            },
        },
        "network.addressSpace",
    ),
    "a network without the option": ({"network": {"addressSpace": "10.0.0.0/24"}}, "privateNetwork"),
    "one subnet": ({"privateNetwork": True, "network": {"appSubnetId": SUBNET}}, "network.endpointSubnetId"),
    "the other subnet": ({"privateNetwork": True, "network": {"endpointSubnetId": SUBNET}}, "network.appSubnetId"),
    "zones beside policies": (
        {"privateNetwork": True, "network": {"dnsByPolicy": True, "dnsZoneIds": {"blob": "z"}}},
        "network.dnsByPolicy",
    ),
    "applications without Entra": ({"callers": {"applications": "a"}}, "callers.clientId"),
    "principals without Entra": ({"callers": {"principals": "a"}}, "callers.clientId"),
    "Entra without applications": ({"callers": {"clientId": "c"}}, "callers.applications"),
    "routes without a first group": ({"alerts": {"routes": [ROUTE | {"owner": "o"}]}}, "alerts.emails"),
    "expiry announced to no one": (
        {"vault": {"name": "kv"}, "alerts": {"existingVaultLocation": "westeurope"}},
        "alerts.emails",
    ),
    "a route of no one": ({"alerts": {"emails": "a@b.c", "routes": [ROUTE]}}, "alerts.routes"),
    "a route of two": (
        {"alerts": {"emails": "a@b.c", "routes": [ROUTE | {"owner": "o", "group": "g"}]}},
        "alerts.routes",
    ),
    "retention of others' logs": ({"logs": {"workspaceId": "w", "retentionDays": 30}}, "logs.retentionDays"),
    "a key that no one reads": ({"encryption": {"keyUri": KEY}}, "encryption.identityId"),
    "a reader without a key": ({"encryption": {"identityId": "i"}}, "encryption.keyUri"),
    "a name of nothing": ({"names": {"database": "db"}}, "names: an unknown key"),
}


@pytest.mark.parametrize("half", HALVES)
def test_what_is_half_given_is_refused_before_anything_is_made(half: str, tmp_path: Path) -> None:
    """As a vault's group without its name was: a new vault here, and a role on nothing there."""
    given, named = HALVES[half]
    assert named in refusal(given, tmp_path)


def test_everything_that_is_half_given_is_told_at_once(tmp_path: Path) -> None:
    told = refusal(
        {"vault": {"resourceGroup": "a"}, "lake": {"resourceGroup": "b"}, "callers": {"principals": "c"}}, tmp_path
    )
    assert all(name in told for name in ("vault.name", "lake.account", "callers.clientId"))


def test_a_refused_deployment_has_no_name_for_anything() -> None:
    """Each name hangs on the check, so that nothing is made before it."""
    source = (INFRA / "main.bicep").read_text()
    assert source.count("uniqueString(") == 1
    assert "empty(problems) ? uniqueString(" in source


# --- landing zones ---------------------------------------------------------------------------------------------------

ZONE = "landing-zone"


def test_tags_are_on_everything_that_takes_tags() -> None:
    tagged = [one for one in snapshot(ZONE)["predictedResources"] if "tags" in one]
    assert len(tagged) > 20
    for one in tagged:
        assert one["tags"]["costCenter"] == "4711", one["id"]
        assert one["tags"]["azd-env-name"] == "demo"


def test_names_of_ones_own_take_the_place_of_the_made_ones() -> None:
    accounts = {one["name"] for one in resources(ZONE, "Microsoft.Storage/storageAccounts")}
    assert accounts == {"stplanningpigmentprod", "dlsplanningprod"}
    assert site(ZONE)["name"] == "func-planning-pigment-prod-weu"
    assert "stplanningpigmentprod" in site(ZONE)["properties"]["functionAppConfig"]["deployment"]["storage"]["value"]


def test_an_existing_workspace_takes_all_logs_and_none_is_made() -> None:
    assert resources(ZONE, "Microsoft.OperationalInsights/workspaces") == []
    [component] = resources(ZONE, "Microsoft.Insights/components")
    theirs = component["properties"]["WorkspaceResourceId"]
    assert theirs.endswith("/workspaces/log-platform")
    for setting in resources(ZONE, "Microsoft.Insights/diagnosticSettings"):
        assert theirs in setting["properties"]["workspaceId"] or "monitoring" in setting["properties"]["workspaceId"]


def test_a_workspace_that_others_share_is_asked_about_this_app_alone() -> None:
    [component] = resources(ZONE, "Microsoft.Insights/components")
    for rule in resources(ZONE, "Microsoft.Insights/scheduledQueryRules"):
        [criterion] = rule["properties"]["criteria"]["allOf"]
        if "AppTraces" in criterion["query"]:
            assert f'AppTraces\n| where _ResourceId =~ "{component["id"]}"\n' in criterion["query"]
        else:
            assert "_LogOperation" in criterion["query"]  # of the workspace


def test_a_key_of_ones_own_encrypts_every_service_of_every_account() -> None:
    accounts = resources(ZONE, "Microsoft.Storage/storageAccounts")
    assert len(accounts) == 2
    for account in accounts:
        encryption = account["properties"]["encryption"]
        assert encryption["keySource"] == "Microsoft.Keyvault"
        assert encryption["keyvaultproperties"] == {
            "keyvaulturi": "https://kv-platform-keys.vault.azure.net",
            "keyname": "planning",
        }
        assert list(account["identity"]["userAssignedIdentities"]) == [encryption["identity"]["userAssignedIdentity"]]
        assert {service["keyType"] for service in encryption["services"].values()} == {"Account"}
    for scenario in set(SCENARIOS) - {ZONE}:
        for account in resources(scenario, "Microsoft.Storage/storageAccounts"):
            assert not account.get("identity")
            assert not account["properties"]["encryption"]


def test_a_new_lake_expires_run_records_where_it_is_told_to_and_never_data(tmp_path: Path) -> None:
    [policy] = resources(ZONE, "Microsoft.Storage/storageAccounts/managementPolicies")
    [rule] = policy["properties"]["policy"]["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == ["pigment/_runs/"]
    assert resources("all-new", "Microsoft.Storage/storageAccounts/managementPolicies") == []
    given = HERE | {"lake": {"root": "planning", "recordDays": 100}}
    made = predicted("main.bicep", given, tmp_path)["predictedResources"]
    [policy] = [one for one in made if one["type"].endswith("/managementPolicies")]
    [rule] = policy["properties"]["policy"]["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == ["pigment/planning/_runs/"]
    assert rule["definition"]["actions"] == {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 100}}}


def test_an_alert_goes_to_its_owners_route_or_to_the_rest_and_never_nowhere() -> None:
    rules = {
        rule["properties"]["displayName"].removeprefix("Pigment exports: "): rule["properties"]
        for rule in resources(ZONE, "Microsoft.Insights/scheduledQueryRules")
    }
    assert {name for name in rules if name.startswith("export-failed")} == {
        "export-failed",
        "export-failed-0",
        "export-failed-1",
    }

    def told(name: str) -> tuple[str, str]:
        [criterion] = rules[name]["criteria"]["allOf"]
        [group] = rules[name]["actions"]["actionGroups"]
        return criterion["query"].splitlines()[-1], group.rpartition("/")[2]

    finance, people = 'owner == "finance@example.com"', 'groups contains "\\"people\\""'
    assert told("export-failed-0") == (f"| where {finance}", "ag-finance")
    assert told("export-failed-1") == (f"| where {people}", "ag-people")
    assert told("export-failed") == (f"| where not({finance} or {people})", "ag-platform")
    assert told("trigger-failed")[1] == "ag-platform"
    assert "trigger-failed-0" not in rules


def test_an_owners_quotes_end_no_text_in_a_query(tmp_path: Path) -> None:
    alerts = {"emails": "a@example.com", "routes": [ROUTE | {"owner": 'the "numbers" team'}]}
    made = predicted("main.bicep", HERE | {"alerts": alerts}, tmp_path)["predictedResources"]
    [query] = [
        one["properties"]["criteria"]["allOf"][0]["query"]
        for one in made
        if one["type"].endswith("/scheduledQueryRules") and one["name"].startswith("alert-pigment-stale-0")
    ]
    assert query.endswith('| where owner == "the \\"numbers\\" team"\n')


def test_a_deployment_says_where_no_alert_reaches_a_person() -> None:
    [told] = snapshot("private-new")["outputs"]["warnings"]
    assert "ALERT_EMAILS" in told
    assert snapshot("all-new")["outputs"]["warnings"] == []
