"""What a call to start a run selects, with everything that is wrong with it told at once."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pigment_export.app.parts import App
from pigment_export.app.requests import RunRequest
from pigment_export.catalog.exports import Export, to_json
from pigment_export.catalog.file import define
from pigment_export.errors import ConfigurationError, ErrorRow, ExportError, RefusedError, Who
from pigment_export.retry import Deadline
from pigment_export.runs.again import exports_to_retry, files_to_release
from pigment_export.runs.plan import Released, date_problems

INLINE_FIELDS = ("name", "kind", "id", "options")

INLINE_FORBIDDEN = ErrorRow(
    "inline_forbidden",
    RefusedError,
    "this deployment takes no exports but those of its catalog",
    Who.ADMINISTRATOR,
    "add the export to the catalog; or set ALLOW_INLINE_EXPORTS, and any caller may read what the key may",
)


def inline_export(request: RunRequest, *, allowed: bool) -> tuple[Export | None, tuple[str, ...]]:
    """Return the export that a caller defines, and what is wrong with it.

    Args:
        request: what the caller asks for.
        allowed: whether a caller may define an export.

    Raises:
        RefusedError: no caller of this deployment may.
    """
    if request.export is None:
        return None, ()
    if not allowed:
        raise INLINE_FORBIDDEN.raised()
    fields = dict(request.export)
    name = fields.pop("name", None)
    problems = [
        f"export.{field}: unknown; allowed: {', '.join(INLINE_FIELDS)}"
        for field in fields
        if field not in INLINE_FIELDS
    ]
    if not isinstance(name, str):
        problems.append("export.name: missing; the file is named by it")
    if problems:
        return None, tuple(problems)
    try:
        return define(str(name), fields, where="export"), ()
    except ConfigurationError as error:
        return None, error.problems


def claimed_request(request: RunRequest, inline: Export | None) -> dict[str, Any]:
    """Return a request as its claim keeps it: the same for the same request, however it was written."""
    return request.normalised() | ({"export": to_json(inline)} if inline else {})


def select(app: App, request: RunRequest, inline: Export | None, deadline: Deadline) -> Sequence[Export] | Released:
    """Return the exports of a new run, or the held files that it releases.

    Args:
        app: the parts.
        request: what the caller asks for.
        inline: the export that the caller defines.
        deadline: of this call.

    Raises:
        ConfigurationError: catalog or choice are wrong.
        RefusedError: the run to retry has not ended.
        ExportError: the lake cannot be used.
    """
    if request.release_of is not None:
        return files_to_release(app.runs, request.release_of, request.exports or (), deadline)
    if request.retry_of is not None:
        return exports_to_retry(app.runs, request.retry_of, deadline)
    catalog = app.catalog(deadline)
    if inline is None:
        return catalog.select(request.exports or (), request.groups or ())
    if any(export.name == inline.name for export in catalog.exports):
        problem = f"export.name: {inline.name!r} is in the catalog: take another name, or name it in 'exports'"
        raise ConfigurationError([problem], code="request")
    return [inline]


def other_problems(app: App, request: RunRequest, deadline: Deadline) -> list[str]:
    """Return what is wrong with the valid part of a request that has problems already.

    Args:
        app: the parts.
        request: its valid part.
        deadline: of this call.
    """
    problems: list[str] = []
    with suppress(ExportError):
        try:
            if (request.exports or request.groups) and request.release_of is None:
                app.catalog(deadline).select(request.exports or (), request.groups or ())
        except ConfigurationError as error:
            problems += error.problems if error.cause.code == "selection" else ()
        if request.date:
            problems += date_problems(request.date, deadline.retry(app.runs.now), app.runs.time_zone)
    return problems
