"""Totals kept in memory are those of the store: read once, and again when the live row says that the past changed."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, day_window
from telemetry.core.fold.totals import Total
from telemetry.queries import totals_cache as rooms
from telemetry.queries.totals_cache import RECENT_TTL_MS, SETTLING_MS, TotalsCache
from telemetry.store.sqlite import SqliteStore
from tests.uncached_totals import UncachedTotals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
T = day_window(date(2026, 11, 23), ZONE).start
UNITS = ["vn83-1", "vn83-2"]


class Desk:
    """A store whose reads are counted, a clock that is set, and what the live rows say."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.reads: list[tuple[list[str], BucketWidth, Window]] = []
        self.now = T + 12 * HOUR
        self.reopened = dict.fromkeys(UNITS, 1)
        self.kept = TotalsCache(self, lambda: lambda unit: self.reopened.get(unit, 0), lambda: self.now)

    def totals(self, units: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        self.reads.append((list(units), width, window))
        return self.store.totals(units, width, window, kind)

    def put(self, unit: str, width: BucketWidth, start: int, up: int) -> None:
        row = Total(unit, f"centre:{unit}", width, start, "83", {"up_ms": up})
        self.store.replace_totals(unit, width, Window(start, start + 1), [row])

    def up(self, width: BucketWidth, window: Window, units: Sequence[str] = UNITS) -> int:
        return sum(row.up_ms for row in self.kept.rows(units, width, window, "centre", ZONE))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        yield Desk(store)


WEEK = Window(T - 7 * DAY, T)


def test_the_past_is_read_once(desk: Desk) -> None:
    desk.put("vn83-1", "1d", T - DAY, 5)
    assert [desk.up("1d", WEEK), desk.up("1d", WEEK), desk.up("1d", WEEK, UNITS[:1])] == [5, 5, 5]
    desk.now += DAY
    assert desk.up("1d", WEEK) == 5
    assert desk.reads == [(UNITS, "1d", WEEK)]


def test_what_was_reopened_is_read_again_and_nothing_else(desk: Desk) -> None:
    desk.put("vn83-1", "1d", T - DAY, 5)
    assert desk.up("1d", WEEK) == 5
    desk.put("vn83-1", "1d", T - DAY, 7)
    desk.reopened["vn83-1"] = 2
    assert desk.up("1d", WEEK) == 7
    assert [units for units, _, _ in desk.reads] == [UNITS, UNITS[:1]]


def test_a_window_that_moves_on_reads_what_is_new(desk: Desk) -> None:
    desk.up("5m", Window(T, T + HOUR))
    desk.up("5m", Window(T + SLOT, T + HOUR + SLOT))
    assert desk.reads[1:] == [(UNITS, "5m", Window(T + HOUR, T + HOUR + SLOT))]


def test_what_ended_a_moment_ago_is_read_again_after_a_second(desk: Desk) -> None:
    desk.now = T + HOUR + SETTLING_MS - 1
    last = Window(T, T + HOUR)
    desk.put("vn83-1", "1h", T, 5)
    assert desk.up("1h", last) == 5
    desk.put("vn83-1", "1h", T, 6)
    desk.now += RECENT_TTL_MS + 1
    assert desk.up("1h", last) == 6
    desk.now += RECENT_TTL_MS + 1
    assert desk.up("1h", last) == 6
    assert len(desk.reads) == 2


def test_a_unit_that_nobody_speaks_for_is_kept_for_a_second_only(desk: Desk) -> None:
    desk.reopened.clear()
    assert desk.up("1d", WEEK) == 0
    desk.put("vn83-2", "1d", T - DAY, 5)
    desk.now += RECENT_TTL_MS + 1
    assert desk.up("1d", WEEK) == 5


def test_a_clock_that_goes_back_reads_again(desk: Desk) -> None:
    desk.reopened.clear()
    desk.up("1d", WEEK)
    desk.now -= HOUR
    desk.up("1d", WEEK)
    assert len(desk.reads) == 2


def test_a_very_long_answer_is_read_through(desk: Desk) -> None:
    window = Window(T - 10 * DAY, T)
    desk.put("vn83-1", "5m", T - SLOT, 5)
    assert [desk.up("5m", window), desk.up("5m", window)] == [5, 5]
    assert len(desk.reads) == 2


def test_what_was_longest_not_asked_for_is_dropped_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_CACHED_TOTALS", 10)
    for unit in UNITS:
        desk.up("1d", WEEK, [unit])
    desk.up("1d", WEEK, UNITS[1:])
    assert len(desk.reads) == 2
    desk.up("1d", WEEK, UNITS[:1])
    assert len(desk.reads) == 3


steps = st.lists(
    st.tuples(st.sampled_from(UNITS), st.integers(0, 30), st.integers(0, 9), st.integers(1, 40), st.integers(1, 30)),
    max_size=30,
)


@given(steps)
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_and_asked_the_answer_is_the_stores(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int, int]]
) -> None:
    """Rollup's part: a total of time that had passed is written before the live row says so."""
    with closing(SqliteStore(tmp_path_factory.mktemp("kept") / "store.db")) as store:
        desk = Desk(store)
        for unit, cell, up, first, length in steps:
            desk.put(unit, "5m", T + cell * SLOT, up)
            desk.reopened[unit] += 1
            desk.now += RECENT_TTL_MS + 1
            window = Window(T + (first - 1) * SLOT, T + (first - 1 + length) * SLOT)
            found = list(desk.kept.rows(UNITS, "5m", window, "centre", ZONE))
            assert found == list(UncachedTotals(store).rows(UNITS, "5m", window, "centre", ZONE))
