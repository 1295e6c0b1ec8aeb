"""Settings: everything missing or wrong at once, and one table that code, docs and example go by."""

import json
import re
import socket
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pigment_export import wiring
from pigment_export.catalog.exports import SECRET_PATTERN
from pigment_export.environment import auth_level_of, deployment_of, is_in_azure
from pigment_export.errors import ConfigurationError
from pigment_export.settings import SETTINGS, Settings, load

ROOT = Path(__file__).parent.parent
KEY = "xyzzy-the-key"
NEEDED = {
    "KEY_VAULT_URL": "https://my-vault.vault.azure.net",
    "DATA_LAKE_URL": "https://mylake.dfs.core.windows.net",
    "DATA_LAKE_FILE_SYSTEM": "planning",
}
BY_NAME = {setting.name: setting for setting in SETTINGS}


def problems_of(environ: dict[str, str], *, lake: bool = True) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, lake=lake)
    return list(caught.value.problems)


def problem_of(name: str, text: str) -> str:
    """The one problem that a value of a setting makes."""
    (problem,) = problems_of({**NEEDED, name: text})
    assert problem.startswith(f"{name}: ")
    assert problem.endswith(f"Example: {BY_NAME[name].example}")
    return problem


def test_vault_and_lake_are_enough() -> None:
    assert asdict(load({**NEEDED, "WEBSITE_SITE_NAME": "func-pigment"})) == {
        "deployment": "func-pigment",
        "pigment_base_url": "https://pigment.app",
        "key_vault_url": "https://my-vault.vault.azure.net",
        "pigment_key_secret": "pigment-api-key",
        "pigment_api_key": None,
        "data_lake_url": "https://mylake.dfs.core.windows.net",
        "data_lake_file_system": "planning",
        "data_lake_root": "",
        "exports_file": "exports.toml",
        "export_schedule": "0 6 * * *",
        "export_queue": "pigment-exports",
        "export_path": "{name}/dt={date}/{name}.csv",
        "export_time_zone": load(NEEDED).export_time_zone,
        "allow_inline_exports": False,
        "run_hours": 6,
        "freshness_hours": 6,
        "retention_days": 90,
        "identity_client_id": None,
        "http_auth_level": "FUNCTION",
        "public_base_url": None,
    }
    assert load(NEEDED).export_time_zone.key == "UTC"


def test_everything_missing_and_wrong_is_told_at_once_with_an_example_of_each() -> None:
    problems = problems_of({"RUN_HOURS": "25", "EXPORT_PATH": "x.csv", "PUBLIC_BASE_URL": "http://x"})
    assert [problem.partition(":")[0] for problem in problems] == [
        "KEY_VAULT_URL",
        "DATA_LAKE_URL",
        "DATA_LAKE_FILE_SYSTEM",
        "EXPORT_PATH",
        "RUN_HOURS",
        "PUBLIC_BASE_URL",
    ]
    assert all("Example: " in problem for problem in problems)


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_an_empty_value_counts_as_none(blank: str) -> None:
    environ = dict.fromkeys(BY_NAME, blank) | NEEDED
    assert load(environ) == load(NEEDED)
    assert "DATA_LAKE_URL: missing" in problems_of({**NEEDED, "DATA_LAKE_URL": blank})[0]


def test_blanks_around_a_value_are_dropped() -> None:
    padded = {name: f" {text}\n" for name, text in NEEDED.items()}
    assert load({**padded, "RUN_HOURS": " 7 "}).run_hours == 7
    assert load(padded) == load(NEEDED)


def test_a_key_is_enough_for_who_needs_no_lake() -> None:
    read = load({"PIGMENT_API_KEY": KEY}, lake=False)
    assert (read.pigment_api_key, read.key_vault_url, read.data_lake_url) == (KEY, None, "")
    assert problems_of({}, lake=False)[0].startswith("KEY_VAULT_URL: missing (or, on a laptop, PIGMENT_API_KEY)")


def test_who_needs_no_lake_is_told_what_is_wrong_all_the_same() -> None:
    assert [problem.partition(":")[0] for problem in problems_of({"DATA_LAKE_URL": "x"}, lake=False)] == [
        "KEY_VAULT_URL",
        "DATA_LAKE_URL",
    ]


