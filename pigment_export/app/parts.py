"""The parts that the app's functions work with; `wiring` makes them."""

from collections.abc import Callable
from dataclasses import dataclass

from pigment_export.app.health import Health
from pigment_export.catalog.file import Catalog
from pigment_export.retry import Deadline
from pigment_export.runs.deployment import Runs
from pigment_export.settings import Settings


@dataclass(frozen=True, slots=True)
class App:
    """The parts.

    Attributes:
        version: of the app.
        settings: of this deployment.
        runs: its runs.
        catalog: reads the catalog.
        health: its checks.
        base_url: origin that answers name in `Location`.
    """

    version: str
    settings: Settings
    runs: Runs
    catalog: Callable[[Deadline], Catalog]
    health: Health
    base_url: str
