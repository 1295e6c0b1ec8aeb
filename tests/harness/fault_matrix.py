"""The faults that can be named, the steps at which each can occur, and how each is injected.

The expected outcomes are in `tests/faults/matrix.toml`, which is rendered into `docs/delivery.md`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from emulators.lake.account import Answer, Delay, Dropped, LostReply, Page
from emulators.lake.faults import Fault as LakeFault
from emulators.pigment.faults import Fault as PigmentFault
from emulators.pigment.service import DEMO_KEY, Key
from emulators.web import Raw, Told
from tests.harness.fault_world import SHORT_SECONDS, FaultWorld

LONG_SECONDS = SHORT_SECONDS * 4

type Arm = Callable[[FaultWorld, int], None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault of one dependency at one step.

    Attributes:
        dependency: `identity`, `vault`, `pigment` or `lake`.
        fault: its name.
        step: at which it occurs.
        arm: injects it, as often as it is told.
        warm: whether the lake's token and the key were read before.
        impatient: whether every timeout is short.
        after_good: whether an earlier run has published a good file.
        options: of the export's definition.
    """

    dependency: str
    fault: str
    step: str
    arm: Arm
    warm: bool = True
    impatient: bool = False
    after_good: bool = False
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.dependency} / {self.fault} / {self.step}"


# By step: the lake's operation, a pattern in its path, and how many matching requests pass first.
LAKE_STEPS: dict[str, tuple[str, str, int]] = {
    "read receipt": ("get", "/receipts/", 0),
    "look": ("head", r"\.csv$", 0),
    "create": ("create", "", 0),
    "append": ("append", "", 0),
    "flush": ("flush", "", 0),
    "read latest": ("get", "_latest", 0),
    "describe": ("set_metadata", "", 0),
    "look again": ("head", r"\.csv$", 1),
    "rename": ("rename", "", 0),
    "make folder": ("create_directory", "", 0),
    "write latest": ("put_blob", "_latest", 0),
    "write receipt": ("put_blob", "/receipts/", 0),
    "write result": ("put_blob", "result", 0),
    "write _SUCCESS": ("put_blob", "_SUCCESS", 0),
}
LAKE_FAULTS: dict[str, LakeFault] = {
    "reset before the effect": Dropped(),
    "reply lost after the effect": LostReply(),
    "no answer in time": Delay(LONG_SECONDS),
    "400": Answer(400, "InvalidInput"),
    "401 (token expired midway)": Answer(401, "InvalidAuthenticationInfo"),
    "403 role": Answer(403, "AuthorizationPermissionMismatch"),
    "403 firewall": Answer(403, "AuthorizationFailure"),
    "404 file system": Answer(404, "ContainerNotFound"),
    "409 condition": Answer(409, "PathAlreadyExists"),
    "409 immutable": Answer(409, "BlobImmutableDueToPolicy"),
    "409 archived": Answer(409, "BlobArchived"),
    "412 condition": Answer(412, "ConditionNotMet"),
    "412 lease": Answer(412, "LeaseIdMissing"),
    "413": Answer(413, "RequestBodyTooLarge"),
    "422": Answer(422, "Unprocessable"),
    "429": Answer(429, "TooManyRequests"),
    "429, wait 7 s": Answer(429, "TooManyRequests", retry_after=7),
    "429, excessive wait": Answer(429, "TooManyRequests", retry_after=10**9),
    "500": Answer(500, "InternalError"),
    "503": Answer(503, "ServerBusy"),
    "login page with 200": Page(),
}
SLOW = {"no answer in time"}  # these cells wait in real time: tested at one step of each kind
SLOW_STEPS = {"look", "append", "rename"}

TLD = {"lake": ("*.dfs.core.windows.net", "*.blob.core.windows.net"), "vault": ("*.vault.azure.net",)}


def _lead(dependency: str, world: FaultWorld, address: tuple[str, int] | None) -> None:
    assert world.everything.proxy
    for host in TLD.get(dependency, ("pigment.app",)):
        world.everything.proxy.lead(host, address)


NETWORK_FAULTS: dict[str, Callable[[str, FaultWorld], None]] = {
    "connection refused": lambda name, world: _lead(name, world, world.closed),
    "no connection in time": lambda name, world: _lead(name, world, world.silent),
    "refused by the proxy": lambda name, world: _lead(name, world, None),
    "certificate of another host": lambda name, world: (
        _lead(name, world, world.everything.vault.address)
        if name != "vault"
        else _lead(name, world, world.everything.lake.address)
    ),
    "certificate not trusted": lambda name, world: _lead(name, world, world.untrusted.address),
}