@pytest.mark.parametrize("sign", ["WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID"])
def test_the_key_itself_has_no_place_in_azure(sign: str) -> None:
    without_vault = {name: text for name, text in NEEDED.items() if name != "KEY_VAULT_URL"}
    for environ in (NEEDED, without_vault):
        (problem,) = problems_of({**environ, "PIGMENT_API_KEY": KEY, sign: "x"})
        assert "not allowed in Azure" in problem
        assert KEY not in problem
    assert is_in_azure({sign: "x"})
    assert not is_in_azure({sign: " "})


def test_a_vault_wins_over_a_key_that_was_set_for_a_try() -> None:
    settings = load({**NEEDED, "PIGMENT_API_KEY": KEY})
    asked: list[str] = []

    def credential() -> NoReturn:
        asked.append("the vault's")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        wiring.keys_of(settings, credential)
    assert asked == ["the vault's"]
    without = load({"PIGMENT_API_KEY": KEY}, lake=False)
    assert wiring.keys_of(without, credential).read(None).reveal() == KEY


def test_the_key_is_in_no_repr_and_no_message() -> None:
    assert KEY not in repr(load({"PIGMENT_API_KEY": KEY}, lake=False))
    for environ in ({"PIGMENT_API_KEY": f"{KEY} {KEY}"}, {"PIGMENT_API_KEY": f"{KEY}ü"}):
        problems = problems_of(environ, lake=False)
        assert problems == ["PIGMENT_API_KEY: allowed: printable ASCII without spaces. Example: (the key)"]


@pytest.mark.parametrize(
    ("name", "pasted"),
    [
        ("PIGMENT_KEY_SECRET", f"{KEY}_"),
        ("PIGMENT_BASE_URL", f"https://me:{KEY}@pigment.app"),
        ("KEY_VAULT_URL", f"https://my-vault.vault.azure.net/secrets/{KEY}"),
        ("DATA_LAKE_URL", f"https://mylake.dfs.core.windows.net/?sig={KEY}"),
        ("PUBLIC_BASE_URL", f"https://exports.example.com?code={KEY}"),
    ],
)
def test_a_secret_that_was_pasted_in_the_wrong_place_is_not_repeated(name: str, pasted: str) -> None:
    assert KEY not in problem_of(name, pasted)


URLS = [name for name in BY_NAME if name.endswith("_URL")]


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "text",
    [
        "http://a.dfs.b",
        "a.dfs.b",
        "https://",
        "https://localhost",
        "https://a.dfs.b/path",
        "https://a.dfs.b?x=1",
        "https://a.dfs.b#x",
        "https://me@a.dfs.b",
        "https://a.dfs.b:port",
        "https://[",
        "https://a .dfs.b",
        "https://a.dfs.b\nx",
        "ftp://a.dfs.b",
    ],
)
def test_an_address_is_https_with_nothing_behind_the_host(name: str, text: str) -> None:
    assert "an https:// address with nothing after the host" in problem_of(name, text)


@pytest.mark.parametrize("name", URLS)
def test_an_address_loses_its_last_slash_and_capitals_and_keeps_its_port(name: str) -> None:
    assert getattr(load({**NEEDED, name: "HTTPS://A.dfs.B:8443/"}), name.lower()) == "https://a.dfs.b:8443"


