"""Check whether the deployed package is complete. Standard library only: it must work when a library is missing."""

import json
import logging
import pkgutil
from importlib import import_module

import pigment_export
from pigment_export.errors import ErrorRow, PermanentError, Who
from pigment_export.events import Event, log

PACKAGE_INCOMPLETE = ErrorRow(
    "package_incomplete",
    PermanentError,
    Who.ADMINISTRATOR,
    "deploy the package that 'make package' builds; on a laptop, start the host in the environment of 'make setup'",
    what="a library is missing from the package",
)
NOT_DEPLOYED = ("pigment_export.cli", "pigment_export.__main__")


def import_everything() -> None:
    """Import every module of the app, and so every library that a call can need.

    Raises:
        ImportError: the package lacks one.
    """
    for module in pkgutil.walk_packages(pigment_export.__path__, "pigment_export."):
        if not module.name.startswith(NOT_DEPLOYED):
            import_module(module.name)


def incomplete(missing: ImportError) -> bytes:
    """Log that the package lacks a library, and return the problem for an answer with 500.

    Args:
        missing: the error of the import.
    """
    cause = PACKAGE_INCOMPLETE.cause(str(missing))
    log(Event.TRIGGER_FAILED, level=logging.ERROR, trigger="http", **cause.to_fields())
    problem = {
        "type": f"urn:pigment-export:{cause.code}",
        "title": "Internal Server Error",
        "status": 500,
        "detail": cause.reason,
        "who": str(cause.who),
        "remedy": cause.remedy,
    }
    return (json.dumps(problem) + "\n").encode()
