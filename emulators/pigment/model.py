"""A small built-in model of applications, blocks and views. Pure.

Rows are generated; the number of rows of a block can be set, for a body of any size.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

APPLICATION = "00000000-0000-4000-8000-000000000001"
PEOPLE_APPLICATION = "00000000-0000-4000-8000-000000000002"
COUNTRIES = "11111111-1111-4111-8111-111111111111"
ORDERS = "11111111-1111-4111-8111-111111111112"
MONTHS = "11111111-1111-4111-8111-111111111113"
TEAMS = "11111111-1111-4111-8111-111111111114"
REVENUE = "22222222-2222-4222-8222-222222222222"
COST = "22222222-2222-4222-8222-222222222223"
PNL = "33333333-3333-4333-8333-333333333333"
BOARD = "33333333-3333-4333-8333-333333333334"
PNL_VIEW = "44444444-4444-4444-8444-444444444444"
BIG_VIEW = "44444444-4444-4444-8444-444444444413"
BOARD_VIEW = "44444444-4444-4444-8444-444444444422"
MINE_VIEW = "44444444-4444-4444-8444-444444444445"
BOARD_TYPE = "Board"  # neither exported nor listed


class Column(NamedTuple):
    """A column of a block.

    Attributes:
        friendly: its display name; its technical name is its key in the block.
        cell: the kind of its cells: `country`, `month`, `date`, `decimal`, `number` or `text`.
        source: id of the dimension or metric that it shows; empty for a property of a list.
    """

    friendly: str
    cell: str
    source: str = ""


@dataclass
class Block:
    """A block; `columns` by technical name."""

    id: str
    name: str
    type: str
    columns: dict[str, Column]
    rows: int = 1000
    application: str = APPLICATION


@dataclass(frozen=True)
class View:
    """A view of a block; `status` is the status of its export."""

    id: str
    name: str
    block: str
    type: str = "Public"
    status: int = 200


@dataclass
class Model:
    """The contents of the stand-in; a test may change rows and columns between calls."""

    applications: dict[str, str] = field(
        default_factory=lambda: {APPLICATION: "Finance", PEOPLE_APPLICATION: "Headcount"}
    )
    blocks: dict[str, Block] = field(default_factory=lambda: {block.id: block for block in _blocks()})
    views: dict[str, View] = field(default_factory=lambda: {view.id: view for view in _views()})


def _blocks() -> tuple[Block, ...]:
    dimensions = {"Country": Column("Country", "country", COUNTRIES), "Month": Column("Month", "month", MONTHS)}
    return (
        Block(
            COUNTRIES,
            "Country",
            "DimensionList",
            {"name": Column("Name", "country"), "region": Column("Region", "text"), "opened": Column("Opened", "date")},
            rows=40,
        ),
        Block(MONTHS, "Month", "DimensionList", {"name": Column("Name", "month")}, rows=24),
        Block(
            ORDERS,
            "Orders",
            "TransactionList",
            {
                "order": Column("Order", "number"),
                "country": Column("Country", "country"),
                "day": Column("Day", "date"),
                "amount": Column("Amount", "decimal"),
            },
        ),
        Block(TEAMS, "Team", "DimensionList", {"name": Column("Name", "text")}, 12, PEOPLE_APPLICATION),
        Block(REVENUE, "Revenue", "Metric", {**dimensions, "Revenue": Column("Revenue in EUR", "decimal", REVENUE)}),
        Block(COST, "Cost", "Metric", {**dimensions, "Cost": Column("Cost in EUR", "decimal", COST)}),
        Block(
            PNL,
            "P&L",
            "Table",
            {
                **dimensions,
                "pnl_cost": Column("Cost", "decimal", COST),
                "pnl_revenue": Column("Revenue", "decimal", REVENUE),
            },
        ),
        Block(BOARD, "Board", BOARD_TYPE, {}),
    )


def _views() -> tuple[View, ...]:
    return (
        View(PNL_VIEW, "P&L by country", PNL),
        View(BIG_VIEW, "P&L in full", PNL, status=413),
        View(BOARD_VIEW, "The board", BOARD, status=422),
        View(MINE_VIEW, "My P&L", PNL, type="Personal"),
    )
