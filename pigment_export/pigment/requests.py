"""The request that asks Pigment for an export. Pure.

Source: Pigment's OpenAPI document, v1-external.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pigment_export.catalog.exports import Export, Kind
from pigment_export.catalog.options import as_sent


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask Pigment.

    Attributes:
        method: GET or POST.
        path: with its query, from the origin on.
        body: JSON value; None for a GET.
    """

    method: str
    path: str
    body: dict[str, Any] | None = None


def request_of(export: Export) -> Request:
    """The request for an export.

    Views are asked for by the unversioned call: only that one takes `dateFormat`.
    """
    options = as_sent(export.options)
    if export.kind is Kind.VIEW:
        return Request("GET", f"/api/export/view/{export.id}?{urlencode(options)}")
    return Request("POST", f"/api/v1/export/{export.kind}/{export.id}", options)
