"""What must hold in the lake: some of it at every moment, the rest once everything has come to its end."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from emulators.lake.account import Lake
from pigment_export.delivery.description import FileDescription
from pigment_export.runs.plan import Plan

GRACE = timedelta(hours=1)  # past the end of its day, in which a fetch may still replace the day's file
LEAK_CHARACTERS = 8  # of a key: so many in a row show it
GOOD = {"succeeded", "superseded"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A whole body as Pigment meant it, whatever arrived of it.

    Attributes:
        path: of the request.
        at: the latest simulated instant at which Pigment sent it.
        whole: all its bytes.
    """

    path: str
    at: datetime
    whole: bytes


@dataclass
class Judge:
    """Remembers what was right before, and finds what is wrong now.

    Attributes:
        sent: every body by its SHA-256.
        keys: of Pigment, which must show nowhere.
        cuts: after how many bytes a body may have ended, and cleanly all the same.
    """

    sent: Mapping[str, Sent]
    keys: list[str]
    cuts: set[int] = field(default_factory=set)
    _before: dict[str, FileDescription] = field(default_factory=dict)

    def unsafe(self, lake: Lake) -> list[str]:
        """Return what may never be: a file that is not whole, lost, gone back or changed too late; a key that shows."""
        tree = lake.tree()
        files = _files(lake)
        found = [f"{path} has no description" for path in tree if path.endswith(".csv") and path not in files]
        for path in files:
            found += self._of_bytes(lake, path, files)
        found += self._of_change(lake, files)
        found += [f"the key is in {path}" for path in tree if self.leaks(_text(lake, path))]
        self._before = files
        return found

    def unsettled(self, lake: Lake) -> list[str]:
        """Return what must agree in the end: files, receipts, results and markers of all runs."""
        tree = lake.tree()
        files = _files(lake)
        found = []
        for path, described in files.items():
            found += _of_receipt(lake, path, described)
        for folder in runs_in(tree):
            found += _of_run(lake, folder, tree, files)
        return found

    def leaks(self, text: str) -> bool:
        """Tell whether a part of a key can be read in a text."""
        parts = (key[at : at + LEAK_CHARACTERS] for key in self.keys for at in range(len(key) - LEAK_CHARACTERS + 1))
        return any(part in text for part in parts)

    def _of_bytes(self, lake: Lake, path: str, files: Mapping[str, FileDescription]) -> list[str]:
        """A readable file is, byte for byte, what Pigment sent to the fetch that it names."""
        found = []
        described = files[path]
        content = lake.read(path)
        digest = hashlib.sha256(content).hexdigest()
        if digest != described.sha256:
            found.append(f"{path}: its bytes do not match its description")
        sent = self.sent.get(digest)
        if sent is None:
            # A page with 200, and a body that ends cleanly too early, are held; a person may release them all the same.
            is_released = _is_release(lake, described.run_id) and _was_held(lake, digest)
            if not is_released and not (digest == described.sha256 and self._is_cut_unnoticed(path, content, files)):
                found.append(f"{path}: Pigment never sent this: {content[:60]!r} ({len(content)} bytes)")
        elif not described.fetched_at <= sent.at:
            found.append(f"{path}: fetched at {described.fetched_at}, but sent at {sent.at}")
        return found

    def _is_cut_unnoticed(self, path: str, content: bytes, files: Mapping[str, FileDescription]) -> bool:
        """Tell whether a body ended cleanly too early, and nothing could show it (docs/delivery.md).

        It has whole rows only, or a last one that lacks the end of its last field, and no file that was whole was there
        before. After such a file it is held, and so is a single line without a line end.
        """
        if len(content) not in self.cuts or not any(sent.whole.startswith(content) for sent in self.sent.values()):
            return False
        if content.endswith(b"\n"):
            return True
        earlier = (
            file
            for other, file in [*self._before.items(), *files.items()]
            if other.split("/", 1)[0] == path.split("/", 1)[0] and file.fetched_at <= files[path].fetched_at
        )
        return content.count(b"\n") > 0 and all("no_final_newline" in file.notes for file in earlier)

    def _of_change(self, lake: Lake, files: Mapping[str, FileDescription]) -> list[str]:
        """What was there is there, never older; a past day's file stays as it was."""
        found = []
        for path, before in self._before.items():
            now = files.get(path)
            if now is None or now.fetched_at < before.fetched_at:
                found.append(f"{path}: the last good file is lost, or older than before")
            elif now.nonce != before.nonce and not _is_release(lake, now.run_id):
                end = datetime.combine(now.snapshot_date + timedelta(days=1), time(), UTC)
                if now.fetched_at > end + GRACE:
                    found.append(f"{path}: a file of a past day was replaced by a fetch at {now.fetched_at}")
        return found


