"""Totals of centres as rollup would write them, in a store of dictionaries that remembers what was read."""

from __future__ import annotations

from datetime import time
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry.core.calendar.windows import HOUR, SLOT, Window, ceil, day_window, days_in, floor
from telemetry.core.fold.aggregation import daily_totals, hourly_totals
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre, Inventory, Objective, System
from telemetry.store import LiveRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.core.calendar.calendar_values import OpeningHours
    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.slo.evaluation import Evaluation
    from telemetry.slo.evaluator import SloEvaluator

HCM, BERLIN, KOLKATA = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
DAILY = ((time(7, 30), time(11, 30)), (time(13, 30), time(17)))
WEEK = (*(DAILY,) * 5, ((time(7, 30), time(11, 30)),), ())
PORTAL = System("portal", "P", "P", "portal")


def aim(ident: str, sli: str = "availability", goal: float = 0.995, **more: object) -> Objective:
    unknown = "down" if sli == "connectivity" else "settle"
    fields = {"scope": "centre", "days": 28, "unknown": unknown, **more}
    return Objective(id=ident, name_vi="", name_en="", sli=sli, goal=goal, **fields)  # type: ignore[arg-type]


def centre(ident: str = "c1", zone: ZoneInfo = HCM, hours: tuple[OpeningHours, ...] = WEEK, **more: object) -> Centre:
    return Centre(ident, "u", "commune", "C", "C", "vn83", "", 2, hours, ("land",), zone, **more)  # type: ignore[arg-type]


def world(*objectives: Objective, centres: Sequence[Centre] = ()) -> Inventory:
    found = {c.id: c for c in centres or (centre(),)}
    zone = next(iter(found.values())).zone
    return Inventory(
        "v", "vn83", "", "", zone, {}, MappingProxyType(found), {}, {}, {PORTAL.id: PORTAL}, objectives=objectives
    )


class Ledger:
    """The part of a store that the engine reads; `reads` are the units, width and window of each."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int, str], Total] = {}
        self.rows_now: dict[str, bytes] = {}
        self.reads: list[tuple[tuple[str, ...], BucketWidth, Window]] = []

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        return [LiveRow(unit, after + 1, body) for unit, body in self.rows_now.items()]

    def totals(self, units: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        self.reads.append((tuple(units), width, window))
        found = [t for t in self.rows.values() if t.entity in units and t.width == width and t.scope.startswith(kind)]
        return [t for t in found if window.start <= t.start < window.end]

    def put(
        self, watch: SloEvaluator | None, unit: str, width: BucketWidth, window: Window, totals: Sequence[Total]
    ) -> None:
        gone = [k for k in self.rows if k[:2] == (unit, width) and window.start <= k[2] < window.end]
        for key in gone:
            del self.rows[key]
        self.rows |= {(unit, width, t.start, t.scope): t for t in totals}
        if watch is not None:
            watch.on_totals(unit, width, window, totals)

    def write(
        self, place: Centre, window: Window, seen: Callable[[int], Mapping[str, int]], watch: SloEvaluator | None = None
    ) -> None:
        """Write the 5 minutes of a window and what they are added into, as rollup does: hours first, then days."""
        wide = Window(floor(window.start, HOUR), ceil(window.end, HOUR))
        marks = range(wide.start, min(wide.end, window.end), SLOT)
        scope = f"centre:{place.id}"
        five = [Total(place.id, scope, "5m", t, "vn83", dict(seen(t))) for t in marks]
        self.put(watch, place.id, "5m", wide, five)
        self.put(watch, place.id, "1h", wide, hourly_totals(five, place.calendar))
        for day in (day_window(d, place.zone) for d in days_in(wide, place.zone)):
            self.put(watch, place.id, "1d", Window(day.start, day.start + 1), self.day(place, day, place.calendar))

    def day(self, place: Centre, day: Window, calendar: Calendar) -> list[Total]:
        own = [t for (unit, width, start, _), t in self.rows.items() if (unit, width) == (place.id, "5m")
               and day.start <= start < day.end]  # fmt: skip
        return daily_totals(own, day, calendar)


def figures(found: Sequence[Evaluation]) -> list[tuple[object, ...]]:
    """Return what two judgements of the same must agree on."""
    return [
        (j.scoped.objective.id, j.scoped.scope, j.window, j.period_open_s, j.status.good_bad, j.status.account,
         [(r.long_rate, r.short_rate, r.has_full_history, r.is_exceeded) for r in j.status.burn_rates])
        for j in found
    ]  # fmt: skip
