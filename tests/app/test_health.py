"""Health: each check fails where what it names is broken, and no other check with it."""

from collections.abc import Callable
from typing import Any

import pytest

from pigment_export import __version__
from pigment_export.errors import Cause, ConfigurationError, PermanentError, RetryableError, Who
from tests.harness.api_world import ApiWorld, Told
from tests.harness.run_world import HOUR, Seen, export
from tests.harness.stepping import OUTAGE, Around

CATALOG, KEY, PIGMENT, WRITE, CHANGED, THERE, RENAME, RECORD = CHECKS = [
    "read the catalog",
    "read the Pigment key",
    "use the Pigment key",
    "write to the lake",
    "no rename over a file that has changed",
    "no rename over a file that is there",
    "rename over a file as it was seen",
    "write a record once",
]
NO_KEY = PermanentError(Cause("vault_secret_missing", "there is no such secret", Who.ADMINISTRATOR, "store the key"))
EXPIRED = PermanentError(Cause("pigment_unauthorized", "the key has expired", Who.KEY_OWNER, "make a new key"))
NO_WAY = RetryableError(Cause("pigment_unreachable", "no route", Who.NETWORK, "open the firewall"))


@pytest.fixture
def world() -> ApiWorld:
    return ApiWorld("revenue", "costs")


def failed(answer: Told) -> dict[str, dict[str, Any]]:
    """The checks that failed, each of which has a remedy."""
    assert (answer.status, answer.body["state"]) == (503, "failing")
    bad = {check["name"]: check for check in answer.body["checks"] if not check["ok"]}
    assert all(check["remedy"] for check in bad.values())
    return bad


def lone_failure(answer: Told) -> dict[str, Any]:
    """The only check that failed; all others are told, too."""
    assert [check["name"] for check in answer.body["checks"]] == CHECKS
    [check] = failed(answer).values()
    return check


def test_health_asks_for_nothing_unless_it_is_told_to(world: ApiWorld) -> None:
    world.out_until = world.lake.now() + HOUR
    answer = world.health()
    assert answer.status == 200
    assert answer.body == {"state": "up", "version": __version__, "deployment": "app", "checks": []}


def test_deep_health_tells_each_check_and_leaves_nothing_behind(world: ApiWorld) -> None:
    answer = world.health(deep=True)
    assert (answer.status, answer.body["state"]) == (200, "up")
    assert [check["name"] for check in answer.body["checks"]] == CHECKS
    assert all(check["ok"] and "remedy" not in check for check in answer.body["checks"])
    assert world.lake.paths() == []


def test_a_broken_catalog_fails_alone(world: ApiWorld) -> None:
    world.catalog_error = ConfigurationError(["exports.toml: a.id: missing", "exports.toml: b.id: missing"])
    check = lone_failure(world.health(deep=True))
    assert check["name"] == CATALOG
    assert "a.id: missing; exports.toml: b.id" in check["detail"]


def test_a_key_that_cannot_be_read_fails_alone(world: ApiWorld) -> None:
    world.key_error = NO_KEY
    assert lone_failure(world.health(deep=True)) == {
        "name": KEY,
        "ok": False,
        "detail": "there is no such secret [vault_secret_missing]",
        "remedy": f"{Who.ADMINISTRATOR}: store the key",
    }


@pytest.mark.parametrize("error", [EXPIRED, NO_WAY], ids=lambda error: error.cause.code)
def test_a_key_that_pigment_refuses_or_cannot_be_asked_about_fails_alone(
    world: ApiWorld, error: PermanentError | RetryableError
) -> None:
    world.pigment = error
    check = lone_failure(world.health(deep=True))
    assert (check["name"], check["remedy"]) == (PIGMENT, f"{error.cause.who}: {error.cause.remedy}")


def test_a_key_that_may_only_export_is_no_failure(world: ApiWorld) -> None:
    world.pigment = False
    answer = world.health(deep=True)
    assert answer.status == 200
    assert "is not allowed to read metadata" in answer.body["checks"][2]["detail"]


