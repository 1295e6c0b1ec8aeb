"""The private network: what reaches what, and whose DNS records are whose."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness.infra_templates import HERE, SCENARIOS, compiled, predicted, refusal, resources, site, snapshot

HUB = "/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-hub/providers/Microsoft.Network"
SUBNETS = {
    "appSubnetId": f"{HUB}/virtualNetworks/vnet-hub/subnets/functions",
    "endpointSubnetId": f"{HUB}/virtualNetworks/vnet-hub/subnets/endpoints",
}
PRIVATE = [name for name in SCENARIOS if site(name)["properties"]["virtualNetworkSubnetId"]]
PUBLIC = [name for name in SCENARIOS if name not in PRIVATE]
VAULT = {"name": "kv-theirs", "resourceGroup": "rg-security"}


def links(made: list[dict[str, Any]]) -> dict[str, bool]:
    """Private endpoints by name; of each whether the owner of what it leads to must approve it."""
    found = [one for one in made if one["type"] == "Microsoft.Network/privateEndpoints"]
    for endpoint in found:
        properties = endpoint["properties"]
        connections = properties["privateLinkServiceConnections"] + properties["manualPrivateLinkServiceConnections"]
        assert len(connections) == 1
    return {one["name"]: bool(one["properties"]["manualPrivateLinkServiceConnections"]) for one in found}


def endpoints(scenario: str) -> dict[str, bool]:
    return links(snapshot(scenario)["predictedResources"])


def records(made: list[dict[str, Any]]) -> set[str]:
    """The endpoints that write a DNS record."""
    kind = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"
    return {one["name"].partition("/")[0] for one in made if one["type"] == kind}


@pytest.mark.parametrize("scenario", PUBLIC)
def test_without_the_network_option_there_is_no_network(scenario: str) -> None:
    made = {resource["type"] for resource in snapshot(scenario)["predictedResources"]}
    assert not any(kind.startswith("Microsoft.Network/") for kind in made)


@pytest.mark.parametrize("scenario", PRIVATE)
def test_the_network_option_takes_public_addresses_away(scenario: str) -> None:
    made = [
        *resources(scenario, "Microsoft.Storage/storageAccounts"),
        *resources(scenario, "Microsoft.KeyVault/vaults"),
    ]
    for resource in made:
        assert resource["properties"]["publicNetworkAccess"] == "Disabled"
        assert resource["properties"]["networkAcls"]["defaultAction"] == "Deny"


def test_a_new_network_reaches_each_service_of_vault_lake_and_host_storage() -> None:
    services = sorted(re.findall(r"^pe-(.+)-\w+$", name)[0] for name in endpoints("private-new"))
    assert services == ["host-blob", "host-queue", "host-table", "lake-blob", "lake-dfs", "vault-kv-pig"]
    assert not any(endpoints("private-new").values())  # no approval
    assert records(snapshot("private-new")["predictedResources"]) == set(endpoints("private-new"))
    assert len(resources("private-new", "Microsoft.Network/privateDnsZones")) == 5
    assert len(resources("private-new", "Microsoft.Network/privateDnsZones/virtualNetworkLinks")) == 5


def test_the_subnet_of_the_app_is_delegated_and_leaves_by_one_address() -> None:
    [gateway] = resources("private-new", "Microsoft.Network/natGateways")
    [address] = resources("private-new", "Microsoft.Network/publicIPAddresses")
    assert address["properties"]["publicIPAllocationMethod"] == "Static"
    assert gateway["properties"]["publicIpAddresses"] == [{"id": address["id"]}]
    assert gateway["properties"]["idleTimeoutInMinutes"] > 10  # as long as Pigment may compute without a byte
    subnets = resources("private-new", "Microsoft.Network/virtualNetworks/subnets")
    app, others = (subnet["properties"] for subnet in subnets)
    assert app["natGateway"] == {"id": gateway["id"]}
    assert [found["properties"]["serviceName"] for found in app["delegations"]] == ["Microsoft.App/environments"]
    assert (app["addressPrefix"], others["addressPrefix"]) == ("10.42.0.0/26", "10.42.0.64/26")
    assert "delegations" not in others


def test_a_deployment_leaves_subnets_alone_that_others_added() -> None:
    """A network that lists its subnets deletes the others; one that does not leaves them."""
    [network] = resources("private-new", "Microsoft.Network/virtualNetworks")
    assert set(network["properties"]) == {"addressSpace"}


@pytest.mark.parametrize("scenario", ["private-existing", "landing-zone"])
def test_in_a_hub_neither_zone_nor_network_is_made(scenario: str) -> None:
    kinds = {resource["type"] for resource in snapshot(scenario)["predictedResources"]}
    assert {kind for kind in kinds if kind.startswith("Microsoft.Network/")} <= {
        "Microsoft.Network/privateEndpoints",
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    }


def test_the_endpoint_of_another_teams_vault_awaits_its_owner_and_writes_no_record() -> None:
    """The one record of a shared zone leads everyone to the vault; a removal would clear it."""
    manual = {name for name, is_manual in endpoints("private-existing").items() if is_manual}
    assert manual == {"pe-vault-kv-of-the-security-team"}
    written = records(snapshot("private-existing")["predictedResources"])
    assert written == set(endpoints("private-existing")) - manual


ZONES = {service: f"{HUB}/privateDnsZones/privatelink.{service}" for service in ("blob", "queue", "table", "vault")}


@pytest.mark.parametrize(
    ("network", "recorded"),
    [
        ({**SUBNETS, "dnsZoneIds": ZONES}, False),
        ({**SUBNETS, "dnsZoneIds": ZONES, "foreignRecords": True}, True),
        ({"dnsZoneIds": ZONES}, False),  # a network of its own, but a zone of everyone's
        ({}, True),  # a zone of this network alone
        ({**SUBNETS, "dnsByPolicy": True, "foreignRecords": True}, False),
    ],
    ids=["shared zone", "asked for", "shared zone, own network", "own zone", "by policy"],
)
def test_a_record_of_another_teams_vault_goes_into_a_zone_of_ones_own_or_where_it_is_asked_for(
    network: dict[str, Any], *, recorded: bool, tmp_path: Path
) -> None:
    given = {"vault": VAULT, "lake": {"account": "laketheirs"}, "privateNetwork": True}
    made = predicted("main.bicep", HERE | given | {"network": network | {"vaultEndpoint": True}}, tmp_path)
    assert ("pe-vault-kv-theirs" in records(made["predictedResources"])) == recorded
    assert links(made["predictedResources"])["pe-vault-kv-theirs"]  # its owner approves


def test_where_policies_write_the_records_neither_zones_nor_zone_groups_are_made() -> None:
    assert records(snapshot("landing-zone")["predictedResources"]) == set()
    assert resources("landing-zone", "Microsoft.Network/privateDnsZones") == []
    assert len(endpoints("landing-zone")) == 6  # host storage's three, a new lake's two, the app's


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"vault": VAULT, "lake": {"account": "laketheirs"}}, "blob, queue, table"),
        ({"vault": VAULT, "lake": {"account": "laketheirs"}, "inbound": "private"}, "blob, queue, table, sites"),
        ({}, "blob, queue, table, dfs, vault"),
    ],
    ids=["host storage", "inbound", "new vault and lake"],
)
def test_a_second_zone_in_a_hub_is_refused(given: dict[str, Any], missing: str, tmp_path: Path) -> None:
    network = SUBNETS | {name: given.pop(name) for name in ("inbound",) if name in given}
    told = refusal({**given, "privateNetwork": True, "network": network}, tmp_path)
    assert f"network.dnsZoneIds: {missing} missing" in told


def test_a_zone_of_a_new_network_hides_nothing_else() -> None:
    services = {
        config["name"]
        for group in resources("private-new", "Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
        for config in group["properties"]["privateDnsZoneConfigs"]
    }
    for zone in resources("private-new", "Microsoft.Network/privateDnsZones"):
        [service] = re.findall(r"privatelink\.(\w+)|(vaultcore)|privatelink\{0\}", zone["name"])[:1]
        assert (service[0] or "vault") in services, zone["name"]
    for link in resources("private-new", "Microsoft.Network/privateDnsZones/virtualNetworkLinks"):
        assert link["properties"]["resolutionPolicy"] == "NxDomainRedirect"


def test_endpoints_of_one_account_are_made_one_after_the_other() -> None:
    """Else StorageAccountOperationInProgress."""

    def loops(template: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        listed = template["resources"]
        for name, one in listed.items() if isinstance(listed, dict) else ():
            if "template" in one.get("properties", {}):
                found |= {name: one.get("copy")} | loops(one["properties"]["template"])
        return found

    found = loops(compiled("main.bicep"))
    for name in ("hostEndpoints", "lakeEndpoints"):
        assert (found[name]["mode"], found[name]["batchSize"]) == ("serial", 1)


# --- the app's own address -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_app_has_a_public_address_unless_its_callers_come_by_the_private_one(scenario: str) -> None:
    private = "landing-zone"
    assert site(scenario)["properties"]["publicNetworkAccess"] == ("Disabled" if scenario == private else "Enabled")
    assert any(name.startswith("pe-func-") for name in endpoints(scenario)) == (scenario == private)


def test_only_the_named_addresses_may_call(tmp_path: Path) -> None:
    named = "10.20.0.0/16, DataFactory.WestEurope, 203.0.113.7, 2001:db8::1, fe80::/10,10.20.0.0/16"
    given = HERE | {"callers": {"addresses": named}}
    made = predicted("main.bicep", given, tmp_path)["predictedResources"]
    [app] = [one for one in made if one["type"] == "Microsoft.Web/sites"]
    config = app["properties"]["siteConfig"]
    assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert [(rule["ipAddress"], rule["tag"], rule["action"]) for rule in config["ipSecurityRestrictions"]] == [
        ("10.20.0.0/16", "Default", "Allow"),
        ("DataFactory.WestEurope", "ServiceTag", "Allow"),
        ("203.0.113.7/32", "Default", "Allow"),
        ("2001:db8::1/128", "Default", "Allow"),
        ("fe80::/10", "Default", "Allow"),
    ]
    assert site("all-new")["properties"]["siteConfig"]["ipSecurityRestrictionsDefaultAction"] == "Allow"