def test_the_blob_address_of_an_account_is_not_its_data_lake_address() -> None:
    assert "not .blob." in problem_of("DATA_LAKE_URL", "https://mylake.blob.core.windows.net")


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("DATA_LAKE_FILE_SYSTEM", ["abc", "a-b-c", "0" * 63]),
        ("EXPORT_QUEUE", ["abc", "a-b-c", "0" * 56]),
        ("DATA_LAKE_ROOT", ["raw", "raw/pigment"]),
        ("PIGMENT_KEY_SECRET", ["a", "A-1", "a" * 127]),
        ("EXPORTS_FILE", ["exports.toml", "config/mine.toml", "lake:exports.toml", "lake:_config/exports.toml"]),
        ("EXPORT_SCHEDULE", ["*/5 * * * *", "0 6 1-15/2 JAN,Feb MON-fri", "0 23 31 12 6", "0 6,18 * * 1-5", "none"]),
        ("EXPORT_PATH", ["{name}/{date}.csv", "a/{name}/{run_id}/x.csv"]),
        ("EXPORT_TIME_ZONE", ["UTC", "Europe/Paris", "America/Argentina/Ushuaia"]),
        ("IDENTITY_CLIENT_ID", ["11111111-2222-4333-8444-555555555555", "ABCDEFAB-2222-4333-8444-555555555555"]),
    ],
)
def test_good_values_are_kept(name: str, good: list[str]) -> None:
    for text in good:
        assert str(getattr(load({**NEEDED, name: text}), name.lower())) == text


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("DATA_LAKE_FILE_SYSTEM", ["ab", "a" * 64, "A-b", "a--b", "-ab", "ab-", "a_b", "abc\ndef"]),
        ("EXPORT_QUEUE", ["ab", "a" * 57, "Pigment", "a--b", "-ab", "ab-", "a_b"]),
        ("DATA_LAKE_ROOT", ["/raw", "raw/", "../x", "_runs"]),
        ("PIGMENT_KEY_SECRET", ["a_b", "a" * 128, "ä"]),
        ("EXPORTS_FILE", ["lake:", "lake:/a", "lake:a/", "lake:a//b", "lake:../a", "lake:a/./b"]),
        (
            "EXPORT_SCHEDULE",
            ["0 0 6 * * *", "60 6 * * *", "0 24 * * *", "06:00:00", "0 6 ? * *", "@daily"],
        ),
        ("EXPORT_PATH", ["{name}.csv", "{name}/{date}.txt", "/{name}/{date}.csv", "{name}/{day}.csv"]),
        ("EXPORT_TIME_ZONE", ["CEST+2", "Europe", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\x00b", "ü"]),
        ("ALLOW_INLINE_EXPORTS", ["yes", "1", "on", "fal\u017fe"]),
        ("RUN_HOURS", ["0", "25", "6.5", "-1", "six", "٦", "9" * 5000, "1e1"]),
        ("FRESHNESS_HOURS", ["0", "9000", "x"]),
        ("RETENTION_DAYS", ["7", "4000", "x"]),
        ("IDENTITY_CLIENT_ID", ["me", "111111112222433384445555555555551"]),
        ("HTTP_AUTH_LEVEL", ["none", "anonymous!", "adm\u0130n"]),
    ],
)
def test_bad_values_are_told_with_what_is_allowed(name: str, bad: list[str]) -> None:
    for text in bad:
        problem = problem_of(name, text)
        assert (repr(text) in problem) == BY_NAME[name].shown


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("True", True), ("FALSE", False), ("", False)])
def test_true_and_false_may_be_written_in_any_case(text: str, *, expected: bool) -> None:
    assert load({**NEEDED, "ALLOW_INLINE_EXPORTS": text}).allow_inline_exports is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "FUNCTION"),
        ("anonymous", "ANONYMOUS"),
        (" ADMIN ", "ADMIN"),
        ("FUNCTION", "FUNCTION"),
        ("oops", "FUNCTION"),
    ],
)
def test_the_auth_level_is_read_alone_and_a_wrong_one_asks_for_a_key(text: str, expected: str) -> None:
    assert auth_level_of({"HTTP_AUTH_LEVEL": text}) == expected
    assert auth_level_of({}) == "FUNCTION"


def test_a_deployment_is_named_by_its_site_or_by_who_and_where() -> None:
    assert deployment_of({"WEBSITE_SITE_NAME": "func-pigment", "USER": "ann"}) == "func-pigment"
    assert deployment_of({"USER": "ann"}) == f"local/ann@{socket.gethostname()}"
    assert deployment_of({"USERNAME": "bob"}) == f"local/bob@{socket.gethostname()}"
    assert deployment_of({}) == f"local/user@{socket.gethostname()}"


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        load(NEEDED).run_hours = 7  # type: ignore[misc]


