"""Check by headers and first bytes whether an answer with status 200 is a CSV. Pure."""

import json
import re
from collections.abc import Mapping

from pigment_export.errors import ExportError, shorten
from pigment_export.pigment.errors import ERROR_PAGE, PARTIAL

SNIFFED_BYTES = 1024  # of a body's beginning
_MEDIA_TYPES = {  # and none at all
    "",
    "text/csv",
    "text/plain",
    "text/comma-separated-values",
    "application/csv",
    "application/octet-stream",
    "binary/octet-stream",
}
_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"%PDF-": "a PDF",
    b"\x1f\x8b": "gzip within its encoding",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\xd0\xcf\x11\xe0": "an Office document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# A column can have a name like `<Total>`, but not like these.
_PAGE = re.compile(
    rb"<(!doctype|!--|\?xml|/?(html|head|body|script|style|title|meta|link|base|div|p|h[1-6]|pre|center|table|iframe|"
    rb"error|fault|soap|env|s:envelope|svg|rss|feed)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(rb"<[a-z!?/]", re.IGNORECASE)
_JSON = re.compile(rb'\{\s*(\}|"([^"\\]|\\.)*"\s*:)|\[\s*[\[{]')  # an object, or an array of nested values, also if cut


def refusal_of_head(headers: Mapping[str, str]) -> ExportError | None:
    """Return the error of an answer whose headers show that it is not a complete CSV, or None.

    Args:
        headers: of the answer; any case.
    """
    if "Content-Range" in headers:
        return PARTIAL.raised(shorten(f"Content-Range: {headers['Content-Range']}"))
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        return ERROR_PAGE.raised(shorten(f"it is {media_type}"))
    return None


def refusal_of_beginning(beginning: bytes, delimiter: bytes) -> ExportError | None:
    """Return the error of a body whose beginning is not that of a CSV, or None.

    Args:
        beginning: its first `SNIFFED_BYTES`, or all of a shorter body.
        delimiter: between the fields of the CSV.
    """
    found = next((what for magic, what in _MAGIC.items() if beginning.startswith(magic)), None)
    if found is None:
        text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
        if beginning and not text and len(beginning) >= SNIFFED_BYTES:
            found = "only white space"
        elif _PAGE.match(text) or (_TAG.match(text) and delimiter not in text.splitlines()[0]):
            found = "a page or an XML document"
        elif _JSON.match(text) or (text[:1] == b"[" and _is_json(text)):
            found = "a JSON document"
    return None if found is None else ERROR_PAGE.raised(f"it is {found}")


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
