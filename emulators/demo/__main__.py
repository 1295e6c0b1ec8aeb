"""`python -m emulators.demo`: see the README of the stand-ins."""

from emulators.terminal import run

run("emulators.demo.story")
