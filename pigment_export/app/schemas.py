"""What callers are told over HTTP: the models that `docs/openapi.json` is made of, too, and runs in them. Pure."""

from datetime import date, datetime

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
    """The export's."""
    state: str
    """`retrying`, `failed` or `held`."""
    code: str | None = Field(default=None, serialization_alias="class")
    """Stable name of the error class: docs/errors.md has all."""
    reason: str | None = None
    """What was seen."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""
    owner: str | None = None
    """Owner of the export, as the catalog names them."""
    path: str | None = None
    """Where a held file lies."""
    started_at: datetime | None = None
    """When its last try began; where a receipt does not say, when the run was claimed."""
    ended_at: datetime | None = None
    """When it came to its end."""


class Run(Model):
    """A run: that goes on (202), that has succeeded (200), or, with a problem's fields beside, that has not (409)."""

    run_id: str
    """Begins with the instant of its claim."""
    state: str
    """`running`, `succeeded` or `failed`."""
    snapshot_date: date
    """The day of its files."""
    trigger: str
    """`schedule`, `http` or `cli`."""
    asked_by: str
    """Who asked: a principal's id, a schedule, a local user."""
    claimed_at: datetime
    """When it was claimed, to the second."""
    expires_at: datetime
    """From then on nothing is fetched for it."""
    ended_at: datetime | None = None
    """When it has ended: when its result was written. Only a list tells."""
    of: int
    """How many exports it has."""
    done: int
    """How many of them have come to their end."""
    counts: dict[str, int]
    """How many came to each state that occurs."""
    location: str
    """Where to ask for it again."""
    retrying: tuple[FailedExport, ...] | None = None
    """While it runs: what failed and is retried; at most a hundred, five in a list."""
    failed: tuple[FailedExport, ...] | None = None
    """What failed or is held; at most a hundred, five in a list."""
    result: str | None = None
    """When it has ended: path of `result.json` in the file system, which lists every file with rows and sha256."""


class RunList(Model):
    """Recent runs of this deployment, newest first."""

    runs: tuple[Run, ...]
    """At most fifty, of the last seven days."""
    next: dict[str, datetime] | None = None
    """When each export with a schedule runs next, by name; missing where the catalog is wrong."""


class Check(Model):
    """One thing that was looked at."""

    name: str
    """What it was."""
    ok: bool
    """Whether it is as it must be."""
    detail: str
    """What was seen."""
    remedy: str | None = None
    """What to do, where it is not."""


class HealthReport(Model):
    """Whether the app is up, and when asked for, whether it can do its work."""

    state: str
    """`up`, or `failing` where a check has failed."""
    version: str
    """Of the app."""
    deployment: str
    """The app's own name."""
    checks: tuple[Check, ...] = ()
    """Only with `deep=true`."""


class Problem(Model):
    """What went wrong (RFC 9457)."""

    type: str
    """A URN that ends in the stable name of the error class."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was seen."""
    problems: tuple[str, ...] | None = None
    """Every problem, each with its field and what is allowed."""
    who: str | None = None
    """Who must act."""
    remedy: str | None = None
    """What they should do."""


def run_view(
    summary: PlanSummary,
    listing: RunListing,
    base_url: str,
    *,
    most_failed: int = MOST_FAILED,
    result: str | None = None,
) -> Run:
    """Return a run as callers are told of it.

    Args:
        summary: of its plan.
        listing: what its records show.
        base_url: origin that `location` names.
        most_failed: how many exports are told that have not succeeded.
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
        receipt: what it says.
        listing: of its run.
    """
    return FailedExport(
        name=name,
        **receipt.model_dump(include={"state", "code", "reason", "who", "remedy", "owner"}),
        path=receipt.path if receipt.state is State.HELD else None,
        started_at=receipt.started_at or claimed_at(listing.run_id),
        ended_at=receipt.ended_at if receipt.state.final else None,
    )
