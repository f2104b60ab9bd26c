"""An objective at one scope, and what was judged of it at one moment; values only, it must compute nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre, Objective
    from telemetry.core.slo.status import ObjectiveStatus


@dataclass(frozen=True, slots=True)
class ScopedObjective:
    """An objective at one scope (`centre:ID`, `device:ID`, `system:ID`); `unit` is what its totals are folded under.

    `centre` is where it happens, None for a digital system; `every_ms` is how often it is heard.
    """

    objective: Objective
    scope: str
    entity: str
    centre: Centre | None
    every_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was judged at `at` (Unix ms) over `window`; `open` tells whether the objective's clock ran then."""

    scoped: ScopedObjective
    at: int
    window: Window
    is_open: bool
    status: ObjectiveStatus
    period_open_s: int | None = None
