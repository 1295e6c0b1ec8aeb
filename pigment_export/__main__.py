"""`python -m pigment_export`, and the command `pigment-export`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly even while its modules are being imported."""
    try:
        from pigment_export.cli.commands import exit_code  # noqa: PLC0415 - within reach of the except

        sys.exit(exit_code())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
