"""Finding ids and adding exports, with a key alone."""

import json
import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from emulators.everything import Everything
from emulators.lake.account import LostReply
from emulators.pigment.model import APPLICATION, COST, COUNTRIES, MINE_VIEW, PNL, PNL_VIEW, REVENUE, TEAMS
from emulators.pigment.service import DEMO_KEY, EXPORT_ONLY_KEY
from pigment_export.cli.add import _slug
from pigment_export.cli.address import Address, read_address
from pigment_export.cli.catalog_text import CatalogText
from tests.harness.forking import ForkServer

ROOT = Path(__file__).parents[2]
ADDRESS = f"https://pigment.app/application/{APPLICATION}/tables/{PNL}?displayMode=Grid&viewId={PNL_VIEW}"
METRIC = f"https://pigment.app/application/{APPLICATION}/metrics/{REVENUE}"

type Here = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(forks: ForkServer, environment: dict[str, str], tmp_path: Path) -> Here:
    """Run the command line in an empty folder, with a key and no Azure."""
    folder = tmp_path / "mine"
    folder.mkdir()
    kept = {
        name: text
        for name, text in environment.items()
        if not name.startswith(("DATA_LAKE", "KEY_VAULT", "IDENTITY", "PIGMENT"))
    }

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        merged = {**kept, "PIGMENT_API_KEY": DEMO_KEY, **variables}
        return forks.start("pigment_export", *arguments, environment=merged, folder=folder).finish()

    return run


def catalog(tmp_path: Path) -> str:
    return (tmp_path / "mine" / "exports.toml").read_text()


def test_applications_blocks_and_views_are_listed_with_their_ids(here: Here, everything: Everything) -> None:
    assert APPLICATION in here("apps").stdout
    listed = here("blocks").stdout
    for block_id in (COUNTRIES, REVENUE, PNL, TEAMS):
        assert block_id in listed
    assert "Headcount" in listed
    views = here("views", "--block", ADDRESS).stdout
    assert PNL_VIEW in views
    assert "Personal" in views
    assert everything.lake.calls == []
    assert everything.identity.asked == []


def test_a_search_takes_parts_of_names_and_beginnings_of_ids(here: Here) -> None:
    assert [block["id"] for block in json.loads(here("blocks", "rev", "--json").stdout)] == [REVENUE]
    assert {block["kind"] for block in json.loads(here("blocks", "2222", "--json").stdout)} == {"metric"}
    assert [block["name"] for block in json.loads(here("blocks", "--app", "head", "--json").stdout)] == ["Team"]
    assert here("blocks", "nothing like it").stdout == "the key's owner sees no such block\n"


def test_a_personal_view_is_told_apart(here: Here) -> None:
    views = {view["id"]: view["is_personal"] for view in json.loads(here("views", "--json").stdout)}
    assert views[MINE_VIEW]
    assert not views[PNL_VIEW]


def test_an_application_that_is_not_there_is_told_with_those_that_are(here: Here) -> None:
    done = here("blocks", "--app", "Sales")
    assert done.returncode == 2
    assert "Finance, Headcount" in done.stderr


def test_a_key_that_may_only_export_is_told_what_it_lacks(here: Here) -> None:
    done = here("apps", PIGMENT_API_KEY=EXPORT_ONLY_KEY)
    assert done.returncode == 2
    assert "etadata" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pasted_address_becomes_an_export_and_the_next_command_runs_it(
    here: Here, everything: Everything, tmp_path: Path
) -> None:
    added = here("add", ADDRESS, "--owner", "finance@example.com")
    assert added.returncode == 0, added.stderr
    assert added.stdout == "added [p_l_by_country] to exports.toml\n"
    assert "next: pigment-export run p_l_by_country" in added.stderr
    table = tomllib.loads(catalog(tmp_path))["p_l_by_country"]
    assert table == {
        "kind": "view",
        "id": PNL_VIEW,
        "application": APPLICATION,
        "block": PNL,
        "owner": "finance@example.com",
    }
    azure = everything.environment
    done = here("run", "p_l_by_country", **azure)
    assert done.returncode == 0, done.stderr
    assert any(path.startswith("p_l_by_country/dt=") for path in everything.lake.tree())


def test_the_block_behind_a_view_can_be_added_whole(here: Here, tmp_path: Path) -> None:
    assert here("add", ADDRESS, "--whole-block").returncode == 0
    assert tomllib.loads(catalog(tmp_path))["p_l"]["kind"] == "table"


def test_what_was_written_by_hand_stays_as_it_is(here: Here, tmp_path: Path) -> None:
    before = '# ours\n[cost]   # of all\nkind = "metric"\nid = "' + COST + '"   # never touch\n'
    (tmp_path / "mine" / "exports.toml").write_text(before)
    assert here("add", METRIC).returncode == 0
    after = catalog(tmp_path)
    assert after.startswith(before)
    assert list(tomllib.loads(after)) == ["cost", "revenue"]
    assert "# Revenue, in Finance" in after


def test_a_name_that_is_no_line_of_text_does_no_harm(here: Here, everything: Everything, tmp_path: Path) -> None:
    everything.pigment.model.blocks[REVENUE].name = "\x1b[31mReve\x07\nnue\u202e\x7f"
    for command in (["blocks"], ["views"], ["add", METRIC]):
        done = here(*command)
        assert done.returncode == 0, done.stderr
        assert not [letter for letter in done.stdout + done.stderr if not letter.isprintable() and letter != "\n"]
    assert "# [31mReve nue, in Finance" in catalog(tmp_path)


