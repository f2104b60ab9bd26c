"""Service levels in the history of queues: decided at entry + X, and nothing that lies ahead of now."""

from __future__ import annotations

from contextlib import closing
from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window
from telemetry.core.figures.histograms import ServiceLevel, queue_figures
from telemetry.core.fold.totals import QUEUE_FIELDS, SERVICE_LEVEL_THRESHOLDS_S, Total
from telemetry.core.inventory import Centre
from telemetry.queries.buckets import bucket_query
from telemetry.queries.queues import queue_history_rows
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.queries.buckets import BucketSize
    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
WEEK = tuple(((time(7, 30), time(11, 30)),) for _ in range(7))
CENTRE = Centre("vn83-1", "83", "commune", "Một", "One", "83", "", 2, WEEK, ("land",), ZONE)
DAY = day_window(date(2026, 11, 23), ZONE)
NOON = DAY.start + 12 * HOUR
EARLY, LATE = NOON - HOUR, NOON + SLOT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqliteStore(tmp_path / "store.db")) as found:
        put(found, "5m", EARLY, issued=3, level_good_900=2, level_bad_900=1)
        put(found, "5m", LATE, level_good_900=4)
        put(found, "1h", EARLY, issued=3, level_good_900=2, level_bad_900=1)
        put(found, "1h", NOON, level_good_900=4)
        put(found, "1d", DAY.start, issued=3, level_good_900=6, level_bad_900=1)
        yield found


def put(store: Store, width: BucketWidth, start: int, **sums: int) -> None:
    row = Total("vn83-1", "desk:vn83-1:land", width, start, "83", sums)
    store.replace_totals("vn83-1", width, Window(start, start + 1), [row])


def levels(store: Store, bucket: BucketSize, now: int) -> list[ServiceLevel]:
    rows = queue_history_rows(store, [CENTRE], bucket_query(DAY, bucket, ZONE), None, now)
    return [level for row in rows for level in row.figures.service_levels if level.threshold_s == 900]


def test_a_level_is_what_was_decided_and_its_share() -> None:
    found = queue_figures({"level_good_300": 9, "level_bad_300": 1})
    assert found.service_levels[0] == ServiceLevel(300, 9, 1)
    assert found.service_levels[0].ratio == 0.9
    assert [level.threshold_s for level in found.service_levels] == list(SERVICE_LEVEL_THRESHOLDS_S)
    assert found.service_levels[1].ratio is None


@pytest.mark.parametrize("bucket", ["total", "1d"])
def test_decisions_ahead_of_now_are_left_out_of_whole_days(store: Store, bucket: BucketSize) -> None:
    assert levels(store, bucket, NOON) == [ServiceLevel(900, 2, 1)]
    assert levels(store, bucket, LATE + SLOT) == [ServiceLevel(900, 6, 1)]


@pytest.mark.parametrize("bucket", ["5m", "1h"])
def test_a_bucket_in_which_all_lies_ahead_gives_no_row(store: Store, bucket: BucketSize) -> None:
    assert levels(store, bucket, NOON) == [ServiceLevel(900, 2, 1)]
    assert levels(store, bucket, LATE + SLOT) == [ServiceLevel(900, 2, 1), ServiceLevel(900, 4, 0)]


def test_other_figures_of_the_running_five_minutes_stay(store: Store) -> None:
    put(store, "1d", DAY.start, **dict.fromkeys(QUEUE_FIELDS, 5))
    put(store, "5m", NOON, **dict.fromkeys(QUEUE_FIELDS, 5))
    store.replace_totals("vn83-1", "5m", Window(LATE, LATE + 1), [])
    (row,) = queue_history_rows(store, [CENTRE], bucket_query(DAY, "total", ZONE), "land", NOON + 1000)
    assert (row.figures.issued, row.figures.service_levels[0]) == (5, ServiceLevel(300, 0, 0))
