"""The cache of open windows is bounded by what it holds, not by how many windows were asked for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import Window, day_window
from telemetry.inventory import default_path, load
from telemetry.queries import buckets
from telemetry.queries.buckets import OpenWindowsCache

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory


@pytest.fixture(scope="module")
def world() -> Inventory:
    return load(default_path())


def ten_years_from(day: date, world: Inventory) -> Window:
    return Window(day_window(day, world.zone).start, day_window(day + timedelta(days=3_600), world.zone).end)


def test_many_different_long_windows_do_not_accumulate(world: Inventory) -> None:
    cache, centre = OpenWindowsCache(), world.centres["vn83-83"]
    for shift in range(40):
        timeline = cache.open_windows(centre, ten_years_from(date(2015, 1, 1) + timedelta(days=shift), world))
        assert len(timeline.starts) > 2_000
    assert 50_000 < cache.size <= buckets.MAX_CACHED_WINDOWS


def test_the_timeline_used_least_recently_is_dropped_first(world: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, centre = OpenWindowsCache(), world.centres["vn83-83"]
    first, second, third = (
        Window(start, start + 28 * 86_400_000) for start in range(1_790_000_000_000, 1_790_900_000_000, 300_000_000)
    )
    timelines = [cache.open_windows(centre, window) for window in (first, second)]
    monkeypatch.setattr(buckets, "MAX_CACHED_WINDOWS", cache.size)
    assert cache.open_windows(centre, first) is timelines[0]
    cache.open_windows(centre, third)
    assert cache.open_windows(centre, first) is timelines[0]
    assert cache.open_windows(centre, second) is not timelines[1]
