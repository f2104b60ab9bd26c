"""Judgements of an invented network, from the core's own readings, for tests of alarms and alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.inventory import ALWAYS_OPEN, Centre, Inventory, Objective, SliKind
from telemetry.core.scope import Scope
from telemetry.core.slo.budget import ErrorBudget
from telemetry.core.slo.burn_rate import OPEN_CLOCK_RULES, BurnRateInput, evaluate_rules
from telemetry.core.slo.evaluation import Evaluation, ObjectiveStatus, ScopedObjective
from telemetry.core.slo.sli import GoodBad

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.slo.burn_rate import BurnRateRule

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PROVINCE = "vn83"
WORLD = Inventory("v1", PROVINCE, "Bến Tre", "Bến Tre", ZONE, {}, {}, {}, {}, {})


def centre(number: int) -> Centre:
    return Centre(
        f"vn83-{number:05d}", "83", "commune", f"Một cửa {number}", f"Desk {number}", PROVINCE, "", 2, ALWAYS_OPEN,
        ("land",), ZONE,
    )  # fmt: skip


def objective(sli: SliKind = "connectivity", name: str = "", goal: float = 0.995) -> Objective:
    return Objective(name or f"{sli}-28", f"Mục tiêu {sli}", f"Objective {sli}", "centre", sli, goal, 28)


def at_centre(number: int, sli: SliKind = "connectivity", name: str = "") -> ScopedObjective:
    home = centre(number)
    return ScopedObjective(objective(sli, name), Scope.centre(home.id), home.id, home)


def at_device(number: int, device: int, sli: SliKind = "connectivity") -> ScopedObjective:
    home = centre(number)
    return ScopedObjective(objective(sli, f"device-{sli}"), Scope.device(f"{home.id}-kiosk{device}"), home.id, home)


def at_system(name: str = "vn83-portal", sli: SliKind = "availability") -> ScopedObjective:
    return ScopedObjective(objective(sli, f"systems-{sli}"), Scope.system(name), name, None)


@dataclass
class Line:
    """One objective at one scope along time: when its clock runs (always, or `open`), and when it was bad."""

    aimed: ScopedObjective
    bad: list[Window] = field(default_factory=list)
    open: Sequence[Window] | None = None
    rules: tuple[BurnRateRule, ...] = OPEN_CLOCK_RULES

    def judged(self, now: int) -> Evaluation:
        windows = [Window(now - 60 * DAY, now + 60 * DAY)] if self.open is None else list(self.open)

        def measured(window: Window) -> GoodBad:
            inside = [w for o in windows if (w := o.clip(window))]
            bad = sum(part.length for w in inside for b in self.bad if (part := w.clip(b)))
            return GoodBad(sum(w.length for w in inside) - bad, bad)

        along = build_open_timeline(windows)
        burning = BurnRateInput(self.aimed.objective.goal, 166 * HOUR, along, now - 59 * DAY, measured)
        found = measured(Window(now - 28 * DAY, now))
        status = ObjectiveStatus(
            self.aimed.objective.goal, found, ErrorBudget(49.8 * 60, found.bad // 1000), "healthy",
            tuple(evaluate_rules(self.rules, burning, now)),
            TimeByState(found.good // 1000, found.bad // 1000),
        )  # fmt: skip
        return Evaluation(self.aimed, now, Window(now - 28 * DAY, now), along.open_window_at(now) is not None, status)


def out(aimed: ScopedObjective, since: int, until: int, opening: Sequence[Window] | None = None) -> Line:
    return Line(aimed, [Window(since, until)], opening)


def judged(lines: Iterable[Line], now: int) -> list[Evaluation]:
    return [line.judged(now) for line in lines]


def silent(line: Line) -> Line:
    """The same objective, told to nobody."""
    return replace(line, aimed=replace(line.aimed, objective=replace(line.aimed.objective, alert=False)))
