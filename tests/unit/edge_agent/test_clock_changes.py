"""Where a local time may be skipped: the cheap test by day must miss none of the times that clocks never show."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge_agent.mapping.cell_parsing import has_clock_change, is_skipped

STEPS = [timedelta(minutes=30 * half) for half in range(48)]


@pytest.mark.parametrize(
    ("zone", "changes", "skipped_days"),
    [
        ("Europe/Amsterdam", (date(2010, 1, 1), date(2011, 12, 31)), 2),
        ("America/St_Johns", (date(2010, 1, 1), date(2011, 12, 31)), 2),  # at one minute after midnight
        ("Australia/Lord_Howe", (date(2010, 1, 1), date(2011, 12, 31)), 2),  # by half an hour
        ("Pacific/Apia", (date(2011, 12, 1), date(2012, 2, 1)), 1),  # a whole day
        ("Asia/Jerusalem", (date(1999, 1, 1), date(1999, 12, 31)), 1),
        ("Asia/Ho_Chi_Minh", (date(1999, 1, 1), date(1999, 12, 31)), 0),
    ],
)
def test_every_day_with_skipped_times_is_looked_at(zone: str, changes: tuple[date, date], skipped_days: int) -> None:
    place = ZoneInfo(zone)
    days = [changes[0] + timedelta(days=offset) for offset in range((changes[1] - changes[0]).days)]
    skipped = [d for d in days if any(is_skipped(datetime.combine(d, time(0, 5)) + step, place) for step in STEPS)]
    assert len(skipped) == skipped_days
    for day in skipped:
        # A time that `near` moves over midnight is skipped on a neighbouring day.
        assert all(has_clock_change(day + timedelta(days=offset), place) for offset in (-1, 0, 1))
    assert sum(has_clock_change(day, place) for day in days) < len(days) / 5
