"""`retry`, `release`: runs that take over from an earlier one what failed there, or what is held."""

import os
from collections.abc import Sequence
from dataclasses import replace

import click

from pigment_export.cli.crew import attended
from pigment_export.cli.parts import app_of
from pigment_export.cli.run import work_off
from pigment_export.cli.runs import run_named
from pigment_export.cli.started import start_run
from pigment_export.runs.again import exports_to_retry, files_to_release

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@_json
def retry(*, run: str | None, as_json: bool) -> int:
    """Run once more what failed or was held in a run that has ended.

    Exports are as they were defined there, and for today.

    RUN is a run's id, or an end of it that no other has; without it, the newest.
    """
    app = app_of(os.environ)
    plan = run_named(app, run).plan
    theirs = replace(app.runs, deployment=plan.deployment)
    started = start_run(app, {"retry_of": plan.run_id}, lambda: exports_to_retry(theirs, plan.run_id, attended()))
    return work_off(started, as_json=as_json)


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@_json
def release(*, run: str, names: Sequence[str], as_json: bool) -> int:
    """Publish held files of a run: the named exports', or all of them.

    Look at them first: 'show RUN' says where they are and why they are held. A release is a run of its own. It checks
    size and sha256 of the held file, keeps its date, and never replaces a newer file.

    RUN is a run's id, or an end of it that no other has.
    """
    app = app_of(os.environ)
    plan = run_named(app, run).plan
    theirs = replace(app.runs, deployment=plan.deployment)
    asked = {"release_of": plan.run_id, "exports": sorted(names)}
    started = start_run(app, asked, lambda: files_to_release(theirs, plan.run_id, names, attended()))
    return work_off(started, as_json=as_json)
