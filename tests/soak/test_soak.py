"""The soak itself: a short one holds, and each thing that must not be is found where it is put there."""

import hashlib
import json
from collections.abc import Callable, Iterator

import pytest

from emulators.host import process
from emulators.lake.account import Lake
from tests.harness.forking import ForkServer
from tests.soak.chance import BACK
from tests.soak.invariants import Judge, runs_in
from tests.soak.world import World

SEED = "a short one/0"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, forks: ForkServer) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "start_worker", forks.start_worker)
        with World(tmp_path_factory.mktemp("soak"), SEED) as world:
            world.live(3)
            yield world


def test_a_short_soak_holds(world: World) -> None:
    assert world.figures.violations == []
    assert world.figures.runs >= 3
    assert world.figures.outcomes.total() >= 3


def test_the_same_bytes_sent_again_once_the_clock_was_put_back_still_count_as_sent_late(world: World) -> None:
    """An export that is a header alone is the same bytes each time."""
    send = world.everything.pigment.switches.body
    assert send
    late = world.clock()
    assert b"".join(send("again", iter([b"a;b\n"]))) == b"a;b\n"
    world.clock.advance(-BACK)
    try:
        b"".join(send("again", iter([b"a;b\n"])))
        assert world.sent[hashlib.sha256(b"a;b\n").hexdigest()].at == late
    finally:
        world.clock.advance(BACK)


def found(world: World) -> list[str]:
    lake = world.everything.lake
    return world.judge.unsafe(lake) + world.judge.unsettled(lake)


def first(lake: Lake, end: str) -> str:
    return next(path for path in sorted(lake.tree()) if path.endswith(end))


def other_bytes(lake: Lake) -> None:
    path = first(lake, ".csv")
    lake.write(path, b"a;b\n1;2\n", lake.metadata(path))


def half_a_file(lake: Lake) -> None:
    path = first(lake, ".csv")
    lake.write(path, lake.read(path)[:-9], lake.metadata(path))


def of_nobody(lake: Lake) -> None:
    lake.write("countries/dt=2026-03-01/other.csv", b"a\n1\n")


def lost(lake: Lake) -> None:
    lake.delete(first(lake, ".csv"))


def older(lake: Lake) -> None:
    path = first(lake, ".csv")
    name = next(name for name in lake.metadata(path) if name.endswith("fetched_at"))
    lake.write(path, lake.read(path), lake.metadata(path) | {name: "2026-01-01T00:00:00%2B00:00"})


def receipts_of_another_try(lake: Lake) -> None:
    for path in [path for path in lake.tree() if "/receipts/" in path]:
        lake.write(path, json.dumps(json.loads(lake.read(path)) | {"nonce": "0" * 16}).encode())


def no_receipt(lake: Lake) -> None:
    lake.delete(next(path for path in sorted(lake.tree()) if "/receipts/" in path))


def no_result(lake: Lake) -> None:
    lake.delete(first(lake, "result.json"))


def another_result(lake: Lake) -> None:
    path = first(lake, "result.json")
    lake.write(path, json.dumps(json.loads(lake.read(path)) | {"counts": {"succeeded": 99}}).encode())


def no_marker(lake: Lake) -> None:
    lake.delete(first(lake, "_SUCCESS"))


def latest_behind(lake: Lake) -> None:
    lake.delete(first(lake, "_latest.json"))


def of_yesterday(lake: Lake) -> None:
    """A file as a fetch two days later would have left it, in the place of its own day's."""
    path = first(lake, ".csv")
    told = lake.metadata(path)
    names = {name.removeprefix("pigment_"): name for name in told}
    changed = {names["fetched_at"]: "2026-04-01T00:00:00%2B00:00", names["nonce"]: "0" * 16}
    lake.write(path, lake.read(path), told | changed)


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (other_bytes, "its bytes do not match its description"),
        (half_a_file, "Pigment never sent this"),
        (of_nobody, "has no description"),
        (lost, "the last good file is lost"),
        (older, "older than before"),
        (receipts_of_another_try, "its receipt says"),
        (no_receipt, "receipts of"),
        (no_result, "has not ended"),
        (another_result, "the result says"),
        (no_marker, "_SUCCESS is missing"),
        (latest_behind, "_latest.json is missing or older"),
        (of_yesterday, "a file of a past day was replaced"),
    ],
)
def test_what_must_not_be_is_found(world: World, tamper: Callable[[Lake], None], told: str) -> None:
    lake = world.everything.lake
    before = {path: (lake.read(path), lake.metadata(path)) for path in lake.tree()}
    assert found(world) == []
    tamper(lake)
    try:
        assert told in "\n".join(found(world))
    finally:
        for path in set(lake.tree()) - set(before):
            lake.delete(path)
        for path, (content, metadata) in before.items():
            if path not in lake.tree() or (lake.read(path), lake.metadata(path)) != (content, metadata):
                lake.write(path, content, metadata)
        found(world)  # remembers what was right


@pytest.mark.parametrize(
    ("kept", "is_first", "is_told"),
    [
        ("a few rows and a half", True, False),  # nothing shows that Pigment meant to go on
        ("a few rows and a half", False, True),  # the file before it had a final newline
        ("whole rows", False, False),
        ("a byte", True, True),
        ("half a header", True, True),
        ("nothing that Pigment sent", True, True),
    ],
)
def test_a_body_cut_where_it_could_have_been_told_is_found(
    world: World, kept: str, *, is_first: bool, is_told: bool
) -> None:
    lake = world.everything.lake
    whole = max((sent.whole for sent in world.sent.values()), key=len)
    rows = whole[: whole.index(b"\n", 200) + 1]
    content = {
        "a few rows and a half": rows + whole[len(rows) :][:1],
        "whole rows": rows,
        "a byte": whole[:1],
        "half a header": whole[:9],
        "nothing that Pigment sent": rows[:-1] + b"0",
    }[kept]
    judge = Judge(world.sent, world.judge.keys, {len(content)})
    told = lake.metadata(first(lake, ".csv"))
    names = {name.removeprefix("pigment_"): name for name in told}
    notes = "" if content.endswith(b"\n") else "no_final_newline"
    told |= {names["sha256"]: hashlib.sha256(content).hexdigest(), names["bytes"]: str(len(content))}
    told |= {"pigment_notes": notes}
    try:
        if not is_first:
            lake.write("cut/dt=2026-02-01/cut.csv", rows, told | {"pigment_notes": ""})
        lake.write("cut/dt=2026-03-01/cut.csv", content, told)
        assert any("cut/dt=2026-03-01" in line for line in judge.unsafe(lake)) == is_told
    finally:
        for path in [path for path in lake.tree() if path.startswith("cut/")]:
            lake.delete(path)


def test_a_key_that_shows_is_found(world: World) -> None:
    lake, key = world.everything.lake, world.judge.keys[-1]
    folder = runs_in(lake.tree())[0]
    lake.write(f"{folder}/note.json", f"authorization: …{key[7:15]}…".encode())
    seen = world.judge.unsafe(lake)
    lake.delete(f"{folder}/note.json")
    assert seen == [f"the key is in {folder}/note.json"]
    assert world.judge.leaks(key[-8:])
    assert not world.judge.leaks(key[-7:])


def test_what_was_never_swept_is_found(world: World) -> None:
    world.everything.lake.write("gone/_20260301T000000Z-0.0.partial", b"half")
    world._check_sweep()
    assert world.figures.violations == ["gone/_20260301T000000Z-0.0.partial was never removed"]
    world.figures.violations.clear()
