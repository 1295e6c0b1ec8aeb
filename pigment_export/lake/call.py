"""The lake within one call: what may be done twice is retried here, once for all; every effect is progress.

Create, flush, describe, rename and write are one request each: who calls them looks at what is there before it tries
again, since no error tells whether the write took effect. So is delete: what it leaves, the sweep removes.
"""

from collections.abc import Callable
from typing import Any, cast

from pigment_export.lake.interface import Files, Records
from pigment_export.retry import Deadline

_RETRIED = {
    "look",
    "read",
    "names",
    "list",
    "append",
    "make_folder",
}  # the same bytes appended there twice are the same file
_PROGRESS = {"create", "append", "flush", "describe", "rename", "write"}


def within[T: (Files, Records)](target: T, deadline: Deadline) -> T:
    """Return files or records of the lake, bound to the deadline of one call."""
    return cast("T", _Bound(target, deadline))


class _Bound:
    def __init__(self, target: object, deadline: Deadline) -> None:
        self._target = target
        self._deadline = deadline

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._target, name)

        def request(*args: Any, **options: Any) -> Any:
            def once() -> Any:
                answer = method(*args, **options)
                return list(answer) if name == "list" else answer  # a listing is retried from its beginning

            answer = self._deadline.retry(once) if name in _RETRIED else once()
            if name in _PROGRESS:
                self._deadline.progressed()
            return answer

        return request
