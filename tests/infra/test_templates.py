"""The templates in `infra/`: what each scenario would deploy, and what no template may ever contain."""

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import ContainerClient
from azure.storage.filedatalake import DataLakeDirectoryClient, DataLakeFileClient, FileSystemClient

from pigment_export.catalog import file as catalog
from pigment_export.settings import SETTINGS
from tests.harness.infra_templates import (
    CHECK,
    INFRA,
    ROLE_NAMES,
    ROOT,
    SCENARIOS,
    Grant,
    app_settings,
    compiled,
    every_resource,
    grant_of,
    grants,
    predicted,
    resources,
    site,
    snapshot,
)

HOST = f"/subscriptions/{CHECK.SUBSCRIPTION}/resourceGroups/{CHECK.GROUP}/providers"
ALL = [*SCENARIOS, "data-factory-caller", "logic-app-caller"]
PUBLIC = [name for name in SCENARIOS if not name.startswith("private-")]
PRIVATE = [name for name in SCENARIOS if name.startswith("private-")]

# What the Functions host and Application Insights read; all else is the app's own.
PLATFORM_SETTINGS = {
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}

# Source: https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
FORBIDDEN_SETTINGS = {
    "AzureWebJobsStorage",  # a connection string would win over the identity
    "AZURE_CLIENT_ID",  # would become every connection's default
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_TIME_ZONE",
    "WEBSITE_VNET_ROUTE_ALL",
}
FORBIDDEN_PROPERTIES = {
    "alwaysOn",
    "containerSize",
    "dnsConfiguration",
    "ftpsState",
    "functionAppScaleLimit",
    "linuxFxVersion",
    "netFrameworkVersion",
    "use32BitWorkerProcess",
    "vnetRouteAllEnabled",
    "windowsFxVersion",
}


def keys_of(value: object) -> set[str]:
    """Every key of a JSON value, at any depth."""
    if isinstance(value, dict):
        return set(value) | {key for member in value.values() for key in keys_of(member)}
    return {key for member in value for key in keys_of(member)} if isinstance(value, list) else set()


def test_each_scenario_is_kept_with_its_snapshot() -> None:
    kept = {file.name.removesuffix(".snapshot.json") for file in (INFRA / "scenarios").glob("*.snapshot.json")}
    assert kept == set(ALL) == {file.stem for file in (INFRA / "scenarios").glob("*.bicepparam")}


@pytest.mark.parametrize("scenario", ALL)
def test_a_snapshot_predicts_something_and_complains_of_nothing(scenario: str) -> None:
    assert snapshot(scenario)["predictedResources"]
    assert snapshot(scenario)["diagnostics"] == []


# --- roles -----------------------------------------------------------------------------------------------------------


def own_grants(token: str) -> set[Grant]:
    """What the app needs on what is made for it alone."""
    account = f"{HOST}/Microsoft.Storage/storageAccounts/stpig{token}"
    queues = f"{account}/queueServices/default/queues"
    return {
        Grant("Storage Blob Data Owner", account),
        Grant("Storage Table Data Contributor", account),
        Grant("Storage Queue Data Contributor", f"{queues}/pigment-exports"),
        Grant("Storage Queue Data Contributor", f"{queues}/pigment-exports-poison"),
        Grant("Monitoring Metrics Publisher", f"{HOST}/Microsoft.Insights/components/appi-pigment-{token}"),
    }


def token_of(scenario: str) -> str:
    return site(scenario)["name"].removeprefix("func-pigment-")


def test_on_an_existing_vault_and_lake_each_secret_and_the_file_system_alone_are_opened() -> None:
    vault = "/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups/rg-security/providers"
    secrets = f"{vault}/Microsoft.KeyVault/vaults/kv-of-the-security-team/secrets"
    lake = "/subscriptions/55555555-5555-4555-8555-555555555555/resourceGroups/rg-data/providers"
    containers = f"{lake}/Microsoft.Storage/storageAccounts/lakeofthedatateam/blobServices/default/containers"
    assert grants("existing-data") == own_grants(token_of("existing-data")) | {
        Grant("Key Vault Secrets User", f"{secrets}/pigment-api-key"),
        Grant("Key Vault Secrets User", f"{secrets}/pigment-api-key-hr"),
        Grant("Key Vault Secrets User", f"{secrets}/pigment-api-key-sales"),
        Grant("Storage Blob Data Contributor", f"{containers}/raw"),
    }