LOGIN = Told(200, "<html>sign in</html>", {"Content-Type": "text/html"})
IDENTITY_FAULTS: dict[str, Told | Raw] = {
    "reset without an answer": Raw(),
    "no answer in time": Raw(seconds=LONG_SECONDS),
    "400 no such identity": Told(400, {"statusCode": 400, "message": "No User Assigned Identity found"}),
    "401": Told(401, {"statusCode": 401, "message": "the header is wrong"}),
    "403 with an empty body": Told(403, ""),
    "404": Told(404, ""),
    "429, excessive wait": Told(429, {"statusCode": 429, "message": "slow down"}, {"Retry-After": "999999999"}),
    "500": Told(500, {"statusCode": 500, "message": "oops"}),
    "503": Told(503, ""),
    "login page with 200": LOGIN,
    "a body that is not a token": Told(200, {"access_token": "two words", "expires_on": "99999999999"}),
    "bytes that are not HTTP": Raw(b"\x00\x01\x02"),
}


def _odata(code: str, inner: str = "") -> dict[str, object]:
    return {"error": {"code": code, "message": "no", "innererror": {"code": inner}}}


VAULT_FAULTS: dict[str, Told | Raw] = {
    "reset without an answer": Raw(),
    "no answer in time": Raw(seconds=LONG_SECONDS),
    "400": Told(400, _odata("BadParameter")),
    "401": Told(401, _odata("Unauthorized")),
    "403 role": Told(403, _odata("Forbidden", "ForbiddenByRbac")),
    "403 firewall": Told(403, _odata("Forbidden", "ForbiddenByConnection")),
    "403 secret disabled": Told(403, _odata("Forbidden", "SecretDisabled")),
    "404": Told(404, _odata("SecretNotFound")),
    "409": Told(409, _odata("ObjectIsBeingDeleted")),
    "429": Told(429, _odata("Throttled")),
    "429, excessive wait": Told(429, _odata("Throttled"), {"Retry-After": "999999999"}),
    "500": Told(500, _odata("InternalError")),
    "503": Told(503, _odata("Unavailable")),
    "login page with 200": LOGIN,
    "an empty secret": Told(200, {"value": "", "id": "https://v.vault.azure.net/secrets/a/1", "attributes": {}}),
    "bytes that are not HTTP": Raw(b"\x00\x01\x02"),
}

CODES = {
    "NO_ERROR": 0,
    "PROTOCOL_ERROR": 1,
    "INTERNAL_ERROR": 2,
    "FLOW_CONTROL_ERROR": 3,
    "SETTINGS_TIMEOUT": 4,
    "STREAM_CLOSED": 5,
    "FRAME_SIZE_ERROR": 6,
    "REFUSED_STREAM": 7,
    "CANCEL": 8,
    "COMPRESSION_ERROR": 9,
    "CONNECT_ERROR": 10,
    "ENHANCE_YOUR_CALM": 11,
    "INADEQUATE_SECURITY": 12,
    "HTTP_1_1_REQUIRED": 13,
}
BEFORE, MIDWAY = "before the first byte", "midway"
PIGMENT_STATUSES: dict[str, PigmentFault] = {
    **{
        str(status): PigmentFault("status", status=status)
        for status in (400, 401, 403, 404, 409, 412, 413, 422, 500, 503)
    },
    "429": PigmentFault("status", status=429),
    "429, wait 7 s": PigmentFault("status", status=429, retry_after="7"),
    "429, excessive wait": PigmentFault("status", status=429, retry_after="999999999"),
    "503, impossible date": PigmentFault("status", status=503, retry_after="Fri, 31 Dec 9999 23:59:59 -2300"),
    "error page with 200": PigmentFault("html"),
    "JSON with 200": PigmentFault("json"),
    "redirect": PigmentFault("redirect"),
}
BODIES: dict[str, Callable[[bytes], bytes]] = {
    "empty body": lambda _: b"",
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "invalid UTF-8": lambda body: body.replace(b"France", b"Fran\xe7e"),
    "HTML as text/csv": lambda _: b"<html><body>Sign in</body></html>\n",
    "last row too short": lambda body: body + b"FR\n",
    "open quote at the end": lambda body: body + b'"FR',
    "no newline at the end": lambda body: body.rstrip(b"\n"),
    "error message in one line": lambda _: b"Internal error: please try again later",
    "ragged row midway": lambda body: body.replace(b"\n", b"\n;;;;;;;;;;;;\n", 2),
}


def _arm_lake(step: str, then: LakeFault, world: FaultWorld, times: int) -> None:
    operation, path, skip = LAKE_STEPS[step]
    world.everything.lake.faults.add(operation, path, skip=skip, times=times, then=then)


def _arm_list(server: str, answer: Told | Raw, world: FaultWorld, times: int) -> None:
    getattr(world.everything, server).failures.extend([answer] * times)


def _arm_network(dependency: str, fault: str, world: FaultWorld, _: int) -> None:
    NETWORK_FAULTS[fault](dependency, world)


def _arm_pigment(kind: PigmentFault, after: int, world: FaultWorld, times: int) -> None:
    made = PigmentFault(
        kind.kind, "export", after, times, kind.code, kind.status, kind.retry_after, kind.seconds, kind.length
    )
    world.everything.pigment.faults.append(made)


