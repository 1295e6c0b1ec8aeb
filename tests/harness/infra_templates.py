"""Input of the tests of `infra/`: the stored snapshots of the scenarios, and freshly compiled templates."""

import atexit
import functools
import importlib.util
import itertools
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
SCENARIOS = (
    "all-new",
    "existing-data",
    "private-new",
    "private-existing",
    "landing-zone",
    "entra-callers",
    "no-role-assignments",
)
HERE = {"environmentName": "demo", "location": "westeurope"}  # required by every deployment

Resource = dict[str, Any]


def script(name: str) -> ModuleType:
    """Import a script from `scripts/`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK = script("check_infra")


@functools.cache
def snapshot(scenario: str) -> dict[str, Any]:
    """Return the stored snapshot of what a scenario deploys; `make check` compares it with the templates."""
    return json.loads((INFRA / "scenarios" / f"{scenario}.snapshot.json").read_text())


def resources(scenario: str, kind: str) -> list[Resource]:
    """Return the resources of one type."""
    return [resource for resource in snapshot(scenario)["predictedResources"] if resource["type"] == kind]


def site(scenario: str) -> Resource:
    """Return the function app."""
    [found] = resources(scenario, "Microsoft.Web/sites")
    return found


def app_settings(scenario: str) -> dict[str, str]:
    """Return the app settings; a value that only Azure can compute is an expression in brackets."""
    listed = site(scenario)["properties"]["siteConfig"]["appSettings"]
    settings = {setting["name"]: setting["value"] for setting in listed}
    assert len(settings) == len(listed), "a setting stands twice"
    return settings


@dataclass(frozen=True, order=True)
class Grant:
    """A role assignment: the role and its scope."""

    role: str
    scope: str


ROLE_NAMES = {
    found[2]: found[1] for found in re.finditer(r"name: '([^']+)', id: '([^']+)'", (INFRA / "roles.bicep").read_text())
}
_GUID = r"guid\('(?P<again>[^']+)', (?P<principal>.+), '(?P<role>[0-9a-f-]{36})'\)"
_ASSIGNMENT = re.compile(
    rf"\[extensionResourceId\('(?P<scope>[^']+)', 'Microsoft.Authorization/roleAssignments', {_GUID}\)\]"
)


def grant_of(assignment: Resource) -> Grant:
    """Return the grant of a role assignment; check that its name is derived from scope, principal and role."""
    found = _ASSIGNMENT.fullmatch(assignment["id"])
    if found:
        role, scope = found["role"], found["scope"]
        assert found["again"] == scope, "the name is made of another scope"
    else:  # the principal is known, so id and name are literals
        scope = assignment["id"].partition("/providers/Microsoft.Authorization/")[0]
        role = assignment["properties"]["roleDefinitionId"].rpartition("/")[2]
    assert assignment["properties"]["roleDefinitionId"].endswith(f"/roleDefinitions/{role}")
    return Grant(ROLE_NAMES[role], scope)


def grants(scenario: str) -> set[Grant]:
    """Return all role assignments of a scenario."""
    return {grant_of(found) for found in resources(scenario, "Microsoft.Authorization/roleAssignments")}


def compiler() -> str:
    """Return the path of the Bicep compiler. Without one, the test fails in CI and is skipped on a laptop."""
    found = CHECK.find_bicep(os.environ)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(CHECK.HOW_TO_GET_ONE)
    return found


class TemplateError(Exception):
    """The compiler rejects a template or its parameters."""


class _Service:
    """The compiler as a service, started once and then warm: a fifth of the work of starting it each time.

    Source: https://github.com/Azure/bicep/blob/main/docs/cli-jsonrpc.md
    """

    def __init__(self) -> None:
        environment = os.environ | {"DOTNET_TieredPGO": "0"}  # it would pay only after minutes
        command = [compiler(), "jsonrpc", "--stdio"]
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ids = itertools.count()
        atexit.register(self._process.communicate)

    def ask(self, method: str, **request: Any) -> dict[str, Any]:
        """Call a method, and return its result.

        Raises:
            TemplateError: it failed.
        """
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": f"bicep/{method}", "params": [request]}
        body = json.dumps(call).encode()
        sent, received = self._process.stdin, self._process.stdout
        assert sent
        assert received
        sent.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        sent.flush()
        length = 0
        while line := received.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        answer = json.loads(received.read(length))
        if "error" in answer:
            raise TemplateError(answer["error"]["message"])
        return answer["result"]


_service = functools.cache(_Service)


@functools.cache
def compiled(entry: str) -> dict[str, Any]:
    """Return the compiled ARM template of a file in `infra/`."""
    done = _service().ask("compile", path=str(INFRA / entry))
    if not done["success"]:
        raise TemplateError(done["diagnostics"])
    return json.loads(done["contents"])


def predicted(template: str, parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a template would deploy with these parameters.

    Raises:
        TemplateError: the template rejects them.
    """
    lines = [f"using '{os.path.relpath(INFRA / template, folder)}'"]
    lines += [f"param {name} = {bicep_value(value)}" for name, value in parameters.items()]
    file = folder / "given.bicepparam"
    file.write_text("\n".join(lines) + "\n")
    place = {"tenantId": CHECK.TENANT, "subscriptionId": CHECK.SUBSCRIPTION, "resourceGroup": CHECK.GROUP}
    place |= {"location": "westeurope", "deploymentName": None}
    done = _service().ask("getSnapshot", path=str(file), metadata=place, externalInputs=None)
    return json.loads(done["snapshot"])


def refusal(parameters: Mapping[str, Any], folder: Path) -> str:
    """Return why `main.bicep` rejects these parameters before anything is deployed."""
    with pytest.raises(TemplateError) as refused:
        predicted("main.bicep", HERE | dict(parameters), folder)
    return str(refused.value)


def bicep_value(value: object) -> str:
    """Return a JSON value in Bicep."""
    if isinstance(value, Mapping):
        return "{\n" + "".join(f"{name}: {bicep_value(member)}\n" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"{bicep_value(member)}\n" for member in value) + "]"
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def every_resource(template: Mapping[str, Any]) -> list[Resource]:
    """Return all resources of a compiled template and its modules, without references to existing ones."""
    found: list[Resource] = []
    listed = template["resources"]
    for resource in listed.values() if isinstance(listed, dict) else listed:
        if not resource.get("existing"):
            found.append(resource)
        if resource["type"] == "Microsoft.Resources/deployments":
            found += every_resource(resource["properties"]["template"])
    return found


def keys_of(value: object) -> set[str]:
    """Return every key of a JSON value, at any depth."""
    if isinstance(value, dict):
        return set(value) | {key for member in value.values() for key in keys_of(member)}
    return {key for member in value for key in keys_of(member)} if isinstance(value, list) else set()


def token_of(scenario: str) -> str:
    """Return the token that ends every resource name of a deployment."""
    [component] = resources(scenario, "Microsoft.Insights/components")
    return str(component["name"]).removeprefix("appi-pigment-")


def host_storage(scenario: str) -> str:
    """Return the name of the Functions host's storage account."""
    [container] = [
        found["name"]
        for found in resources(scenario, "Microsoft.Storage/storageAccounts/blobServices/containers")
        if found["name"].endswith("/app-package")
    ]
    return str(container).partition("/")[0]