@pytest.mark.parametrize("scenario", ["private-new", "entra-callers"])
def test_on_a_new_vault_and_lake_the_vault_and_the_file_system_alone_are_opened(scenario: str) -> None:
    token = token_of(scenario)
    lake = f"{HOST}/Microsoft.Storage/storageAccounts/lakepig{token}"
    assert grants(scenario) == own_grants(token) | {
        Grant("Key Vault Secrets User", f"{HOST}/Microsoft.KeyVault/vaults/kv-pig-{token}"),
        Grant("Storage Blob Data Contributor", f"{lake}/blobServices/default/containers/pigment"),
    }


def test_whoever_sets_the_secret_of_a_new_vault_gets_that_right_and_no_other() -> None:
    operator = "33333333-3333-4333-8333-333333333333"
    assignments = resources("all-new", "Microsoft.Authorization/roleAssignments")
    [its] = [found for found in assignments if found["properties"]["principalId"] == operator]
    assert its["properties"]["principalType"] == "Group"
    assert grant_of(its).role == "Key Vault Secrets Officer"
    assert re.search(r"/providers/Microsoft\.KeyVault/vaults/kv-pig-[a-z0-9]+$", grant_of(its).scope)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_assignment_names_its_principals_type_and_has_a_deterministic_name(scenario: str) -> None:
    assignments = resources(scenario, "Microsoft.Authorization/roleAssignments")
    for assignment in assignments:
        grant_of(assignment)
        assert assignment["properties"]["principalType"] in ("ServicePrincipal", "Group", "User")
        name = assignment["name"]
        assert name.startswith("[guid('/subscriptions/") or re.fullmatch(r"[0-9a-f-]{36}", name)
        assert "uniqueString('identity'" in assignment["properties"]["principalId"] or "[" not in name
    assert len({assignment["id"] for assignment in assignments}) == len(assignments)


def test_every_role_assignment_of_the_templates_has_a_scope_of_its_own() -> None:
    """Without a scope it would hold for the whole resource group."""
    assignments = [
        resource
        for resource in every_resource(compiled("main.bicep"))
        if resource["type"] == "Microsoft.Authorization/roleAssignments"
    ]
    assert len(assignments) == 7  # in the source; two of them are loops
    for assignment in assignments:
        assert assignment["scope"]
        assert assignment["name"].startswith("[guid(")
        assert assignment["properties"]["principalType"]
        assert assignment["properties"]["roleDefinitionId"].startswith("[subscriptionResourceId(")


def test_every_role_assignment_is_made_by_rbac_bicep() -> None:
    makers = {file.name for file in INFRA.rglob("*.bicep") if "roleAssignments@" in file.read_text()}
    used = set(re.findall(r"modules/([a-z-]+\.bicep)", (INFRA / "rbac.bicep").read_text()))
    assert makers - {"rbac.bicep"} == used
    others = "".join(file.read_text() for file in INFRA.rglob("*.bicep") if file.name != "rbac.bicep")
    assert not any(name in others for name in used)


def test_a_deployer_without_rights_assigns_nothing_and_locks_nothing() -> None:
    assert grants("no-role-assignments") == set()
    assert resources("no-role-assignments", "Microsoft.Authorization/locks") == []


RBAC = {
    "principalId": "principal-of-the-app",
    "hostStorageName": "sthost",
    "queueNames": ["q", "q-poison"],
    "componentName": "appi",
    "vaultName": "kv",
    "vaultGroup": "rg-vault",
    "vaultSubscription": "44444444-4444-4444-8444-444444444444",
    "secretNames": ["a", "b"],
    "lakeAccount": "lake",
    "lakeGroup": "rg-lake",
    "lakeSubscription": "55555555-5555-4555-8555-555555555555",
    "fileSystem": "raw",
    "operatorId": "operator",
    "operatorType": "Group",
}


