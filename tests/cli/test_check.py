"""`check`: a line for each thing that an export needs, and what to do where it is not as it must be."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from emulators.everything import Everything
from emulators.pigment.model import MINE_VIEW, PNL, REVENUE
from emulators.pigment.service import DEMO_KEY, EXPIRED_KEY, EXPORT_ONLY_KEY

type Run = Callable[..., CompletedProcess[str]]

NO_AZURE = {"KEY_VAULT_URL": "", "DATA_LAKE_URL": "", "DATA_LAKE_FILE_SYSTEM": "", "IDENTITY_ENDPOINT": ""}


def checks(done: CompletedProcess[str]) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(done.stdout)}


def test_everything_that_is_well_is_told_in_a_line_each(command: Run, everything: Everything) -> None:
    everything.vault.set("pigment-api-key", DEMO_KEY, expires_at=datetime(2099, 12, 31, tzinfo=UTC))
    done = command("check")
    assert done.returncode == 0, done.stdout
    assert all(line.startswith("ok     ") for line in done.stdout.splitlines())
    assert "ok     revenue: metric Revenue, in Finance" in done.stdout
    assert "2099-12-31" in done.stdout
    assert not [path for path in everything.lake.tree() if "_health" in path], "nothing is left in the lake"


def test_a_key_alone_is_checked_without_azure(command: Run, everything: Everything) -> None:
    done = command("check", PIGMENT_API_KEY=DEMO_KEY, **NO_AZURE)
    assert done.returncode == 0, done.stdout
    assert "accepts it for exports and metadata" in done.stdout
    assert everything.lake.calls == []
    assert everything.identity.asked == []


def test_a_key_that_is_not_accepted_or_may_only_export_is_told(command: Run) -> None:
    expired = command("check", "--json", PIGMENT_API_KEY=EXPIRED_KEY, **NO_AZURE)
    assert expired.returncode == 1
    assert not checks(expired)["use the Pigment key"]["ok"]
    export_only = command("check", "--json", PIGMENT_API_KEY=EXPORT_ONLY_KEY, **NO_AZURE)
    assert export_only.returncode == 0
    assert "is not allowed to read metadata" in checks(export_only)["use the Pigment key"]["detail"]
    assert "Modeling metadata" in checks(export_only)["ids of the exports"]["detail"]


def test_an_id_that_is_gone_or_of_another_kind_is_told_with_what_to_do(
    command: Run, everything: Everything, tmp_path: Path
) -> None:
    catalog = tmp_path / "exports.toml"
    catalog.write_text(
        f'[gone]\nkind = "metric"\nid = "{REVENUE}"\n'
        f'[other]\nkind = "metric"\nid = "{PNL}"\n'
        f'[mine]\nkind = "view"\nid = "{MINE_VIEW}"\n'
        f'[theirs]\nkind = "metric"\nid = "{REVENUE}"\nsecret = "their-key"\n'
    )
    everything.vault.set("their-key", DEMO_KEY)
    del everything.pigment.model.blocks[REVENUE]
    done = command("check", "--json", EXPORTS_FILE=str(catalog))
    told = checks(done)
    assert done.returncode == 1
    assert not told["gone"]["ok"]
    assert "access rights" in told["gone"]["remedy"]
    assert not told["other"]["ok"]
    assert "table P&L" in told["other"]["detail"]
    assert told["mine"]["ok"]
    assert "personal" in told["mine"]["detail"]
    assert told["theirs"]["ok"]
    assert "their-key" in told["theirs"]["detail"]


def test_what_makes_all_others_fail_is_told_once_and_first(command: Run, everything: Everything) -> None:
    nobody = command(
        "check", "--json", AZURE_TOKEN_CREDENTIALS="AzureCliCredential", IDENTITY_ENDPOINT="", PATH="/none"
    )
    assert nobody.returncode == 1
    assert [check["ok"] for check in json.loads(nobody.stdout)] == [True, False]
    assert "az login" in nobody.stdout
    proxy = command("check", "--json", HTTPS_PROXY="socks5://127.0.0.1:9")
    assert proxy.returncode == 1
    assert "HTTPS_PROXY" in proxy.stdout
    assert everything.pigment.requests == []


def test_a_key_that_expires_soon_is_no_failure_yet(command: Run, everything: Everything) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    everything.vault.set("pigment-api-key", DEMO_KEY, expires_at=soon)
    assert f"{soon:%Y-%m-%d}" in command("check").stdout


def test_a_lake_that_takes_nothing_is_told(command: Run) -> None:
    done = command("check", "--json", DATA_LAKE_FILE_SYSTEM="elsewhere")
    assert done.returncode == 1
    assert "DATA_LAKE_FILE_SYSTEM" in checks(done)["write to the lake"]["remedy"]
