"""What callers say and are told over HTTP: the types that validate, and that `docs/openapi.json` is made of. Pure."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from pigment_export.catalog.exports import NAME_PATTERN
from pigment_export.catalog.options import AtLeastOne
from pigment_export.delivery.receipt import ReceiptSummary, State
from pigment_export.errors import ConfigurationError, shorten
from pigment_export.runs.plan import PlanSummary

LARGEST_BODY_BYTES = 4 * 1024 * 1024  # a filter of a megabyte, and room for how it may be written
MOST_TROUBLES = 100  # in one answer: callers cap its size, and `result.json` has them all

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


def _day(value: Any) -> date:
    if not isinstance(value, str):
        raise ValueError('a date, as "2026-01-31"')  # noqa: TRY004 - pydantic makes a problem of a ValueError
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no time zone
    except ValueError:
        raise ValueError('a date, as "2026-01-31"') from None


Day = Annotated[date, BeforeValidator(_day)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class RunRequest(_Told):
    """What to run. An empty object: every export that is enabled."""

    exports: AtLeastOne[Name] | None = None
    """These exports of the catalog, enabled or not."""
    groups: AtLeastOne[Name] | None = None
    """The enabled exports of these groups."""
    retry_of: str | None = None
    """Id of a run that has ended: what failed or was held there, as it was defined there, for today."""
    export: dict[str, Any] | None = None
    """One export that is not in the catalog; only where `ALLOW_INLINE_EXPORTS` is true."""
    date: Day | None = None
    """Snapshot date, not in the future. A past day's file is only made where it is missing: Pigment has no past."""

    @field_validator("exports", "groups")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if twice := [name for name, count in Counter(names or ()).items() if count > 1]:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return names

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.retry_of is not None and (self.exports or self.groups or self.export or self.date):
            raise ValueError("retry_of stands alone: it names exports, and is always for today")
        if self.export is not None and (self.exports or self.groups):
            raise ValueError("export stands beside no exports and groups: it is one run of its own")
        return self

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a request's body; nothing at all is an empty object.

        Args:
            body: JSON, in UTF-8.

        Raises:
            ConfigurationError: it is no JSON (`malformed`), or not what is allowed (`request`), with every problem.
        """
        if len(body) > LARGEST_BODY_BYTES:
            raise ConfigurationError([f"the body is larger than {LARGEST_BODY_BYTES:,} bytes"], code="malformed")
        try:
            document = json.loads(body.decode("utf-8-sig").strip() or "{}")
            json.dumps(document, ensure_ascii=False, allow_nan=False).encode()  # not NaN, 1e999, half a surrogate
        except (ValueError, RecursionError) as exc:
            raise ConfigurationError([f"the body is no JSON: {exc}"], code="malformed") from exc
        if not isinstance(document, dict):
            raise ConfigurationError(["the body must be a JSON object"], code="malformed")
        try:
            return cls.model_validate(document)
        except ValidationError as exc:
            known = ", ".join(cls.model_fields)
            problems = [_problem(error, known) for error in exc.errors(include_url=False)]
            raise ConfigurationError(problems, code="request") from exc

    def normalised(self) -> dict[str, Any]:
        """As JSON in which the same request is always the same: without what was left out, names in order."""
        document = self.model_dump(mode="json", exclude_none=True)
        return {name: sorted(value) if isinstance(value, list) else value for name, value in document.items()}


def _problem(error: ErrorDetails, known: str) -> str:
    """One of pydantic's errors in words of ours, with the field in front.

    Args:
        error: as pydantic tells it.
        known: the names that are allowed, for one that is not.
    """
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).removeprefix(".")
    field = shorten(path)
    match error["type"]:
        case "extra_forbidden":
            said = f"unknown; allowed: {known}"
        case "value_error":
            said = error["msg"].removeprefix("Value error, ")
        case kind:
            said = _WORDS.get(kind, "not a value that is allowed here").format(**error.get("ctx", {}))
    return f"{field}: {said}" if field else said


_WORDS = {
    "tuple_type": 'a list of names, as ["revenue"]',
    "string_type": "a text",
    "dict_type": "an object",
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "string_pattern_mismatch": "lower-case letters, digits, '_' and '-', a letter first, 64 at most",
}
"""Our words for pydantic's types of errors."""


