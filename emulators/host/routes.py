"""Routes of HTTP triggers: templates such as `runs/{id}`, matched as the host matches them.

Case is ignored, a trailing slash matches, and a literal segment has priority over a parameter.

Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#customize-the-http-endpoint
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

_PARAMETER = re.compile(r"\{(\*?)([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?(\?)?\}")
_CONSTRAINTS = {
    "int": "-?[0-9]+",
    "long": "-?[0-9]+",
    "alpha": "[A-Za-z]+",
    "guid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
_RESERVED = ("admin", "runtime")  # the host's own


class RouteError(ValueError):
    """The host rejects a route, or the stand-in does not support it (see README.md)."""


class Route:
    """One route.

    Args:
        prefix: the beginning of the path; may be empty.
        template: the rest of the path.
    """

    def __init__(self, prefix: str, template: str) -> None:
        segments = [part for part in template.strip("/").split("/") if part]
        if segments and segments[0].lower().startswith(_RESERVED):
            raise RouteError(f"the route {template!r} begins with a reserved word")
        self.template = "/".join([prefix, *segments] if prefix else segments)
        pattern = "".join(f"/{re.escape(part)}" for part in prefix.split("/") if part)
        rank = []
        for segment in segments:
            part, order = _segment(segment)
            pattern += part
            rank.append(order)
        self._pattern = re.compile(f"{pattern}/?", re.IGNORECASE)
        self.rank = tuple(rank)

    def match(self, path: str) -> Mapping[str, str] | None:
        """Return the values of the route's parameters, or None if a percent-encoded path does not match."""
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        return {name: unquote(text) for name, text in found.groupdict().items() if text is not None}


def _segment(segment: str) -> tuple[str, int]:
    """Return a segment's pattern and its rank: the lowest has priority."""
    if "{" not in segment and "}" not in segment:
        return f"/{re.escape(segment)}", 0
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None or (parameter[3] and parameter[3] not in _CONSTRAINTS):
        raise RouteError(f"this stand-in does not support the segment {segment!r}")
    star, name, constraint, optional = parameter.groups()
    if star:
        return f"(?:/(?P<{name}>.*))?", 3
    pattern = f"/(?P<{name}>{_CONSTRAINTS.get(constraint or '', '[^/]+')})"
    return (f"(?:{pattern})?" if optional else pattern), 1 if constraint else 2
