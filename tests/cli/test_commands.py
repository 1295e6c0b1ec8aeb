"""The command line, as a person or a script runs it, against all stand-ins."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.lake.account import Answer
from emulators.pigment.model import REVENUE
from emulators.pigment.service import DEMO_KEY, Fault

ROOT = Path(__file__).parents[2]
type Run = Callable[..., subprocess.CompletedProcess[str]]

VIEW = "44444444-4444-4444-8444-444444444444"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOON.date()


@pytest.fixture(autouse=True)
def noon(everything: Everything) -> None:
    """The lake's clock is the only one that decides on days: no test may meet midnight."""
    everything.lake.clock = lambda: NOON


def test_the_catalog_is_exported_into_the_lake_and_every_run_leaves_its_records(
    command: Run, everything: Everything
) -> None:
    done = command("run")
    assert done.returncode == 0, done.stderr
    tree = everything.lake.tree()
    for name in ("countries", "revenue", "pnl", "pnl_view"):
        assert f"{name}/dt={TODAY}/{name}.csv" in tree
        assert f"{name}/_latest.json" in tree
        assert name in done.stdout
    (run_folder,) = {path.rpartition("/")[0] for path in tree if path.endswith("_SUCCESS")}
    result = json.loads(everything.lake.read(f"{run_folder}/result.json"))
    assert result["state"] == "succeeded"
    assert [export["name"] for export in result["exports"]] == ["countries", "revenue", "pnl", "pnl_view"]
    assert not [path for path in tree if path.endswith(".partial")]
    assert everything.proxy is not None
    assert everything.proxy.refused == []
    assert {seen.protocol for seen in everything.pigment.requests} == {"HTTP/2"}


def test_json_tells_the_receipts_and_nothing_else_goes_to_stdout(command: Run) -> None:
    done = command("run", "revenue", "--json")
    document = json.loads(done.stdout)
    (receipt,) = document["exports"]
    assert (receipt["name"], receipt["state"], receipt["rows"]) == ("revenue", "succeeded", 1000)
    assert receipt["columns"] == ["Country", "Month", "Revenue"]
    assert (receipt["protocol"], receipt["evidence"]) == ("HTTP/2", "END_STREAM")


def test_a_second_run_of_the_day_replaces_the_file_and_a_past_date_does_not(
    command: Run, everything: Everything
) -> None:
    assert command("run", "revenue").returncode == 0
    first = everything.lake.metadata(f"revenue/dt={TODAY}/revenue.csv")
    everything.lake.clock = lambda: NOON + timedelta(seconds=5)
    assert command("run", "revenue").returncode == 0
    assert everything.lake.metadata(f"revenue/dt={TODAY}/revenue.csv") != first
    everything.lake.clock = lambda: NOON + timedelta(days=2)
    done = command("run", "revenue", "--date", str(TODAY))
    assert done.returncode == 1
    assert "is over" in done.stderr
    assert "run without a date" in done.stderr


def test_names_and_a_date_that_are_wrong_are_told_at_once(command: Run) -> None:
    done = command("run", "revenu", "--group", "daily", "--date", "2999-01-01T06:00:00Z")
    assert done.returncode == 2
    assert all(wrong in done.stderr for wrong in ("'revenu'", "'daily'", "2999-01-01 is in the future"))


def test_a_date_in_the_future_is_refused_and_touches_nothing(command: Run, everything: Everything) -> None:
    done = command("run", "--date", "2999-01-01")
    assert done.returncode == 2
    assert "is in the future" in done.stderr
    assert everything.lake.tree() == {}


def test_a_failed_export_fails_the_run_and_says_who_must_do_what(command: Run, everything: Everything) -> None:
    del everything.pigment.model.blocks[REVENUE]
    done = command("run", "countries", "revenue")
    assert done.returncode == 1
    assert "countries" in done.stdout
    assert "succeeded" in done.stdout
    assert "failed" in done.stdout
    assert "the owner of the export" in done.stderr
    assert "check the id and the kind" in done.stderr


def test_a_guard_holds_a_file_and_the_last_good_one_stays(command: Run, everything: Everything) -> None:
    assert command("run", "revenue").returncode == 0
    before = everything.lake.read(f"revenue/dt={TODAY}/revenue.csv")
    everything.pigment.model.blocks[REVENUE].rows = 400
    everything.lake.clock = lambda: NOON + timedelta(seconds=5)
    done = command("run", "revenue")
    assert done.returncode == 1
    assert "maximum_shrink" in done.stderr
    assert everything.lake.read(f"revenue/dt={TODAY}/revenue.csv") == before
    assert [path for path in everything.lake.tree() if path.startswith("revenue/_held/")]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("run", "revenu"), "did you mean 'revenue'?"),
        (("run", "revenue", "revenue"), "named twice"),
        (("run", "--group", "nobody"), "no group 'nobody'"),
        (("run", "--date", "yesterday"), "must be a date"),
        (("run", "--date", ""), "must be a date"),
        (("fetch", "view", "not-an-id", "--to", "."), "not-an-id"),
        (("fetch", "view", VIEW, "--to", ".", "--options", "{"), "not JSON"),
        (("fetch", "view", VIEW, "--to", ".", "--options", '{"encoding": "Utf8WithBom"}'), "encoding"),
        (("fetch", "cube", VIEW, "--to", "."), "cube"),
        (("nonsense",), "nonsense"),
    ],
)
def test_what_is_asked_for_wrongly_is_told_and_nothing_is_touched(
    command: Run, everything: Everything, arguments: tuple[str, ...], hint: str
) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert everything.lake.tree() == {}
    assert everything.pigment.requests == []


