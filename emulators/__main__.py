"""`python -m emulators`: see README.md."""

from emulators.terminal import run

run("emulators.command")
