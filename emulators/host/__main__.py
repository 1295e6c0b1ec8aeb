"""`python -m emulators.host`: see README.md."""

from emulators.host.host import main

main()
