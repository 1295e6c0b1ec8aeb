"""The Blob protocol of the lake stand-in (`*.blob.core.windows.net`): properties, Put Blob, listings, leases.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api

Not supported: snapshots, versions, tags, tiers, copies, append and page blobs, batches, soft delete, Get Block List,
Arrow listings.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import datetime
from xml.etree import ElementTree as ET

from emulators.lake.blob_lists import list_blobs, list_file_systems, shown_metadata, xml_reply
from emulators.lake.bodies import Body, read
from emulators.lake.leases import Lease
from emulators.lake.messages import (
    Reply,
    Request,
    check_metadata,
    md5_text,
    requested_range,
    stamps,
    told_of_node,
)
from emulators.lake.nodes import Node
from emulators.lake.problems import Problem, Refused
from emulators.lake.store import Store

NAME = "blob"
Handler = Callable[[Store, Request], Reply]
_RANGE_MD5_MOST_BYTES = 4 << 20  # the service does not hash longer ranges
_UNSUPPORTED_HEADERS = ("x-ms-structured-body", "x-ms-content-crc64", "x-ms-encryption-key", "x-ms-copy-source")


def operation(request: Request) -> tuple[str, Handler]:
    """Return the name of a request's operation, and its handler."""
    key = (request.method, request.query.get("comp", ""))
    found: tuple[str, Handler] | None = None
    if request.path:
        found = _PATH_OPERATIONS.get(key)
    elif request.file_system and request.query.get("restype") == "container":
        found = _FILE_SYSTEM_OPERATIONS.get(key)
    elif not request.file_system and key == ("GET", "list"):
        found = "list_file_systems", list_file_systems
    return found or ("unknown", _unknown)


def refusal(problem: Problem, detail: str, now: datetime) -> Reply:
    """Return the protocol's answer to a refused request."""
    return error(problem.status, problem.blob_code, detail, now)


def error(status: int, code: str, detail: str, now: datetime) -> Reply:
    """Return an error answer with an XML body."""
    root = ET.Element("Error")
    ET.SubElement(root, "Code").text = code
    message = f"{detail}\nRequestId:00000000-0000-0000-0000-000000000000\nTime:{now.isoformat()}"
    ET.SubElement(root, "Message").text = message
    reply = xml_reply(root, status)
    reply.headers["x-ms-error-code"] = code
    return reply


def _unknown(_store: Store, request: Request) -> Reply:
    raise Refused(Problem.VERB if not request.query else Problem.QUERY_UNSUPPORTED, request.method)


# File systems


def _create_file_system(store: Store, request: Request) -> Reply:
    made = store.create_file_system(request.file_system, check_metadata(request.metadata))
    return Reply(201, stamps(made.etag, made.modified))


def _get_file_system(store: Store, request: Request) -> Reply:
    system = store.file_system(request.file_system)
    headers = stamps(system.etag, system.modified) | _metadata_headers(system.metadata)
    headers |= system.lease.headers(store.now())
    headers |= {"x-ms-has-immutability-policy": "false", "x-ms-has-legal-hold": "false"}
    return Reply(200, headers)


def _set_file_system_metadata(store: Store, request: Request) -> Reply:
    system = store.set_file_system_metadata(request.file_system, check_metadata(request.metadata))
    return Reply(200, stamps(system.etag, system.modified))


def _delete_file_system(store: Store, request: Request) -> Reply:
    store.delete_file_system(request.file_system, request.lease_id)
    return Reply(202)


def _lease_file_system(store: Store, request: Request) -> Reply:
    system = store.file_system(request.file_system)
    return _lease(store, request, system.lease, stamps(system.etag, system.modified))


# Paths


def _head(store: Store, request: Request) -> Reply:
    node = _readable(store, request)
    return Reply(200, _property_headers(store, node), length=node.length)


