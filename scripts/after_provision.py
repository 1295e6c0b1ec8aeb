"""Show the owners' commands and the warnings after `azd provision`. azd passes its outputs as variables."""

import json
import os

commands, warnings = (json.loads(os.environ.get(name) or "[]") for name in ("roleCommands", "warnings"))
if commands:
    print("The app still needs these roles. Send each command to the owner of its scope:")
    print(*(f"  {command}" for command in commands), sep="\n")
for warning in warnings:
    print(f"Warning: {warning}")