def runs_in(tree: Mapping[str, int]) -> list[str]:
    """Return the folders of all runs."""
    return sorted(path.removesuffix("/run.json") for path in tree if path.endswith("/run.json"))


def open_runs(tree: Mapping[str, int]) -> list[str]:
    """Return the folders of the runs that have not ended."""
    return [folder for folder in runs_in(tree) if f"{folder}/result.json" not in tree]


def receipts_of(lake: Lake, folder: str) -> dict[str, dict[str, Any]]:
    """Return a run's receipts by name."""
    start = f"{folder}/receipts/"
    return {
        path.removeprefix(start).removesuffix(".json"): json.loads(lake.read(path))
        for path in lake.tree()
        if path.startswith(start)
    }


def _files(lake: Lake) -> dict[str, FileDescription]:
    """Return the readable files that describe themselves."""
    described = {
        path: FileDescription.from_metadata(lake.metadata(path)) for path in lake.tree() if path.endswith(".csv")
    }
    return {path: file for path, file in described.items() if file is not None}


def _of_receipt(lake: Lake, path: str, described: FileDescription) -> list[str]:
    """A readable file's receipt names it."""
    receipt = _receipts(lake, described.run_id).get(path.split("/", 1)[0])
    if receipt is None or (receipt["state"], receipt.get("nonce")) != ("succeeded", described.nonce):
        return [f"{path}: its receipt says {receipt and (receipt['state'], receipt.get('nonce'))}"]
    if receipt["sha256"] != described.sha256 or receipt["path"] != path:
        return [f"{path}: its receipt has another hash or path"]
    return []


def _of_run(lake: Lake, folder: str, tree: Mapping[str, int], files: Mapping[str, FileDescription]) -> list[str]:
    """A run has ended, its result tells what its receipts do, and what succeeded is there or was replaced."""
    if f"{folder}/result.json" not in tree:
        return [f"{folder} has not ended"]
    found = []
    run_id = folder.rpartition("/")[2]
    plan, result = Plan.from_json(lake.read(f"{folder}/run.json")), json.loads(lake.read(f"{folder}/result.json"))
    receipts = _receipts(lake, run_id)
    if set(receipts) != set(plan.names):
        found.append(f"{folder}: receipts of {sorted(receipts)}")
    if result["counts"] != dict(Counter(receipt["state"] for receipt in receipts.values())):
        found.append(f"{folder}: the result says {result['counts']}")
    good = {receipt["state"] for receipt in receipts.values()} <= GOOD
    if good != (f"{folder}/_SUCCESS" in tree):
        found.append(f"{folder}: _SUCCESS is {'missing' if good else 'there'}")
    for name, receipt in receipts.items():
        if receipt["state"] == "retrying":
            found.append(f"{folder}: {name} is still retrying")
        if receipt["state"] not in GOOD:
            missing = [word for word in ("class", "who", "remedy") if not receipt.get(word)]
            found += [f"{folder}: {name} {receipt['state']} without {word}" for word in missing]
            continue
        file = files.get(receipt["path"])
        if file is None or file.fetched_at < datetime.fromisoformat(receipt["fetched_at"]):
            found.append(f"{folder}: {name} {receipt['state']}, but {receipt['path']} is missing or older")
        latest = json.loads(lake.read(f"{name}/_latest.json")) if f"{name}/_latest.json" in tree else {}
        if latest.get("fetched_at", "") < receipt["fetched_at"]:
            found.append(f"{folder}: {name}/_latest.json is missing or older")
    return found


def _receipts(lake: Lake, run_id: str) -> dict[str, dict[str, Any]]:
    folder = next((folder for folder in runs_in(lake.tree()) if folder.endswith(f"/{run_id}")), None)
    return receipts_of(lake, folder) if folder else {}


def _is_release(lake: Lake, run_id: str) -> bool:
    folder = next(folder for folder in runs_in(lake.tree()) if folder.endswith(f"/{run_id}"))
    return "release_of" in lake.read(f"{folder}/run.json").decode()


def _was_held(lake: Lake, digest: str) -> bool:
    receipts = (receipt for folder in runs_in(lake.tree()) for receipt in receipts_of(lake, folder).values())
    return any(receipt["state"] == "held" and receipt.get("sha256") == digest for receipt in receipts)


def _text(lake: Lake, path: str) -> str:
    content = "" if path.endswith((".csv", ".held", ".partial")) else lake.read(path).decode(errors="replace")
    return content + json.dumps(lake.metadata(path))
