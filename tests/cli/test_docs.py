"""The command line's pages are what it says of itself."""

import inspect
from importlib import import_module
from pathlib import Path

import click
import pytest

from pigment_export.cli.commands import cli
from scripts import make_cli_page

ROOT = Path(__file__).parents[2]
NARROW = 80 - len("  release  ") - 2  # what click leaves for a sentence of its overview


def test_the_page_of_the_command_line_is_what_help_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == make_cli_page.page(), "run: make schema"


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_and_option_has_its_help_and_json_where_it_prints_results(name: str) -> None:
    command = cli.commands[name]
    assert command.help
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert all(option.help for option in options)
    assert "as_json" in {option.name for option in options}
    assert not command.get_short_help_str(NARROW).endswith("..."), "the overview shows it whole on 80 columns"


@pytest.mark.parametrize("name", cli.commands)
def test_what_does_a_command_takes_what_the_command_declares(name: str) -> None:
    command = cli.commands[name]
    assert command.callback is not None
    module = inspect.getclosurevars(command.callback).nonlocals["module"]
    taken = inspect.signature(getattr(import_module(f"pigment_export.cli.{module}"), name)).parameters.values()
    named = {parameter.name for parameter in taken if parameter.kind is not inspect.Parameter.VAR_KEYWORD}
    declared = {str(parameter.name) for parameter in command.params}
    assert named == declared or (named < declared and len(named) < len(taken))
