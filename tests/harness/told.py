"""What every error of the app tells, and what none may."""

import traceback

from pigment_export.errors import ERROR_ROWS, ExportError

MOST_REASON_CHARACTERS = 900


def check_told(error: ExportError, secret: str) -> None:
    """Check that an error is in the registry, says who must act on it and how, on one short line, and no secret."""
    cause = error.cause
    assert cause.code in ERROR_ROWS
    assert cause.who
    assert cause.remedy
    assert cause.reason.isprintable()
    assert len(cause.reason) < MOST_REASON_CHARACTERS
    assert secret not in "".join(traceback.format_exception(error))
