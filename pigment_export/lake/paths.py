"""All paths in the lake: path templates, run ids, and the names of records. Pure.

Spark, Synapse, Fabric and Hive skip names that begin with `_`, and only published files end in `.csv` or
`.csv.gz`, so readers never pick up a staged file, a held file or a record.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_PLACEHOLDERS = ("name", "date", "year", "month", "day", "instant", "run_id")
_DAYS = ({"date"}, {"year", "month", "day"})  # either determines a day
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._=-]*[A-Za-z0-9_=-])?")
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}")
_ALLOWED = (
    "a path has letters, digits, '.', '_', '=' and '-' between single '/'; "
    "no part of it can begin with '_' or '.' (readers skip those) or end with '.'"
)
LONGEST_PATH = 512  # characters of a template or root; the service takes 1,024 for a whole path


def instant_text(instant: datetime) -> str:
    """Return an instant for paths and run ids: UTC, whole seconds; its text sorts in the order of time."""
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def new_run_id(claimed_at: datetime, nonce: str) -> str:
    """Return a run's id: the instant of its claim, then 16 random hexadecimal digits."""
    return f"{instant_text(claimed_at)}-{nonce}"


def is_run_id(text: str) -> bool:
    """Return whether a text has the form of a run id; only then can it become part of a path."""
    if not _RUN_ID.fullmatch(text):
        return False
    try:
        claimed_at(text)
    except ValueError:  # for example, a month 13
        return False
    return True


def claimed_at(run_id: str) -> datetime:
    """Return the instant of a run's claim from its id; whole seconds, UTC."""
    return datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def root_problems(root: str) -> list[str]:
    """Return what is wrong with a `DATA_LAKE_ROOT`; nothing if it is valid."""
    if root == "" or (len(root) <= LONGEST_PATH and all(map(_SEGMENT.fullmatch, root.split("/")))):
        return []
    return [
        f"{root!r} is not a folder path: letters, digits, '.', '_', '=' and '-' between single '/', no '/' at the ends"
    ]


def template_problems(template: str) -> list[str]:
    """Return what is wrong with an `EXPORT_PATH` template; nothing if it is valid."""
    problems = []
    used = _PLACEHOLDER.findall(template)
    unknown = sorted(set(used) - set(_PLACEHOLDERS))
    if unknown:
        allowed = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        problems.append(f"unknown placeholder {{{unknown[0]}}}; allowed: {allowed}")
    segments = template.split("/")
    if not _has_own_folder(segments):
        problems.append(
            "a folder named just {name} must come before any other placeholder: each export needs its own folder"
        )
    if not {"instant", "run_id"} & set(used) and not any(day <= set(used) for day in _DAYS):
        problems.append(
            "one of {date}, {instant}, {run_id}, or {year}, {month} and {day} together, is required: otherwise each "
            "day would overwrite the one before"
        )
    if not template.endswith(".csv"):
        problems.append("the file's name must end in .csv: readers and housekeeping recognise published files by it")
    plain = _PLACEHOLDER.sub("x", template)
    if len(template) > LONGEST_PATH or not all(map(_SEGMENT.fullmatch, plain.split("/"))):
        problems.append(_ALLOWED)
    return problems


def _has_own_folder(segments: list[str]) -> bool:
    if "{name}" not in segments[:-1]:
        return False
    return not _PLACEHOLDER.search("/".join(segments[: segments.index("{name}")]))


def replaces(template: str) -> bool:
    """Return whether files of this template replace each other (one a day), or every run keeps its own."""
    return not {"instant", "run_id"} & set(_PLACEHOLDER.findall(template))


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of one export of one run.

    Attributes:
        folder: the export's folder, with its staged and held files and `_latest.json`.
        path: the file.
        replaces: whether a newer fetch may replace an existing file.
    """

    folder: str
    path: str
    replaces: bool

    def staged(self, run_id: str, nonce: str) -> str:
        """Return the path of an attempt's staged file, which readers ignore."""
        return f"{self.folder}/_{run_id}.{nonce}.partial"

    def held(self, run_id: str, nonce: str) -> str:
        """Return the path of a held file, which waits for a person to decide."""
        return f"{self.folder}/_held/{run_id}.{nonce}.held"

    @property
    def latest(self) -> str:
        """Path of the record of the newest good file."""
        return latest(self.folder)


