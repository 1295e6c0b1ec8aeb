"""Requests to the lake stand-in and its replies: the part that both protocols share."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import unquote

from emulators.lake.access import AccessRequest
from emulators.lake.bodies import Body
from emulators.lake.nodes import Conditions, Node
from emulators.lake.problems import Problem, Refused

_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # a C# identifier, in ASCII
_METADATA_MOST_BYTES = (
    8 * 1024
)  # https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
SETTINGS = (
    "Cache-Control",
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Disposition",
    "Content-MD5",
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, with its body already on disk.

    Attributes:
        method: the HTTP verb.
        file_system: the path's first segment after the account; empty for calls to the account.
        path: the rest of the path, decoded, without slashes at its ends.
        query: decoded, by name.
        headers: by lower-case name.
        metadata: the x-ms-meta- headers, with the case of their names.
        body: the content, possibly empty.
        target: path and query as sent; a Shared Key signs these.
    """

    method: str
    file_system: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    body: Body
    target: str

    @property
    def lease_id(self) -> str | None:
        """The lease id in the request; an empty header counts as none."""
        return self.headers.get("x-ms-lease-id") or None

    def conditions(self, prefix: str = "") -> Conditions:
        """Return the conditional headers; with the prefix `x-ms-source-`, those for a rename's source."""
        return Conditions(
            self.headers.get(f"{prefix}if-match"),
            self.headers.get(f"{prefix}if-none-match"),
            _instant(self.headers.get(f"{prefix}if-modified-since")),
            _instant(self.headers.get(f"{prefix}if-unmodified-since")),
        )

    def settings(self, prefix: str) -> dict[str, str]:
        """Return the HTTP headers to store, sent with a prefix such as `x-ms-blob-`."""
        sent = {name: self.headers.get(prefix + name.lower()) for name in SETTINGS}
        return {name: value for name, value in sent.items() if value}

    def access(self) -> AccessRequest:
        """Return the requested owner, group, permissions, umask and ACL."""
        names = ("owner", "group", "permissions", "umask", "acl")
        return AccessRequest(*(self.headers.get(f"x-ms-{name}") for name in names))

    def expiry(self, now: datetime, created: datetime) -> datetime | None:
        """Return the requested expiry of the file."""
        option, text = self.headers.get("x-ms-expiry-option", "NeverExpire"), self.headers.get("x-ms-expiry-time", "")
        if option == "NeverExpire":
            return None
        try:
            if option == "Absolute":
                return _instant(text)
            start = {"RelativeToNow": now, "RelativeToCreation": created}[option]
            return start + timedelta(milliseconds=int(text))
        except (KeyError, ValueError):
            raise Refused(Problem.HEADER_VALUE, "x-ms-expiry-option or x-ms-expiry-time") from None

    def number(self, name: str, *, least: int = 0, missing: int | None = None) -> int:
        """Return a whole number from the query."""
        text = self.query.get(name, "")
        if not text and missing is not None:
            return missing
        if not text:
            raise Refused(Problem.QUERY_MISSING, name)
        try:
            value = int(text)
        except ValueError:
            raise Refused(Problem.QUERY_VALUE, name) from None
        if value < least:
            raise Refused(Problem.QUERY_RANGE, name)
        return value

    def truth(self, name: str) -> bool:
        """Return a `true` or `false` from the query; absent is false."""
        text = self.query.get(name, "false").lower()
        if text not in {"true", "false"}:
            raise Refused(Problem.QUERY_VALUE, name)
        return text == "true"

    def check_md5(self, header: str = "content-md5") -> None:
        """Refuse a body whose MD5 differs from the header."""
        expected = self.headers.get(header)
        if expected is not None and expected != md5_text(self.body):
            raise Refused(Problem.MD5, f"{header} does not match the body")


@dataclass(slots=True)
class Reply:
    """An answer.

    Attributes:
        content: stored bodies with a range (start, end) of them, to send instead of `body`.
        length: the Content-Length of a HEAD, if it differs from the bytes to send.
        is_own: whether it has the lake's own headers.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: tuple[Sequence[Body], int, int] | None = None
    length: int | None = None
    is_own: bool = True


def target_parts(path: str) -> list[str]:
    """Split a request's path into decoded segments, without empty ones."""
    return [unquote(segment) for segment in path.split("/") if segment]


def http_date(instant: datetime) -> str:
    """Return an instant in the format of HTTP headers."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def md5_text(body: Body) -> str:
    """Return a body's MD5 in base64, as in headers."""
    return base64.b64encode(body.md5()).decode()


def stamps(etag: str, modified: datetime) -> dict[str, str]:
    """Return the two headers of nearly every answer about a path."""
    return {"ETag": etag, "Last-Modified": http_date(modified)}


def told_of_node(node: Node, now: datetime) -> dict[str, str]:
    """Return the headers of a path's properties that both protocols have."""
    told = stamps(node.etag, node.modified)
    told["Accept-Ranges"] = "bytes"
    told["x-ms-resource-type"] = "directory" if node.directory else "file"
    told["x-ms-creation-time"] = http_date(node.created)
    told["x-ms-server-encrypted"] = "true"
    told |= {"Content-Type": "application/octet-stream"} | node.settings
    told |= node.access.headers() | node.lease.headers(now)
    if node.expires is not None:
        told["x-ms-expiry-time"] = http_date(node.expires)
    if node.encryption_context:
        told["x-ms-encryption-context"] = node.encryption_context
    return told


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata as stored. Refuse it unless it is ASCII, with identifiers as names, and 8 KiB at most."""
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name):
            raise Refused(Problem.METADATA_NAME, name)
        if not value.isascii() or any(ord(letter) < 32 and letter != "\t" for letter in value):
            raise Refused(Problem.METADATA_VALUE, name)
    if sum(len(name) + len(value) for name, value in metadata.items()) > _METADATA_MOST_BYTES:
        raise Refused(Problem.METADATA_SIZE)
    return {name: value.strip() for name, value in metadata.items()}


def requested_range(request: Request, length: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of the requested part; None for the whole.

    x-ms-range has priority over Range. A form other than `bytes=start-[end]`, and one whose end is before its start, is
    ignored, as HTTP requires.
    """
    match = _RANGE.fullmatch(request.headers.get("x-ms-range") or request.headers.get("range") or "")
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        return None
    start = int(match[1])
    end = int(match[2]) + 1 if match[2] else length
    if start >= length:
        raise Refused(Problem.RANGE)
    return start, min(end, length)


def properties_from_header(text: str) -> dict[str, str]:
    """Decode x-ms-properties: names with base64 values, separated by commas."""
    found = {}
    for item in filter(None, text.split(",")):
        name, equals, value = item.strip().partition("=")
        if not equals:
            raise Refused(Problem.METADATA_VALUE, "x-ms-properties")
        try:
            found[name] = base64.b64decode(value, validate=True).decode("latin-1")
        except binascii.Error:
            raise Refused(Problem.METADATA_VALUE, name) from None
    return check_metadata(found)


def properties_to_header(metadata: Mapping[str, str]) -> str:
    """Encode metadata as x-ms-properties."""
    return ",".join(f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())


def encode_token(path: str) -> str:
    """Return a continuation token for the position after a path."""
    return base64.urlsafe_b64encode(path.encode()).decode()


def decode_token(token: str) -> str:
    """Return the path of a continuation token."""
    try:
        return base64.urlsafe_b64decode(unquote(token)).decode()
    except ValueError:
        raise Refused(Problem.QUERY_VALUE, "the continuation") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)  # HTTP's dates are always GMT
    except ValueError:
        raise Refused(Problem.HEADER_VALUE, "a date") from None
