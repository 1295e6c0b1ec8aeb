"""`python -m pigment_export`."""

from pigment_export.cli.commands import main

main()
