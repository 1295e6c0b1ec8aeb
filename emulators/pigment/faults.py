"""What may go wrong with Pigment, as switches: in process `pigment.faults.append(Fault(…))`, else `--fault`."""

import argparse
import re
from dataclasses import dataclass, fields

KINDS = ("reset", "goaway", "spare", "cut", "close", "stall", "late", "status", "html", "json", "redirect")


@dataclass
class Fault:
    """One fault; each request whose path matches uses it up once.

    Attributes:
        kind: `reset` (RST_STREAM with `code`), `goaway` (one that takes the stream), `spare` (one that spares it, then
            PING and SETTINGS, then on), `cut` (a clean end), `close` (the connection), `stall` (nothing but PING for
            `seconds`), `late` (no first byte for `seconds`), `status`, `html` and `json` (pages with 200), `redirect`.
        path: regular expression on the request's path (found anywhere in it; a spelling can hold no comma).
        after: bytes of the body, as sent (compressed, where it is), before it happens.
        times: how many requests meet it.
        code: HTTP/2 error code.
        status: HTTP status.
        retry_after: header of a status.
        seconds: how long.
        length: `Content-Length` that is promised; 0 for none.
    """

    kind: str
    path: str = ""
    after: int = 0
    times: int = 1
    code: int = 2
    status: int = 503
    retry_after: str = ""
    seconds: float = 0.0
    length: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault; there are {', '.join(KINDS)}")
        try:
            re.compile(self.path)
        except re.error as exc:
            raise ValueError(f"{self.path!r} is no regular expression: {exc}") from exc

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Read a fault's spelling: `kind,name=value,…`, as `reset,path=metric,after=5000,code=0`.

        Raises:
            ValueError: it is none.
        """
        kind, *rest = text.split(",")
        types = {field.name: type(getattr(cls("cut"), field.name)) for field in fields(cls)}
        values = {}
        for part in rest:
            name, equals, value = part.partition("=")
            if not equals or name not in types or name == "kind":
                raise ValueError(f"{part!r}: a fault is spelled kind,name=value,… with {', '.join(types)}")
            try:
                values[name] = types[name](value)
            except ValueError:
                raise ValueError(f"{name} is a number, not {value!r}") from None
        return cls(kind, **values)


def add_fault_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--fault`."""
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="KIND,NAME=VALUE,…",
        help="a fault in Pigment, e.g. reset,path=metric,after=5000,code=0; repeatable",
    )


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
