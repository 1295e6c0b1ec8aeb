"""Write docs/cli.md: what `pigment-export --help` says, of every command. `make schema` runs it; a test holds it."""

from collections.abc import Iterator
from pathlib import Path

import click

from pigment_export.cli.commands import cli

PROGRAM = "pigment-export"
WIDTH = 100
HEAD = """# The command line

`pigment-export`, or `python -m pigment_export` in a checkout; README.md says how it is installed. This page is what
`--help` says of each command.

Results go to stdout, all else to stderr. On a terminal there is colour (`NO_COLOR` turns it off) and tables fit its
width; piped, lines are plain and of any length. `--json` prints JSON for programs. Wherever an id is asked for, the
address of a page in Pigment will do.

| exit code | what it says |
|---|---|
| 0 | everything succeeded |
| 1 | an export failed or was held, or a check found something wrong |
| 2 | what was asked could not be started, and nothing was touched |
| 130 | interrupted; a run is ended by it |
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
