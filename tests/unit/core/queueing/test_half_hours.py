from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN, CalendarRules, Swap
from telemetry.core.calendar.windows import HOUR, SLOT, Window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre
from telemetry.core.queueing.arrivals import DayTraits
from telemetry.core.queueing.arrivals_backtest import backtest, score_forecasts
from telemetry.core.queueing.half_hours import (
    CentreHalfHours,
    add_half_hours,
    arrival_days,
    day_traits,
    open_slots,
    slot_of,
    slot_window,
)
from tests.bank_log import BANK, bank_totals

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.calendar.calendar_values import OpeningHours

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY_HOURS: OpeningHours = ((time(7), time(11, 30)), (time(13, 30), time(17)))
WEEK = (DAY_HOURS,) * 5 + ((), ())
MONDAY = date(2026, 11, 2)


def centre(hours: tuple[OpeningHours, ...] = WEEK, rules: CalendarRules | None = None, zone: ZoneInfo = ZONE) -> Centre:
    return Centre(
        "vn83-a", "83", "commune", "An", "An", "vn83", "", 2, hours, ("land",), zone, rules=rules or CalendarRules()
    )


def issued(day: date, clock: time, count: int, service: str = "land") -> Total:
    start = local_ms(day, clock, ZONE)
    return Total("vn83-a", f"desk:vn83-a:{service}", "5m", start, "vn83", {"issued": count, "called": 1})


def test_five_minutes_are_added_into_half_hours_of_local_days() -> None:
    totals = [
        issued(MONDAY, time(7, 0), 2), issued(MONDAY, time(7, 25), 3), issued(MONDAY, time(7, 30), 5),
        issued(MONDAY, time(7, 25), 1, "tax"), issued(MONDAY, time(8), 0),
    ]  # fmt: skip
    half_hours = add_half_hours(centre(), totals)
    assert half_hours.sums[MONDAY, 14] == {"issued": 6, "called": 3}
    assert half_hours.issued["land"] == {(MONDAY, 14): 5, (MONDAY, 15): 5}
    assert half_hours.issued["undeclared"] == {(MONDAY, 14): 1}
    assert half_hours.days_with_tickets == [MONDAY]


def test_a_half_hour_is_the_window_of_its_local_time() -> None:
    start = local_ms(MONDAY, time(7), ZONE)
    assert slot_window(MONDAY, 14, ZONE) == Window(start, start + HOUR // 2)
    assert slot_of(start + HOUR // 2 - 1, ZONE) == (MONDAY, 14)
    assert slot_window(MONDAY, 47, ZONE).end == local_ms(date(2026, 11, 3), time(), ZONE)


def test_where_clocks_change_half_hours_are_skipped_or_last_longer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert slot_window(date(2026, 3, 29), 4, berlin).length == 0
    assert sum(slot_window(date(2026, 10, 25), slot, berlin).length for slot in range(48)) == 25 * HOUR


def test_open_half_hours_follow_the_calendar() -> None:
    slots = open_slots(centre(), MONDAY)
    assert [slot for slot, window in enumerate(slots) if window] == [*range(14, 23), *range(27, 34)]
    assert open_slots(centre(), date(2026, 11, 7)) == (None,) * 48
    early: OpeningHours = ((time(7, 15), time(7, 20)),)
    window = open_slots(centre((early,) * 7), MONDAY)[14]
    assert window is not None
    assert window.length == SLOT


def test_closed_half_hours_are_not_observed_and_open_ones_without_tickets_are_empty() -> None:
    totals = [issued(MONDAY, time(8), 4), issued(date(2026, 11, 3), time(5), 1), issued(date(2026, 11, 3), time(9), 2)]
    first, second, third = arrival_days(centre(), add_half_hours(centre(), totals), date(2026, 11, 5))
    assert first.counts[14:18] == (None, None, 4, 0), "before the first ticket ever nothing is known"
    assert second.counts[10] == 1, "a ticket at five in the morning counts"
    assert second.counts[11:15] == (None, None, 0, 0), "half an hour before opening kiosks are on"
    assert third.day == date(2026, 11, 4)
    assert third.total == 0, "an open day without a ticket"


def test_without_tickets_or_before_them_there_are_no_days() -> None:
    assert arrival_days(centre(), CentreHalfHours(), date(2026, 11, 5)) == ()
    assert arrival_days(centre(), add_half_hours(centre(), [issued(MONDAY, time(8), 4)]), MONDAY) == ()


def test_of_a_log_without_hours_days_with_tickets_count() -> None:
    log = centre(ALWAYS_OPEN)
    totals = [issued(MONDAY, time(0, 10), 4), issued(date(2026, 11, 4), time(23, 55), 2)]
    days = arrival_days(log, add_half_hours(log, totals), date(2026, 11, 6))
    assert [(day.day, day.counts[0], day.counts[47]) for day in days] == [
        (MONDAY, 4, 0), (date(2026, 11, 4), 0, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "traits"),
    [
        (MONDAY, DayTraits(0)),
        (date(2026, 11, 11), DayTraits(2, after_holiday=True)),
        (date(2026, 11, 14), DayTraits(1)),
        (date(2026, 11, 16), DayTraits(0)),
        (date(2026, 11, 18), DayTraits(2, after_holiday=True)),
        (date(2026, 11, 27), DayTraits(4, month_end=True)),
        (date(2026, 11, 26), DayTraits(3)),
        (date(2026, 11, 30), DayTraits(0, month_end=True)),
    ],
)
def test_a_day_is_known_by_its_weekday_and_what_is_before_and_after_it(day: date, traits: DayTraits) -> None:
    rules = CalendarRules(
        holidays={date(2026, 11, 10): "holiday"},
        swaps={date(2026, 11, 14): Swap(1, date(2026, 11, 17)), date(2026, 11, 17): Swap(None, date(2026, 11, 14))},
    )
    assert day_traits(centre(rules=rules), day) == traits


def test_a_centre_that_is_never_open_follows_no_holiday() -> None:
    assert day_traits(centre(((),) * 7), MONDAY) == DayTraits(0, after_holiday=False, month_end=True)


def test_arrivals_of_the_real_log_are_forecast_better_than_by_the_same_slot_mean(data_dir: Path) -> None:
    """Each day that has an earlier one of its weekday, from the days before it alone."""
    days = arrival_days(BANK, add_half_hours(BANK, bank_totals(data_dir)), date(1999, 2, 15))
    assert sum(day.total for day in days) == 17_313
    score = score_forecasts(backtest(days, date(1999, 2, 8)))
    assert score.error.days == 7
    assert score.ratio is not None
    assert 0.6 < score.ratio <= 0.86
    assert score.inside is not None
    assert 0.7 <= score.inside <= 0.9
