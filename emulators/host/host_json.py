"""host.json and local.settings.json, as the host reads them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_TIME = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?|(\d+)")
_BATCH_MOST = 32  # Get Messages gives no more at once
_UNBOUNDED = "-1"
_TIMEOUT = timedelta(minutes=30)  # Flex Consumption's


class HostJsonError(ValueError):
    """host.json is one that stops the host."""


@dataclass(frozen=True, slots=True)
class HostJson:
    """What this stand-in heeds of host.json; the defaults are the host's own.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings and
    https://learn.microsoft.com/azure/azure-functions/functions-host-json

    Attributes:
        function_timeout: the longest that a call may take; None for no bound.
        route_prefix: leads every route.
        batch_size: so many messages are taken at once, for each function.
        new_batch_threshold: with so many or fewer running, the next batch is taken.
        max_dequeue_count: so often is a message tried.
        visibility_timeout: so long a failed message stays hidden.
        is_base64: whether messages are base64; else their text is what it is.
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
        HostJsonError: the host would stop, or would do what this stand-in doesn't.
    """
    try:
        read = json.loads((folder / "host.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HostJsonError(f"host.json can't be read: {error}") from error
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
    """Return the `Values` of a local.settings.json; none where there is no such file.

    Raises:
        ValueError: the file is no JSON, or a value is no text.
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
    """Read a .NET TimeSpan, in which a bare number is of days."""
    if name not in section:
        return default
    parts = _TIME.fullmatch(str(section[name]))
    if parts is None:
        raise HostJsonError(f"{name}: {section[name]!r} is no time such as 00:05:00")
    days, hours, minutes, seconds, bare = (int(part or 0) for part in parts.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        raise HostJsonError(f"{name}: {section[name]!r}: days stand before a point, as in 1.00:00:00")
    return timedelta(days=days + bare, hours=hours, minutes=minutes, seconds=seconds)
