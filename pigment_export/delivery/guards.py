"""Guards against quiet loss: whether a whole file should be held for a person to decide. Pure.

A key sees what its owner sees: when the owner loses access, rows vanish without an error.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Guards:
    """What an export demands of its files.

    Attributes:
        minimum_rows: fewer are held.
        maximum_shrink: the fraction of the latest file's rows that may vanish, 0 to 1; more is held.
        columns: the exact names, in this order; others are held.
    """

    minimum_rows: int | None = None
    maximum_shrink: float | None = None
    columns: tuple[str, ...] | None = None


def objection(guards: Guards, *, rows: int, columns: tuple[str, ...], latest_rows: int | None) -> str | None:
    """Why a file should be held.

    Where no guard counts rows, one with a header only after one that had rows is.

    Args:
        guards: what the export demands.
        rows: of the new file.
        columns: its header's names.
        latest_rows: of the newest good file; None where there is none.

    Returns:
        Which guard objects, what it expected and what came; None where none does.
    """
    if guards.columns is not None and columns != guards.columns:
        missing = [name for name in guards.columns if name not in columns]
        added = [name for name in columns if name not in guards.columns]
        change = "; ".join(
            text
            for text in (
                f"missing: {', '.join(missing)}" if missing else "",
                f"new: {', '.join(added)}" if added else "",
            )
            if text
        )
        return f"columns: the header differs from the catalog's ({change or 'another order'})"
    if guards.minimum_rows is not None and rows < guards.minimum_rows:
        return f"minimum_rows: {rows:,} rows came, at least {guards.minimum_rows:,} were expected"
    if guards.maximum_shrink is not None and latest_rows:
        allowed = Decimal(str(guards.maximum_shrink))  # as it was written: 0.18 of 150 are 27, not a bit less
        if latest_rows - rows > latest_rows * allowed:
            return f"maximum_shrink: {rows:,} rows came after {latest_rows:,}, more than {allowed:%} of them are gone"
    counts_rows = guards.minimum_rows is not None or guards.maximum_shrink is not None
    if not counts_rows and rows == 0 and latest_rows:
        return f"only a header came, after {latest_rows:,} rows; to allow that, set minimum_rows = 0"
    return None