class NoQuery(BaseModel):
    """The query of a call that takes none; `code`, a function key, is the host's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class HealthQuery(NoQuery):
    """The query of a look at the health."""

    deep: bool = False
    """Whether to check everything that the app depends on, too."""


def read_query[Q: NoQuery](model: type[Q], query: Mapping[str, str]) -> Q:
    """Read the parameters of an address.

    Args:
        model: what is allowed.
        query: by name; one that is repeated arrives joined by a comma.

    Raises:
        ConfigurationError: one is unknown or wrong (`request`), with every problem.
    """
    try:
        return model.model_validate({name: value for name, value in query.items() if name != "code"})
    except ValidationError as exc:
        known = ", ".join(model.model_fields) or "none"
        raise ConfigurationError([_problem(error, known) for error in exc.errors()], code="request") from exc


class FailedExport(_Told):
    """An export that has not succeeded, and why."""

    name: str
    """The export's."""
    state: str
    """`retrying`, `failed` or `held`."""
    path: str | None = None
    """Where a held file lies."""
    code: str | None = Field(default=None, serialization_alias="class")
    """Stable name of the error class."""
    reason: str | None = None
    """What was seen."""
    who: str | None = None
    """Who must act."""

    @classmethod
    def of(cls, receipt: ReceiptSummary) -> Self:
        """Return what a receipt says, in a listing or a result."""
        return cls(
            name=receipt.name,
            state=str(receipt.state),
            path=receipt.path if receipt.state is State.HELD else None,
            code=receipt.code,
            reason=receipt.reason,
            who=receipt.who,
        )


class Run(_Told):
    """A run: that goes on (202), that has succeeded (200), or, with a problem's fields beside, that has not (409)."""

    run_id: str
    """Begins with the instant of its claim."""
    state: str
    """`running`, `succeeded` or `failed`."""
    snapshot_date: date
    """The day of its files."""
    trigger: str
    """`schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked: a principal's id, a schedule, a local user."""
    expires_at: datetime
    """From then on nothing is fetched for it."""
    of: int
    """How many exports it has."""
    done: int
    """How many of them have come to their end."""
    counts: dict[str, int]
    """How many came to each state that occurs."""
    location: str
    """Where to ask for it again."""
    retrying: tuple[FailedExport, ...] | None = None
    """While it runs: what failed and is tried again; at most a hundred."""
    troubles: tuple[FailedExport, ...] | None = None
    """When it has ended: what failed or is held; at most a hundred."""
    result: str | None = None
    """When it has ended: path of `result.json` in the file system, which lists every file with rows and sha256."""

    @classmethod
    def of_plan(
        cls, summary: PlanSummary, *, state: str, done: int, counts: Mapping[str, int], location: str, **more: Any
    ) -> Self:
        """A run by its plan's summary, and what has become of it."""
        return cls(
            run_id=summary.run_id,
            state=state,
            snapshot_date=summary.snapshot_date,
            trigger=summary.trigger,
            asked_by=summary.asked_by,
            expires_at=summary.expires_at,
            of=summary.exports,
            done=done,
            counts=dict(counts),
            location=location,
            **more,
        )


class RunList(_Told):
    """Recent runs of this deployment, newest first."""

    runs: tuple[Run, ...]
    """At most fifty, of the last seven days."""


class Check(_Told):
    """One thing that was looked at."""

    name: str
    """What it was."""
    ok: bool
    """Whether it is as it must be."""
    detail: str
    """What was seen."""
    remedy: str | None = None
    """What to do, where it is not."""


class HealthReport(_Told):
    """Whether the app is up, and when asked for, whether it can do its work."""

    state: str
    """`up`, or `failing` where a check has failed."""
    version: str
    """Of the app."""
    deployment: str
    """The app's own name."""
    checks: tuple[Check, ...] = ()
    """Only with `deep=true`."""


class Problem(_Told):
    """What went wrong (RFC 9457)."""

    type: str
    """A URN that ends in the stable name of the error class."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was seen."""
    problems: tuple[str, ...] | None = None
    """Every problem, each with its field and what is allowed."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""
