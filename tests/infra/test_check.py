"""The check of the templates itself: that each thing it looks for fails it."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.infra_templates import CHECK, INFRA, ROOT, compiler


def test_the_named_compiler_comes_first_then_the_path_then_the_azure_clis(tmp_path: Path) -> None:
    by_azure_cli, on_path, named = (
        tmp_path / ".azure" / "bin" / "bicep",
        tmp_path / "path" / "bicep",
        tmp_path / "named",
    )
    environ = {"HOME": str(tmp_path), "PATH": str(on_path.parent)}
    found = []
    for file in (by_azure_cli, on_path, named):
        found.append(CHECK.find_bicep(environ))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    assert [*found, CHECK.find_bicep(environ)] == [None, str(by_azure_cli), str(on_path), str(on_path)]
    assert CHECK.find_bicep({**environ, "BICEP": str(named)}) == str(named)
    assert CHECK.find_bicep({**environ, "BICEP": str(tmp_path / "nowhere")}) is None


def test_without_a_compiler_it_says_how_to_get_one_and_fails_where_one_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In CI, and where one was named: who names one wants the templates checked."""
    nothing = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    assert CHECK.main([], nothing) == 0
    assert "NOT checked" in capsys.readouterr().out
    for needed in ({"CI": "true"}, {"BICEP": str(tmp_path / "nowhere")}):
        assert CHECK.main([], {**nothing, **needed}) == 1
        assert "az bicep install" in capsys.readouterr().out


def test_make_check_checks_the_templates() -> None:
    """And CI runs `make check`."""
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    assert "$(BIN)/python scripts/check_infra.py\n" in recipe[1]
    assert "make check" in (ROOT / ".ci" / "run").read_text()


def fake_compiler(folder: Path, *, out: str = "", err: str = "", code: int = 0) -> str:
    """A compiler that says just this."""
    file = folder / "bicep"
    file.write_text(f"#!/bin/sh\nprintf '%s' '{out}'\nprintf '%s' '{err}' >&2\nexit {code}\n")
    file.chmod(0o755)
    return str(file)


def test_a_warning_is_a_problem_though_the_compiler_ends_well(tmp_path: Path) -> None:
    warning = "main.bicep(1,1) : Warning no-unused-vars"
    [problem] = CHECK.compiler_problems([fake_compiler(tmp_path, err=warning), "build"], INFRA / "main.bicep")
    assert warning in problem
    [problem] = CHECK.compiler_problems([fake_compiler(tmp_path, out="diff", code=1), "snapshot"], INFRA / "main.bicep")
    assert "diff" in problem
    assert CHECK.compiler_problems([fake_compiler(tmp_path), "build"], INFRA / "main.bicep") == []