def _arm_body(change: Callable[[bytes], bytes], world: FaultWorld, times: int) -> None:
    left = [times]

    def changed(_: str, body: Iterator[bytes]) -> Iterator[bytes]:
        if left[0] <= 0:
            return body
        left[0] -= 1
        return iter([change(b"".join(body))])

    world.everything.pigment.switches.body = changed


def _arm_gzip(after: int, world: FaultWorld, times: int) -> None:
    """Make answers compressed, and end them cleanly before their trailer."""
    world.everything.pigment.switches.gzip = True
    _arm_pigment(PigmentFault("cut"), after, world, times)


def _rotate_key(world: FaultWorld, _: int) -> None:
    """Make the key that the vault gave invalid, and store the next one in the vault."""
    pigment, vault = world.everything.pigment, world.everything.vault
    newer = f"{DEMO_KEY}_{len(pigment.keys)}"
    pigment.keys[newer] = Key()
    pigment.keys[world.key] = Key(expired=True)
    vault.set("pigment-api-key", newer)
    world.key = newer


def cells() -> Iterator[Cell]:
    """Yield every cell that can be tested."""
    yield from _identity_cells()
    yield from _vault_cells()
    yield from _pigment_cells()
    yield from _lake_cells()


def _identity_cells() -> Iterator[Cell]:
    for fault, answer in IDENTITY_FAULTS.items():
        is_slow = fault in SLOW
        yield Cell("identity", fault, "token", partial(_arm_list, "identity", answer), warm=False, impatient=is_slow)
    yield Cell("identity", "connection refused", "token", _close_identity, warm=False)


def _close_identity(world: FaultWorld, _: int) -> None:
    world.close_identity()


def _network_cells(dependency: str, step: str) -> Iterator[Cell]:
    for fault in NETWORK_FAULTS:
        is_slow = fault == "no connection in time"
        yield Cell(dependency, fault, step, partial(_arm_network, dependency, fault), warm=False, impatient=is_slow)


def _vault_cells() -> Iterator[Cell]:
    yield from _network_cells("vault", "read key")
    for fault, answer in VAULT_FAULTS.items():
        yield Cell("vault", fault, "read key", partial(_arm_list, "vault", answer), warm=False, impatient=fault in SLOW)


def _pigment_cells() -> Iterator[Cell]:
    yield from _network_cells("pigment", "connect")
    for fault, made in PIGMENT_STATUSES.items():
        yield Cell("pigment", fault, "answer", partial(_arm_pigment, made, 0))
    for name, code in CODES.items():
        for step, after in ((BEFORE, 0), (MIDWAY, 9000)):
            yield Cell(
                "pigment", f"reset, {name}", step, partial(_arm_pigment, PigmentFault("reset", code=code), after)
            )
    for fault, kind in (
        ("GOAWAY that drops the stream", PigmentFault("goaway", code=0)),
        ("GOAWAY that spares the stream", PigmentFault("spare")),
        ("connection closed", PigmentFault("close")),
        ("clean end too early", PigmentFault("cut")),
        ("shorter than its Content-Length", PigmentFault("cut", length=10**6)),
    ):
        for step, after in ((BEFORE, 0), (MIDWAY, 9000)):
            yield Cell("pigment", fault, step, partial(_arm_pigment, kind, after))
    for step, after in (("within the header", 1), (MIDWAY, 2000)):
        yield Cell("pigment", "gzip without its trailer", step, partial(_arm_gzip, after))
    late, stall = PigmentFault("late", seconds=LONG_SECONDS), PigmentFault("stall", seconds=LONG_SECONDS)
    yield Cell("pigment", "no answer in time", BEFORE, partial(_arm_pigment, late, 0), impatient=True)
    yield Cell("pigment", "silence", MIDWAY, partial(_arm_pigment, stall, 9000), impatient=True)
    cut = partial(_arm_pigment, PigmentFault("cut"), 9000)
    yield Cell("pigment", "clean end too early", "within the header", partial(_arm_pigment, PigmentFault("cut"), 1))
    yield Cell("pigment", "clean end too early, after a good file", MIDWAY, cut, after_good=True)
    for fault, change in BODIES.items():
        yield Cell("pigment", fault, "body", partial(_arm_body, change))
    header = partial(_arm_body, lambda body: body.split(b"\n")[0] + b"\n")
    yield Cell("pigment", "header only", "body", header)
    yield Cell("pigment", "header only, after a good file", "body", header, after_good=True)
    yield Cell("pigment", "header only, with minimum_rows", "body", header, options={"minimum_rows": 1})
    yield Cell("pigment", "key rotated midway", "answer", _rotate_key)


def _lake_cells() -> Iterator[Cell]:
    yield from _network_cells("lake", "connect")
    for fault, then in LAKE_FAULTS.items():
        for step in LAKE_STEPS:
            if fault not in SLOW or step in SLOW_STEPS:
                yield Cell("lake", fault, step, partial(_arm_lake, step, then), impatient=fault in SLOW)
