"""The requests that Pigment is asked. Pure.

Source: Pigment's OpenAPI document, v1-external.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pigment_export.catalog.exports import Export, Kind
from pigment_export.catalog.options import as_sent

NO_ID = "00000000-0000-4000-8000-000000000000"  # no view has it


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request.

    Attributes:
        method: GET or POST.
        path: with its query, from the origin on.
        about: what it asks for, as a message names it, e.g. `metric 2222…`.
        kind: of the export that it asks for; None for any other call.
        body: JSON value; None for a GET.
    """

    method: str
    path: str
    about: str
    kind: Kind | None = None
    body: dict[str, Any] | None = None


def request_of(export: Export) -> ExportRequest:
    """Return the request for an export.

    Views are asked for by the unversioned call: only that one takes `dateFormat`.
    """
    options, about = as_sent(export.options), f"{export.kind} {export.id}"
    if export.kind is Kind.VIEW:
        return ExportRequest("GET", f"/api/export/view/{export.id}?{urlencode(options)}", about, export.kind)
    return ExportRequest("POST", f"/api/v1/export/{export.kind}/{export.id}", about, export.kind, options)


def listing_of(what: str, **ids: str | None) -> ExportRequest:
    """Return the request for a listing of metadata.

    Args:
        what: `applications`, `blocks` or `views`.
        **ids: `applicationId` and `blockId`, to narrow it; None does not.
    """
    query = urlencode({name: value for name, value in ids.items() if value is not None})
    return ExportRequest("GET", f"/api/v1/{what}" + (f"?{query}" if query else ""), f"the list of {what}")


KEY_CHECK = ExportRequest("GET", f"/api/export/view/{NO_ID}", "a view that does not exist", Kind.VIEW)
"""An export that cannot exist: a key that may export gets 404, any other 401."""
