"""`python -m emulators.host`: see README.md."""

from emulators.terminal import run

run("emulators.host.command")
