"""Write docs/cli.md: the `--help` of every command. `make schema` runs it; a test checks that the page is current."""

from collections.abc import Iterator
from pathlib import Path

import click

from pigment_export.cli.commands import cli

PROGRAM = "pigment-export"
WIDTH = 100
HEAD = """# The command line

The command is `pigment-export`, or `python -m pigment_export` in a checkout. [README.md](../README.md) explains how to
install it. This page shows the `--help` of each command.

Results go to stdout, everything else to stderr. On a terminal, the output has colours (`NO_COLOR` turns them off), and
tables fit the width of the terminal. In a pipe, lines are plain and not cut. `--json` prints JSON for programs. Every
command that needs an id also takes the address of a page in Pigment.

| exit code | meaning |
|---|---|
| 0 | everything succeeded |
| 1 | an export failed or is held, or a check failed |
| 2 | the command could not start, and changed nothing |
| 130 | you interrupted the command; its run has ended |
"""


def page() -> str:
    """Return the page."""
    return HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    yield f"\n## `{PROGRAM}`\n\n```text\n{_help(cli, PROGRAM)}\n```\n"
    for name in cli.commands:
        command = cli.commands[name]
        yield f"\n## `{name}`\n\n```text\n{_help(command, f'{PROGRAM} {name}')}\n```\n"


def _help(command: click.Command, name: str) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=["-h", "--help"]
    )
    return command.get_help(context)


def main() -> None:
    """Write the page."""
    path = Path(__file__).parent.parent / "docs" / "cli.md"
    path.write_text(page())
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
