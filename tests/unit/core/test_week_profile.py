"""Tickets and waits by weekday and half hour: sums are divided once, and open half hours without tickets count."""

from __future__ import annotations

from datetime import date

from telemetry.core.figures.histograms import DurationSum
from telemetry.core.figures.week_profile import DayHalfHours, HalfHourCount, week_profile

MONDAY, NEXT_MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 23), date(2026, 11, 17)
OPEN = frozenset((14, 15))


def test_a_cell_has_the_sums_of_its_days_and_the_mean_per_open_day() -> None:
    days = [
        DayHalfHours(MONDAY, OPEN, {14: HalfHourCount(6, 4, 400_000), 15: HalfHourCount(1, 0, 0)}),
        DayHalfHours(NEXT_MONDAY, OPEN, {14: HalfHourCount(2, 1, 1_600_000)}),
        DayHalfHours(TUESDAY, frozenset(), {30: HalfHourCount(0, 2, 60_000)}),
    ]
    profile = week_profile(days)
    busy = profile.cells[0, 14]
    assert (busy.days, busy.issued, busy.issued_per_day) == ((MONDAY, NEXT_MONDAY), 8, 4.0)
    assert busy.wait == DurationSum(5, 2_000_000)
    assert busy.wait.mean_s == 400.0, "not the mean of 100 s and 1,600 s"
    assert profile.cells[0, 15].issued_per_day == 0.5, "open, and nobody came on one of the days"
    assert profile.cells[1, 30].days == (TUESDAY,), "closed, but somebody was called"
    assert profile.weekdays == [0, 1]
    assert list(profile.slots) == list(range(14, 31))


def test_a_day_has_the_sums_of_its_half_hours() -> None:
    day = DayHalfHours(MONDAY, OPEN, {14: HalfHourCount(6, 4, 400_000), 15: HalfHourCount(1, 1, 100_000)})
    assert (day.tickets, day.wait) == (7, DurationSum(5, 500_000))


def test_without_days_there_are_no_cells() -> None:
    profile = week_profile([])
    assert (profile.cells, profile.weekdays, list(profile.slots)) == ({}, [], [])
