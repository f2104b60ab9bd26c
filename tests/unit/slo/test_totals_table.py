"""The book: a new day's cut, a new inventory and a restart tell the same; only what is needed is read."""

from __future__ import annotations

from datetime import date, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN, CalendarRules, SingleMaintenance
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, day_window, local_ms
from telemetry.core.fold.aggregation import daily_totals
from telemetry.core.fold.totals import Total
from telemetry.slo.evaluator import SloEvaluator
from telemetry.slo.objective_evaluation import budget_period
from tests.property_sizes import sized
from tests.unit.ledger import BERLIN, HCM, KOLKATA, WEEK, Ledger, aim, centre, figures, world

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import OpeningHours
    from telemetry.core.inventory import Centre, Inventory

ALL = (
    aim("month", period="month", days=31), aim("fortnight", days=14), aim("week", "connectivity", days=7),
    aim("four-weeks", "connectivity", clock="wall"), aim("ready", "readiness", goal=0.9),
)  # fmt: skip


def seen(t: int) -> dict[str, int]:
    """Say something else in each five minutes."""
    up = t * 7919 % SLOT
    return {
        "up_ms": up, "down_ms": (SLOT - up) // 3, "link_ms": (SLOT - up) // 9, "conn_up_ms": SLOT - up,
        "conn_platform_ms": up // 2, "mark_up": t // SLOT % 3 % 2, "mark_down": t // SLOT % 2,
    }  # fmt: skip


def watching(ledger: Ledger, inventory: Inventory) -> SloEvaluator:
    return SloEvaluator(ledger, lambda: inventory)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "first"),
    [(HCM, date(2026, 10, 1)), (KOLKATA, date(2026, 10, 1)), (BERLIN, date(2026, 3, 28)), (BERLIN, date(2026, 10, 24))],
)
@pytest.mark.parametrize("clock", [time(0, 10), time(10, 40)])
def test_a_book_cut_for_each_new_day_is_what_the_store_tells(zone: ZoneInfo, first: date, clock: time) -> None:
    place = centre(zone=zone)
    inventory, ledger = world(*ALL, centres=(place,)), Ledger()
    now = local_ms(first, clock, zone)
    ledger.write(place, Window(now - 45 * DAY, now), seen)
    followed = watching(ledger, inventory)
    followed.evaluate_all(now)
    for days in (1, 2, 5, 6):
        before, now = now, local_ms(first + timedelta(days=days), clock, zone)
        ledger.write(place, Window(before, now), seen, followed)
        fresh = watching(ledger, inventory)
        assert figures(followed.evaluate_all(now)) == figures(fresh.evaluate_all(now))


@sized(short=15, long=200)
@given(st.lists(st.tuples(st.integers(1, 30 * 288), st.integers(1, 30)), min_size=1, max_size=6))
def test_what_is_taken_in_any_pieces_is_what_is_loaded(pieces: list[tuple[int, int]]) -> None:
    place, ledger, now = centre(), Ledger(), local_ms(date(2026, 10, 15), time(10), HCM)
    followed = watching(ledger, world(*ALL))
    followed.evaluate_all(now)
    for back, length in pieces:
        start = now - back * SLOT
        ledger.write(place, Window(start, min(now, start + length * SLOT)), seen, followed)
    assert figures(followed.evaluate_all(now)) == figures(watching(ledger, world(*ALL)).evaluate_all(now))


def test_nights_are_not_read_but_by_the_wall_clock() -> None:
    ledger, now = Ledger(), local_ms(date(2026, 10, 15), time(10), HCM)
    watching(ledger, world(aim("a"))).evaluate_all(now)
    by_width = {width: sum(w.length for _, x, w in ledger.reads if x == width) for width in ("5m", "1h", "1d")}
    # Today and yesterday, and the two days a week ago on which the window of `ticket-week` begins today.
    assert by_width["5m"] == 4 * (9 * HOUR + 30 * MINUTE)
    assert by_width["1h"] <= 5 * 10 * HOUR
    assert {w.start % DAY for _, x, w in ledger.reads if x == "1d"} == {17 * HOUR}
    ledger.reads.clear()
    watching(ledger, world(aim("a", clock="wall"))).evaluate_all(now)
    assert sum(w.length for _, width, w in ledger.reads if width == "5m") == 3 * DAY
    ledger.reads.clear()
    watching(ledger, world(aim("a", alert=False))).evaluate_all(now)
    assert sum(w.length for _, width, w in ledger.reads if width == "5m") == 2 * (9 * HOUR + 30 * MINUTE)


