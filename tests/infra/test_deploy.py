"""azure.yaml, the parameters that azd fills in, and what docs/deploy.md says of them."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pigment_export.settings import SETTINGS
from tests.harness.infra_templates import CHECK, INFRA, ROOT, SCENARIOS, compiled, every_resource, predicted, site

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
    environment = {"PATH": os.environ["PATH"]} | ({"ALLOW_AZD_DOWN": allowed} if allowed else {})
    hook = AZD["hooks"]["predown"]["posix"]["run"]
    done = subprocess.run(["sh", "-c", hook], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (allowed == "true")
    assert allowed or "docs/deploy.md" in done.stderr
    assert "ALLOW_AZD_DOWN" in AZD["hooks"]["predown"]["windows"]["run"]
    assert "ALLOW_AZD_DOWN" in DEPLOY


def test_azd_gives_every_parameter_but_the_region_which_is_its_groups() -> None:
    assert set(GIVEN) | {"location"} == set(compiled("main.bicep")["parameters"])


def test_azd_gives_every_member_but_those_that_are_edited_in_the_file() -> None:
    template = compiled("main.bicep")
    edited = {"lake": {"recordDays"}, "alerts": {"routes"}}  # no strings, as variables are
    for name in ("vault", "lake", "exports", "callers", "operator", "alerts"):
        reference = template["parameters"][name]["$ref"].rpartition("/")[2]
        members = set(template["definitions"][reference]["properties"]) - edited.get(name, set())
        assert set(GIVEN[name]["value"]) == members, name


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
    environment = {"AZURE_ENV_NAME": "demo"}
    given = {name: substituted(parameter["value"], environment) for name, parameter in GIVEN.items()}
    given = {name: {"true": True, "false": False}.get(str(value), value) for name, value in given.items()}
    by_azd = predicted("main.bicep", given, tmp_path)
    by_default = predicted("main.bicep", {"environmentName": "demo"}, tmp_path)
    assert by_azd == by_default


def test_azd_finds_the_group_by_its_own_variable_and_no_output_overwrites_what_was_set() -> None:
    """A template of one group: azd asks for the group, or takes AZURE_RESOURCE_GROUP."""
    assert compiled("main.bicep")["$schema"].endswith("/deploymentTemplate.json#")
    variables = set(re.findall(r"\$\{(\w+)", json.dumps(GIVEN)))
    assert not set(compiled("main.bicep")["outputs"]) & variables
    assert "AZURE_RESOURCE_GROUP" in DEPLOY


def test_after_provisioning_azd_shows_the_owners_commands_and_the_warnings(tmp_path: Path) -> None:
    hook = AZD["hooks"]["postprovision"]["posix"]["run"]
    assert "scripts/after_provision.py" in hook
    assert "scripts/after_provision.py" in AZD["hooks"]["postprovision"]["windows"]["run"]
    environment = {"roleCommands": json.dumps(["az one", "az two"]), "warnings": json.dumps(["No alert"])}
    script = [sys.executable, str(ROOT / "scripts" / "after_provision.py")]
    done = subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-3:-1] == ["  az one", "  az two"]
    assert done.stdout.splitlines()[-1] == "Warning: No alert"
    nothing = {"roleCommands": "[]", "warnings": "[]"}
    done = subprocess.run(script, env=nothing, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_every_variable_that_deploy_md_sets_is_read() -> None:
    told = set(re.findall(r"azd env set (\w+)", DEPLOY)) | {"ALLOW_AZD_DOWN"}
    read = set(re.findall(r"\$\{(\w+)", json.dumps(GIVEN))) | {"ALLOW_AZD_DOWN", "AZURE_RESOURCE_GROUP"}
    assert told <= read | {"NAME"}


def test_the_page_of_parameters_is_the_templates() -> None:
    table = CHECK.parameter_table(compiled("main.bicep"), GIVEN)
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert f"<!-- parameters -->\n{table}\n<!-- /parameters -->" in page


def test_deploy_md_names_every_scenario_and_every_file_that_it_names_is_there() -> None:
    for scenario in SCENARIOS:
        assert f"| `{scenario}` |" in DEPLOY
        told = DEPLOY.partition("## Scenarios")[2].partition("\n## ")[0]
        assert re.search(rf"^`[^\n]*{scenario}`", told, re.MULTILINE), f"{scenario} has no commands"
    for path in re.findall(r"(?:infra|docs|scripts)/[\w./-]+\.(?:bicep|json|py|md|yaml)\b", DEPLOY):
        assert (ROOT / path).exists(), path


def command(part: str) -> str:
    """The one command of docs/deploy.md in which this stands; without a comment behind it."""
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", DEPLOY, re.MULTILINE | re.DOTALL))
    [line] = [line for line in blocks.splitlines() if part in line]
    return re.sub(r"\s{2,}#.*", "", line)


def shell(line: str, *, cwd: Path = ROOT, given: str = "") -> str:
    """What a command prints."""
    done = subprocess.run(["bash", "-c", line], input=given, cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_key_comes_into_its_file_alone_and_without_a_line_break(tmp_path: Path) -> None:
    printed = shell(command("read -rs key"), cwd=tmp_path, given="pk-made-up\\1\n")
    file = tmp_path / "key.txt"
    assert printed == ""
    assert file.read_text() == "pk-made-up\\1"
    assert file.stat().st_mode & 0o077 == 0
    stored = command("--name pigment-api-key --file")
    assert "--file key.txt" in stored
    assert "--output none" in stored  # else it prints the secret
    [expiry] = re.findall(r'--expires "\$\((.+?)\)"', stored)  # an alert goes by it; a date in the text would pass
    assert shell(expiry) > datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_every_command_that_stores_a_secret_prints_none() -> None:
    pages = DEPLOY + (ROOT / "docs" / "alerts.md").read_text()
    for line in re.findall(r"^(?:az keyvault secret set|az resource create) .+$", pages, re.MULTILINE):
        assert "--output none" in line
        assert "--value" not in line


def test_a_key_for_azure_resource_manager_comes_into_its_file_alone(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text('pk-made-up"\\1')
    assert shell(command("> secret.json)"), cwd=tmp_path) == ""
    file = tmp_path / "secret.json"
    assert json.loads(file.read_text()) == {"value": 'pk-made-up"\\1'}
    assert file.stat().st_mode & 0o077 == 0


def test_a_copied_scenario_uses_the_template_beside_it() -> None:
    line = command("infra/scenarios/existing-data.bicepparam >")
    scenario = shell(line.partition(" > ")[0])
    [used] = re.findall(r"^using '(.+)'$", scenario, re.MULTILINE)
    assert used == "main.bicep"
    assert (INFRA / used).exists()


def test_what_is_removed_is_what_carries_the_tag() -> None:
    """`az resource list` refuses --tag together with --resource-group."""
    line = command("az resource delete")
    assert "--tag" not in line
    [(name, value)] = re.findall(r"tags\.\\\"([\w-]+)\\\"=='(\w+)'", line)
    assert site("all-new")["tags"][name] == value
    identity = command("az identity list")
    [prefix] = re.findall(r"starts_with\(name, '([\w-]+)'\)", identity)
    assert f"identity: '{prefix}'" in (INFRA / "main.bicep").read_text()


def test_every_provider_that_is_needed_is_named() -> None:
    always = {"Microsoft.Authorization", "Microsoft.Resources"}  # registered in every subscription
    used = {found["type"].partition("/")[0] for found in every_resource(compiled("main.bicep"))} - always
    prerequisites = DEPLOY.partition("## Prerequisites")[2].partition("##")[0]
    delegated = "Microsoft.App"  # of the app's subnet
    assert set(re.findall(r"`(Microsoft\.\w+)`", prerequisites)) == used | {delegated}


@pytest.mark.parametrize("caller", ["data-factory", "logic-app", "chat"])
def test_the_command_for_a_caller_gives_the_parameters_that_it_has(caller: str) -> None:
    parameters = compiled(f"callers/{caller}.bicep")["parameters"]
    pages = DEPLOY + (ROOT / "docs" / "alerts.md").read_text()
    [lines] = re.findall(rf"--template-file infra/callers/{caller}\.bicep \\\n(.+)", pages)
    given = set(re.findall(r"(\w+)=(?!=)", re.sub(r"https://\S+", "", lines)))
    required = {name for name, parameter in parameters.items() if "defaultValue" not in parameter}
    assert required <= given <= set(parameters)


def test_the_table_of_files_has_every_template() -> None:
    table = DEPLOY.partition("| file in `infra/` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w/-]+\.bicep)`", table))
    assert named == {file.relative_to(INFRA).as_posix() for file in INFRA.rglob("*.bicep")}


def test_the_rights_are_those_of_what_the_scenarios_make_elsewhere() -> None:
    page = (ROOT / "docs" / "rights.md").read_text()
    for switch in ("ASSIGN_ROLES", "ASSIGN_VAULT_ROLES", "ASSIGN_LAKE_ROLES", "LOCK_DATA", "VAULT_LOCATION"):
        assert switch in page
    assert "Microsoft.Resources/deployments/*" in page
    assert "docs/lake-role.json" in page


def test_deploy_md_uses_outputs_that_exist() -> None:
    outputs = set(compiled("main.bicep")["outputs"])
    told = set(re.findall(r"azd env get-value (\w+)", DEPLOY)) - {"AZURE_RESOURCE_GROUP"}
    assert told <= outputs
    assert {"roleCommands", "outgoingAddress", "appUrl", "appName", "warnings"} <= outputs


def test_the_costs_add_up() -> None:
    page = (ROOT / "docs" / "cost.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (\**[\d]+\**) \| (\**[\d]+\**) \| (\**[\d]+\**) \|", page, re.MULTILINE)
    so_far = [0, 0, 0]
    for name, *cells in rows:
        numbers = [int(cell.strip("*")) for cell in cells]
        if name.startswith("**"):
            assert numbers == so_far, name
        else:
            so_far = [one + other for one, other in zip(so_far, numbers, strict=True)]
    assert len(rows) == 10
    alerts = len(list((INFRA / "alerts").glob("*.kql")))
    assert re.search(rf"\b{alerts} rules . 0\.50", page)