@pytest.mark.parametrize("vault", ["new", "existing"])
def test_the_commands_for_an_owner_are_what_the_deployment_would_have_assigned(vault: str, tmp_path: Path) -> None:
    def rbac(*, assign: bool) -> dict[str, Any]:
        switches = dict.fromkeys(("assignOwn", "assignVault", "assignLake"), assign)
        return predicted("rbac.bicep", {**RBAC, "newVault": vault == "new", **switches}, tmp_path)

    made, told = rbac(assign=True), rbac(assign=False)
    assert made["outputs"]["commands"] == told["predictedResources"] == []
    assigned = sorted(
        (grant_of(resource).role, grant_of(resource).scope, resource["properties"]["principalId"])
        for resource in made["predictedResources"]
    )
    commands = [
        re.fullmatch(
            r"az role assignment create --assignee-object-id (\S+) --assignee-principal-type (\S+)"
            r' --role "([^"]+)" --scope "([^"]+)"',
            command,
        )
        for command in told["outputs"]["commands"]
    ]
    assert all(commands)
    assert sorted((found[3], found[4], found[1]) for found in commands if found) == assigned
    assert len(assigned) == 8


def test_security_md_lists_exactly_the_roles_that_are_given() -> None:
    table = (ROOT / "docs" / "security.md").read_text()
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines() if "| " in line}
    documented = {row[2] for row in rows if len(row) == 4 and row[2] in ROLE_NAMES.values()}
    assert documented == set(ROLE_NAMES.values())
    given = {grant.role for scenario in SCENARIOS for grant in grants(scenario)}
    assert given == set(ROLE_NAMES.values())


def test_security_md_lists_exactly_the_calls_that_the_app_makes() -> None:
    clients = (ContainerClient, DataLakeDirectoryClient, DataLakeFileClient, FileSystemClient, SecretClient)
    offered = {name for client in clients for name in dir(client) if not name.startswith("_")}
    local = {"close", "get_directory_client", "get_file_client"}  # they send nothing
    made = set()
    for file in (ROOT / "pigment_export").rglob("*.py"):
        source = file.read_text()
        if re.search(r"^from azure\.(?:storage|keyvault)", source, re.MULTILINE):
            calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
            made |= {call.attr for call in calls if isinstance(call, ast.Attribute)} & offered - local
    page = (ROOT / "docs" / "security.md").read_text()
    app = re.findall(r"^\| (?!host:|a person)(.*?) \| `.*\| (?:Key Vault|Storage) ", page, re.MULTILINE)
    assert {name for cell in app for name in re.findall(r"`(\w+)`", cell)} == made


# --- the app ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_setting_is_set_and_no_other_but_the_platforms(scenario: str) -> None:
    own = {setting.name for setting in SETTINGS if not setting.laptop_only}
    assert set(app_settings(scenario)) == own | PLATFORM_SETTINGS
    assert not set(app_settings(scenario)) & FORBIDDEN_SETTINGS


def test_a_setting_that_is_not_given_is_what_the_app_would_take() -> None:
    given = app_settings("entra-callers")
    differently = {"HTTP_AUTH_LEVEL"}  # follows from the callers
    for setting in SETTINGS:
        if setting.default is not None and setting.name not in differently:
            assert given[setting.name] == setting.default, setting.name


