"""azure.yaml, the parameters that azd fills in, and what docs/deploy.md says of them."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from infra_templates import CHECK, INFRA, ROOT, SCENARIOS, compiled, predicted, site

from pigment_export.settings import SETTINGS

AZD = yaml.safe_load((ROOT / "azure.yaml").read_text())
GIVEN = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text()


def test_azd_deploys_the_built_package_as_it_is() -> None:
    [(name, service)] = AZD["services"].items()
    assert site("all-new")["tags"]["azd-service-name"] == name
    assert service["host"] == "function"
    assert service["remoteBuild"] is False
    assert service["dist"] == "dist/app"
    assert "make package" in service["hooks"]["prepackage"]["posix"]["run"]
    assert "scripts/package.py" in service["hooks"]["prepackage"]["windows"]["run"]


def test_azd_is_new_enough_to_know_what_it_is_told() -> None:
    """`remoteBuild` for functions came with 1.23.5: https://github.com/Azure/azure-dev/blob/main/cli/azd/CHANGELOG.md."""
    found = re.fullmatch(r">= (\d+)\.(\d+)\.(\d+)", AZD["requiredVersions"]["azd"])
    assert found
    assert tuple(map(int, found.groups())) >= (1, 23, 5)


@pytest.mark.parametrize("allowed", ["true", None])
def test_azd_down_is_refused_until_it_is_allowed(allowed: str | None) -> None:
    """It would delete other teams' resource groups."""
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("no POSIX shell here")
    environment = {"PATH": os.environ["PATH"]} | ({"ALLOW_AZD_DOWN": allowed} if allowed else {})
    hook = AZD["hooks"]["predown"]["posix"]["run"]
    done = subprocess.run([shell, "-c", hook], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (allowed == "true")
    assert allowed or "docs/deploy.md" in done.stderr
    assert "ALLOW_AZD_DOWN" in AZD["hooks"]["predown"]["windows"]["run"]
    assert "ALLOW_AZD_DOWN" in DEPLOY


def test_azd_gives_every_parameter() -> None:
    assert set(GIVEN) == set(compiled("main.bicep")["parameters"])


def test_azd_gives_every_member_but_those_that_are_edited_in_the_file() -> None:
    template = compiled("main.bicep")
    for name in ("vault", "lake", "exports", "callers", "operator", "alerts"):
        reference = template["parameters"][name]["$ref"].rpartition("/")[2]
        assert set(GIVEN[name]["value"]) == set(template["definitions"][reference]["properties"]), name


def test_a_setting_has_the_same_name_in_azds_environment() -> None:
    names = {setting.name for setting in SETTINGS}
    for value in GIVEN["exports"]["value"].values():
        assert re.fullmatch(r"\$\{(\w+)\}", value)[1] in names  # type: ignore[index]


def substituted(value: Any, environment: dict[str, str]) -> Any:
    """What azd makes of a value: ${NAME} and ${NAME=default}."""
    if isinstance(value, dict):
        return {key: substituted(member, environment) for key, member in value.items()}
    return re.sub(r"\$\{(\w+)(?:=([^}]*))?\}", lambda found: environment.get(found[1]) or found[2] or "", value)


def test_an_empty_environment_gives_the_defaults(tmp_path: Any) -> None:
    """What azd substitutes for what is not set are empty texts: they must mean what a missing value means."""
    environment = {"AZURE_ENV_NAME": "demo", "AZURE_LOCATION": "westeurope"}
    given = {name: substituted(parameter["value"], environment) for name, parameter in GIVEN.items()}
    given = {name: {"true": True, "false": False}.get(str(value), value) for name, value in given.items()}
    del given["resourceGroupName"]  # app.bicep is given a group
    by_azd = predicted("app.bicep", given, tmp_path)
    by_default = predicted("app.bicep", {"environmentName": "demo", "location": "westeurope"}, tmp_path)
    assert by_azd == by_default


def test_outputs_that_azd_looks_for_are_there() -> None:
    outputs = compiled("main.bicep")["outputs"]
    assert {"AZURE_LOCATION", "AZURE_TENANT_ID", "AZURE_RESOURCE_GROUP", "SERVICE_APP_NAME"} <= set(outputs)
    variables = set(re.findall(r"\$\{(\w+)", json.dumps(GIVEN)))
    assert set(outputs) & variables == {"AZURE_LOCATION"}  # an output would overwrite what was set


def test_every_variable_that_deploy_md_sets_is_read() -> None:
    told = set(re.findall(r"azd env set (\w+)", DEPLOY)) | {"ALLOW_AZD_DOWN"}
    read = set(re.findall(r"\$\{(\w+)", json.dumps(GIVEN))) | {"ALLOW_AZD_DOWN"}
    assert told <= read | {"NAME"}


def test_deploy_md_has_the_parameters_of_the_templates() -> None:
    table = CHECK.parameter_table(compiled("main.bicep"), GIVEN)
    assert f"<!-- parameters -->\n{table}\n<!-- /parameters -->" in DEPLOY


def test_deploy_md_names_every_scenario_and_every_file_that_it_names_is_there() -> None:
    for scenario in SCENARIOS:
        assert f"| `{scenario}` |" in DEPLOY
    for path in re.findall(r"infra/[\w./-]+\.(?:bicep|json|py)", DEPLOY):
        assert (ROOT / path).exists(), path


def test_deploy_md_uses_outputs_that_are_there() -> None:
    outputs = set(compiled("main.bicep")["outputs"]) | set(compiled("app.bicep")["outputs"])
    assert {"ROLE_COMMANDS", "OUTGOING_ADDRESS", "APP_URL", "appName"} <= outputs
    assert all(name in DEPLOY for name in ("ROLE_COMMANDS", "OUTGOING_ADDRESS", "APP_URL", "<appName>"))
