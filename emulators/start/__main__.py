"""`python -m emulators.start`: see the README of the stand-ins."""

from emulators.terminal import run

run("emulators.start.command")
