"""The templates in `infra/`: what each scenario would deploy, and what no template may ever contain."""

from pathlib import Path
from typing import Any

import pytest

from pigment_export.catalog import file as catalog
from pigment_export.settings import SETTINGS
from tests.harness.infra_templates import (
    CHECK,
    HERE,
    INFRA,
    ROOT,
    SCENARIOS,
    app_settings,
    grants,
    host_storage,
    keys_of,
    predicted,
    resources,
    site,
    snapshot,
)

ALL = [
    *SCENARIOS,
    *(f"{caller}-{way}" for caller in ("data-factory", "logic-app") for way in ("caller", "entra")),
    "chat",
]

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


def test_each_scenario_is_kept_with_its_snapshot() -> None:
    kept = {file.name.removesuffix(".snapshot.json") for file in (INFRA / "scenarios").glob("*.snapshot.json")}
    assert kept == set(ALL) == {file.stem for file in (INFRA / "scenarios").glob("*.bicepparam")}


@pytest.mark.parametrize("scenario", ALL)
def test_a_snapshot_predicts_something_and_complains_of_nothing(scenario: str) -> None:
    assert snapshot(scenario)["predictedResources"]
    assert snapshot(scenario)["diagnostics"] == []


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
    assert (given["DATA_LAKE_FILE_SYSTEM"], given["DATA_LAKE_ROOT"]) == ("pigment", "planning")
    assert given["EXPORTS_FILE"] == "lake:config/exports.toml"
    for name in ("IDENTITY_CLIENT_ID", "AzureWebJobsStorage__clientId"):
        assert given[name].endswith(".clientId]")
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
    scale = {"maximumInstanceCount": 3, "instanceMemoryMB": 4096, "storageSku": "Standard_LRS"}
    given = HERE | {"scale": scale, "logs": {"retentionDays": 30, "dailyLimitGb": 5}}
    made: dict[str, list[dict[str, Any]]] = {}
    for resource in predicted("main.bicep", given, tmp_path)["predictedResources"]:
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
    assert host_storage(scenario) in storage["value"]
    containers = resources(scenario, "Microsoft.Storage/storageAccounts/blobServices/containers")
    assert f"{host_storage(scenario)}/default/app-package" in {found["name"] for found in containers}


def test_the_secrets_that_the_app_may_read_are_those_of_the_catalog() -> None:
    """Of a deployment that names no secrets; `secretNames` is changed together with exports.toml."""
    packaged = catalog.load((ROOT / "exports.toml").read_bytes(), file="exports.toml")
    own = next(setting.default for setting in SETTINGS if setting.name == "PIGMENT_KEY_SECRET")
    wanted = {export.secret or own for export in packaged.exports} | {own}
    opened = {
        grant.scope.rpartition("/")[2] for grant in grants("private-existing") if grant.role == "Key Vault Secrets User"
    }
    assert opened == wanted


ENTRA = ("entra-callers", "landing-zone")


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in ENTRA])
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
        "allowedPrincipals": None,  # both lists must match: a list of people would shut the applications out
    }


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
        host_storage(scenario)
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