def latest(folder: str) -> str:
    """Return the path of the record of the newest good file in an export's folder."""
    return f"{folder}/_latest.json"


def aside(folder: str) -> str:
    """Return the prefix of all hidden paths in an export's folder: staged and held files, `_latest.json`."""
    return f"{folder}/_"


def held_run(path: str) -> str | None:
    """Return the id of the run that a held file comes from, or None if it is not a held file."""
    folder, _, name = path.rpartition("/")
    run_id = name.partition(".")[0]
    return run_id if folder.endswith("/_held") and name.endswith(".held") and is_run_id(run_id) else None


def parent(path: str) -> str:
    """Return the folder of a path."""
    return path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of everything below one root.

    Args:
        root: `DATA_LAKE_ROOT`; empty for the file system's own root.
        template: `EXPORT_PATH`, checked by `template_problems`.
    """

    root: str
    template: str

    def destination(self, name: str, *, snapshot_date: date, run_id: str, is_compressed: bool = False) -> Destination:
        """Return an export's destination. `{instant}` is that of the run's claim; a compressed file ends in `.gz`."""
        date_text = snapshot_date.isoformat()
        year, month, day = date_text.split("-")
        values = {"name": name, "date": date_text, "year": year, "month": month, "day": day}
        values |= {"instant": run_id[:16], "run_id": run_id}
        return Destination(
            folder=self.folder(name),
            path=self._below(_PLACEHOLDER.sub(lambda match: values[match[1]], self.template)) + ".gz" * is_compressed,
            replaces=replaces(self.template),
        )

    def folder(self, name: str) -> str:
        """Return an export's own folder."""
        segments = self.template.split("/")
        return self._below("/".join([*segments[: segments.index("{name}")], name]))

    def claim(self, key: str) -> str:
        """Return the path of a key's claim; the key can have any characters."""
        return f"{self.claims}{hashlib.sha256(key.encode()).hexdigest()}.json"

    @property
    def claims(self) -> str:
        """Prefix of all claims; it sorts before that of any run's records."""
        return f"{self.runs}_keys/"

    def schedules(self, deployment: str) -> str:
        """Return the path of a deployment's schedule record; its name can have any characters."""
        return f"{self.runs}_schedules/{hashlib.sha256(deployment.encode()).hexdigest()}.json"

    @property
    def runs(self) -> str:
        """Prefix of all records of runs, including claims."""
        return self._below("_runs/")

    @property
    def probes(self) -> str:
        """Prefix of the files with which the health check tests the lake."""
        return self._below("_health/")

    def runs_of(self, day: date) -> str:
        """Return the prefix of the records of all runs that were claimed on a day (UTC)."""
        return f"{self.runs}dt={day.isoformat()}/"

    def run(self, run_id: str) -> "RunFolder":
        """Return the folder of a run, found by the day in its id."""
        return RunFolder(f"{self.runs_of(claimed_at(run_id).date())}{run_id}")

    def run_at(self, path: str) -> str | None:
        """Return the id of a record's run, or None if it does not belong to a run."""
        _, _, rest = path.removeprefix(self.runs).partition("/")
        run_id = rest.partition("/")[0]
        return run_id if is_run_id(run_id) and path.startswith(f"{self.run(run_id).path}/") else None

    def _below(self, path: str) -> str:
        return f"{self.root}/{path}" if self.root else path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The records of one run."""

    path: str

    @property
    def plan(self) -> str:
        """Path of the plan."""
        return f"{self.path}/run.json"

    def receipt(self, name: str) -> str:
        """Return the path of an export's receipt."""
        return f"{self.path}/receipts/{name}.json"

    def name_of(self, path: str) -> str | None:
        """Return the export of the receipt at a path, or None if it is not a receipt."""
        name, dot, ending = path.removeprefix(f"{self.path}/receipts/").partition(".json")
        return name if path == self.receipt(name) and dot and not ending else None

    @property
    def result(self) -> str:
        """Path of the result, which is written after the last receipt."""
        return f"{self.path}/result.json"

    @property
    def cancel(self) -> str:
        """Path of the cancellation."""
        return f"{self.path}/cancel.json"

    @property
    def success(self) -> str:
        """Path of the marker that every export succeeded, for readers that wait for it."""
        return f"{self.path}/_SUCCESS"
