"""`POST /api/runs`: start a run, retry one, or release its held files; or find the run of the same key.

An error lists every problem with the request at once.
"""

from contextlib import suppress

from pigment_export.app.following import started
from pigment_export.app.http import INLINE_FORBIDDEN, RUN_EXPIRED_UNPLANNED, HttpAnswer
from pigment_export.app.parts import App
from pigment_export.app.requests import RunRequest
from pigment_export.catalog.exports import Export, to_json
from pigment_export.catalog.file import define
from pigment_export.errors import ConfigurationError, ExportError
from pigment_export.runs.again import exports_to_retry, files_to_release
from pigment_export.runs.claim import Chosen, claim_run, date_problems
from pigment_export.runs.plan import ClaimRequest

INLINE_FIELDS = ("name", "kind", "id", "options")
LONGEST_KEY = 200


def start_run(app: App, body: bytes, key: str | None, asked_by: str) -> HttpAnswer:
    """Start a run, or find the one that was started with the same `Idempotency-Key`.

    Args:
        app: the parts.
        body: a `RunRequest`.
        key: the `Idempotency-Key`, or None.
        asked_by: the caller, as far as it is known.

    Returns:
        202 with the run's address, and the messages to send.

    Raises:
        ExportError: nothing was started.
    """
    wanted, problems = RunRequest.read(body, app.runs.time_zone)
    inline, more = _inline_export(wanted, allowed=app.settings.allow_inline_exports)
    problems += [*more, *_key_problems(key)]
    if problems:
        raise ConfigurationError([*problems, *_other_problems(app, wanted)], code="request")
    request = wanted.normalised() | ({"export": to_json(inline)} if inline else {})  # the same for any spelling
    asked = ClaimRequest("http", key or app.runs.new_nonce(), asked_by, request, date_asked=wanted.date)
    claim = claim_run(app.runs, asked, lambda: _select(app, wanted, inline))
    if not claim.is_planned:
        raise RUN_EXPIRED_UNPLANNED.raised(f"{claim.plan.run_id}, at {claim.plan.expires_at.isoformat()}")
    return started(app, claim)


def _key_problems(key: str | None) -> list[str]:
    if key is None or (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        return []
    return [f"Idempotency-Key: 1 to {LONGEST_KEY} printable ASCII characters"]


def _inline_export(request: RunRequest, *, allowed: bool) -> tuple[Export | None, tuple[str, ...]]:
    """Return the export that a caller defines, and its problems."""
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


def _select(app: App, request: RunRequest, inline: Export | None) -> Chosen:
    """Return the exports of a new run, or the held files that it releases."""
    if request.release_of is not None:
        return files_to_release(app.runs, request.release_of, request.exports or ())
    if request.retry_of is not None:
        return exports_to_retry(app.runs, request.retry_of)
    catalog = app.catalog()
    if inline is None:
        return catalog.select(request.exports or (), request.groups or ())
    if any(export.name == inline.name for export in catalog.exports):
        problem = f"export.name: {inline.name!r} is in the catalog: choose another name, or list it in 'exports'"
        raise ConfigurationError([problem], code="request")
    return [inline]


def _other_problems(app: App, request: RunRequest) -> list[str]:
    """Return problems in the valid part of a request that already has problems."""
    problems: list[str] = []
    with suppress(ExportError):
        try:
            if (request.exports or request.groups) and request.release_of is None:
                app.catalog().select(request.exports or (), request.groups or ())
        except ConfigurationError as error:
            problems += error.problems if error.cause.code == "selection" else ()
        if request.date:
            problems += date_problems(request.date, app.lake.now(), app.runs.time_zone)
    return problems
