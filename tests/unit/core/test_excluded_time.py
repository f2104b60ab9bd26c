"""Time that the open clock leaves out is said beside the figures, and two calendars are never taken for one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.calendar_values import CalendarRules, ModeSpan
from telemetry.core.calendar.windows import Window, day_window, local_ms
from telemetry.core.inventory import Centre
from telemetry.queries.availability import AvailabilityOptions, compute_availability
from telemetry.queries.buckets import OpenWindowsCache, bucket_query
from telemetry.queries.network import QueryScope
from telemetry.store.sqlite import SqliteStore
from tests.uncached_totals import UncachedTotals

if TYPE_CHECKING:
    from pathlib import Path

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = date(2026, 11, 23)
WEEK = tuple(((time(7, 30), time(11, 30)),) for _ in range(7))
PLAIN = Centre("vn83-1", "83", "commune", "Một", "One", "vn83", "", 2, WEEK, (), ZONE)
MORNING = Window(local_ms(DAY, time(9), ZONE), local_ms(DAY, time(10), ZONE))
HOUR_S = 3600


def in_mode(mode: str) -> Centre:
    return replace(PLAIN, rules=CalendarRules(modes=(ModeSpan(mode, MORNING, "flood"),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "total", "excluded"), [("emergency", 3, 1), ("online_only", 3, 1), ("closed", 3, 0), ("normal", 4, 0)]
)
def test_a_mode_leaves_time_out_and_says_so(tmp_path: Path, mode: str, total: int, excluded: int) -> None:
    centre = in_mode(mode)
    scope = QueryScope("centre:vn83-1", "centre", frozenset({"centre:vn83-1"}), {centre.id: centre}, ZONE)
    day = day_window(DAY, ZONE)
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        found = compute_availability(
            UncachedTotals(store), scope, bucket_query(day, "total", ZONE), AvailabilityOptions(), day.end
        ).overall
    assert (found.open, found.excluded) == (total * HOUR_S, excluded * HOUR_S)


def test_centres_that_differ_by_a_mode_alone_have_openings_of_their_own() -> None:
    known, day = OpenWindowsCache(), day_window(DAY, ZONE)
    assert known.open_windows(PLAIN, day).open_within(MORNING) == MORNING.length
    assert known.open_windows(in_mode("emergency"), day).open_within(MORNING) == 0
    assert known.excluded_windows(in_mode("emergency"), day).open_within(MORNING) == MORNING.length
    assert known.open_windows(PLAIN, day) is known.open_windows(replace(PLAIN, id="vn83-2"), day)
