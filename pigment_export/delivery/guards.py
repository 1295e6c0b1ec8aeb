"""Guards against silent loss: whether a complete file should be held for a person to decide. Pure.

A Pigment key sees what its owner sees: when the owner loses access, rows vanish without an error. And an error
page, or what a proxy sends, can look like a CSV. So a file is compared with those before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from pigment_export.catalog.exports import Export
from pigment_export.delivery.description import FileDescription, Latest
from pigment_export.errors import Cause, ErrorRow, PermanentError, Who
from pigment_export.transfer.inspector import Inspection
from pigment_export.transfer.records import Note

HEADER_CHANGED = "header_changed"  # a receipt's note: the header differs from the last good file's
SHRINK_UNCHECKED = "shrink_unchecked"  # maximum_shrink is set, but there is no earlier file to compare with
MOST_NAMES = 10  # of columns in one text
MOST_CHARACTERS = 100  # of one name: a page without a line end looks like one long name

HELD = ErrorRow(
    "held_by_guard",
    PermanentError,
    Who.EXPORT_OWNER,
    "look at the held file: if it is right, release it; if not, fix the block in Pigment or the key's access, then run "
    "the export again",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The guards' verdict on a file.

    Attributes:
        objection: why it should be held; None if no guard rejects it.
        notes: for its receipt.
        added: columns that the last good file did not have.
        removed: columns that only the last good file had.
    """

    objection: Cause | None = None
    notes: tuple[str, ...] = ()
    added: tuple[str, ...] = field(default=())
    removed: tuple[str, ...] = field(default=())


def judge(export: Export, came: Inspection, latest: Latest | None, there: FileDescription | None) -> Verdict:
    """Compare a complete file with the export's settings, and with the files before it.

    Args:
        export: its definition in the catalog.
        came: the inspection of the file.
        latest: the record of the newest good file; None if there is none.
        there: description of the file at the destination; None if there is none.
    """
    before = latest or there
    known = latest.columns if latest else None
    notes = []
    if known is not None and came.columns != known:
        notes.append(HEADER_CHANGED)
    if export.maximum_shrink is not None and before is None:
        notes.append(SHRINK_UNCHECKED)
    said = _columns(export, came.columns, known) or _rows(export, came, before) or _ending(export, came, latest)
    return Verdict(
        HELD.cause(said) if said else None,
        tuple(notes),
        added=tuple(name for name in came.columns if known is not None and name not in known),
        removed=tuple(name for name in known or () if name not in came.columns),
    )


def _columns(export: Export, came: tuple[str, ...], known: tuple[str, ...] | None) -> str | None:
    if isinstance(export.columns, tuple):
        return _difference("columns: the header differs from the catalog's", export.columns, came)
    if known is None:
        return None
    if export.columns == "unchanged":
        return _difference("columns: the header differs from the last good file's", known, came)
    if not set(known) & set(came):
        return (
            f"the header ({_names(came)}) has no column of the last good file: it may be an error page, or another "
            "block; to allow it, list the columns in 'columns'"
        )
    return None


def _difference(what: str, expected: Sequence[str], came: Sequence[str]) -> str | None:
    if tuple(expected) == tuple(came):
        return None
    missing = [name for name in expected if name not in came]
    added = [name for name in came if name not in expected]
    changes = [f"missing: {_names(missing)}"] * bool(missing) + [f"new: {_names(added)}"] * bool(added)
    return f"{what} ({'; '.join(changes) or 'another order'})"


def _rows(export: Export, came: Inspection, before: FileDescription | None) -> str | None:
    rows, rows_before = came.rows, before.rows if before else 0
    if export.ragged_rows == "hold" and {Note.RAGGED_ROWS, Note.EXTRA_FIELDS} & set(came.notes):
        others, first = came.rows_of_other_width, came.first_row_of_other_width
        return (
            f"ragged_rows: {others:,} of {rows:,} rows have more or fewer fields than the header; the first is "
            f"row {first}. Many readers reject such a file as a whole. To publish it anyway, set "
            'ragged_rows = "publish"'
        )
    if export.ragged_rows == "hold" and Note.LONE_CR in came.notes:
        return (
            "ragged_rows: some lines end in a carriage return without a line feed. Many readers reject such a file, or "
            'find no rows in it. To publish it anyway, set ragged_rows = "publish"'
        )
    if export.minimum_rows is not None and rows < export.minimum_rows:
        return f"minimum_rows: the export has {rows:,} rows, at least {export.minimum_rows:,} are expected"
    if export.maximum_shrink is not None and rows_before:
        allowed = Decimal(str(export.maximum_shrink))  # exact decimal: 0.18 of 150 is 27, not slightly less
        if rows_before - rows > rows_before * allowed:
            return f"maximum_shrink: the export has {rows:,} rows after {rows_before:,}, a loss of over {allowed:%}"
    counts_rows = export.minimum_rows is not None or export.maximum_shrink is not None
    if not counts_rows and rows == 0 and rows_before:
        return f"the export has only a header, after {rows_before:,} rows; to allow it, set minimum_rows = 0"
    return None


def _ending(export: Export, came: Inspection, latest: Latest | None) -> str | None:
    """Return what is wrong with the ending: a cut body that ended cleanly usually lacks the final newline.

    Pigment does not promise one, so a file with rows is published without it unless all earlier files had it. A single
    line without a line end can be anything: half a header, an error message, a page. It counts as a complete header
    only if its names are known beforehand.
    """
    if Note.NO_FINAL_NEWLINE not in came.notes:
        return None
    known = export.columns if isinstance(export.columns, tuple) else latest and latest.columns
    if came.rows == 0 and came.columns != known:
        return (
            f"the export is one line without a line end ({_names(came.columns)}): it may be an error message, or the "
            "beginning of a body that was cut; to allow it, list the columns in 'columns'"
        )
    if latest is None or any(Note.NO_FINAL_NEWLINE in file.notes for file in (latest, *latest.previous)):
        return None
    return "the file does not end with a newline, but every earlier one did: it may have been cut"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    shown = (name if len(name) <= MOST_CHARACTERS else f"{name[:MOST_CHARACTERS]}…" for name in names[:MOST_NAMES])
    return ", ".join(shown) + more