def test_a_catalog_with_the_line_ends_of_windows_keeps_them(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "mine" / "exports.toml"
    before = f'# ours\r\n[cost]\r\nkind = "metric"\r\nid = "{COST}"\r\n'
    path.write_bytes(before.encode())
    assert here("add", METRIC).returncode == 0
    after = path.read_bytes().decode()
    assert after.startswith(before)
    assert after.count("\n") == after.count("\r\n")


def test_the_command_for_an_export_in_another_catalog_names_the_catalog(here: Here) -> None:
    done = here("add", METRIC, "--file", "other.toml")
    assert "next: set EXPORTS_FILE to other.toml, then pigment-export run revenue" in done.stderr


def test_an_export_that_is_there_is_not_added_twice_unless_it_is_named(here: Here, tmp_path: Path) -> None:
    assert here("add", METRIC).returncode == 0
    once = catalog(tmp_path)
    again = here("add", "metric", REVENUE)
    assert again.returncode == 0
    assert "as revenue" in again.stderr
    assert catalog(tmp_path) == once
    assert here("add", METRIC, "--name", "revenue").returncode == 2
    assert here("add", METRIC, "--name", "revenue_again").returncode == 0
    assert list(tomllib.loads(catalog(tmp_path))) == ["revenue", "revenue_again"]


def test_an_id_alone_is_looked_up(here: Here, tmp_path: Path) -> None:
    assert here("add", COUNTRIES).returncode == 0
    assert tomllib.loads(catalog(tmp_path))["country"]["kind"] == "list"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("metric", PNL), "is a table, not a metric"),
        (("view", PNL), "the key's owner sees no view"),
        (("99999999-9999-4999-8999-999999999999",), "write its kind before it"),
        (("cube", PNL), "'cube' is not a kind"),
        (("https://pigment.app/",), "copy the whole address"),
        ((), "give the address of a page"),
        ((METRIC, "--name", "Not A Name"), "a name has"),
    ],
)
def test_what_cannot_be_added_is_told_and_nothing_is_written(
    here: Here, tmp_path: Path, words: tuple[str, ...], hint: str
) -> None:
    done = here("add", *words)
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mine" / "exports.toml").exists()


def test_a_broken_catalog_stays_as_it_is(here: Here, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "exports.toml"
    file.write_text("[revenue\n")
    done = here("add", METRIC)
    assert done.returncode == 2
    assert "not TOML" in done.stderr
    assert file.read_text() == "[revenue\n"


def test_without_a_key_an_address_is_enough(here: Here, tmp_path: Path) -> None:
    done = here("add", METRIC, PIGMENT_API_KEY="")
    assert done.returncode == 0, done.stderr
    assert list(tomllib.loads(catalog(tmp_path))) == ["metric_22222222"]
    assert "names cannot be looked up" in done.stderr


def test_the_catalog_in_the_lake_is_added_to(here: Here, everything: Everything) -> None:
    everything.lake.write("config/exports.toml", b"# ours\n")
    done = here("add", METRIC, **everything.environment, EXPORTS_FILE="lake:config/exports.toml")
    assert done.returncode == 0, done.stderr
    text = everything.lake.read("config/exports.toml").decode()
    assert text.startswith("# ours\n")
    assert tomllib.loads(text)["revenue"]["id"] == REVENUE


def test_a_lost_answer_of_the_lake_is_not_taken_for_another_persons_change(here: Here, everything: Everything) -> None:
    everything.lake.write("config/exports.toml", b"# ours\n")
    everything.lake.faults.add("put_blob", times=1, then=LostReply())
    done = here("add", METRIC, **everything.environment, EXPORTS_FILE="lake:config/exports.toml")
    assert done.returncode == 0, done.stderr
    assert list(tomllib.loads(everything.lake.read("config/exports.toml").decode())) == ["revenue"]


def test_on_a_terminal_one_chooses_from_lists(environment: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pigment_export", "add", "--file", str(tmp_path / "mine.toml")],
        cwd=ROOT, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, b"fin\np&l\n2\n")
        out, told = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0, told.decode()
    assert tomllib.loads((tmp_path / "mine.toml").read_text())["p_l_by_country"]["block"] == PNL
    assert b"added [p_l_by_country]" in out


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (ADDRESS, Address(APPLICATION, "table", PNL, PNL_VIEW)),  # type: ignore[arg-type]
        (METRIC.upper().replace("HTTPS", "https"), Address(APPLICATION, "metric", REVENUE)),  # type: ignore[arg-type]
        ("https://pigment.app/", Address()),
        (REVENUE, None),
    ],
)
def test_an_address_is_read_for_all_that_it_names(text: str, read: Address | None) -> None:
    assert read_address(text) == read


@pytest.mark.parametrize(
    ("text", "slug"),
    [("P&L by country", "p_l_by_country"), ("Größe 2026", "grosse_2026"), ("2026", "x_2026"), ("売上", "")],
)
def test_names_for_people_become_names_of_folders(text: str, slug: str) -> None:
    assert _slug(text) == slug


TABLE = f'[cost]\nkind = "metric"\nid = "{COST}"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a remark\n",
        TABLE,
        f"{TABLE}\n\n",
        TABLE.replace("\n", "\r\n"),
        f"{TABLE}\n[cost.options]\nfriendlyHeaders = true\n",
        f"{TABLE}\noptions = {{ friendlyHeaders = true }}  # ours\n# the end",
    ],
)
def test_a_table_is_added_behind_whatever_stands_there(text: str) -> None:
    after = CatalogText("exports.toml", text, lambda _: None).with_table(
        "revenue", {"kind": "metric", "id": REVENUE}, {"id": "Revenue"}
    )
    assert after.startswith(text)
    assert list(tomllib.loads(after)) == [*tomllib.loads(text), "revenue"]
