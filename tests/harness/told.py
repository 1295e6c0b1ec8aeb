"""The check of what every error of the app must show, and must not."""

import traceback

from pigment_export.errors import ERROR_ROWS, ExportError

MOST_REASON_CHARACTERS = 900


def check_told(error: ExportError, secret: str) -> None:
    """Check that an error is registered, and has who must act and how, a short reason of one line, and no secret."""
    cause = error.cause
    assert cause.code in ERROR_ROWS
    assert cause.who
    assert cause.remedy
    assert cause.reason.isprintable()
    assert len(cause.reason) < MOST_REASON_CHARACTERS
    assert secret not in "".join(traceback.format_exception(error))
