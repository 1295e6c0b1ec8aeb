"""Pigment's API: the requests, and the listings in its answers. Pure.

Source: Pigment's OpenAPI document, v1-external.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pigment_export.catalog.exports import Export, Kind, Listed
from pigment_export.errors import shorten
from pigment_export.pigment.errors import UNREADABLE_LISTING

LISTING_BYTES = 16 * 1024 * 1024  # at most, of one answer
_KINDS = {"DimensionList": Kind.LIST, "TransactionList": Kind.LIST, "Metric": Kind.METRIC, "Table": Kind.TABLE}


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request.

    Attributes:
        method: GET or POST.
        path: after the origin, with its query.
        about: what it requests, for messages, e.g. `metric 2222…`.
        kind: of the export; None for any other call.
        body: JSON value; None for a GET.
    """

    method: str
    path: str
    about: str
    kind: Kind | None = None
    body: dict[str, Any] | None = None


KEY_CHECK = ExportRequest(
    "GET", "/api/export/view/00000000-0000-4000-8000-000000000000", "a view that does not exist", Kind.VIEW
)
"""An export that cannot exist: a key that is allowed to export gets 404, any other gets 401."""


def request_of(export: Export) -> ExportRequest:
    """Return the request for an export.

    Views use the unversioned call: only that one accepts `dateFormat`.
    """
    about = f"{export.kind} {export.id}"
    options = export.options.model_dump(mode="json", by_alias=True, exclude_none=True)
    if export.kind is Kind.VIEW:
        return ExportRequest("GET", f"/api/export/view/{export.id}?{urlencode(options)}", about, export.kind)
    return ExportRequest("POST", f"/api/v1/export/{export.kind}/{export.id}", about, export.kind, options)


def listing_of(what: str, **ids: str | None) -> ExportRequest:
    """Return the request for a listing of metadata.

    Args:
        what: `applications`, `blocks` or `views`.
        **ids: `applicationId` and `blockId`, as filters; None for no filter.
    """
    query = urlencode({name: value for name, value in ids.items() if value is not None})
    return ExportRequest("GET", f"/api/v1/{what}" + (f"?{query}" if query else ""), f"the list of {what}")


def listed_in(data: bytes, application: Listed | None = None, kind: Kind | None = None) -> tuple[Listed, ...]:
    """Read a listing. Names are what people typed: of each text, one line of printable characters is kept.

    Args:
        data: Pigment's answer.
        application: the one whose blocks or views it lists; None for a listing of applications.
        kind: of the listed items; None if each item's type determines it.

    Raises:
        PermanentError: it is not the listing that Pigment documents.
    """
    try:
        lines = json.loads(data)
        rows = [(line["id"], line["name"], line["type"] if application else "Application") for line in lines]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UNREADABLE_LISTING.raised(type(exc).__name__) from None
    if not isinstance(lines, list) or not all(isinstance(text, str) for row in rows for text in row):
        raise UNREADABLE_LISTING.raised("TypeError")
    owner = (application.name, application.id) if application else None
    return tuple(
        Listed(its_id, name, type_, kind or _KINDS.get(type_), *(owner or (name, its_id)))
        for its_id, name, type_ in (map(shorten, row) for row in rows)
    )