def _get(store: Store, request: Request) -> Reply:
    node = _readable(store, request)
    part = requested_range(request, node.length)
    start, end = part or (0, node.length)
    reply = Reply(206 if part else 200, _property_headers(store, node), content=(node.content, start, end))
    if part:
        stored = reply.headers.pop("Content-MD5", None)
        if stored is not None:
            reply.headers["x-ms-blob-content-md5"] = stored
        reply.headers["Content-Range"] = f"bytes {start}-{end - 1}/{node.length}"
        if request.headers.get("x-ms-range-get-content-md5", "").lower() == "true":
            if end - start > _RANGE_MD5_MOST_BYTES:
                raise Refused(Problem.QUERY_RANGE, "a range of more than 4 MiB has no MD5")
            digest = hashlib.md5(b"".join(read(node.content, start, end)), usedforsecurity=False).digest()
            reply.headers["Content-MD5"] = base64.b64encode(digest).decode()
    return reply


def _delete(store: Store, request: Request) -> Reply:
    store.delete(
        request.file_system,
        request.path,
        recursive=False,
        conditions=request.conditions(),
        lease_id=request.lease_id,
    )
    return Reply(202, {"x-ms-delete-type-permanent": "true"})


def _set_metadata(store: Store, request: Request) -> Reply:
    metadata = check_metadata(request.metadata)
    metadata.pop("hdi_isfolder", None)  # derived for directories, never stored
    node = store.set_metadata(request.file_system, request.path, metadata, request.conditions(), request.lease_id)
    return Reply(200, stamps(node.etag, node.modified) | {"x-ms-request-server-encrypted": "true"})


def _set_http_headers(store: Store, request: Request) -> Reply:
    node = store.set_settings(
        request.file_system,
        request.path,
        request.settings("x-ms-blob-"),
        request.conditions(),
        request.lease_id,
    )
    return Reply(200, stamps(node.etag, node.modified))


def _set_expiry(store: Store, request: Request) -> Reply:
    node = store.file(request.file_system, request.path)
    node.expires = request.expiry(store.now(), node.created)
    return Reply(200, stamps(node.etag, node.modified))


def _lease_path(store: Store, request: Request) -> Reply:
    node = store.node(request.file_system, request.path)
    request.conditions().check(node)
    return _lease(store, request, node.lease, stamps(node.etag, node.modified))


def _lease(store: Store, request: Request, lease: Lease, headers: dict[str, str]) -> Reply:
    now, lease_id = store.now(), request.lease_id
    proposed = request.headers.get("x-ms-proposed-lease-id")
    status = 200
    match request.headers.get("x-ms-lease-action", "").lower():
        case "acquire":
            duration = _header_number(request, "x-ms-lease-duration")
            if duration is None:
                raise Refused(Problem.HEADER_MISSING, "x-ms-lease-duration")
            headers["x-ms-lease-id"], status = lease.acquire(now, proposed, duration), 201
        case "renew":
            lease.renew(now, lease_id)
            headers["x-ms-lease-id"] = lease.id or ""
        case "change":
            headers["x-ms-lease-id"] = lease.change(lease_id, proposed)
        case "release":
            lease.release(lease_id)
        case "break":
            left = lease.break_(now, _header_number(request, "x-ms-lease-break-period"))
            headers["x-ms-lease-time"], status = str(left), 202
        case _:
            raise Refused(Problem.HEADER_VALUE, "x-ms-lease-action")
    return Reply(status, headers)


def _put_blob(store: Store, request: Request) -> Reply:
    _check_supported(request)
    kind = request.headers.get("x-ms-blob-type")
    if kind is None:
        raise Refused(Problem.HEADER_MISSING, "x-ms-blob-type")
    if kind != "BlockBlob":
        raise Refused(Problem.HEADER_VALUE, "x-ms-blob-type: this stand-in has only block blobs")
    request.check_md5()
    request.check_md5("x-ms-blob-content-md5")
    settings = request.settings("") | request.settings("x-ms-blob-")
    settings["Content-MD5"] = md5_text(request.body)
    node = _put(store, request, request.body, settings)
    headers = stamps(node.etag, node.modified) | {"Content-MD5": settings["Content-MD5"]}
    return Reply(201, headers | {"x-ms-request-server-encrypted": "true"})


def _put_block(store: Store, request: Request) -> Reply:
    _check_supported(request)
    block_id = request.query.get("blockid", "")
    try:
        if not block_id or len(base64.b64decode(block_id, validate=True)) > 64:  # the service's own limit
            raise Refused(Problem.QUERY_VALUE, "blockid")
    except binascii.Error:
        raise Refused(Problem.QUERY_VALUE, "blockid") from None
    if not request.body.length:
        raise Refused(Problem.HEADER_VALUE, "Content-Length is 0")
    request.check_md5()
    store.put_block(request.file_system, request.path, block_id, request.body, request.lease_id)
    return Reply(201, {"Content-MD5": md5_text(request.body), "x-ms-request-server-encrypted": "true"})


