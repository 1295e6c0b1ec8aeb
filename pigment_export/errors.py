"""The tree of errors, by what recovers them. Each is classified once, at the boundary where it was seen.

- `ExportError`: the root; nothing else of ours is raised on purpose.
- `ConfigurationError`: settings or catalog are wrong; nothing was called and nothing touched.
- `RefusedError`: a call is refused as it stands; its caller must ask otherwise, or later.
- `PermanentError`: trying again would meet the same answer; somebody must act.
- `UnreadableError`: a record is not what this app writes; whoever reads many goes on with the others.
- `RetryableError`: trying again later may do; carries how long to wait where the other side said so.
- `ConflictError`: a condition of a write did not hold, or the write had been done before: look, then decide.
- `MissingError`: a path that a write needs is not there.

An error never carries a secret: its text is made here from facts, never from a request's headers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MESSAGE_CHARACTERS = 300  # of the other side's own words in a reason
_SPACES = re.compile(r"\s+")


class Who(StrEnum):
    """Who must act on an error. The text is what a receipt and an alert say."""

    NOBODY = "nobody: it is tried again"
    CATALOG = "whoever keeps the catalog (exports.toml)"
    KEY_OWNER = "the owner of the Pigment key"
    ADMINISTRATOR = "the Azure administrator"
    EXPORT_OWNER = "the owner of the export"
    PIGMENT = "Pigment's support"
    NETWORK = "whoever runs the network between the app and Pigment"
    DEVELOPER = "whoever maintains this app"


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong, in the words that receipts, logs and answers use.

    Attributes:
        code: stable name of the error class, for filters and alerts, e.g. `pigment_unauthorized`.
        reason: one or two sentences: what was seen.
        who: who must act.
        remedy: what they should do.
    """

    code: str
    reason: str
    who: Who
    remedy: str

    def to_fields(self) -> dict[str, str]:
        """As receipts and log events carry it."""
        return {"class": self.code, "reason": self.reason, "who": str(self.who), "remedy": self.remedy}


class ExportError(Exception):
    """The root of the tree: every error that this app raises on purpose."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.cause.reason} [{self.cause.code}] {self.cause.who}: {self.cause.remedy}"


class ConfigurationError(ExportError):
    """Settings or catalog are wrong: every problem at once, and nothing was touched."""

    def __init__(self, problems: Sequence[str], *, code: str = "configuration") -> None:
        self.problems = tuple(problems)
        who = Who.ADMINISTRATOR if code == "settings" else Who.CATALOG
        super().__init__(Cause(code, "\n".join(self.problems), who, "correct each line above and start again"))

    def __str__(self) -> str:
        return "\n".join(self.problems)


class RefusedError(ExportError):
    """A call is refused as it stands."""


class PermanentError(ExportError):
    """The same request would meet the same answer."""


class UnreadableError(PermanentError):
    """A record of this app is not what it writes."""


class RetryableError(ExportError):
    """The same request may succeed later.

    Args:
        cause: what went wrong.
        retry_after_seconds: how long the other side asked to wait, if it did.
        rate_limited: the other side counts requests: worth waiting for, whatever patience is left.
    """

    def __init__(self, cause: Cause, *, retry_after_seconds: float | None = None, rate_limited: bool = False) -> None:
        super().__init__(cause)
        self.retry_after_seconds = retry_after_seconds
        self.rate_limited = rate_limited


class ConflictError(ExportError):
    """A condition did not hold (409, 412): another was here, or our own write whose answer was lost."""


class MissingError(ExportError):
    """What the request names is not there (404): its source, or the destination's parent."""


def shorten(message: str) -> str:
    """Somebody else's text as it may stand in a reason: one line of printable characters, not too long."""
    line = _SPACES.sub(" ", "".join(c if c.isprintable() else " " for c in message)).strip()
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[:MESSAGE_CHARACTERS]}…"
