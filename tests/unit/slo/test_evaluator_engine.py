"""The engine judges from totals: what is lost, late, excluded or not known yet, and the same after a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import (
    DAY,
    HOUR,
    MINUTE,
    SLOT,
    Window,
    day_window,
    days_in,
    floor,
    local_ms,
    to_local,
)
from telemetry.core.fold.aggregation import daily_totals, hourly_totals
from telemetry.core.fold.states import RecentState, StateSegment
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre, Inventory, Objective
from telemetry.slo.evaluator import SloEvaluator
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.slo.evaluation import Evaluation
    from telemetry.store import LiveRow

    Seen = Callable[[int], dict[str, int]]

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAILY = ((time(7, 30), time(11, 30)), (time(13, 30), time(17)))
WEEK = (*(DAILY,) * 5, ((time(7, 30), time(11, 30)),), ())
CENTRE = Centre("c1", "u", "commune", "C", "C", "vn83", "", 2, WEEK, ("land",), ZONE)
SCOPE = "centre:c1"
UP = {"up_ms": SLOT, "conn_up_ms": SLOT, "mark_up": 1}
DOWN = {"down_ms": SLOT, "conn_down_ms": SLOT, "mark_down": 1}


def clock(day: int, hour: int = 0, minute: int = 0, month: int = 10) -> int:
    return local_ms(date(2026, month, day), time(hour, minute), ZONE)


NOW = clock(15, 10)
"""A Thursday."""


def aim(sli: str = "connectivity", goal: float = 0.995, **more: object) -> Objective:
    unknown = "down" if sli == "connectivity" else "settle"
    return Objective(**{  # type: ignore[arg-type]
        "id": sli, "name_vi": sli, "name_en": sli, "scope": "centre", "sli": sli, "goal": goal, "days": 28,
        "unknown": unknown, **more,
    })  # fmt: skip


def world(*objectives: Objective, centre: Centre = CENTRE) -> Inventory:
    centres = MappingProxyType({centre.id: centre})
    return Inventory("v", "vn83", "", "", ZONE, {}, centres, {}, {}, {}, objectives=objectives)


class Rows:
    """The part of a store that the engine reads."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, str], Total] = {}

    def live_rows(self, after: int = 0) -> list[LiveRow]:
        assert after == 0
        return []

    def totals(self, units: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        found = [t for t in self.rows.values() if t.entity in units and t.width == width and t.scope.startswith(kind)]
        return [t for t in found if window.start <= t.start < window.end]

    def put(self, watch: SloEvaluator | None, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        gone = [k for k, t in self.rows.items() if t.width == width and window.start <= t.start < window.end]
        for key in gone:
            del self.rows[key]
        self.rows |= {(t.width, t.start, t.scope): t for t in totals}
        if watch is not None:
            watch.on_totals("c1", width, window, totals)


def write(rows: Rows, watch: SloEvaluator | None, window: Window, seen: Seen, centre: Centre = CENTRE) -> None:
    """Write what rollup would write of the whole days that a window touches."""
    for day in days_in(window, ZONE):
        whole = day_window(day, ZONE)
        marks = range(max(whole.start, window.start), min(whole.end, window.end), SLOT)
        five = [Total("c1", SCOPE, "5m", t, "vn83", seen(t)) for t in marks]
        rows.put(watch, "5m", whole, five)
        rows.put(watch, "1h", whole, hourly_totals(five, centre.calendar))
        rows.put(watch, "1d", Window(whole.start, whole.start + 1), daily_totals(five, whole, centre.calendar))


def steady(t: int) -> dict[str, int]:
    assert t
    return UP


def lost_morning(t: int) -> dict[str, int]:
    return DOWN if clock(6, 7, 30) <= t < clock(6, 11, 30) else UP


def judge(rows: Rows, inventory: Inventory, now: int = NOW) -> list[Evaluation]:
    return SloEvaluator(rows, lambda: inventory).evaluate_all(now)  # type: ignore[arg-type]


@cache
def past(seen: Seen, until: int) -> Rows:
    rows = Rows()
    write(rows, None, Window(clock(1, month=9), until), seen)
    return rows


def rule(found: Evaluation, name: str = "page-fast") -> bool:
    return next(r for r in found.status.burn_rates if r.rule.name == name).is_exceeded


def test_one_lost_morning_is_9759_percent_and_one_day_not_ready() -> None:
    service, ready = judge(past(lost_morning, NOW), world(aim("availability", 0.98), aim("readiness", 0.95)))
    assert service.status.good_bad.ratio is not None
    assert f"{service.status.good_bad.ratio:.2%}" == "97.59%"
    assert (ready.status.good_bad.good, ready.status.good_bad.bad) == (23, 1)


def at_moment(now: int, contact: Sequence[StateSegment]) -> Evaluation:
    """Judge connectivity when the 5 minutes before the last mark hold just what the contact says."""
    inventory, mark = world(aim()), floor(now, SLOT)
    rows = Rows()
    rows.rows = dict(past(steady, clock(15)).rows)

    def seen(t: int) -> dict[str, int]:
        parts = [(s.state, Window(s.start, s.end).clip(Window(t, t + SLOT))) for s in contact]
        return {f"conn_{state}_ms": part.length for state, part in parts if part}

    watch = SloEvaluator(rows, lambda: inventory)  # type: ignore[arg-type]
    watch.evaluate_all(now)
    write(rows, watch, Window(clock(15), mark), seen)
    watch.on_recent_state({SCOPE: RecentState((), tuple(contact))})
    return watch.evaluate_all(now)[0]


def will(t: int, until: int) -> list[StateSegment]:
    return [StateSegment(clock(15), t, "up"), StateSegment(t, until, "down")]


def test_an_outage_pages_within_five_open_minutes() -> None:
    last_will = NOW + 45_000
    assert not rule(at_moment(NOW + 2 * MINUTE, will(last_will, NOW + HOUR)))
    assert rule(at_moment(NOW + 5 * MINUTE, will(last_will, NOW + HOUR)))


def test_at_opening_five_minutes_must_pass_and_nothing_pages_while_closed() -> None:
    dead, opening = will(clock(15, 1), clock(16)), clock(15, 7, 30)
    assert not rule(at_moment(opening + 5 * MINUTE - 15_000, dead))
    assert rule(at_moment(opening + 5 * MINUTE, dead))
    closed = at_moment(clock(15, 12), dead)
    assert not closed.is_open
    assert not rule(closed)


def test_one_missed_heartbeat_never_pages() -> None:
    gap = [StateSegment(clock(15), NOW, "up"), StateSegment(NOW + MINUTE, NOW + HOUR, "up")]
    for minutes in range(1, 15):
        assert not rule(at_moment(NOW + minutes * MINUTE, gap))


def test_our_own_outage_in_the_running_five_minutes_does_not_page() -> None:
    now, inventory, rows = NOW + 4 * MINUTE + 45_000, world(aim()), Rows()
    rows.rows = dict(past(steady, NOW).rows)
    watch = SloEvaluator(rows, lambda: inventory)  # type: ignore[arg-type]
    told = (StateSegment(NOW - HOUR, NOW + 30_000, "up"), StateSegment(NOW + 270_000, NOW + HOUR, "up"))
    watch.on_recent_state({SCOPE: RecentState((), told)})
    assert rule(watch.evaluate_all(now)[0])
    ours = Total("c1", SCOPE, "5m", NOW, "vn83", {"conn_up_ms": 60_000, "conn_platform_ms": 240_000})
    rows.put(watch, "5m", Window(NOW, NOW + SLOT), [ours])
    assert not rule(watch.evaluate_all(now)[0])


def test_a_dead_link_burns_connectivity_and_not_the_service_objective() -> None:
    def local(t: int) -> dict[str, int]:
        silent = NOW - HOUR <= t < NOW
        return {"link_ms": SLOT} if silent else UP

    rows = past(local, NOW)
    service, contact = judge(rows, world(aim("availability", 0.98), aim()))
    assert service.status.good_bad.bad == 0
    assert contact.status.good_bad.bad == 3600
    assert rule(contact)
    settled, _ = judge(rows, world(aim("availability", 0.98), aim()), NOW + 9 * DAY)
    week_of_silence = judge(past(steady, NOW), world(aim("availability", 0.98)), NOW + 9 * DAY)[0]
    assert settled.status.good_bad.bad == week_of_silence.status.good_bad.bad


def test_a_years_budget_holds_the_whole_year() -> None:
    january = clock(15, 10, month=1)
    found = judge(Rows(), world(aim(period="year", days=366)), january)[0]
    year = Window(clock(1, month=1), local_ms(date(2027, 1, 1), time(), ZONE))
    assert found.period_open_s == CENTRE.calendar.open_ms(year) // 1000


def test_without_open_time_there_is_no_value() -> None:
    found = judge(past(steady, NOW), world(aim(period="day", days=1)), clock(18, 10))[0]
    assert found.status.good_bad.ratio is None
    assert (found.is_open, found.status.slo_state) == (False, "no_data")


def test_a_calendar_edit_takes_the_day_out() -> None:
    shut = replace(CENTRE, exceptions=MappingProxyType({date(2026, 10, 6): ()}))
    rows, worlds = Rows(), [world(aim("availability"))]
    watch = SloEvaluator(rows, lambda: worlds[-1])  # type: ignore[arg-type]
    window = Window(clock(1, month=9), NOW)
    write(rows, watch, window, lost_morning)
    before = watch.evaluate_all(NOW)[0]
    worlds.append(world(aim("availability"), centre=shut))
    write(rows, watch, window, lost_morning, shut)
    after = watch.evaluate_all(NOW)[0]
    assert before.status.good_bad.bad == 4 * 3600
    assert after.status.good_bad.ratio == 1.0


ALL = (aim("availability", days=10), aim(period="month", days=31), aim("readiness", id="r"), aim(id="w", clock="wall"))


def same(one: Sequence[Evaluation], other: Sequence[Evaluation]) -> bool:
    keys = [[(j.scoped.objective.id, j.window, j.status.good_bad, j.status.account) for j in js] for js in (one, other)]
    return keys[0] == keys[1]


@sized(short=12, long=150)
@given(st.lists(st.tuples(st.integers(0, 44), st.integers(0, SLOT)), min_size=1, max_size=5))
def test_late_data_in_any_order_gives_what_a_restart_gives(late: list[tuple[int, int]]) -> None:
    rows, inventory = Rows(), world(*ALL)
    rows.rows = dict(past(lost_morning, NOW).rows)
    watch = SloEvaluator(rows, lambda: inventory)  # type: ignore[arg-type]
    watch.evaluate_all(NOW)
    for back, up in late:
        day = day_window(to_local(NOW - back * DAY, ZONE).date(), ZONE)
        sums = {"up_ms": up, "down_ms": SLOT - up, "conn_up_ms": up // 2, "mark_up": 1}
        write(rows, watch, Window(day.start, min(day.end, NOW)), lambda _, sums=sums: sums)  # type: ignore[misc]
    assert same(watch.evaluate_all(NOW), judge(rows, inventory))


@pytest.mark.parametrize("days", [1, 3, 17])
def test_a_new_day_forgets_nothing_that_was_taken_before_it_was_judged(days: int) -> None:
    rows, inventory = Rows(), world(*ALL)
    rows.rows = dict(past(lost_morning, NOW).rows)
    watch = SloEvaluator(rows, lambda: inventory)  # type: ignore[arg-type]
    watch.evaluate_all(NOW)
    later = NOW + days * DAY
    write(rows, watch, Window(clock(15), later), steady)
    assert same(watch.evaluate_all(later), judge(rows, inventory, later))