def _put_block_list(store: Store, request: Request) -> Reply:
    request.check_md5()
    committed, uncommitted = store.committed_and_uncommitted(request.file_system, request.path)
    places = {
        "Committed": committed,
        "Uncommitted": uncommitted,
        "Latest": {**committed, **uncommitted},
    }
    try:
        listed = ET.fromstring(request.body.path.read_bytes())  # noqa: S314 - from this project's own clients
    except ET.ParseError:
        raise Refused(Problem.INPUT, "the block list is not XML") from None
    blocks = []
    for element in listed:
        body = places.get(element.tag, {}).get(element.text or "")
        if body is None:
            raise Refused(Problem.BLOCK_LIST, f"{element.tag} {element.text}")
        blocks.append((element.text or "", body))
    node = _put(store, request, tuple(blocks), request.settings("x-ms-blob-"))
    headers = stamps(node.etag, node.modified) | {"x-ms-request-server-encrypted": "true"}
    return Reply(201, headers)


def _put(
    store: Store, request: Request, made_of: Body | tuple[tuple[str, Body], ...], settings: dict[str, str]
) -> Node:
    return store.put(
        request.file_system,
        request.path,
        made_of,
        conditions=request.conditions(),
        lease_id=request.lease_id,
        metadata=check_metadata(request.metadata),
        settings=settings,
    )


_FILE_SYSTEM_OPERATIONS: dict[tuple[str, str], tuple[str, Handler]] = {
    ("PUT", ""): ("create_file_system", _create_file_system),
    ("GET", ""): ("get_file_system", _get_file_system),
    ("HEAD", ""): ("get_file_system", _get_file_system),
    ("DELETE", ""): ("delete_file_system", _delete_file_system),
    ("PUT", "metadata"): ("set_file_system_metadata", _set_file_system_metadata),
    ("PUT", "lease"): ("lease_file_system", _lease_file_system),
    ("GET", "list"): ("list_blobs", list_blobs),
}
_PATH_OPERATIONS: dict[tuple[str, str], tuple[str, Handler]] = {
    ("HEAD", ""): ("head", _head),
    ("HEAD", "metadata"): ("head", _head),
    ("GET", ""): ("get", _get),
    ("DELETE", ""): ("delete", _delete),
    ("PUT", ""): ("put_blob", _put_blob),
    ("PUT", "block"): ("put_block", _put_block),
    ("PUT", "blocklist"): ("put_block_list", _put_block_list),
    ("PUT", "metadata"): ("set_metadata", _set_metadata),
    ("PUT", "properties"): ("set_http_headers", _set_http_headers),
    ("PUT", "lease"): ("lease", _lease_path),
    ("PUT", "expiry"): ("set_expiry", _set_expiry),
}


# Within


def _readable(store: Store, request: Request) -> Node:
    node = store.node(request.file_system, request.path)
    request.conditions().check(node, unchanged=Problem.NOT_MODIFIED)
    node.lease.check_holder(store.now(), request.lease_id)
    return node


def _property_headers(store: Store, node: Node) -> dict[str, str]:
    told = told_of_node(node, store.now()) | {"x-ms-blob-type": "BlockBlob", "x-ms-access-tier": "Hot"}
    told |= {"x-ms-access-tier-inferred": "true"}
    return told | _metadata_headers(shown_metadata(node))


def _metadata_headers(metadata: dict[str, str]) -> dict[str, str]:
    return {f"x-ms-meta-{name}": value for name, value in metadata.items()}


def _check_supported(request: Request) -> None:
    if any(name in request.headers for name in _UNSUPPORTED_HEADERS):
        raise Refused(Problem.HEADER_UNSUPPORTED)


def _header_number(request: Request, name: str) -> int | None:
    text = request.headers.get(name)
    try:
        return None if text is None else int(text)
    except ValueError:
        raise Refused(Problem.HEADER_VALUE, name) from None