def test_the_names_of_vault_lake_and_identity_come_from_what_is_deployed() -> None:
    given = app_settings("existing-data")
    assert given["KEY_VAULT_URL"].startswith("[format('https://{0}{1}', 'kv-of-the-security-team', ")
    assert given["DATA_LAKE_URL"].startswith("[format('https://{0}.dfs.{1}', 'lakeofthedatateam', ")
    assert (given["DATA_LAKE_FILE_SYSTEM"], given["DATA_LAKE_ROOT"]) == ("raw", "pigment")
    assert given["EXPORTS_FILE"] == "lake:config/exports.toml"
    for name in ("IDENTITY_CLIENT_ID", "AzureWebJobsStorage__clientId"):
        assert given[name].endswith(".outputs.clientId.value]")
    assert given["AzureWebJobsStorage__credential"] == "managedidentity"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_site_has_nothing_that_flex_consumption_forbids(scenario: str) -> None:
    assert not keys_of(site(scenario)) & FORBIDDEN_PROPERTIES
    [plan] = resources(scenario, "Microsoft.Web/serverfarms")
    assert plan["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert plan["properties"]["reserved"] is True


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_site_takes_https_only_and_no_password(scenario: str) -> None:
    properties = site(scenario)["properties"]
    assert properties["httpsOnly"] is True
    assert properties["siteConfig"]["minTlsVersion"] == properties["siteConfig"]["scmMinTlsVersion"] == "1.2"
    policies = resources(scenario, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {policy["name"].partition("/")[2]: policy["properties"] for policy in policies} == {
        "scm": {"allow": False},
        "ftp": {"allow": False},
    }


def test_the_python_version_is_the_projects() -> None:
    runtime = site("all-new")["properties"]["functionAppConfig"]["runtime"]
    assert runtime == {"name": "python", "version": (ROOT / ".python-version").read_text().strip()}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_app_scales_no_wider_than_pigment_answers(scenario: str) -> None:
    """Pigment takes 500 requests in 5 minutes; the plan's own default is 100 instances."""
    scale = site(scenario)["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert scale == {"maximumInstanceCount": 10, "instanceMemoryMB": 2048}


def test_how_much_of_everything_is_the_administrators_choice(tmp_path: Path) -> None:
    scale = {"maximumInstanceCount": 3, "instanceMemoryMB": 4096, "logRetentionDays": 30, "dailyLogLimitGb": 5}
    given = {"environmentName": "demo", "location": "westeurope", "scale": {**scale, "storageSku": "Standard_LRS"}}
    made: dict[str, list[dict[str, Any]]] = {}
    for resource in predicted("app.bicep", given, tmp_path)["predictedResources"]:
        made.setdefault(resource["type"], []).append(resource)
    [app], [workspace] = made["Microsoft.Web/sites"], made["Microsoft.OperationalInsights/workspaces"]
    assert app["properties"]["functionAppConfig"]["scaleAndConcurrency"] == {
        "maximumInstanceCount": 3,
        "instanceMemoryMB": 4096,
    }
    assert workspace["properties"]["retentionInDays"] == 30
    assert workspace["properties"]["workspaceCapping"] == {"dailyQuotaGb": 5}
    copies = [account["sku"]["name"] for account in made["Microsoft.Storage/storageAccounts"]]
    assert copies == ["Standard_LRS", "Standard_LRS"]  # a region without zones knows no Standard_ZRS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_queues_are_those_of_the_setting(scenario: str) -> None:
    queue = app_settings(scenario)["EXPORT_QUEUE"]
    made = resources(scenario, "Microsoft.Storage/storageAccounts/queueServices/queues")
    assert {found["name"].rpartition("/")[2] for found in made} == {queue, f"{queue}-poison"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_package_comes_from_host_storage_by_the_identity(scenario: str) -> None:
    storage = site(scenario)["properties"]["functionAppConfig"]["deployment"]["storage"]
    assert storage["type"] == "blobContainer"
    assert storage["authentication"]["type"] == "UserAssignedIdentity"
    assert f"'stpig{token_of(scenario)}'" in storage["value"]
    containers = resources(scenario, "Microsoft.Storage/storageAccounts/blobServices/containers")
    assert f"stpig{token_of(scenario)}/default/app-package" in {found["name"] for found in containers}


def test_the_secrets_that_the_app_may_read_are_those_of_the_catalog() -> None:
    """Of a deployment that names no secrets; `secretNames` is changed together with exports.toml."""
    packaged = catalog.load((ROOT / "exports.toml").read_bytes(), file="exports.toml")
    own = next(setting.default for setting in SETTINGS if setting.name == "PIGMENT_KEY_SECRET")
    wanted = {export.secret or own for export in packaged.exports} | {own}
    opened = {
        grant.scope.rpartition("/")[2] for grant in grants("private-existing") if grant.role == "Key Vault Secrets User"
    }
    assert opened == wanted


# --- callers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "entra-callers"])
def test_without_a_client_id_a_function_key_is_asked_for(scenario: str) -> None:
    assert app_settings(scenario)["HTTP_AUTH_LEVEL"] == "FUNCTION"
    assert resources(scenario, "Microsoft.Web/sites/config") == []


def test_with_a_client_id_entra_lets_in_whom_the_lists_name() -> None:
    assert app_settings("entra-callers")["HTTP_AUTH_LEVEL"] == "ANONYMOUS"
    [config] = resources("entra-callers", "Microsoft.Web/sites/config")
    properties = config["properties"]
    assert properties["platform"] == {"enabled": True}
    assert properties["globalValidation"] == {
        "requireAuthentication": True,
        "unauthenticatedClientAction": "Return401",
    }
    directory = properties["identityProviders"]["azureActiveDirectory"]
    client = "77777777-7777-4777-8777-777777777777"
    assert directory["registration"]["clientId"] == client
    assert f"{CHECK.TENANT}" in directory["registration"]["openIdIssuer"]
    assert directory["validation"]["allowedAudiences"] == [client, f"api://{client}"]
    assert directory["validation"]["defaultAuthorizationPolicy"] == {
        "allowedApplications": ["88888888-8888-4888-8888-888888888888", "99999999-9999-4999-8999-999999999999"],
        "allowedPrincipals": {"identities": ["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]},
    }


def test_a_client_id_without_applications_is_refused(tmp_path: Path) -> None:
    """Any application of the tenant can get a token."""
    given = {"environmentName": "demo", "location": "westeurope", "callers": {"clientId": "77777777"}}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        predicted("app.bicep", given, tmp_path)
    assert "name the applications that may call" in refused.value.stderr


# --- data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_account_has_keys_or_anonymous_access(scenario: str) -> None:
    for account in resources(scenario, "Microsoft.Storage/storageAccounts"):
        properties = account["properties"]
        assert properties["allowSharedKeyAccess"] is False
        assert properties["allowBlobPublicAccess"] is False
        assert properties["isLocalUserEnabled"] is False
        assert properties["supportsHttpsTrafficOnly"] is True
        assert properties["minimumTlsVersion"] == "TLS1_2"
    for container in resources(scenario, "Microsoft.Storage/storageAccounts/blobServices/containers"):
        assert container["properties"]["publicAccess"] == "None"
    for component in resources(scenario, "Microsoft.Insights/components"):
        assert component["properties"]["DisableLocalAuth"] is True
    for workspace in resources(scenario, "Microsoft.OperationalInsights/workspaces"):
        assert workspace["properties"]["features"]["disableLocalAuth"] is True


def test_a_new_lake_has_a_hierarchical_namespace_and_soft_delete() -> None:
    accounts = resources("all-new", "Microsoft.Storage/storageAccounts")
    [lake] = [account for account in accounts if account["properties"].get("isHnsEnabled")]
    services = resources("all-new", "Microsoft.Storage/storageAccounts/blobServices")
    [service] = [found for found in services if found["name"] == f"{lake['name']}/default"]
    assert service["properties"]["deleteRetentionPolicy"]["enabled"] is True
    assert service["properties"]["containerDeleteRetentionPolicy"]["enabled"] is True


def test_a_new_vault_goes_by_roles_and_cannot_be_purged() -> None:
    [vault] = resources("all-new", "Microsoft.KeyVault/vaults")
    properties = vault["properties"]
    assert properties["enableRbacAuthorization"] is True
    assert properties["enableSoftDelete"] is True
    assert properties["enablePurgeProtection"] is True
    assert "accessPolicies" not in properties


@pytest.mark.parametrize("scenario", ["all-new", "private-new", "entra-callers"])
def test_a_new_vault_and_a_new_lake_are_locked_and_marked_as_data(scenario: str) -> None:
    locks = {lock["id"]: lock["properties"]["level"] for lock in resources(scenario, "Microsoft.Authorization/locks")}
    data = [
        resource
        for resource in snapshot(scenario)["predictedResources"]
        if tag_of(resource, "pigment-export") == "data"
    ]
    assert sorted(found["type"] for found in data) == ["Microsoft.KeyVault/vaults", "Microsoft.Storage/storageAccounts"]
    assert len(locks) == len(data)
    for resource in data:
        [level] = [level for lock, level in locks.items() if lock.startswith(f"{resource['id']}/")]
        assert level == "CanNotDelete"


def tag_of(resource: dict[str, Any], name: str) -> str | None:
    return resource.get("tags", {}).get(name)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_is_made_besides_is_marked_as_removable(scenario: str) -> None:
    """docs/deploy.md removes by this tag."""
    for resource in snapshot(scenario)["predictedResources"]:
        if resource["type"].count("/") == 1 and resource["type"] not in UNTAGGED:
            assert tag_of(resource, "pigment-export") in ("removable", "data"), resource["id"]


UNTAGGED = {
    "Microsoft.Authorization/locks",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Resources/resourceGroups",
}


@pytest.mark.parametrize("scenario", ["existing-data", "private-existing"])
def test_an_existing_vault_and_lake_are_only_referenced(scenario: str) -> None:
    """Nothing is made outside of the app's group but role assignments and what was asked for."""
    theirs = {"Microsoft.Authorization/roleAssignments"}
    if scenario == "existing-data":  # whose parameters ask for it
        theirs |= {"Microsoft.EventGrid/systemTopics", "Microsoft.EventGrid/systemTopics/eventSubscriptions"}
    for resource in snapshot(scenario)["predictedResources"]:
        ours = resource["id"].startswith(f"/subscriptions/{CHECK.SUBSCRIPTION}/resourceGroups/{CHECK.GROUP}/")
        named_there = f"'{CHECK.SUBSCRIPTION}', '{CHECK.GROUP}'" in resource["id"]  # a name that only Azure resolves
        assert ours or named_there or resource["type"] in theirs, resource["id"]
    assert resources(scenario, "Microsoft.KeyVault/vaults") == []
    assert [account["name"] for account in resources(scenario, "Microsoft.Storage/storageAccounts")] == [
        f"stpig{token_of(scenario)}"
    ]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_is_made_and_can_log_does(scenario: str) -> None:
    logged = {found["id"] for found in resources(scenario, "Microsoft.Insights/diagnosticSettings")}
    can_log = [
        *resources(scenario, "Microsoft.KeyVault/vaults"),
        *resources(scenario, "Microsoft.Storage/storageAccounts/blobServices"),
        *resources(scenario, "Microsoft.Storage/storageAccounts/queueServices"),
        *resources(scenario, "Microsoft.Web/sites"),
    ]
    for resource in can_log:
        assert any(found.startswith(f"{resource['id']}/") for found in logged), resource["id"]


# --- the network -----------------------------------------------------------------------------------------------------


def endpoints(scenario: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Private endpoints, by the name of what they lead to and its service."""
    found = {}
    for endpoint in resources(scenario, "Microsoft.Network/privateEndpoints"):
        properties = endpoint["properties"]
        [link] = [
            *properties["privateLinkServiceConnections"],
            *properties["manualPrivateLinkServiceConnections"],
        ]
        target = link["properties"]["privateLinkServiceId"]
        name = re.findall(r"[a-z0-9-]*(?:stpig|kv|lake)[a-z0-9-]*", target)[-1]
        found[name, link["properties"]["groupIds"][0]] = properties
    return found


@pytest.mark.parametrize("scenario", PUBLIC)
def test_without_the_network_option_there_is_no_network(scenario: str) -> None:
    made = {resource["type"] for resource in snapshot(scenario)["predictedResources"]}
    assert not any(kind.startswith("Microsoft.Network/") for kind in made)
    assert site(scenario)["properties"]["virtualNetworkSubnetId"] is None


@pytest.mark.parametrize("scenario", PRIVATE)
def test_the_network_option_takes_public_addresses_away(scenario: str) -> None:
    made = [
        *resources(scenario, "Microsoft.Storage/storageAccounts"),
        *resources(scenario, "Microsoft.KeyVault/vaults"),
    ]
    for resource in made:
        assert resource["properties"]["publicNetworkAccess"] == "Disabled"
        assert resource["properties"]["networkAcls"]["defaultAction"] == "Deny"
    assert site(scenario)["properties"]["virtualNetworkSubnetId"]


def test_a_new_network_reaches_each_service_of_vault_lake_and_host_storage() -> None:
    services = sorted(service for _, service in endpoints("private-new"))
    assert services == ["blob", "blob", "dfs", "queue", "table", "vault"]
    for properties in endpoints("private-new").values():
        assert properties["manualPrivateLinkServiceConnections"] == []
    records = resources("private-new", "Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    assert len(records) == 6
    assert len(resources("private-new", "Microsoft.Network/privateDnsZones")) == 5
    assert len(resources("private-new", "Microsoft.Network/privateDnsZones/virtualNetworkLinks")) == 5


def test_the_subnet_of_the_app_is_delegated_and_leaves_by_one_address() -> None:
    [network] = resources("private-new", "Microsoft.Network/virtualNetworks")
    [gateway] = resources("private-new", "Microsoft.Network/natGateways")
    [address] = resources("private-new", "Microsoft.Network/publicIPAddresses")
    assert address["properties"]["publicIPAllocationMethod"] == "Static"
    assert gateway["properties"]["publicIpAddresses"] == [{"id": address["id"]}]
    app, others = (subnet["properties"] for subnet in network["properties"]["subnets"])
    assert app["natGateway"] == {"id": gateway["id"]}
    assert [found["properties"]["serviceName"] for found in app["delegations"]] == ["Microsoft.App/environments"]
    assert (app["addressPrefix"], others["addressPrefix"]) == ("10.42.0.0/26", "10.42.0.64/26")
    assert "delegations" not in others


def test_in_a_hub_only_what_is_missing_is_made() -> None:
    token = token_of("private-existing")
    found = endpoints("private-existing")
    assert set(found) == {
        (f"stpig{token}", "blob"),
        (f"stpig{token}", "queue"),
        (f"stpig{token}", "table"),
        ("kv-of-the-security-team", "vault"),
    }
    for (name, _), properties in found.items():  # whoever owns the vault has to approve
        manual = properties["manualPrivateLinkServiceConnections"]
        assert bool(manual) == (name == "kv-of-the-security-team")
    zones = [zone["name"] for zone in resources("private-existing", "Microsoft.Network/privateDnsZones")]
    assert [re.findall(r"privatelink\.(\w+)", zone)[0] for zone in zones] == ["table"]
    assert resources("private-existing", "Microsoft.Network/virtualNetworks") == []
    assert resources("private-existing", "Microsoft.Network/natGateways") == []


@pytest.mark.parametrize("scenario", PRIVATE)
def test_a_zone_that_is_made_has_an_endpoint_and_hides_nothing_else(scenario: str) -> None:
    """Linked to a hub's network and empty, it would take the lake of everybody there away."""
    records = resources(scenario, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    configs = [config for record in records for config in record["properties"]["privateDnsZoneConfigs"]]
    assert all(config["properties"]["privateDnsZoneId"] for config in configs)
    services = {config["name"] for config in configs}
    for zone in resources(scenario, "Microsoft.Network/privateDnsZones"):
        [service] = re.findall(r"privatelink\.(\w+)|(vaultcore)|privatelink\{0\}", zone["name"])[:1]
        assert (service[0] or "vault") in services, zone["name"]
    for link in resources(scenario, "Microsoft.Network/privateDnsZones/virtualNetworkLinks"):
        assert link["properties"]["resolutionPolicy"] == "NxDomainRedirect"


def test_a_subnet_for_the_app_without_one_for_the_endpoints_is_refused(tmp_path: Path) -> None:
    subnet = f"{HOST}/Microsoft.Network/virtualNetworks/vnet-hub/subnets/functions"
    given = {"environmentName": "demo", "location": "westeurope", "privateNetwork": True}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        predicted("app.bicep", {**given, "network": {"appSubnetId": subnet}}, tmp_path)
    assert "name the subnet of the private endpoints" in refused.value.stderr


# --- all templates ---------------------------------------------------------------------------------------------------

ENTRIES = list(CHECK.ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_template_reads_a_key(entry: str) -> None:
    text = json.dumps(compiled(entry))
    assert not re.search(r"\blist[A-Z]\w*\(", text), "listKeys and its kind"
    assert not re.search(r"AccountKey=|SharedAccess|sharedKey'", text)
    assert "securestring" not in text.lower()


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_output_tells_a_secret(entry: str) -> None:
    for name, output in compiled(entry).get("outputs", {}).items():
        assert not re.search(r"secret|password|token|connection|key(?!_?vault)", name, re.IGNORECASE), name
        assert not re.search(r"ConnectionString|InstrumentationKey|secrets?'", json.dumps(output)), name


def test_main_bicep_only_makes_the_group_and_calls_app_bicep() -> None:
    kinds = [resource["type"] for resource in compiled("main.bicep")["resources"].values()]
    assert sorted(kinds) == ["Microsoft.Resources/deployments", "Microsoft.Resources/resourceGroups"]


def test_main_bicep_and_app_bicep_take_the_same_parameters() -> None:
    whole, part = compiled("main.bicep")["parameters"], compiled("app.bicep")["parameters"]
    assert set(whole) - set(part) == {"resourceGroupName"}
    assert set(part) <= set(whole)
    for name in set(part) - {"location"}:  # app.bicep has the group's
        assert whole[name] == part[name], name


def test_every_module_is_used_and_every_one_is_here() -> None:
    """No registry: whoever compiles needs no network, and a checker sees everything."""
    used = set()
    for file in INFRA.rglob("*.bicep"):
        for path in re.findall(
            r"^(?:module \S+|import .*? from) '([^']+)'", file.read_text(), re.MULTILINE | re.DOTALL
        ):
            used.add((file.parent / path).resolve().relative_to(INFRA).as_posix())
    assert {file.relative_to(INFRA).as_posix() for file in INFRA.rglob("*.bicep")} == used | set(ENTRIES)


def test_a_rule_is_silenced_only_with_its_reason_and_only_where_it_must() -> None:
    allowed = {"use-recent-api-versions", "what-if-short-circuiting"}
    for file in INFRA.rglob("*.bicep"):
        for line in re.findall(r"^\s*#disable.*$", file.read_text(), re.MULTILINE):
            found = re.fullmatch(r"\s*#disable-next-line ([a-z-]+) // (\S.{20,})", line)
            assert found, f"{file.name}: {line}"
            assert found[1] in allowed


def test_the_linter_warns_deployers_and_stops_none() -> None:
    """A newer compiler may find more, and API versions age by themselves; `check_infra.py` fails on warnings."""
    rules = json.loads((ROOT / "bicepconfig.json").read_text())["analyzers"]["core"]["rules"]
    assert {name for name, rule in rules.items() if rule["level"] != "warning"} == {"use-recent-api-versions"}
    assert rules["use-recent-api-versions"] == {"level": "off"}
    assert len(rules) > 40


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_parameter_says_what_it_is(entry: str) -> None:
    for name, parameter in compiled(entry)["parameters"].items():
        assert parameter["metadata"]["description"].endswith((".", "date", "appId")), name
