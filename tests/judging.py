"""Judgements of an invented network, from the core's own readings, for tests of alarms and alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry.core.calendar.open_time import axis
from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.figures.accounting import Account
from telemetry.core.inventory import ALWAYS, Centre, Inventory, Objective, Sli
from telemetry.core.slo.budget import Budget
from telemetry.core.slo.burn_rate import OPEN_RULES, Burning, readings
from telemetry.core.slo.evaluation import Aimed, Judgement
from telemetry.core.slo.measures import Measure
from telemetry.core.slo.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.slo.burn_rate import Rule

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PROVINCE = "vn83"
WORLD = Inventory("v1", PROVINCE, "Bến Tre", "Bến Tre", ZONE, {}, {}, {}, {}, {})


def centre(number: int) -> Centre:
    return Centre(
        f"vn83-{number:05d}", "83", "commune", f"Một cửa {number}", f"Desk {number}", PROVINCE, "", 2, ALWAYS,
        ("land",), ZONE,
    )  # fmt: skip


def objective(sli: Sli = "connectivity", name: str = "", goal: float = 0.995) -> Objective:
    return Objective(name or f"{sli}-28", f"Mục tiêu {sli}", f"Objective {sli}", "centre", sli, goal, 28)


def at_centre(number: int, sli: Sli = "connectivity", name: str = "") -> Aimed:
    home = centre(number)
    return Aimed(objective(sli, name), f"centre:{home.id}", home.id, home)


def at_device(number: int, device: int, sli: Sli = "connectivity") -> Aimed:
    home = centre(number)
    return Aimed(objective(sli, f"device-{sli}"), f"device:{home.id}-kiosk{device}", home.id, home)


def at_system(name: str = "vn83-portal", sli: Sli = "availability") -> Aimed:
    return Aimed(objective(sli, f"systems-{sli}"), f"system:{name}", name, None)


@dataclass
class Line:
    """One objective at one scope along time: when its clock runs (always, or `open`), and when it was bad."""

    aimed: Aimed
    bad: list[Window] = field(default_factory=list)
    open: Sequence[Window] | None = None
    rules: tuple[Rule, ...] = OPEN_RULES

    def judged(self, now: int) -> Judgement:
        windows = [Window(now - 60 * DAY, now + 60 * DAY)] if self.open is None else list(self.open)

        def measured(window: Window) -> Measure:
            inside = [w for o in windows if (w := o.clip(window))]
            bad = sum(part.length for w in inside for b in self.bad if (part := w.clip(b)))
            return Measure(sum(w.length for w in inside) - bad, bad)

        along = axis(windows)
        burning = Burning(self.aimed.objective.goal, 166 * HOUR, along, now - 59 * DAY, measured)
        found = measured(Window(now - 28 * DAY, now))
        status = Status(
            self.aimed.objective.goal, found, Budget(49.8 * 60, found.bad // 1000), "healthy",
            tuple(readings(self.rules, burning, now)),
            Account(found.counted // 1000, found.good // 1000, found.bad // 1000, 0),
        )  # fmt: skip
        return Judgement(self.aimed, now, Window(now - 28 * DAY, now), along.session(now) is not None, status)


def out(aimed: Aimed, since: int, until: int, opening: Sequence[Window] | None = None) -> Line:
    return Line(aimed, [Window(since, until)], opening)


def judged(lines: Iterable[Line], now: int) -> list[Judgement]:
    return [line.judged(now) for line in lines]


def silent(line: Line) -> Line:
    """The same objective, told to nobody."""
    return replace(line, aimed=replace(line.aimed, objective=replace(line.aimed.objective, alert=False)))
