"""The end of a run: its result, and the marker if all succeeded, from a listing of its receipts.

This can be done at any time, and more than once: by each export's worker after its receipt, and by `housekeeping`.
"""

from pigment_export.delivery.receipt import Receipt, ReceiptSummary, result_of
from pigment_export.errors import ConflictError
from pigment_export.events import Event, log
from pigment_export.lake.call import CallLake
from pigment_export.lake.interface import ListedBlob
from pigment_export.runs.follow import RunListing, run_listing
from pigment_export.runs.plan import Plan

# Up to so many exports the listing with metadata is cheap: 0.28 ms of CPU per row. In a run of 500, each call would
# spend up to 140 ms on it, only to find that others are not done; the names alone take 12 ms.
FEW = 20
SUCCESS_LINE = b"every export of this run succeeded: result.json lists the files\n"  # some readers skip empty blobs


def finish_run(lake: CallLake, plan: Plan) -> None:
    """Write the result once every receipt is final, and again if one got better; then the marker.

    Raises:
        RetryableError: patience or time is used up.
        ExportError: the lake cannot be used.
    """
    for attempt in lake.deadline.attempts(ConflictError):
        with attempt:
            # Read the result before the listing, so that it is never overwritten with older data.
            record = lake.read(plan.folder.result)
            if len(plan.exports) > FEW and not _all_have_receipts(lake, plan):
                return
            listed = lake.list(f"{plan.folder.path}/")
            if len(listed) < len(plan.exports):
                return  # the number of rows already shows that a receipt is missing
            seen = run_listing(plan.folder, plan.run_id, listed)
            receipts = _receipts(lake, plan, seen, listed)
            result = result_of(plan.run_id, plan.deployment, plan.snapshot_date, plan.names, receipts)
            if result is None:
                return
            if record.data != result.to_json():
                lake.write(plan.folder.result, result.to_json(), result.to_metadata(), replacing=record.etag)
                log(Event.RUN_ENDED, run_id=plan.run_id, succeeded=result.succeeded, counts=result.counts)
            if result.succeeded and not seen.is_marked:
                _mark_success(lake, plan)


def _all_have_receipts(lake: CallLake, plan: Plan) -> bool:
    return set(map(plan.folder.receipt, plan.names)) <= set(lake.names(f"{plan.folder.path}/"))


def _receipts(lake: CallLake, plan: Plan, seen: RunListing, listed: list[ListedBlob]) -> dict[str, ReceiptSummary]:
    """Return the receipts' summaries; read a receipt that lost its metadata, as when another tool copied it."""
    receipts = dict(seen.receipts)
    there = {row.path for row in listed}
    for name in plan.names:
        path = plan.folder.receipt(name)
        if name not in receipts and path in there:
            receipt = Receipt.found_in(lake.read(path).data)
            receipts |= {name: receipt} if receipt else {}
    return receipts


def _mark_success(lake: CallLake, plan: Plan) -> None:
    try:
        lake.write(plan.folder.success, SUCCESS_LINE, {}, replacing=None)
    except ConflictError:
        if lake.read(plan.folder.success).etag is None:
            raise  # a lease or a policy rejected it: no other call has written it