def test_missing_settings_are_told_all_at_once_with_examples(command: Run) -> None:
    done = command("run", KEY_VAULT_URL="", DATA_LAKE_URL="", DATA_LAKE_FILE_SYSTEM="")
    assert done.returncode == 2
    for name in ("KEY_VAULT_URL", "DATA_LAKE_URL", "DATA_LAKE_FILE_SYSTEM"):
        assert name in done.stderr
    assert "https://mylake.dfs.core.windows.net" in done.stderr


def test_a_broken_catalog_is_told_and_nothing_is_touched(command: Run, everything: Everything) -> None:
    everything.lake.write("config/exports.toml", b'[revenue]\nkind = "metrik"\n')
    done = command("run", EXPORTS_FILE="lake:config/exports.toml")
    assert done.returncode == 2
    assert "revenue.kind" in done.stderr
    assert "revenue.id: missing" in done.stderr
    assert list(everything.lake.tree()) == ["config/exports.toml"]


def test_a_catalog_in_the_lake_is_used(command: Run, everything: Everything) -> None:
    everything.lake.write("config/exports.toml", (ROOT / "exports.toml").read_bytes().replace(b"[pnl]", b"[profit]"))
    done = command("run", "profit", EXPORTS_FILE="lake:config/exports.toml", DATA_LAKE_ROOT="raw/pigment")
    assert done.returncode == 0, done.stderr
    assert any(path.startswith("raw/pigment/profit/dt=") for path in everything.lake.tree())
    assert any(path.startswith("raw/pigment/_runs/") for path in everything.lake.tree())


def test_help_and_version_ask_for_nothing(command: Run) -> None:
    assert "fetch" in command("--help").stdout
    assert "KIND" in command("fetch", "--help").stdout
    assert "five minutes" in command("run", "-h").stdout
    assert "0.1.0" in command("--version").stdout


