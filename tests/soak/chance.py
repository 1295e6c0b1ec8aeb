"""What chance chooses for a run: the catalog, the sizes, what goes wrong and where the process is killed."""

from collections.abc import Callable  # noqa: TC003
from datetime import timedelta
from random import Random

from emulators.lake.account import Answer, Delay, Dropped, LostReply
from emulators.lake.faults import Fault as LakeFault
from emulators.pigment.faults import Fault as PigmentFault
from emulators.pigment.model import COST, COUNTRIES, ORDERS, PNL, PNL_VIEW, REVENUE
from emulators.web import Raw, Told

EXPORTS = {
    "countries": ("list", COUNTRIES),
    "orders": ("list", ORDERS),
    "revenue": ("metric", REVENUE),
    "cost": ("metric", COST),
    "pnl": ("table", PNL),
    "pnl_view": ("view", PNL_VIEW),
}
OPERATIONS = (
    "any", "get", "head", "create", "append", "flush", "set_metadata", "rename", "create_directory", "put_blob",
    "list_blobs", "delete",
)  # fmt: skip
TEMPLATES = (
    "{name}/dt={date}/{name}.csv",
    "{name}/dt={date}/{name}.csv",
    "{name}/year={year}/month={month}/day={day}/{name}.csv",
    "{name}/dt={date}/{instant}.csv",
)
PAUSES = (timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=7), timedelta(days=1))  # between two runs
BACK = timedelta(minutes=20)  # that the clock is put back now and then
JUMPS = (timedelta(minutes=5), timedelta(minutes=40), timedelta(hours=2))  # within a run, forward
SHORT_SECONDS, LONG_SECONDS = 0.05, 2.5  # a silence that is waited out, and one that is given up (see prelude)


def catalog(chance: Random) -> str:
    """Return a catalog of one to four exports, some with guards."""
    names = chance.sample(sorted(EXPORTS), chance.randint(1, 4))
    guards = {
        "minimum_rows": lambda: str(chance.choice([1, 1, 500])),
        "maximum_shrink": lambda: str(chance.choice([0.5, 0.9])),
        "columns": lambda: '"unchanged"',
    }
    tables = []
    for name in names:
        kind, block = EXPORTS[name]
        chosen = [guard for guard in guards if chance.random() < 0.2]
        lines = [f"[{name}]", f'kind = "{kind}"', f'id = "{block}"', *(f"{g} = {guards[g]()}" for g in chosen)]
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def settings(chance: Random) -> dict[str, str]:
    """Return what a version of the app may be set to."""
    return {"EXPORT_PATH": chance.choice(TEMPLATES), "RUN_HOURS": str(chance.choice([1, 6]))}


def rows(chance: Random) -> int:
    """Return a block's size: mostly some hundred rows, now and then none or many."""
    return chance.choice([0, 1, 40, 300, 300, 1000, 1000, 3000, 20_000])


def pigment_fault(chance: Random) -> PigmentFault:
    """Return something that goes wrong with Pigment, once or twice."""
    after, times = chance.choice([0, 1, 500, 9000, 40_000]), chance.choice([1, 1, 1, 2])
    kinds: list[Callable[[], PigmentFault]] = [
        lambda: PigmentFault("reset", after=after, times=times, code=chance.choice([0, 1, 2, 5, 7, 8, 11, 13])),
        lambda: PigmentFault("goaway", after=after, times=times, code=chance.choice([0, 2])),
        lambda: PigmentFault("spare", after=after, times=times),
        lambda: PigmentFault("cut", after=after, times=times, length=chance.choice([0, 1_000_000])),
        lambda: PigmentFault("close", after=after, times=times),
        lambda: PigmentFault("stall", after=after, seconds=chance.choice([SHORT_SECONDS, LONG_SECONDS])),
        lambda: PigmentFault("late", seconds=chance.choice([SHORT_SECONDS, LONG_SECONDS])),
        lambda: PigmentFault("status", status=chance.choice([500, 502, 503, 504]), times=chance.choice([1, 2, 9])),
        lambda: PigmentFault("status", status=429, retry_after=chance.choice(["", "0", "7", "-1"]), times=times),
        lambda: PigmentFault("status", status=chance.choice([400, 401, 403, 404, 413, 422])),
        lambda: PigmentFault("html", times=times),
        lambda: PigmentFault("json", times=times),
        lambda: PigmentFault("redirect", times=times),
    ]
    return chance.choice(kinds)()


def lake_fault(chance: Random) -> tuple[str, int, int, LakeFault, str]:
    """Return an operation, how many of it pass before, how many are struck, what happens to them, and its name."""
    code, name = chance.choice(
        [
            (503, "ServerBusy"),
            (500, "InternalError"),
            (500, "OperationTimedOut"),
            (429, "TooManyRequests"),
            (403, "AuthorizationPermissionMismatch"),
            (401, "InvalidAuthenticationInfo"),
            (412, "ConditionNotMet"),
            (409, "LeaseIdMissing"),
        ]
    )
    kinds: list[tuple[LakeFault, str]] = [
        (Answer(code, name, retry_after=chance.choice([None, None, 1])), str(code)),
        (LostReply(), "lost reply"),
        (Dropped(), "dropped request"),
        (Delay(0.05), "delay"),
    ]
    then, kind = chance.choice(kinds)
    return chance.choice(OPERATIONS), chance.randint(0, 6), chance.choice([1, 1, 2, 4]), then, f"lake {kind}"


def sign_in_fault(chance: Random) -> Told | Raw:
    """Return an answer of identity or vault that is none."""
    status = chance.choice([200, 403, 429, 500, 503])
    return chance.choice(
        [Told(status, "<html>a proxy's page</html>"), Told(max(status, 403), {"error": {"code": "x"}}), Raw()]
    )
