"""The DFS protocol of the lake stand-in (`*.dfs.core.windows.net`): paths, appends, renames, ACLs.

Source: https://learn.microsoft.com/rest/api/storageservices/datalakestoragegen2/path

Not supported: recursive ACLs, snapshots, soft delete, encryption scopes; client-provided keys, CRC64 and structured
bodies (refused with UnsupportedHeader). An expiry and an encryption context are only stored and returned.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from emulators.lake.messages import (
    Reply,
    Request,
    decode_token,
    encode_token,
    http_date,
    md5_text,
    properties_from_header,
    properties_to_header,
    requested_range,
    stamps,
    target_parts,
    told_of_node,
)
from emulators.lake.nodes import Conditions, Node
from emulators.lake.problems import Problem, Refused
from emulators.lake.store import Store

NAME = "dfs"
Handler = Callable[[Store, Request], Reply]
_PAGE = 5000  # the service's own page of a listing
_DELETE_PAGE = 1000
"""Paths that one paginated delete removes (guess: the service's number is not published)."""
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNSUPPORTED_HEADERS = ("x-ms-structured-body", "x-ms-content-crc64", "x-ms-encryption-key")


def operation(request: Request) -> tuple[str, Handler]:  # noqa: C901, PLR0911, PLR0912 - one line per operation of the protocol
    """Return the name of a request's operation, and its handler."""
    query, method = request.query, request.method
    if not request.file_system:
        if method == "GET" and query.get("resource") == "account":
            return "list_file_systems", _list_file_systems
    elif not request.path and query.get("resource") == "filesystem":
        match method:
            case "PUT":
                return "create_file_system", _create_file_system
            case "HEAD":
                return "get_file_system", _get_file_system
            case "GET":
                return "list_paths", _list_paths
            case "DELETE":
                return "delete_file_system", _delete_file_system
            case "PATCH":
                return "set_file_system_metadata", _set_file_system_metadata
    elif method == "PUT" and "x-ms-rename-source" in request.headers:
        return "rename", _rename
    elif method == "PUT" and query.get("resource") == "file":
        return "create", _create
    elif method == "PUT" and query.get("resource") == "directory":
        return "create_directory", _create
    elif method == "PATCH":
        actions: dict[str, tuple[str, Handler]] = {
            "append": ("append", _append),
            "flush": ("flush", _flush),
            "setAccessControl": ("set_access_control", _set_access_control),
            "setProperties": ("set_metadata", _set_properties),
        }
        if (action := query.get("action", "")) in actions:
            return actions[action]
    elif method == "HEAD" and query.get("action") == "getAccessControl":
        return "get_access_control", _get_access_control
    elif method == "HEAD":
        return "head", _head
    elif method == "GET":
        return "get", _get
    elif method == "DELETE":
        return "delete", _delete
    return "unknown", _unknown


def refusal(problem: Problem, detail: str, now: datetime) -> Reply:
    """Return the protocol's answer to a refused request."""
    return error(problem.status, problem.dfs_code, detail, now)


def error(status: int, code: str, detail: str, now: datetime) -> Reply:
    """Return an error answer with a JSON body."""
    message = f"{detail}\nRequestId:00000000-0000-0000-0000-000000000000\nTime:{now.isoformat()}"
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Reply(status, {"x-ms-error-code": code, "Content-Type": "application/json;charset=utf-8"}, body)


def rename_source(request: Request) -> tuple[str, str]:
    """Return the file system and the path in x-ms-rename-source."""
    parts = target_parts(request.headers["x-ms-rename-source"].partition("?")[0])
    if len(parts) < 2 or not request.headers["x-ms-rename-source"].startswith("/"):
        raise Refused(Problem.SOURCE_URI, "x-ms-rename-source is /file system/path")
    return parts[0], "/".join(parts[1:])


def _unknown(_store: Store, request: Request) -> Reply:
    raise Refused(Problem.VERB if not request.query else Problem.QUERY_UNSUPPORTED, request.method)


# File systems


def _list_file_systems(store: Store, _request: Request) -> Reply:
    found = [
        {"name": system.name, "lastModified": http_date(system.modified), "eTag": system.etag}
        for system in sorted(store.file_systems.values(), key=lambda system: system.name)
    ]
    return _json({"filesystems": found})


def _create_file_system(store: Store, request: Request) -> Reply:
    made = store.create_file_system(request.file_system, _sent_properties(request))
    return Reply(201, stamps(made.etag, made.modified) | {"x-ms-namespace-enabled": "true"})


def _get_file_system(store: Store, request: Request) -> Reply:
    system = store.file_system(request.file_system)
    headers = stamps(system.etag, system.modified)
    headers |= {"x-ms-namespace-enabled": "true", "x-ms-properties": properties_to_header(system.metadata)}
    return Reply(200, headers)


def _set_file_system_metadata(store: Store, request: Request) -> Reply:
    system = store.set_file_system_metadata(request.file_system, _sent_properties(request))
    return Reply(200, stamps(system.etag, system.modified))


def _delete_file_system(store: Store, request: Request) -> Reply:
    store.delete_file_system(request.file_system, request.lease_id)
    return Reply(202)


def _list_paths(store: Store, request: Request) -> Reply:
    system = store.file_system(request.file_system)
    directory = "/".join(target_parts(request.query.get("directory", "")))
    if "recursive" not in request.query:
        raise Refused(Problem.QUERY_MISSING, "recursive")
    if directory and not store.node(request.file_system, directory).directory:
        raise Refused(Problem.WRONG_TYPE, "directory is a file")
    found = list(system.under(directory))
    if not request.truth("recursive"):
        depth = directory.count("/") + 1 if directory else 0
        found = [(path, node) for path, node in found if path.count("/") == depth]
    first = "/".join(filter(None, [directory, *target_parts(request.query.get("beginFrom", ""))]))
    after = decode_token(request.query.get("continuation", ""))
    found = [
        (path, node)
        for path, node in found
        if path.split("/") >= first.split("/") and (not after or path.split("/") > after.split("/"))
    ]
    most = min(request.number("maxResults", least=1, missing=_PAGE), _PAGE)
    reply = _json({"paths": [_listed(path, node) for path, node in found[:most]]})
    if len(found) > most:
        reply.headers["x-ms-continuation"] = encode_token(found[most - 1][0])
    return reply


def _listed(path: str, node: Node) -> dict[str, str]:
    entry = {
        "name": path,
        "contentLength": str(node.length),
        "creationTime": _filetime(node.created),
        "etag": node.etag.strip('"'),
        "group": node.access.group,
        "lastModified": http_date(node.modified),
        "owner": node.access.owner,
        "permissions": node.access.permissions,
    }
    if node.directory:
        entry["isDirectory"] = "true"
    if node.expires is not None:
        entry["expiryTime"] = _filetime(node.expires)
    if node.encryption_context:
        entry["EncryptionContext"] = node.encryption_context
    return entry


def _filetime(instant: datetime) -> str:
    return str((instant - _FILETIME_EPOCH) // timedelta(microseconds=1) * 10)


# Paths


def _create(store: Store, request: Request) -> Reply:
    _check_no_body(request)
    directory = request.query["resource"] == "directory"
    now = store.now()
    expires = request.expiry(now, now)
    made = store.create(
        request.file_system,
        request.path,
        directory=directory,
        conditions=_conditions(request),
        lease_id=request.lease_id,
        metadata=_sent_properties(request),
        settings=request.settings("x-ms-"),
        asked=request.access(),
    )
    made.expires = expires
    made.encryption_context = request.headers.get("x-ms-encryption-context", "")
    if proposed := request.headers.get("x-ms-proposed-lease-id"):
        made.lease.acquire(now, proposed, _duration(request))
    return Reply(201, stamps(made.etag, made.modified) | {"x-ms-request-server-encrypted": "true"})


def _append(store: Store, request: Request) -> Reply:
    position = request.number("position")
    if any(name in request.headers for name in _UNSUPPORTED_HEADERS):
        raise Refused(Problem.HEADER_UNSUPPORTED, "this stand-in checks only MD5")
    node = store.file(request.file_system, request.path)
    if not request.body.length:
        raise Refused(Problem.HEADER_VALUE, "Content-Length is 0")
    request.check_md5()
    lease_id = _lease_before(store, request, node)
    store.append(request.file_system, request.path, position, request.body, lease_id)
    headers = {"x-ms-request-server-encrypted": "true"}
    if "content-md5" in request.headers:
        headers["Content-MD5"] = md5_text(request.body)
    if request.truth("flush"):
        end = position + request.body.length
        node = store.flush(request.file_system, request.path, end, lease_id=lease_id)
        headers |= stamps(node.etag, node.modified)
    _lease_after(request, node)
    return Reply(202, headers)


def _flush(store: Store, request: Request) -> Reply:
    position = request.number("position")
    request.truth("close")  # raises no event here
    _check_no_body(request)
    node = store.file(request.file_system, request.path)
    lease_id = _lease_before(store, request, node)
    node = store.flush(
        request.file_system,
        request.path,
        position,
        conditions=_conditions(request),
        lease_id=lease_id,
        retain=request.truth("retainUncommittedData"),
        settings=request.settings("x-ms-"),
    )
    _lease_after(request, node)
    headers = stamps(node.etag, node.modified) | {"x-ms-request-server-encrypted": "true"}
    return Reply(200, headers)


def _rename(store: Store, request: Request) -> Reply:
    _check_no_body(request)
    if request.query.get("mode", "legacy") not in {"legacy", "posix"}:
        raise Refused(Problem.QUERY_VALUE, "mode")
    node = store.rename(
        rename_source(request),
        (request.file_system, request.path),
        source_conditions=_conditions(request, "x-ms-source-"),
        conditions=_conditions(request),
        source_lease_id=request.headers.get("x-ms-source-lease-id") or None,
        lease_id=request.lease_id,
    )
    if "x-ms-properties" in request.headers:
        node.metadata = _sent_properties(request)
    return Reply(201)  # without an ETag: it is not published whether the service sends one


def _delete(store: Store, request: Request) -> Reply:
    paginated = request.truth("paginated") and request.truth("recursive")
    gone = store.delete(
        request.file_system,
        request.path,
        recursive=request.truth("recursive"),
        conditions=_conditions(request),
        lease_id=request.lease_id,
        most=_DELETE_PAGE if paginated else None,
    )
    return Reply(200, {} if gone else {"x-ms-continuation": encode_token(request.path)})


def _head(store: Store, request: Request) -> Reply:
    node = store.node(request.file_system, request.path)
    request.conditions().check(node, unchanged=Problem.NOT_MODIFIED)
    return Reply(200, _property_headers(store, node), length=node.length)


def _get(store: Store, request: Request) -> Reply:
    node = store.file(request.file_system, request.path)
    request.conditions().check(node, unchanged=Problem.NOT_MODIFIED)
    part = requested_range(request, node.length)
    start, end = part or (0, node.length)
    reply = Reply(206 if part else 200, _property_headers(store, node), content=(node.content, start, end))
    if part:
        reply.headers["Content-Range"] = f"bytes {start}-{end - 1}/{node.length}"
    return reply


def _get_access_control(store: Store, request: Request) -> Reply:
    node = store.node(request.file_system, request.path)
    request.conditions().check(node, unchanged=Problem.NOT_MODIFIED)
    return Reply(200, stamps(node.etag, node.modified) | node.access.headers())


def _set_access_control(store: Store, request: Request) -> Reply:
    node = store.set_access(request.file_system, request.path, request.access(), _conditions(request), request.lease_id)
    return Reply(200, stamps(node.etag, node.modified))


def _set_properties(store: Store, request: Request) -> Reply:
    node = store.set_metadata(
        request.file_system, request.path, _sent_properties(request), _conditions(request), request.lease_id
    )
    return Reply(200, stamps(node.etag, node.modified))


# Within


def _property_headers(store: Store, node: Node) -> dict[str, str]:
    return told_of_node(node, store.now()) | {"x-ms-properties": properties_to_header(node.metadata)}


def _json(value: object) -> Reply:
    return Reply(200, {"Content-Type": "application/json;charset=utf-8"}, json.dumps(value).encode())


def _sent_properties(request: Request) -> dict[str, str]:
    return properties_from_header(request.headers.get("x-ms-properties", ""))


def _conditions(request: Request, prefix: str = "") -> Conditions:
    found = request.conditions(prefix)
    if found.if_match is not None and found.if_none_match is not None:
        raise Refused(Problem.TWO_CONDITIONS)
    return found


def _check_no_body(request: Request) -> None:
    if request.body.length:
        raise Refused(Problem.BODY_NOT_EMPTY)


def _duration(request: Request) -> int:
    try:
        return int(request.headers.get("x-ms-lease-duration", "-1"))
    except ValueError:
        raise Refused(Problem.HEADER_VALUE, "x-ms-lease-duration") from None


def _lease_before(store: Store, request: Request, node: Node) -> str | None:
    """Do the part of x-ms-lease-action that precedes a write; return the lease id for the write."""
    action = request.headers.get("x-ms-lease-action", "")
    if action in {"acquire", "acquire-release"}:
        return node.lease.acquire(store.now(), request.headers.get("x-ms-proposed-lease-id"), _duration(request))
    if action == "auto-renew":
        node.lease.renew(store.now(), request.lease_id)
    elif action not in {"", "release"}:
        raise Refused(Problem.HEADER_VALUE, "x-ms-lease-action")
    return request.lease_id


def _lease_after(request: Request, node: Node) -> None:
    if request.headers.get("x-ms-lease-action") in {"release", "acquire-release"}:
        node.lease.forget()
