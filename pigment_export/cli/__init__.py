"""The command line: its commands, and a file in a local folder."""
