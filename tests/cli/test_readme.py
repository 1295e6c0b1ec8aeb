"""What README and docs tell a person to type is what the command line takes, in the order in which it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from emulators.everything import Everything
from emulators.pigment.model import APPLICATION, PNL, PNL_VIEW
from emulators.pigment.service import DEMO_KEY
from pigment_export.cli.commands import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ADDRESS = f"https://pigment.app/application/{APPLICATION}/tables/{PNL}?viewId={PNL_VIEW}"
SHOWN = "https://pigment.app/application/…/tables/…?viewId=…"


def typed(page: Path) -> list[str]:
    """Every line of a page that calls the command line, and every call within a sentence."""
    text = page.read_text()
    blocks = re.findall(r"```(?:sh|powershell)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if re.search(r"\bpigment-export ", line)]
    return [*lines, *re.findall(r"`(pigment-export [^`]+)`", re.sub(r"(?s)```.*?```", "", text))]


@pytest.mark.parametrize("page", [page for page in PAGES if typed(page)], ids=lambda page: page.name)
def test_every_command_that_a_page_shows_is_one(page: Path) -> None:
    for line in typed(page):
        words = shlex.split(line.partition("pigment-export ")[2], comments=True)
        names = [words[0], *(other for other in words[1:2] if words[0].endswith(","))]
        command = cli.commands[names[0].rstrip(",")]
        options = {word for word in words[1:] if word.startswith("--")} - {"--help"}
        known = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
        assert options <= known, line


def test_the_readmes_own_order_of_commands_works_in_one_shell(
    everything: Everything, environment: dict[str, str], tmp_path: Path
) -> None:
    """The key of a first attempt stays set; then come the vault and the lake."""
    text = (ROOT / "README.md").read_text()
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "pigment-export" in block]
    assert len(blocks) == 2
    script = "".join(blocks).replace(SHOWN, ADDRESS).replace("PIGMENT_API_KEY=…", f"PIGMENT_API_KEY={DEMO_KEY}")
    settings = {"KEY_VAULT_URL", "DATA_LAKE_URL", "DATA_LAKE_FILE_SYSTEM"}
    for name in settings:
        script = re.sub(rf"{name}=\S+", f"{name}={environment[name]}", script)
    script = re.sub(r"(?m)^uv tool install.*$", "", script)
    done = subprocess.run(
        ["bash", "-ec", f'pigment-export() {{ {shlex.quote(sys.executable)} -m pigment_export "$@"; }}\n{script}'],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if name not in settings} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pnl.csv").is_file()
    assert "added [p_l_by_country] to exports.toml" in done.stdout
    assert "ignoring PIGMENT_API_KEY" in done.stderr
    assert any(path.startswith("p_l_by_country/dt=") for path in everything.lake.tree())
    shown = re.findall(r"(?m)^ok     .*$", text)
    assert shown
    assert set(shown) <= set(done.stdout.splitlines())
