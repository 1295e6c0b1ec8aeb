"""The templates as source: what none may contain, whatever its parameters."""

import json
import re

import pytest

from tests.harness.infra_templates import CHECK, INFRA, ROOT, compiled

ENTRIES = list(CHECK.ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_template_reads_a_key(entry: str) -> None:
    text = json.dumps(compiled(entry))
    if entry == "callers/chat.bicep":  # an action group calls a Logic App by this address; it stands in no output
        text = re.sub(r"'?callbackUrl'?\W+\[listCallbackUrl\(", "", text)
    assert not re.search(r"\blist[A-Z]\w*\(", text), "listKeys and its kind"
    assert not re.search(r"AccountKey=|SharedAccess|sharedKey'", text)
    assert "securestring" not in text.lower()


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_output_tells_a_secret(entry: str) -> None:
    for name, output in compiled(entry).get("outputs", {}).items():
        assert not re.search(r"secret|password|token|connection|key(?!_?vault)", name, re.IGNORECASE), name
        assert not re.search(r"ConnectionString|InstrumentationKey|secrets?'", json.dumps(output)), name


def test_every_module_is_used_and_every_one_is_here() -> None:
    """No registry: compiling needs no network, and a checker sees everything."""
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
