"""The body and the query of an HTTP call. Every problem is reported at once, in our own words. Pure."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.json_schema import WithJsonSchema
from pydantic_core import ErrorDetails

from pigment_export.catalog.options import AtLeastOne, Model
from pigment_export.errors import ConfigurationError, shorten

LARGEST_BODY_BYTES = 4 * 1024 * 1024  # room for a filter of a megabyte in any notation
MOST_LISTED = 50  # runs in one answer
NAME_CHARACTERS = 200  # of a name or an id in a call: no export and no run has a longer one
# As Data Factory, Logic Apps and people write them; `fromisoformat` alone also accepts weeks and bare digits.
_DAY = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def read_day(text: Any, zone: ZoneInfo) -> date:
    """Read a day, as a date or a timestamp.

    Args:
        text: a timestamp with an offset is the day that it falls on in the zone; one without is the day it names.
        zone: the deployment's time zone.

    Raises:
        ValueError: it is neither.
    """
    try:
        instant = datetime.fromisoformat(text if isinstance(text, str) and _DAY.fullmatch(text) else "")
        return (instant.astimezone(zone) if instant.tzinfo else instant).date()
    except (ValueError, OverflowError):
        raise ValueError(
            'must be a date, such as "2026-01-31", or a timestamp, such as "2026-01-31T06:00:00Z"'
        ) from None


def _day(value: Any, info: ValidationInfo) -> date:
    return read_day(value, info.context or ZoneInfo("UTC"))


_DAY_SCHEMA = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema(_DAY_SCHEMA, mode="validation")]
Name = Annotated[str, Field(max_length=NAME_CHARACTERS)]


class RunRequest(Model):
    """What to run. An empty object runs every enabled export."""

    exports: AtLeastOne[Name] | None = None
    """Names of exports in the catalog, enabled or not."""
    groups: AtLeastOne[Name] | None = None
    """Groups whose enabled exports to run."""
    retry_of: Name | None = None
    """Id of a run that has ended: run what failed or was held there, with its definitions, for today."""
    release_of: Name | None = None
    """Id of a run: publish the files that it held, either those of `exports` or all of them."""
    export: dict[str, Any] | None = None
    """An export that is not in the catalog; only if `ALLOW_INLINE_EXPORTS` is true."""
    date: Day | None = None
    """Snapshot date, not in the future. For a past date, only missing files are created, with today's data."""

    @classmethod
    def read(cls, body: bytes, zone: ZoneInfo) -> tuple[Self, list[str]]:
        """Read the body of a request. An empty body counts as an empty object.

        Args:
            body: JSON, in UTF-8.
            zone: the deployment's time zone, for a timestamp in place of a date.

        Returns:
            The valid fields, and every problem with the others.

        Raises:
            ConfigurationError: it is not a JSON object (`malformed`).
        """
        document = _json_object(body)
        try:
            request, problems = cls.model_validate(document, context=zone), []
        except ValidationError as exc:
            problems = [_problem(error) for error in exc.errors()]
            wrong = {error["loc"][0] for error in exc.errors()}
            right = {name: value for name, value in document.items() if name not in wrong}
            request = cls.model_validate(right, context=zone)
        return request, problems + request.conflicts()

    def conflicts(self) -> list[str]:
        """Return the problems with fields that cannot be combined."""
        problems = []
        if self.retry_of is not None and (self.exports or self.groups or self.export or self.date):
            problems.append(
                "retry_of allows no other field: the run names the exports, and a retry is always for today"
            )
        if self.release_of is not None and (self.groups or self.retry_of or self.export or self.date):
            problems.append("release_of allows only exports beside it: the held files have their date")
        if self.export is not None and (self.exports or self.groups):
            problems.append("export allows no exports or groups beside it: it is a run of its own")
        return problems

    def normalised(self) -> dict[str, Any]:
        """Return it as canonical JSON, the same for every spelling: without unset fields, names in order."""
        document = self.model_dump(mode="json", exclude_none=True)
        return {name: sorted(value) if isinstance(value, list) else value for name, value in document.items()}


class Query(Model):
    """The query parameters; each call accepts some of them."""

    model_config = ConfigDict(strict=False)

    deep: bool = False
    """Whether to check everything that an export depends on, too."""
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = MOST_LISTED
    """Largest number of runs."""
    state: Literal["running", "succeeded", "failed"] | None = None
    """Only runs in this state."""

    @classmethod
    def read(cls, query: Mapping[str, str], allowed: Collection[str]) -> Self:
        """Read the parameters of an address.

        Args:
            query: by name; one that is repeated arrives joined by a comma. `code`, a function key, is the host's own.
            allowed: the parameters of the call.

        Raises:
            ConfigurationError: one is unknown or wrong (`request`), with every problem.
        """
        given = {name: value for name, value in query.items() if name in allowed}
        unknown = [name for name in query if name not in allowed and name != "code"]
        problems = [f"{shorten(name)}: unknown; allowed: {', '.join(allowed) or 'none'}" for name in unknown]
        try:
            read = cls.model_validate(given)
        except ValidationError as exc:
            problems = [*(_problem(error) for error in exc.errors()), *problems]
        if problems:
            raise ConfigurationError(problems, code="request")
        return read


def _json_object(body: bytes) -> dict[str, Any]:
    if len(body) > LARGEST_BODY_BYTES:
        raise _malformed(f"is larger than {LARGEST_BODY_BYTES:,} bytes")
    try:
        document = json.loads(body.decode("utf-8-sig").strip() or "{}", object_pairs_hook=_each_once)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as exc:
        raise _malformed(f"is not JSON (line {exc.lineno}, column {exc.colno})") from exc
    except UnicodeDecodeError as exc:
        raise _malformed(f"is not UTF-8 (at byte {exc.start})") from exc
    except RecursionError as exc:
        raise _malformed("is nested too deep") from exc
    except ValueError as exc:  # NaN, 1e999, a number of thousands of digits, half a surrogate
        raise _malformed("has a number or a text that JSON does not allow") from exc
    if not isinstance(document, dict):
        raise _malformed('must be a JSON object, such as {} or {"exports": ["revenue"]}')
    return document


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's fields. Reject a repeated one: JSON does not define which value counts."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _malformed("has a field twice in one object")
    return fields


def _malformed(what: str) -> ConfigurationError:
    return ConfigurationError([f"the body {what}"], code="malformed")


def _problem(error: ErrorDetails) -> str:
    """Return one of pydantic's errors in our own words, after the name of its field."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).removeprefix(".")
    match error["type"]:
        case "extra_forbidden":
            said = f"unknown; allowed: {', '.join(RunRequest.model_fields)}"
        case "value_error":
            said = error["msg"].removeprefix("Value error, ")
        case kind:
            said = _WORDS.get(kind, "this value is not allowed").format(**error.get("ctx", {}))
    return f"{shorten(path)}: {said}"


_WORDS = {
    "tuple_type": 'must be a list of names, such as ["revenue"]',
    "string_type": "must be a text",
    "dict_type": "must be an object",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "string_too_long": "must have at most {max_length} characters",
}
"""Our words for pydantic's types of errors."""
