"""How an objective's budget went at one scope, bucket by bucket and run by run, from totals; no raw events."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import axis
from telemetry.core.calendar.windows import DAY, FIVE, HOUR, Window, at, day_window, floor, merge
from telemetry.core.fold.totals import add
from telemetry.core.slo import history as core
from telemetry.core.slo.cells import TIME, count_values, time_values
from telemetry.core.slo.measures import measured
from telemetry.core.slo.periods import calendar, rolling
from telemetry.core.slo.readiness import ready_marks
from telemetry.core.slo.series import Cell, Series, series
from telemetry.core.slo.sli import Tally, tally
from telemetry.core.slo.status import Aim
from telemetry.queries.buckets import ask, opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.calendar.windows import Width
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Objective
    from telemetry.core.slo.history import Point, Spend, Step
    from telemetry.queries.buckets import Bucket, Opening
    from telemetry.store import Store

ONE = 1000
"""A ticket, probe or day stands in a tally as a second does: so counts are rounded as exactly as seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an objective is looked at: the scope, the unit its totals are folded under, its calendar and zone."""

    objective: Objective
    scope: str
    unit: str
    calendar: Calendar
    zone: ZoneInfo
    settled_until: int

    @property
    def aim(self) -> Aim:
        """Return what is promised; what counts no time has nothing unknown but days."""
        return Aim(self.objective.goal, self.objective.unknown)

    @property
    def by_calendar(self) -> bool:
        """Tell whether closed time and maintenance count for nothing; a system's calendar is all open but for it."""
        return self.objective.clock == "open" or self.objective.sli == "readiness" or self.scope.startswith("system:")

    @property
    def kind(self) -> str:
        """Return the kind of totals that hold what counts."""
        return "desk" if self.objective.sli == "wait" else self.scope.partition(":")[0]


def history(store: Store, place: Place, window: Window, bucket: Bucket, now: int) -> list[Point]:
    """Return one point per bucket that has begun."""
    asked = ask(window, bucket, place.zone)
    last = floor(now, FIVE)
    steps = [_step(place, part) for b in asked.buckets() if (part := b.clip(Window(0, last)))]
    if not steps:
        return []
    whole = Window(min(s.period.start for s in steps), steps[-1].bucket.end)
    cuts = sorted({t for s in steps for t in (s.bucket.start, s.bucket.end, s.period.start)})
    return core.history(_series(store, place, _parts(whole, cuts)), steps, place.aim, place.settled_until)


def _step(place: Place, bucket: Window) -> Step:
    objective = place.objective
    if objective.period == "rolling":
        start = rolling(objective.days, bucket.end, place.zone).start
        return core.Step(bucket, Window(min(start, bucket.start), bucket.end))
    whole = calendar(objective.period, bucket.end - 1, place.zone)
    allowance = _open(place, whole).open_ms(whole) // 1000 if place.objective.sli in TIME else None
    return core.Step(bucket, Window(whole.start, bucket.end), allowance)


def spending(store: Store, place: Place, window: Window) -> list[Spend]:
    """Return the runs of bad time of a window, the greatest first; hours with any are looked at by five minutes."""
    wide = _series(store, place, _parts(window, [window.start, window.end]))
    bad = [c.window for c in wide.cells if _bad(c, place)]
    fine = _series(store, place, [("5m", w) for w in merge(bad)]) if place.objective.sli != "readiness" else wide
    opened = _open(place, window).windows
    return core.spending(fine, window, axis(opened), place.aim, place.settled_until)


def _bad(cell: Cell, place: Place) -> int:
    return measured(cell.tally, place.aim.policy, settled=cell.window.start < place.settled_until).bad


def cause(found: Spend, place: Place) -> str:
    """Return why: the site's link, the device (or what stands for it), the queue, the system."""
    if place.objective.sli not in TIME:
        return {"wait": "queue", "latency": "system", "readiness": "device"}[place.objective.sli]
    if place.scope.startswith("system:"):
        return "system"
    silent_site = place.objective.sli == "connectivity" and place.scope.startswith("centre:")
    return "link" if silent_site or 2 * found.tally.elsewhere > found.tally.down + found.tally.unknown else "device"


