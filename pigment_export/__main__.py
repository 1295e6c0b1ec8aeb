"""`python -m pigment_export`."""

from pigment_export.cli import main

main()
