"""Role assignments: which a deployment makes, which it leaves to owners, and what they open."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobClient, ContainerClient
from azure.storage.filedatalake import DataLakeDirectoryClient, DataLakeFileClient, FileSystemClient

from tests.harness.infra_templates import (
    CHECK,
    HERE,
    INFRA,
    ROLE_NAMES,
    ROOT,
    SCENARIOS,
    Grant,
    compiled,
    every_resource,
    grant_of,
    grants,
    predicted,
    resources,
    token_of,
)

HOST = f"/subscriptions/{CHECK.SUBSCRIPTION}/resourceGroups/{CHECK.GROUP}/providers"


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


def test_on_what_others_own_nothing_is_assigned_unless_asked() -> None:
    """A deployer rarely may, and a nested deployment there needs more rights than the assignment itself."""
    assert grants("existing-data") == own_grants(token_of("existing-data"))


def test_on_an_existing_vault_and_lake_each_secret_and_the_file_system_alone_are_opened(tmp_path: Path) -> None:
    vault = {"name": "kv-theirs", "resourceGroup": "rg-security", "secretNames": "hr, sales"}
    lake = {"account": "laketheirs", "resourceGroup": "rg-data"}
    asked = {"vault": vault, "lake": lake, "assignRoles": False, "assignVaultRoles": True, "assignLakeRoles": True}
    made = predicted("main.bicep", HERE | asked, tmp_path)["predictedResources"]
    assigned = {grant_of(one) for one in made if one["type"] == "Microsoft.Authorization/roleAssignments"}
    subscription = f"/subscriptions/{CHECK.SUBSCRIPTION}/resourceGroups"
    secrets = f"{subscription}/rg-security/providers/Microsoft.KeyVault/vaults/kv-theirs/secrets"
    account = f"{subscription}/rg-data/providers/Microsoft.Storage/storageAccounts/laketheirs"
    assert assigned == {
        Grant("Key Vault Secrets User", f"{secrets}/pigment-api-key"),
        Grant("Key Vault Secrets User", f"{secrets}/hr"),
        Grant("Key Vault Secrets User", f"{secrets}/sales"),
        Grant("Storage Blob Data Contributor", f"{account}/blobServices/default/containers/pigment"),
    }


@pytest.mark.parametrize("scenario", ["private-new", "entra-callers"])
def test_on_a_new_vault_and_lake_the_vault_and_the_file_system_alone_are_opened(scenario: str) -> None:
    token = token_of(scenario)
    lake = f"{HOST}/Microsoft.Storage/storageAccounts/lakepig{token}"
    assert grants(scenario) == own_grants(token) | {
        Grant("Key Vault Secrets User", f"{HOST}/Microsoft.KeyVault/vaults/kv-pig-{token}"),
        Grant("Storage Blob Data Contributor", f"{lake}/blobServices/default/containers/pigment"),
    }


def test_an_operator_may_set_secrets_in_a_new_vault_and_nothing_else() -> None:
    operator = "33333333-3333-4333-8333-333333333333"
    assignments = resources("all-new", "Microsoft.Authorization/roleAssignments")
    [its] = [found for found in assignments if found["properties"]["principalId"] == operator]
    assert its["properties"]["principalType"] == "Group"
    assert grant_of(its).role == "Key Vault Secrets Officer"
    assert re.search(r"/providers/Microsoft\.KeyVault/vaults/kv-pig-[a-z0-9]+$", grant_of(its).scope)
    given = {grant.role for scenario in SCENARIOS if scenario != "all-new" for grant in grants(scenario)}
    assert "Key Vault Secrets Officer" not in given  # unless asked


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_assignment_names_its_principals_type_and_has_a_deterministic_name(scenario: str) -> None:
    assignments = resources(scenario, "Microsoft.Authorization/roleAssignments")
    for assignment in assignments:
        grant_of(assignment)
        assert assignment["properties"]["principalType"] in ("ServicePrincipal", "Group", "User")
        name = assignment["name"]
        assert name.startswith("[guid('/subscriptions/") or re.fullmatch(r"[0-9a-f-]{36}", name)
        assert "/userAssignedIdentities/id-pigment-" in assignment["properties"]["principalId"] or "[" not in name
    assert len({assignment["id"] for assignment in assignments}) == len(assignments)


def test_every_role_assignment_of_the_templates_has_a_scope_of_its_own() -> None:
    """Without a scope it would hold for the whole resource group."""
    assignments = [
        resource
        for resource in every_resource(compiled("main.bicep"))
        if resource["type"] == "Microsoft.Authorization/roleAssignments"
    ]
    assert len(assignments) == 6  # in the source; some of them are loops
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


VAULT = {"name": "kv", "resourceGroup": "rg-vault", "subscriptionId": "44444444-4444-4444-8444-444444444444"}
LAKE = {"name": "lake", "resourceGroup": "rg-lake", "subscriptionId": "55555555-5555-4555-8555-555555555555"}
RBAC = {
    "principalId": "principal-of-the-app",
    "hostStorageName": "sthost",
    "queueNames": ["q", "q-poison"],
    "componentName": "appi",
    "secretNames": ["a", "b"],
    "lake": LAKE | {"isNew": False},
    "fileSystem": "raw",
    "lakeRoleId": "",
    "operator": {"id": "operator", "type": "Group"},
}


@pytest.mark.parametrize("vault", ["new", "existing"])
def test_the_commands_for_an_owner_are_what_the_deployment_would_have_assigned(vault: str, tmp_path: Path) -> None:
    def rbac(*, assign: bool) -> dict[str, Any]:
        switches = dict.fromkeys(("assignOwn", "assignVault", "assignLake"), assign)
        return predicted("rbac.bicep", {**RBAC, "vault": VAULT | {"isNew": vault == "new"}, **switches}, tmp_path)

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
    assert len(assigned) == 8  # a new vault: one role of the app and one of the operator; an existing one: two secrets


def test_security_md_lists_exactly_the_roles_that_are_given() -> None:
    table = (ROOT / "docs" / "security.md").read_text()
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines() if "| " in line}
    documented = {row[2] for row in rows if len(row) == 4 and row[2] in ROLE_NAMES.values()}
    assert documented == set(ROLE_NAMES.values())
    given = {grant.role for scenario in SCENARIOS for grant in grants(scenario)}
    assert given == set(ROLE_NAMES.values())


def test_security_md_lists_exactly_the_calls_that_the_app_makes() -> None:
    clients = (BlobClient, ContainerClient, DataLakeDirectoryClient, DataLakeFileClient, FileSystemClient, SecretClient)
    offered = {name for client in clients for name in dir(client) if not name.startswith("_")}
    local = {"close", "get_blob_client", "get_directory_client", "get_file_client"}  # they send nothing
    made = set()
    for file in (ROOT / "pigment_export").rglob("*.py"):
        source = file.read_text()
        if re.search(r"^from azure\.(?:storage|keyvault)", source, re.MULTILINE):
            calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
            made |= {call.attr for call in calls if isinstance(call, ast.Attribute)} & offered - local
    page = (ROOT / "docs" / "security.md").read_text()
    app = re.findall(r"^\| (?!host:|a person)(.*?) \| `.*\| (?:Key Vault|Storage) ", page, re.MULTILINE)
    assert {name for cell in app for name in re.findall(r"`(\w+)`", cell)} == made


LAKE_ROLE = json.loads((ROOT / "docs" / "lake-role.json").read_text())
BLOBS = "Microsoft.Storage/storageAccounts/blobServices"


def needed_in_the_lake() -> set[str]:
    """What the calls of docs/security.md need in the lake, which another test holds to the app's source."""
    page = (ROOT / "docs" / "security.md").read_text()
    cells = re.findall(r"^\| (?!host:).*? \| (`.*?) \| Storage Blob Data Contributor ", page, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([\w/]+)`", cell)}


def test_the_custom_role_covers_every_call_of_the_app_and_no_other() -> None:
    needed = needed_in_the_lake()
    assert "containers/read" in needed
    actions = {f"{BLOBS}/{name}" for name in needed if name.startswith("containers/")}
    assert set(LAKE_ROLE["Actions"]) == actions
    assert set(LAKE_ROLE["DataActions"]) == {
        f"{BLOBS}/containers/{name}" for name in needed if name.startswith("blobs/")
    }
    assert not any("containers/delete" in action for action in LAKE_ROLE["Actions"])  # as the built-in role may
    assert LAKE_ROLE["NotActions"] == LAKE_ROLE["NotDataActions"] == []


@pytest.mark.parametrize("assign", [True, False], ids=["assigned", "as a command"])
def test_a_role_of_ones_own_takes_the_place_of_the_built_in_one_on_the_lake(*, assign: bool, tmp_path: Path) -> None:
    role = "0aaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
    switches = {"assignOwn": True, "assignVault": True, "assignLake": assign}
    parameters = {**RBAC, "vault": VAULT | {"isNew": False}, "lakeRoleId": role, **switches}
    made = predicted("rbac.bicep", parameters, tmp_path)
    on_lake = [one for one in made["predictedResources"] if "/containers/raw/" in one["id"]]
    assert [one["properties"]["roleDefinitionId"].rpartition("/")[2] for one in on_lake] == [role] * assign
    assert [f'--role "{role}"' in command for command in made["outputs"]["commands"]] == [True] * (not assign)