def _parts(window: Window, cuts: Sequence[int]) -> list[tuple[Width, Window]]:
    """Return runs to read: whole hours, and by five minutes those that a cut divides or that are not whole."""
    divided = {floor(t, HOUR) for t in cuts if t % HOUR}
    hours = range(floor(window.start, HOUR), window.end, HOUR)
    runs = groupby(hours, key=lambda h: "5m" if h in divided or h < window.start or h + HOUR > window.end else "1h")
    out: list[tuple[Width, Window]] = []
    for width, run in runs:
        starts = list(run)
        part = Window(starts[0], starts[-1] + HOUR).clip(window)
        if part:
            out.append(("1h" if width == "1h" else "5m", part))
    return out


def _series(store: Store, place: Place, parts: list[tuple[Width, Window]]) -> Series:
    if place.objective.sli == "readiness":
        return series(_days(store, place, parts))
    return series(cell for width, window in parts for cell in _cells(store, place, width, window))


def _cells(store: Store, place: Place, width: Width, window: Window) -> Iterable[Cell]:
    sums: dict[int, list[Mapping[str, int]]] = {}
    for total in store.totals([place.unit], width, window, place.kind):
        if _mine(total, place):
            sums.setdefault(total.start, []).append(total.sums)
    clocks = _open(place, window), _out(place, window)
    for start in range(window.start, window.end, FIVE if width == "5m" else HOUR):
        part, row = Window(start, start + (FIVE if width == "5m" else HOUR)), add(sums.get(start, ()))
        if place.objective.sli in TIME:
            yield Cell(part, _time(place, row, (width, part), clocks))
        else:
            good, bad = count_values(row, place.objective.sli, place.objective.threshold_ms)
            yield Cell(part, Tally(up=ONE * good, down=ONE * bad))


def _mine(total: Total, place: Place) -> bool:
    if place.objective.sli == "wait":
        return total.scope.startswith(f"desk:{place.unit}:")
    return total.scope == place.scope


def _time(place: Place, row: Mapping[str, int], part: tuple[Width, Window], clocks: tuple[Opening, Opening]) -> Tally:
    """Weigh a cell's sums against what of it is open and what is left out."""
    (width, window), (opened, out) = part, clocks
    length = opened.open_ms(window)
    up, down, elsewhere, ours = time_values(
        row, width, place.objective.sli, by_calendar=place.by_calendar, is_open=length > 0
    )
    return tally(max(0, length - ours), up, down, out.open_ms(window) + ours, elsewhere)


def _days(store: Store, place: Place, parts: list[tuple[Width, Window]]) -> Iterable[Cell]:
    """Yield the opening days that begin in the parts and are decided, or count as what is unknown does."""
    for window in merge(part for _, part in parts):
        rows = {t.start: t.sums for t in store.totals([place.unit], "1d", window, "centre") if t.scope == place.scope}
        for start, mark in ready_marks(place.calendar, window):
            if start < window.start or mark + FIVE > window.end:
                continue
            day = day_window(at(start, place.zone).date(), place.zone)
            cell = Cell(day, _ready(rows.get(start, {})))
            if measured(cell.tally, place.aim.policy, settled=start < place.settled_until).counted:
                yield cell


def _ready(row: Mapping[str, int]) -> Tally:
    up, down = row.get("ready_up", 0), row.get("ready_down", 0)
    return Tally(ONE * up, ONE * down, ONE * (not up and not down))


def _open(place: Place, window: Window) -> Opening:
    """Return when the objective's clock runs in the window and the day after it."""
    reach = Window(window.start, window.end + DAY)
    return opening(place.calendar.open_windows(reach) if place.by_calendar else [reach])


def _out(place: Place, window: Window) -> Opening:
    return opening(place.calendar.excluded_windows(window) if place.by_calendar else [])
