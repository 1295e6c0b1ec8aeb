"""host.json and local.settings.json, as the host reads them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_TIME = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?|(\d+)")
_BATCH_MOST = 32  # the limit of Get Messages
_UNBOUNDED = "-1"
_TIMEOUT = timedelta(minutes=30)  # Flex Consumption's


class HostJsonError(ValueError):
    """The host does not start with this host.json."""


@dataclass(frozen=True, slots=True)
class HostJson:
    """The part of host.json that the stand-in implements; the defaults are the host's own.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings and
    https://learn.microsoft.com/azure/azure-functions/functions-host-json

    Attributes:
        function_timeout: the maximum duration of a call; None for no limit.
        route_prefix: the beginning of every route.
        batch_size: number of messages to take at once, for each function.
        new_batch_threshold: with this number of messages running or fewer, it takes the next batch.
        max_dequeue_count: number of attempts for each message.
        visibility_timeout: how long a failed message stays hidden.
        is_base64: whether messages are base64; otherwise they are plain text.
    """

    function_timeout: timedelta | None = _TIMEOUT
    route_prefix: str = "api"
    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    is_base64: bool = True


def read_host_json(folder: Path) -> HostJson:
    """Read an app's host.json. Unknown keys are ignored.

    Raises:
        HostJsonError: the host would stop, or the stand-in does not support it.
    """
    try:
        read = json.loads((folder / "host.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HostJsonError(f"host.json cannot be read: {error}") from error
    if not isinstance(read, dict) or read.get("version") != "2.0":
        raise HostJsonError('host.json needs "version": "2.0"')
    extensions = _section(read, "extensions")
    queues, http = _section(extensions, "queues"), _section(extensions, "http")
    usual = HostJson()
    batch_size = _number(queues, "batchSize", usual.batch_size, most=_BATCH_MOST)
    encoding = str(queues.get("messageEncoding", "base64")).lower()
    if encoding not in ("base64", "none"):
        raise HostJsonError("messageEncoding: base64 or none")
    unbounded = read.get("functionTimeout") == _UNBOUNDED
    return HostJson(
        function_timeout=None if unbounded else _time(read, "functionTimeout", _TIMEOUT),
        route_prefix=str(http.get("routePrefix", usual.route_prefix)).strip("/"),
        batch_size=batch_size,
        new_batch_threshold=_number(queues, "newBatchThreshold", batch_size // 2, least=0),
        max_dequeue_count=_number(queues, "maxDequeueCount", usual.max_dequeue_count),
        visibility_timeout=_time(queues, "visibilityTimeout", usual.visibility_timeout),
        is_base64=encoding == "base64",
    )


def read_local_settings(path: Path) -> dict[str, str]:
    """Return the `Values` of a local.settings.json, or nothing if the file does not exist.

    Raises:
        ValueError: the file is not JSON, or a value is not a text.
    """
    if not path.exists():
        return {}
    values = _section(json.loads(path.read_text(encoding="utf-8")), "Values")
    for name, value in values.items():
        if not isinstance(value, str):
            raise ValueError(f"{path.name}: the value of {name} must be a text")  # noqa: TRY004  a file's content
    return dict(values)


def _section(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name, {})
    if not isinstance(found, dict):
        raise HostJsonError(f"{name} must be an object")
    return found


def _number(section: Mapping[str, Any], name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    value = section.get(name, default)
    if not isinstance(value, int) or value < least or (most is not None and value > most):
        raise HostJsonError(f"{name}: {value!r} is out of range")
    return value


def _time(section: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    """Read a .NET TimeSpan, in which a bare number means days."""
    if name not in section:
        return default
    parts = _TIME.fullmatch(str(section[name]))
    if parts is None:
        raise HostJsonError(f"{name}: {section[name]!r} is not a time such as 00:05:00")
    days, hours, minutes, seconds, bare = (int(part or 0) for part in parts.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        raise HostJsonError(f"{name}: {section[name]!r}: write days before a point, as in 1.00:00:00")
    return timedelta(days=days + bare, hours=hours, minutes=minutes, seconds=seconds)
