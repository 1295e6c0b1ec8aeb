"""The workflows for GitHub Actions and Azure DevOps, as far as they can be checked without either."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.infra_templates import CHECK, INFRA, ROOT

GITHUB = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
AZURE = ROOT / "azure-pipelines.yml"
FILES = [*GITHUB, AZURE]
SCHEMAS = dict.fromkeys(GITHUB, "vendor.github-workflows") | {AZURE: "vendor.azure-pipelines"}
CI, DEPLOY = ROOT / ".github" / "workflows" / "ci.yml", ROOT / ".github" / "workflows" / "deploy.yml"


def steps(file: Path) -> list[dict[str, Any]]:
    """The steps of a GitHub workflow's one job."""
    [job] = yaml.safe_load(file.read_text())["jobs"].values()
    return list(job["steps"])


def script(file: Path, part: str) -> str:
    """The one script of a workflow in which this stands."""
    if file == AZURE:
        [job] = yaml.safe_load(file.read_text())["jobs"]
        tasks = job["strategy"]["runOnce"]["deploy"]["steps"]
        scripts = [task.get("inputs", {}).get("inlineScript", "") for task in tasks]
    else:
        scripts = [step.get("run", "") for step in steps(file)]
    [found] = [one for one in scripts if part in one]
    return str(found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_is_what_its_service_takes(file: Path) -> None:
    """By the schemas that both services publish, which come with check-jsonschema."""
    command = [str(ROOT / ".venv" / "bin" / "check-jsonschema"), "--builtin-schema", SCHEMAS[file], str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_workflow_has_a_secret(file: Path) -> None:
    text = file.read_text()
    assert "secrets." not in text
    assert not re.search(r"client.secret|password|api.key", text, re.IGNORECASE)


def test_github_signs_in_by_its_own_token() -> None:
    permissions = yaml.safe_load(DEPLOY.read_text())["permissions"]
    assert permissions == {"contents": "read", "id-token": "write"}
    assert "--federated-credential-provider github" in script(DEPLOY, "azd auth login")
    assert yaml.safe_load(CI.read_text())["permissions"] == {"contents": "read"}


def test_ci_runs_what_a_laptop_runs_and_the_checks_years_from_now() -> None:
    runs = [step["run"] for step in steps(CI) if "run" in step]
    assert {"make check", "make test"} <= set(runs)
    assert any("faketime" in run and "make check" in run for run in runs)


def test_ci_takes_the_compiler_that_made_the_snapshots(tmp_path: Path) -> None:
    az = tmp_path / "az"
    az.write_text('#!/bin/sh\necho "$@"\n')
    az.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/home/x", "GITHUB_ENV": str(tmp_path / "env")}
    command = ["bash", "-e", "-c", script(CI, "az bicep install")]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout == f"bicep install --version v{CHECK.COMPILER_VERSION}\n"
    assert (tmp_path / "env").read_text() == "BICEP=/home/x/.azure/bin/bicep\n"


def azd_calls(text: str, variables: dict[str, str], folder: Path) -> list[str]:
    """What a script asks of azd."""
    azd, log = folder / "azd", folder / "calls"
    azd.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >> {log}; echo >> {log}\n')
    azd.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", **variables}
    subprocess.run(["bash", "-e", "-c", text], env=environment, capture_output=True, text=True, check=True)
    return log.read_text().splitlines()


def test_github_hands_every_variable_of_the_environment_to_azd(tmp_path: Path) -> None:
    given = {"VAULT_NAME": "kv", "ALERT_EMAILS": "a@example.com, b@example.com", "LAKE_ROOT": "a b"}
    variables = {"AZURE_ENV_NAME": "test", "AZURE_SUBSCRIPTION_ID": "s", "AZURE_LOCATION": "l"}
    script_text = script(DEPLOY, "azd env new")
    calls = azd_calls(script_text, variables | {"VARIABLES": json.dumps(given)}, tmp_path)
    assert calls[0].startswith("env|new|test|--no-prompt|")
    assert calls[1:] == [f"env|set|{name}|{value}|" for name, value in given.items()]


def test_azure_devops_provisions_and_deploys_by_the_service_connection(tmp_path: Path) -> None:
    text = script(AZURE, "azd provision").replace("${{ parameters.environment }}", "test")
    variables = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_LOCATION": "l", "AZURE_RESOURCE_GROUP": "rg"}
    calls = azd_calls(text, variables, tmp_path)
    assert calls[0] == "config|set|auth.useAzCliAuth|true|"
    assert calls[-2:] == ["provision|--no-prompt|", "deploy|--no-prompt|"]


def test_the_python_version_is_the_projects() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    for file in GITHUB:
        assert all(
            step["with"]["python-version-file"] == ".python-version"
            for step in steps(file)
            if "setup-python" in step.get("uses", "")
        )
    assert f'versionSpec: "{version}"' in AZURE.read_text()


def test_the_page_names_every_workflow_and_no_other() -> None:
    page = (ROOT / "docs" / "ci-cd.md").read_text()
    assert set(re.findall(r"^\| `([\w./-]+\.yml)` \|", page, re.MULTILINE)) == {
        file.relative_to(ROOT).as_posix() for file in FILES
    }
    variables = set(re.findall(r"\$\{(\w+)", (INFRA / "main.parameters.json").read_text()))
    azds = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_LOCATION", "AZURE_RESOURCE_GROUP"}
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)`", page)) <= variables | azds
