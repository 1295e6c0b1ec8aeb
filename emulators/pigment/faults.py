"""Faults of the Pigment stand-in: `pigment.faults.append(Fault(…))` in process, `--fault` on the command line."""

import argparse
import re
from dataclasses import dataclass, fields

KINDS = ("reset", "goaway", "spare", "cut", "close", "stall", "late", "status", "html", "json", "redirect")


@dataclass
class Fault:
    """One fault, for the next requests whose path matches.

    Attributes:
        kind: `reset` (RST_STREAM with `code`), `goaway` (GOAWAY that drops the stream), `spare` (GOAWAY that spares it,
            PING and SETTINGS, then the rest), `cut` (a clean end), `close` (of the connection), `stall` (only PING for
            `seconds`), `late` (no first byte for `seconds`), `status`, `html` and `json` (pages with 200), `redirect`.
        path: regular expression that must match somewhere in the request's path; in `--fault`, without a comma.
        after: bytes of the body, as sent (after compression), before the fault.
        times: number of requests that it affects.
        code: HTTP/2 error code.
        status: HTTP status.
        retry_after: header of a status.
        seconds: duration of a `stall` or `late`.
        length: `Content-Length` to announce; 0 for none.
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
            raise ValueError(f"{self.kind!r} is no fault; the kinds are {', '.join(KINDS)}")
        try:
            re.compile(self.path)
        except re.error as exc:
            raise ValueError(f"{self.path!r} is not a regular expression: {exc}") from exc

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Parse `kind,name=value,…`, such as `reset,path=metric,after=5000,code=0`.

        Raises:
            ValueError: the text is not a fault.
        """
        kind, *rest = text.split(",")
        types = {field.name: type(getattr(cls("cut"), field.name)) for field in fields(cls)}
        values = {}
        for part in rest:
            name, equals, value = part.partition("=")
            if not equals or name not in types or name == "kind":
                raise ValueError(f"{part!r}: a fault is kind,name=value,… with the names {', '.join(types)}")
            try:
                values[name] = types[name](value)
            except ValueError:
                raise ValueError(f"{name} is a number, not {value!r}") from None
        return cls(kind, **values)


def add_fault_option(parser: argparse.ArgumentParser) -> None:
    """Add `--fault` to a command."""
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