def test_the_key_of_each_enabled_export_is_checked(world: ApiWorld) -> None:
    world.exports = (
        export("revenue", secret="finance-key"),
        export("costs", secret="finance-key"),
        export("plan"),
        export("old", secret="old-key", enabled=False),
    )
    answer = world.health(deep=True)
    assert world.keys_used == [None, "finance-key"]
    assert [check["name"] for check in answer.body["checks"][:5]] == [
        CATALOG,
        KEY,
        PIGMENT,
        f"{KEY} finance-key",
        f"{PIGMENT} finance-key",
    ]


def obliging(world: ApiWorld, *, when: Callable[[str | None], bool]) -> None:
    """Make the lake rename where it should refuse to, as `when` says of `replacing`."""
    rename = world.lake.rename

    def oblige(source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        if when(replacing):
            current = world.lake.look(destination).etag
            world.lake.rename = rename  # type: ignore[method-assign]
            replacing = current
        rename(source, destination, source_etag=source_etag, replacing=replacing)

    world.lake.rename = oblige  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("name", "when"),
    [(CHANGED, lambda replacing: replacing is not None), (THERE, lambda replacing: replacing is None)],
)
def test_a_lake_that_does_not_refuse_a_rename_is_told(
    world: ApiWorld, name: str, when: Callable[[str | None], bool]
) -> None:
    obliging(world, when=when)
    check = next(iter(failed(world.health(deep=True)).values()))
    assert (check["name"], "lake_breaks_promise" in check["detail"]) == (name, True)
    assert "hierarchical namespace" in check["remedy"]
    assert world.lake.paths() == []


def test_a_lake_that_refuses_a_rename_and_makes_it_all_the_same_is_told(world: ApiWorld) -> None:
    rename = world.lake.rename

    def lie(source: str, destination: str, *, source_etag: str, replacing: str | None) -> None:
        if replacing is None:
            rename(source, destination, source_etag=source_etag, replacing=world.lake.look(destination).etag)
        rename(source, destination, source_etag="other", replacing=replacing)

    world.lake.rename = lie  # type: ignore[method-assign]
    assert THERE in failed(world.health(deep=True))


def test_a_lake_whose_rename_loses_metadata_is_told(world: ApiWorld) -> None:
    world.lake.describe = lambda path, _metadata, _etag: world.lake.look(path).etag  # type: ignore[method-assign,assignment,return-value]
    check = lone_failure(world.health(deep=True))
    assert (check["name"], "keep the file's metadata" in check["detail"]) == (RENAME, True)


def test_a_lake_that_keeps_other_bytes_is_told(world: ApiWorld) -> None:
    append = world.lake.append
    world.lake.append = lambda path, at, data: append(path, at, bytes(len(data)))  # type: ignore[method-assign]
    assert list(failed(world.health(deep=True))) == [WRITE]


@pytest.mark.parametrize("number", range(10))
def test_a_lake_that_cannot_be_written_to_is_told_and_what_was_written_is_removed(world: ApiWorld, number: int) -> None:
    """Whichever of the writes and reads fails, and though its effect may be there."""
    world.around = failing(number)
    answer = world.health(deep=True)
    assert list(failed(answer)) == [WRITE]
    assert world.lake.paths() == []


@pytest.mark.parametrize("operation", ["write", "list"])
def test_records_that_cannot_be_written_or_listed_fail_alone(world: ApiWorld, operation: str) -> None:
    """As where the account's Data Lake address can be reached, but not its Blob address."""
    world.around = out(operation)
    assert lone_failure(world.health(deep=True))["name"] == RECORD
    assert world.lake.paths() == []


def test_a_lake_that_writes_a_record_over_another_is_told(world: ApiWorld) -> None:
    world.lake.write = lambda path, data, metadata, **_: world.lake.put(path, data, metadata)  # type: ignore[method-assign]
    check = lone_failure(world.health(deep=True))
    assert (check["name"], "overwrote a record" in check["detail"]) == (RECORD, True)


def failing(number: int) -> Around:
    seen = Seen()

    def around(operation: str, path: str, call: Callable[[], Any]) -> Any:
        answer = seen(operation, path, call)
        if len(seen.requests) == number + 1:
            raise RetryableError(OUTAGE)
        return answer

    return around


def out(broken: str) -> Around:
    def around(operation: str, _path: str, call: Callable[[], Any]) -> Any:
        if operation == broken:
            raise RetryableError(OUTAGE)
        return call()

    return around