def test_a_new_inventory_reads_only_what_it_changes() -> None:
    ledger, now = Ledger(), local_ms(date(2026, 10, 15), time(10), HCM)
    one, two = centre("c1"), centre("c2")
    for place in (one, two):
        ledger.write(place, Window(now - 40 * DAY, now), seen)
    worlds = [world(aim("a"), aim("b"), centres=(one, two))]
    watch = SloEvaluator(ledger, lambda: worlds[-1])  # type: ignore[arg-type]
    watch.evaluate_all(now)
    ledger.reads.clear()
    shut = centre("c2", exceptions=MappingProxyType({date(2026, 10, 6): ()}))
    worlds.append(world(aim("b"), aim("c", "connectivity"), aim("r", "readiness"), centres=(one, shut)))
    ledger.write(shut, Window(now - 40 * DAY, now), seen, watch)
    found = watch.evaluate_all(now)
    assert figures(found) == figures(watching(ledger, worlds[-1]).evaluate_all(now))
    ledger.reads.clear()
    worlds.append(world(aim("b"), centres=(one, shut)))
    watch.evaluate_all(now)
    assert ledger.reads == []


def mark_of(calendar: Calendar, day: Window) -> int | None:
    """Ask which five minutes a day's row takes its readiness from."""
    for mark in range(day.start, day.end, SLOT):
        rows = [Total("c", "centre:c", "5m", mark, "vn83", {"mark_up": 1})]
        if daily_totals(rows, day, calendar)[0].sums["ready_up"]:
            return mark
    return None


MORNING = SingleMaintenance(
    "works", Window(local_ms(date(2026, 10, 6), time(7), HCM), local_ms(date(2026, 10, 6), time(9), HCM))
)
NIGHT = tuple(((time(22), time(6)),) for _ in range(7))


@pytest.mark.parametrize(
    ("hours", "more"),
    [
        (WEEK, {}), (ALWAYS_OPEN, {}), (NIGHT, {}), (WEEK, {"rules": CalendarRules(maintenance=(MORNING,))}),
        (tuple(((time(23, 55), time(2)),) for _ in range(7)), {}),
    ],
)  # fmt: skip
def test_a_day_counts_as_opening_day_when_its_row_can_say_ready(
    hours: tuple[OpeningHours, ...], more: dict[str, Any]
) -> None:
    calendar, first = Calendar(hours, HCM, **more), date(2026, 10, 3)
    days = [day_window(first + timedelta(days=n), HCM) for n in range(6)]
    expected = [(day.start, mark) for day in days if (mark := mark_of(calendar, day)) is not None]
    found = calendar.readiness_checks(Window(day_window(first - timedelta(days=1), HCM).start, days[-1].end))
    assert [m for m in found if m[0] >= days[0].start] == expected


def test_a_centre_that_never_shuts_has_no_opening_days_and_no_readiness() -> None:
    place: Centre = centre(hours=ALWAYS_OPEN)
    ledger, now = Ledger(), local_ms(date(2026, 10, 15), time(10), HCM)
    ledger.write(place, Window(now - 30 * DAY, now), seen)
    (found,) = watching(ledger, world(aim("r", "readiness"), centres=(place,))).evaluate_all(now)
    assert (found.status.good_bad.total, found.status.slo_state) == (0, "no_data")


def test_a_rolling_period_begins_on_the_hour_and_never_on_the_day_before() -> None:
    now = local_ms(date(2026, 10, 15), time(0, 10), KOLKATA)
    assert budget_period(aim("a"), now, KOLKATA).elapsed.start == local_ms(date(2026, 9, 17), time(0), KOLKATA)
    later = now + 35 * MINUTE
    assert budget_period(aim("a"), later, KOLKATA).elapsed.start == local_ms(date(2026, 9, 17), time(0, 30), KOLKATA)
