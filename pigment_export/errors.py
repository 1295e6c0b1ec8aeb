"""The tree of errors, by how to recover from them. Each error is classified once, at the boundary where it occurs.

- `ExportError`: the root; the app raises no other errors on purpose. `delivery.stage` raises the root itself for an
  error that this call does not retry, but a later call can recover from.
- `ConfigurationError`: settings or catalog are wrong; nothing was called and nothing changed.
- `PermanentError`: the same request would get the same answer; a person must act, or the caller must change it.
- `RetryableError`: a later attempt may succeed; carries how long to wait if the other side asked for it.
- `SetupError`: retryable, but only a changed setup helps; the command line stops at once.
- `ConflictError`: a precondition of a write failed, or the write had already been done: look, then decide.
- `MissingError`: a path that a write needs does not exist.

An error never contains a secret: its text is built from facts, never from a request's headers.

Tables of `ErrorRow`, one per boundary, define what each error means. Every row is in `ERROR_ROWS`, the registry that
`docs/errors.md` is compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MESSAGE_CHARACTERS = 300  # of the other side's own words in a reason


class Who(StrEnum):
    """Who must act on an error; receipts and alerts show this text."""

    NO_ACTION = "no action needed: it is retried automatically"
    CALLER = "the caller"
    CATALOG = "the maintainer of the catalog (exports.toml)"
    KEY_OWNER = "the owner of the Pigment key"
    ADMINISTRATOR = "the Azure administrator"
    EXPORT_OWNER = "the owner of the export"
    PIGMENT = "Pigment's support"
    NETWORK = "the administrator of the app's network"
    DEVELOPER = "the maintainer of this app"

    @classmethod
    def read(cls, text: str) -> "Who":
        """Return who must act according to a record; earlier versions used other texts."""
        return next((who for who in cls if who == text), _EARLIER.get(text, cls.ADMINISTRATOR))


_EARLIER = {
    "nobody: it is tried again": Who.NO_ACTION,
    "whoever keeps the catalog (exports.toml)": Who.CATALOG,
    "whoever runs the network between the app and Pigment": Who.NETWORK,
    "whoever maintains this app": Who.DEVELOPER,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong, in the texts that receipts, logs and answers show.

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
        """Return the fields for receipts and log events."""
        return {"class": self.code, "reason": self.reason, "who": str(self.who), "remedy": self.remedy}


class ExportError(Exception):
    """The root of the tree: every error that this app raises on purpose."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.cause.reason} [{self.cause.code}] {self.cause.who}: {self.cause.remedy}"


class ConfigurationError(ExportError):
    """Settings, catalog or a request are wrong: lists every problem; nothing was changed.

    Args:
        problems: one line each.
        code: of the row in `CONFIGURATION`.
    """

    def __init__(self, problems: Sequence[str], *, code: str = "configuration") -> None:
        self.problems = tuple(problems)
        super().__init__(CONFIGURATION[code].cause("\n".join(self.problems)))

    def __str__(self) -> str:
        return "\n".join(self.problems)


class PermanentError(ExportError):
    """The same request would get the same answer."""


class RetryableError(ExportError):
    """The same request may succeed later.

    Args:
        cause: what went wrong.
        retry_after_seconds: how long the other side asked to wait, if it did.
        rate_limited: the other side limits requests; the wait for it does not use up the call's patience.
    """

    def __init__(self, cause: Cause, *, retry_after_seconds: float | None = None, rate_limited: bool = False) -> None:
        super().__init__(cause)
        self.retry_after_seconds = retry_after_seconds
        self.rate_limited = rate_limited


class SetupError(RetryableError):
    """A setup that is wrong, or not in effect yet: a role, a name in DNS, a certificate.

    The app retries it, because a new deployment takes minutes to take effect. On the command line a person can act at
    once, so it is final there.
    """


class ConflictError(ExportError):
    """A precondition failed (409, 412): because of another writer, or of our own write whose answer was lost."""


class MissingError(ExportError):
    """A path in the request does not exist (404): the source, or the destination's parent."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of a table of errors. Creating it adds it to `ERROR_ROWS`, so create rows only at a module's top level.

    Attributes:
        code: stable name of the error class, for filters and alerts.
        error: the class to raise, which determines how to recover.
        who: who must act.
        remedy: what they should do.
        what: the beginning of the reason; empty if the detail is enough.
    """

    code: str
    error: type[ExportError]
    who: Who
    remedy: str
    what: str = ""

    def __post_init__(self) -> None:
        ERROR_ROWS.setdefault(self.code, []).append(self)

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return issubclass(self.error, RetryableError)

    def cause(self, detail: str = "") -> Cause:
        """Return the cause of one occurrence.

        Args:
            detail: what was being done, and what was seen; no secret.
        """
        return Cause(self.code, ": ".join(filter(None, (self.what, detail))), self.who, self.remedy)

    def raised(self, detail: str = "", *, wait_seconds: float | None = None) -> ExportError:
        """Return the error to raise.

        Args:
            detail: what was being done, and what was seen; no secret.
            wait_seconds: how long the other side asked to wait, if it did.
        """
        if issubclass(self.error, RetryableError):
            return self.error(self.cause(detail), retry_after_seconds=wait_seconds)
        return self.error(self.cause(detail))


ERROR_ROWS: dict[str, list[ErrorRow]] = {}
"""Every row of the imported modules, by code."""

_CORRECT = "correct each listed problem, then start again"
CONFIGURATION = {
    code: ErrorRow(code, ConfigurationError, who, _CORRECT)
    for code, who in (
        ("configuration", Who.CATALOG),
        ("settings", Who.ADMINISTRATOR),
        ("catalog", Who.CATALOG),
        ("selection", Who.CALLER),
        ("request", Who.CALLER),
        ("malformed", Who.CALLER),
        ("date_in_future", Who.CALLER),
        ("folder", Who.CALLER),
    )
}
"""The rows of `ConfigurationError`: a person's input is wrong."""


def shorten(message: str) -> str:
    """Return another program's text for a reason: one line of printable characters, cut to a maximum length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[:MESSAGE_CHARACTERS]}…"
