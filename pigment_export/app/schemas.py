"""The models of HTTP answers, and the view of a run. `docs/openapi.json` is generated from them. Pure."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from pigment_export.catalog.options import Model
from pigment_export.delivery.receipt import ReceiptSummary, State, count_states
from pigment_export.lake.paths import claimed_at
from pigment_export.runs.follow import RunListing
from pigment_export.runs.plan import PlanSummary

MOST_FAILED = 100  # in one answer: callers cap its size, and `result.json` has them all
MOST_FAILED_LISTED = 5  # for each run of a list


class FailedExport(Model):
    """An export that has not succeeded, and why."""

    name: str
    """The export's name."""
    state: str
    """`retrying`, `failed` or `held`."""
    code: str | None = Field(default=None, serialization_alias="class")
    """Stable name of the error class; docs/errors.md lists them all."""
    reason: str | None = None
    """What happened."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""
    owner: str | None = None
    """Owner of the export, as the catalog names them."""
    path: str | None = None
    """Path of the held file."""
    started_at: datetime | None = None
    """When its last attempt began; if that is not known, when the run was claimed."""
    ended_at: datetime | None = None
    """When it ended."""


class Run(Model):
    """A run that is in progress (202), has succeeded (200), or has failed (409, with the fields of a problem)."""

    run_id: str
    """The run's id; it begins with the instant of the claim."""
    state: str
    """`running`, `succeeded` or `failed`."""
    snapshot_date: date
    """The day that its files stand for."""
    trigger: str
    """What started it: `schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked for it: the id of a principal, a schedule, or a local user."""
    claimed_at: datetime
    """When it was claimed, to the second."""
    expires_at: datetime
    """When it expires: from then on, nothing is fetched for it."""
    ended_at: datetime | None = None
    """When its result was written. Only lists of runs have this field."""
    of: int
    """How many exports it has."""
    done: int
    """How many of them have ended."""
    counts: dict[str, int]
    """How many exports are in each state that occurs."""
    location: str
    """The address of this run."""
    retrying: tuple[FailedExport, ...] | None = None
    """While the run is in progress: exports that failed and are retried; at most a hundred, or five in a list."""
    failed: tuple[FailedExport, ...] | None = None
    """Exports that failed or are held; at most a hundred, or five in a list."""
    result: str | None = None
    """After the run has ended: path of `result.json` in the file system. It lists every file with rows and sha256."""


class RunList(Model):
    """Recent runs of this deployment, newest first."""

    runs: tuple[Run, ...]
    """Runs of the last seven days, at most fifty."""
    next: dict[str, datetime] | None = None
    """When each export with a schedule runs next, by name; missing if the catalog is wrong."""


class Check(Model):
    """A check of the app's health."""

    name: str
    """What was checked."""
    ok: bool
    """Whether the check passed."""
    detail: str
    """What happened."""
    remedy: str | None = None
    """What to do if it failed."""


class HealthReport(Model):
    """Whether the app is up and, with `deep=true`, whether everything works that an export depends on."""

    state: str
    """`up`, or `failing` if a check failed."""
    version: str
    """Version of the app."""
    deployment: str
    """Name of the app."""
    checks: tuple[Check, ...] = ()
    """The checks; only with `deep=true`."""


class Problem(Model):
    """A problem with a call (RFC 9457)."""

    type: str
    """A URN that ends in the stable name of the error class."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What happened."""
    problems: tuple[str, ...] | None = None
    """Every problem, each with its field and what is allowed."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""


def plain(model: Model) -> dict[str, Any]:
    """Return a model as a JSON object, without fields that are not set."""
    return model.model_dump(mode="json", exclude_none=True, by_alias=True)


def run_view(
    summary: PlanSummary,
    listing: RunListing,
    base_url: str,
    *,
    most_failed: int = MOST_FAILED,
    result: str | None = None,
) -> Run:
    """Return a run as HTTP answers show it.

    Args:
        summary: of its plan.
        listing: of its records.
        base_url: origin that `location` names.
        most_failed: how many exports that have not succeeded to include.
        result: path of its result, once it has ended.
    """
    receipts = listing.receipts
    bad = [failed_export(name, receipt, listing) for name, receipt in receipts.items() if not receipt.state.good]
    retrying = tuple(export for export in bad if export.state == State.RETRYING)
    failed = tuple(export for export in bad if export.state != State.RETRYING)
    has_ended = listing.state != "running"
    return Run(
        **summary.model_dump(include={"run_id", "snapshot_date", "trigger", "asked_by", "expires_at"}),
        state=listing.state,
        claimed_at=claimed_at(summary.run_id),
        ended_at=listing.ended_at,
        of=summary.exports,
        done=summary.exports if has_ended else sum(receipt.state.final for receipt in receipts.values()),
        counts=count_states(receipt.state for receipt in receipts.values()),
        location=f"{base_url}/api/runs/{summary.run_id}",
        retrying=retrying[:most_failed] or None,
        failed=failed[:most_failed] or None,
        result=result if has_ended else None,
    )


def failed_export(name: str, receipt: ReceiptSummary, listing: RunListing) -> FailedExport:
    """Return an export that has not succeeded, with everything that a person needs to act on it.

    Args:
        name: the export's.
        receipt: the export's.
        listing: of its run.
    """
    return FailedExport(
        name=name,
        **receipt.model_dump(include={"state", "code", "reason", "who", "remedy", "owner"}),
        path=receipt.path if receipt.state is State.HELD else None,
        started_at=receipt.started_at or claimed_at(listing.run_id),
        ended_at=receipt.ended_at if receipt.state.final else None,
    )