def test_the_facts_of_the_environment_need_no_pydantic_and_no_azure() -> None:
    program = (
        "import sys, pigment_export.environment\n"
        "assert not {'pydantic', 'azure', 'requests'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@settings(max_examples=300, deadline=None)
@given(
    environ=st.dictionaries(
        st.sampled_from([*BY_NAME, "WEBSITE_SITE_NAME"]),
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
            st.text("0123456789*/,- aJ", max_size=20),
            st.sampled_from([setting.example for setting in SETTINGS]),
        ),
    ),
    lake=st.booleans(),
)
def test_any_environment_is_settings_or_problems_that_each_name_one(environ: dict[str, str], *, lake: bool) -> None:
    """What was read, written as text again, is read the same."""
    problems: tuple[str, ...] = ()
    try:
        read = load(environ, lake=lake)
        text = {name: as_text(getattr(read, name.lower())) for name in BY_NAME}
        assert load({**environ, **text}, lake=lake) == read
    except ConfigurationError as error:
        problems = error.problems
    assert all(re.split("[: ]", problem)[0] in BY_NAME for problem in problems)


def as_text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


def test_every_example_would_do() -> None:
    for setting in SETTINGS:
        assert setting.read(setting.example if setting.name != "PIGMENT_API_KEY" else KEY) is not None
        assert setting.default is None or setting.read(setting.default) is not None


def test_the_pattern_of_a_secret_is_that_of_the_catalog() -> None:
    """Settings serve the folders that import the catalog, and so do not import it themselves."""
    patterns = Path(ROOT / "pigment_export" / "settings.py").read_text()
    assert SECRET_PATTERN.strip("^$") in patterns


def test_each_setting_is_a_field() -> None:
    assert {setting.name.lower() for setting in SETTINGS} | {"deployment"} == {field.name for field in fields(Settings)}


def example() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / "local.settings.json.example").read_text())["Values"]
    return values


def test_the_example_names_every_setting_and_works_as_it_is() -> None:
    assert set(example()) == set(BY_NAME) | {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}
    read = load(example())
    assert read.key_vault_url
    for setting in SETTINGS:
        assert setting.default is None or example()[setting.name] == setting.default, setting.name
        assert not (setting.laptop_only and example()[setting.name]), setting.name


def test_the_docs_have_every_setting_as_the_table_has_it() -> None:
    rows = re.findall(r"^\| `[A-Z_]+` .*$", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert rows == [
        f"| `{setting.name}` | {setting.what}{' Laptop only.' if setting.laptop_only else ''} "
        f"| {f'`{setting.default}`' if setting.default else ''} | `{setting.example}` |"
        for setting in SETTINGS
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("DATALAKE_URL", "DATA_LAKE_URL"),
        ("DATA_LAKE_FILESYSTEM", "DATA_LAKE_FILE_SYSTEM"),
        ("data_lake_url", "DATA_LAKE_URL"),
        ("EXPORT_TIMEZONE", "EXPORT_TIME_ZONE"),
        ("EXPORT_FILE", "EXPORTS_FILE"),
        ("KEYVAULT_URL", "KEY_VAULT_URL"),
        ("RETENTION_DAY", "RETENTION_DAYS"),
        ("PIGMENT_API__KEY", "PIGMENT_API_KEY"),
    ],
)
def test_a_misspelt_setting_is_named(written: str, meant: str) -> None:
    """Its default would hold in its place, and nothing would tell."""
    problems = problems_of({**NEEDED, written: KEY})
    assert problems == [f"{written}: no setting has this name; did you mean {meant}?"]
    assert load({**NEEDED, written: " "}) == load(NEEDED)


def test_what_the_platform_sets_is_taken_for_no_setting() -> None:
    platform = [
        *("AzureWebJobsStorage__accountName", "APPLICATIONINSIGHTS_CONNECTION_STRING", "WEBSITE_HOSTNAME"),
        *("FUNCTIONS_WORKER_RUNTIME", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_ID", "MSI_ENDPOINT"),
        *(f"APPSETTING_{name}" for name in BY_NAME),
    ]
    assert load(dict.fromkeys(platform, "x") | NEEDED).data_lake_url == NEEDED["DATA_LAKE_URL"]