def test_fetch_needs_a_key_and_a_folder_only(command: Run, everything: Everything, tmp_path: Path) -> None:
    done = command(
        "fetch", "view", VIEW, "--to", str(tmp_path), "--name", "pnl",
        PIGMENT_API_KEY=DEMO_KEY, KEY_VAULT_URL="", DATA_LAKE_URL="", DATA_LAKE_FILE_SYSTEM="", IDENTITY_ENDPOINT="",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pnl.csv").read_bytes().startswith(b"Country;Month;Cost;Revenue\n")
    assert "1,000 rows" in done.stdout
    assert "END_STREAM" in done.stdout
    assert everything.lake.calls == []
    assert everything.identity.asked == []


def test_fetch_with_a_vault_takes_the_key_from_there(command: Run, everything: Everything, tmp_path: Path) -> None:
    done = command("fetch", "list", "11111111-1111-4111-8111-111111111111", "--to", str(tmp_path),
                   "--options", '{"fieldDelimiter": "Comma"}')  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert everything.vault.reads == ["pigment-api-key"]
    (path,) = tmp_path.glob("*.csv")
    assert path.read_bytes().startswith(b"name,region,opened\n")


def test_fetch_never_replaces_a_file(command: Run, everything: Everything, tmp_path: Path) -> None:
    (tmp_path / "pnl.csv").write_bytes(b"precious")
    done = command("fetch", "view", VIEW, "--to", str(tmp_path), "--name", "pnl")
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert (tmp_path / "pnl.csv").read_bytes() == b"precious"
    assert everything.pigment.requests == []


def test_a_fetch_that_fails_leaves_nothing(command: Run, everything: Everything, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    del everything.pigment.model.views[VIEW]
    done = command("fetch", "view", VIEW, "--to", str(folder))
    assert done.returncode == 1
    assert "pigment_not_found" in done.stderr
    assert list(folder.iterdir()) == []


def test_a_fetch_that_is_cut_once_is_tried_again(command: Run, everything: Everything, tmp_path: Path) -> None:
    everything.pigment.faults.append(Fault("reset", after=2000, code=0))
    done = command("fetch", "view", VIEW, "--to", str(tmp_path), "--name", "pnl")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pnl.csv").read_bytes().count(b"\n") == 1001


def test_an_interrupted_run_is_ended(everything: Everything, environment: dict[str, str]) -> None:
    """The lake forbids every publishing, so that the run would go on trying; then the person presses Ctrl-C."""
    everything.lake.faults.add("rename", times=None, then=Answer(503, "ServerBusy", retry_after=500))
    with subprocess.Popen(
        [sys.executable, "-m", "pigment_export", "run", "revenue"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "next attempt in" in line:
                break
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert "failed" in out
    (result,) = [path for path in everything.lake.tree() if path.endswith("result.json")]
    document = json.loads(everything.lake.read(result))
    assert document["exports"][0]["class"] == "interrupted"


def test_the_key_is_nowhere_in_the_output_or_the_lake_of_a_failing_run(
    command: Run, everything: Everything, tmp_path: Path
) -> None:
    key = "pgm_very_secret_key_0123456789"
    everything.vault.set("pigment-api-key", key)  # which Pigment doesn't know: 401, and read again
    done = command("-v", "run")
    assert done.returncode == 1
    assert "pigment_unauthorized" in done.stderr
    lake = b"".join(everything.lake.read(path) for path in everything.lake.tree())
    metadata = str([everything.lake.metadata(path) for path in everything.lake.tree()])
    fetched = command("-v", "fetch", "view", VIEW, "--to", str(tmp_path), PIGMENT_API_KEY=key, KEY_VAULT_URL="")
    assert fetched.returncode == 1
    for text in (done.stdout, done.stderr, lake.decode(), metadata, fetched.stdout, fetched.stderr):
        assert key not in text
        assert "emulated:https" not in text  # a token


def test_a_rotated_key_is_read_again_once(command: Run, everything: Everything) -> None:
    everything.vault.set("pigment-api-key", "pgm_emulated_expired")
    done = command("run", "revenue", "countries")
    assert done.returncode == 1
    assert everything.vault.reads == ["pigment-api-key"] * 2


def test_a_key_that_expires_soon_is_told(command: Run, everything: Everything) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    everything.vault.set("pigment-api-key", DEMO_KEY, expires_at=soon)
    done = command("run", "countries")
    assert done.returncode == 0
    assert "secret_near_expiry" in done.stderr
    assert "export_ended" not in done.stderr, "the command says this in its own words"


def test_the_names_ending_may_be_written_or_not(command: Run, tmp_path: Path) -> None:
    done = command("fetch", "view", VIEW, "--to", str(tmp_path), "--name", "pnl.csv", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["path"] == str(tmp_path / "pnl.csv")
    assert (tmp_path / "pnl.csv").is_file()
    assert document["seconds"] >= document["first_byte_seconds"] > 0


@pytest.mark.parametrize(
    "words",
    [
        (f"https://pigment.app/application/00000000-0000-4000-8000-000000000001/tables/{REVENUE}?viewId={VIEW}",),
        ("view", f"https://pigment.app/application/x/tables/y?displayMode=Grid&viewId={VIEW.upper()}"),
        ("VIEW", VIEW),
    ],
)
def test_an_address_is_taken_where_an_id_is(
    command: Run, everything: Everything, tmp_path: Path, words: list[str]
) -> None:
    assert command("fetch", *words, "--to", str(tmp_path)).returncode == 0
    (request,) = everything.pigment.requests
    assert VIEW in request.path


def test_a_past_date_says_what_its_file_will_hold(command: Run, everything: Everything) -> None:
    done = command("run", "revenue", "--date", "2020-02-29")
    assert done.returncode == 0
    assert "the file for 2020-02-29 gets today's data" in done.stderr
    assert "note" not in command("run", "revenue").stderr
    assert "revenue/dt=2020-02-29/revenue.csv" in everything.lake.tree()


def test_what_cannot_be_started_has_another_exit_code_than_what_failed(command: Run, everything: Everything) -> None:
    missing = command("run", "revenue", DATA_LAKE_FILE_SYSTEM="elsewhere")
    assert missing.returncode == 2
    assert "DATA_LAKE_FILE_SYSTEM" in missing.stderr
    no_key = command("fetch", "view", VIEW, PIGMENT_KEY_SECRET="another-secret")
    assert no_key.returncode == 2
    assert everything.pigment.requests == []
    del everything.pigment.model.blocks[REVENUE]
    assert command("run", "revenue").returncode == 1


def test_a_key_that_was_set_before_a_vault_gives_way_and_is_told_of(command: Run, everything: Everything) -> None:
    """The README's own order of commands, in one shell."""
    done = command("run", "revenue", PIGMENT_API_KEY="pgm_of_my_own")
    assert done.returncode == 0, done.stderr
    assert "ignoring PIGMENT_API_KEY" in done.stderr
    assert everything.vault.reads == ["pigment-api-key"]