@pytest.mark.parametrize(
    ("date", "entries"),
    [
        ("2030-01-01", CHECK.ENTRIES[:1]),
        pytest.param("2028-01-01", CHECK.ENTRIES, marks=pytest.mark.long),
        pytest.param("2030-01-01", CHECK.ENTRIES, marks=pytest.mark.long),
    ],
)
def test_the_templates_compile_in_years_to_come_and_newer_api_versions_are_only_reported(
    date: str, entries: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed (Debian: apt-get install faketime)")
    bicep = tmp_path / "bicep"
    bicep.write_text(f"#!/bin/sh\nexec faketime '{date}' '{compiler()}' \"$@\"\n")
    bicep.chmod(0o755)
    monkeypatch.setattr(CHECK, "ENTRIES", entries)
    for entry in entries:
        assert CHECK.build(str(bicep), INFRA / entry, tmp_path) == []
    assert any("Microsoft.Storage/storageAccounts" in line for line in CHECK.recency_report(str(bicep)))


def test_another_compiler_than_the_snapshots_is_a_problem(tmp_path: Path) -> None:
    [problem] = CHECK.check(fake_compiler(tmp_path, out="Bicep CLI version 0.30.1"), write=False)
    assert "0.30.1" in problem
    assert CHECK.COMPILER_VERSION in problem


def test_a_template_that_deploys_something_else_differs_from_its_snapshot(tmp_path: Path) -> None:
    bicep = compiler()
    template, scenario = tmp_path / "app.bicep", tmp_path / "scenario.bicepparam"
    source = "param name string\nresource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {\n  name: name\n"
    template.write_text(source + "  location: 'global'\n}\n")
    scenario.write_text("using 'app.bicep'\nparam name = 'example.com'\n")
    places = ["--tenant-id", CHECK.TENANT, "--subscription-id", CHECK.SUBSCRIPTION, "--resource-group", CHECK.GROUP]

    def compare(mode: str) -> list[str]:
        return CHECK.compiler_problems(
            [bicep, "snapshot", str(scenario), "--mode", mode, "--location", "x", *places], INFRA / "main.bicep"
        )

    assert compare("overwrite") == []
    assert compare("validate") == []
    CHECK.put_in_order(tmp_path / "scenario.snapshot.json")
    assert compare("validate") == []
    template.write_text(source + "  location: 'global'\n  tags: { new: 'tag' }\n}\n")
    [problem] = compare("validate")
    assert "new" in problem


REPORT: dict[str, Any] = {
    "summary": {"parsing_errors": 0, "resource_count": 2},
    "results": {
        "passed_checks": [{"check_id": "A", "file_path": "/one.json", "resource": "Microsoft.Web/sites.app"}],
        "failed_checks": [
            {"check_id": "B", "check_name": "be good", "file_path": "/one.json", "resource": "Microsoft.Web/sites.app"}
        ],
    },
}
SKIPPED = {"B": {"types": ["Microsoft.Web/sites"], "reason": "it is"}}


def test_a_failed_policy_that_a_skip_argues_away_is_no_problem() -> None:
    assert CHECK.policy_problems(REPORT, {"one": 2}, SKIPPED) == []


@pytest.mark.parametrize(
    ("skips", "said"),
    [
        ({}, "B (be good) fails"),
        ({"B": {**SKIPPED["B"], "types": ["Microsoft.Web/serverfarms"]}}, "B (be good) fails"),
        ({"B": {**SKIPPED["B"], "scenarios": ["another"]}}, "B (be good) fails"),
        ({**SKIPPED, "C": SKIPPED["B"]}, "C is not needed any more"),
    ],
    ids=["no skip", "of another type", "of another scenario", "one too many"],
)
def test_a_skip_holds_for_what_it_names_and_for_as_long_as_it_is_needed(skips: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in CHECK.policy_problems(REPORT, {"one": 2}, skips))


def test_what_checkov_did_not_read_is_a_problem() -> None:
    nothing = {"passed": 0, "failed": 0, "parsing_errors": 0, "resource_count": 0}  # what it prints of no resources
    assert CHECK.policy_problems(nothing, {"one": 2}, {})
    assert CHECK.policy_problems(REPORT, {"one": 2, "two": 5}, SKIPPED)
    half = {**REPORT, "summary": {"parsing_errors": 1, "resource_count": 2}}
    assert CHECK.policy_problems(half, {"one": 2}, SKIPPED)


def test_every_skip_has_its_reason() -> None:
    text = (INFRA / "checkov-skips.toml").read_text()
    skips = CHECK.tomllib.loads(text)
    assert skips
    for name, skip in skips.items():
        assert re.fullmatch(r"CKV2?_AZURE_\d+", name)
        assert len(skip["reason"]) > 10
        assert set(skip) <= {"types", "scenarios", "reason"}


def test_a_scenario_is_given_to_checkov_as_a_flat_template(tmp_path: Path) -> None:
    snapshot = INFRA / "scenarios" / "private-new.snapshot.json"
    counts = CHECK.as_templates([snapshot], tmp_path / "templates")
    template = json.loads((tmp_path / "templates" / "private-new.json").read_text())
    assert counts == {"private-new": len({(found["type"], found["name"]) for found in template["resources"]})}
    assert not any(found["type"] == "Microsoft.Resources/deployments" for found in template["resources"])


def test_a_snapshots_outputs_stand_in_an_order_that_does_not_change(tmp_path: Path) -> None:
    file = tmp_path / "one.snapshot.json"
    file.write_text(json.dumps({"outputs": {"b": "clé", "a": 1}, "predictedResources": [{"z": 1, "y": 2}]}))
    CHECK.put_in_order(file)
    assert re.findall(r'"(\w)"', file.read_text()) == ["a", "b", "z", "y"]
    assert "clé" in file.read_text()
    for kept in (INFRA / "scenarios").glob("*.snapshot.json"):
        assert list(outputs := json.loads(kept.read_text())["outputs"]) == sorted(outputs)


def test_checkovs_pins_are_its_own() -> None:
    """It would hold back the app's."""
    pins = (ROOT / "requirements-infra.txt").read_text()
    assert re.search(r"^checkov==", pins, re.MULTILINE)
    assert "checkov" not in (ROOT / "requirements-dev.txt").read_text()
    assert pins.count("--hash=sha256:") >= len(re.findall(r"^[\w.-]+==", pins, re.MULTILINE))
