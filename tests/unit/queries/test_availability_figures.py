"""Availability beside its parts: platform time, connectivity, planned maintenance, capacity, months."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.calendar_values import SingleMaintenance
from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre, System
from telemetry.core.slo.periods import settled_until
from telemetry.queries.availability import (
    AvailabilityDimension,
    AvailabilityOptions,
    AvailabilityResult,
    ClockKind,
    compute_availability,
)
from telemetry.queries.buckets import bucket_query
from telemetry.queries.errors import BadWindow
from telemetry.queries.network import QueryScope
from telemetry.queries.publication import exact_local_month
from telemetry.store.sqlite import SqliteStore
from tests.total_rows import Rows
from tests.uncached_totals import UncachedTotals

if TYPE_CHECKING:
    from pathlib import Path


ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = date(2026, 11, 23)
WEEK = tuple(((time(7, 30), time(11, 30)),) for _ in range(7))
CENTRE = Centre("vn83-1", "83", "commune", "Một", "One", "83", "", 2, WEEK, (), ZONE)
WHOLE = day_window(DAY, ZONE)
OPENS = local_ms(DAY, time(7, 30), ZONE)
LATER = WHOLE.end + HOUR
STAFFED = frozenset({"vn83-1"})
FIRST = Window(OPENS, OPENS + HOUR)


def of_centre(centre: Centre = CENTRE) -> QueryScope:
    label = f"centre:{centre.id}"
    return QueryScope(label, "centre", frozenset({label}), {centre.id: centre}, ZONE)


def five(start: int, **sums: int) -> Total:
    return Total("vn83-1", "centre:vn83-1", "5m", start, "83", sums)


def account(
    *totals: Total, window: Window = FIRST, clock: ClockKind = "open", sli: AvailabilityDimension = "service",
    scope: QueryScope | None = None,
) -> AvailabilityResult:  # fmt: skip
    found = scope or of_centre()
    return compute_availability(
        Rows(*totals),
        found,
        bucket_query(window, "total", ZONE),
        AvailabilityOptions(clock, sli, capacity_centres=STAFFED),
        LATER,
    )


@pytest.mark.parametrize("clock", ["open", "wall"])
def test_time_our_own_platform_was_down_is_excluded_and_never_open(clock: ClockKind) -> None:
    found = account(five(OPENS, up_ms=60_000, platform_ms=240_000), clock=clock).overall
    assert (found.open, found.up, found.unknown, found.excluded) == (3360, 60, 3300, 240)


def test_platform_time_outside_the_opening_hours_is_no_exclusion_of_the_open_clock() -> None:
    closed = five(OPENS - SLOT, platform_ms=SLOT)
    window = Window(OPENS - SLOT, OPENS + SLOT)
    assert account(closed, window=window).overall.excluded == 0
    assert account(closed, window=window, clock="wall").overall.excluded == 300


@pytest.mark.parametrize("clock", ["open", "wall"])
def test_whole_days_take_the_sums_of_their_clock(clock: ClockKind) -> None:
    sums = {"up_ms": 20 * HOUR, "platform_ms": 2 * HOUR, "open_up_ms": 2 * HOUR, "open_platform_ms": HOUR}
    day = Total("vn83-1", "centre:vn83-1", "1d", WHOLE.start, "83", sums)
    found = account(day, window=WHOLE, clock=clock).overall
    expected = {"open": (3 * 3600, 2 * 3600, 3600), "wall": (22 * 3600, 20 * 3600, 7200)}
    assert (found.open, found.up, found.excluded) == expected[clock]


def test_connectivity_has_sums_of_its_own() -> None:
    told = five(OPENS, up_ms=SLOT, conn_down_ms=200_000, conn_up_ms=40_000, conn_platform_ms=60_000)
    service, contact = account(told).overall, account(told, sli="connectivity").overall
    assert (service.up, service.down, service.excluded) == (300, 0, 0)
    assert (contact.up, contact.down, contact.excluded, contact.open) == (40, 200, 60, 3540)


def test_planned_maintenance_of_a_system_is_excluded() -> None:
    planned = SingleMaintenance("upgrade", Window(WHOLE.start + HOUR, WHOLE.start + 2 * HOUR))
    system = System("vn-ngsp", "N", "N", "platform", maintenance=(planned,))
    scope = QueryScope(
        "system:vn-ngsp", "system", frozenset({"system:vn-ngsp"}), {"vn-ngsp": system.calendar(ZONE)}, ZONE
    )
    found = account(scope=scope, window=WHOLE).overall
    assert (found.open, found.excluded) == (23 * 3600, 3600)
    assert account(scope=scope, window=WHOLE, clock="wall").overall.open == 24 * 3600


def test_capacity_is_the_mean_share_of_the_counters_over_open_time() -> None:
    told = [five(OPENS + i * SLOT, up_ms=SLOT, cap_low_ms=SLOT // 2, cap_high_ms=SLOT) for i in range(12)]
    assert account(*told).notes[0].capacity == (0.5, 1.0)
    assert account(*told, window=Window(OPENS - HOUR, OPENS)).notes[0].capacity is None
    assert account(*told, sli="connectivity").notes[0].capacity is None


@pytest.mark.parametrize("clock", ["open", "wall"])
def test_time_that_was_never_folded_is_possible_capacity(clock: ClockKind) -> None:
    half = {"up_ms": SLOT, "cap_low_ms": SLOT // 2, "cap_high_ms": SLOT // 2}
    told = [five(OPENS + i * SLOT, **half) for i in range(6)]
    assert account(*told, clock=clock).notes[0].capacity == (0.25, 0.75)
    assert account(clock=clock).notes[0].capacity == (0.0, 1.0)


def test_days_and_hours_that_were_never_folded_are_possible_capacity() -> None:
    sums = {"open_cap_low_ms": HOUR, "open_cap_high_ms": 2 * HOUR}
    day = Total("vn83-1", "centre:vn83-1", "1d", WHOLE.start, "83", sums)
    two = Window(WHOLE.start, WHOLE.end + 24 * HOUR)
    found = compute_availability(
        Rows(day), of_centre(), bucket_query(two, "total", ZONE), AvailabilityOptions(capacity_centres=STAFFED), two.end
    )
    assert found.notes[0].capacity == (1 / 8, 6 / 8)
    lost = {"open_cap_low_ms": 0, "open_cap_high_ms": 0}
    hour = Total("vn83-1", "centre:vn83-1", "1h", OPENS + HOUR // 2, "83", lost)
    window = Window(OPENS, OPENS + 4 * HOUR)
    found = compute_availability(
        Rows(hour), of_centre(), bucket_query(window, "1h", ZONE), AvailabilityOptions(capacity_centres=STAFFED), LATER
    )
    highs = [note.capacity[1] for note in found.notes if note.capacity]
    assert highs == [1.0, 0.0, 1.0, 1.0, 1.0]


def test_a_centre_without_counters_has_no_capacity_and_does_not_dilute_that_of_others() -> None:
    bare = replace(CENTRE, id="vn83-2")
    told = [five(OPENS + i * SLOT, up_ms=SLOT, cap_low_ms=SLOT, cap_high_ms=SLOT) for i in range(12)]
    both = QueryScope(
        "country", "centre", frozenset({"centre:vn83-1", "centre:vn83-2"}), {c.id: c for c in (CENTRE, bare)}, ZONE
    )
    assert account(scope=of_centre(bare)).notes[0].capacity is None
    found = account(*told, scope=both)
    assert (found.overall.open, found.notes[0].capacity) == (7200, (1.0, 1.0))
    lost = account(*(replace(t, sums={"cap_high_ms": 0}) for t in told), scope=both)
    assert lost.notes[0].capacity == (0.0, 0.0)


@pytest.mark.parametrize("clock", ["open", "wall"])
@given(
    parts=st.lists(st.lists(st.integers(0, 100_000), min_size=3, max_size=3), max_size=14),
    length=st.integers(1, 14),
    past=st.integers(-2, 16),
)
def test_open_is_up_and_down_and_unknown_in_every_row(
    clock: ClockKind, parts: list[list[int]], length: int, past: int
) -> None:
    names = ("up_ms", "down_ms", "platform_ms")
    told = [
        five(OPENS + i * SLOT, **dict(zip(names, part, strict=True)))
        for i, part in enumerate(parts)
    ]  # fmt: skip
    window = Window(OPENS - SLOT, OPENS + length * SLOT)
    found = compute_availability(
        Rows(*told), of_centre(), bucket_query(window, "5m", ZONE), AvailabilityOptions(clock), OPENS + past * SLOT + 1
    )
    for _, a in found.rows:
        assert a.open == a.up + a.down + a.unknown
        assert min(a.up, a.down, a.unknown, a.excluded) >= 0
        assert (a.coverage is None) == (a.open == 0)
    assert all(a.open == 0 for w, a in found.rows if w.start >= OPENS + past * SLOT)


# --- months -----------------------------------------------------------------------------------


def test_months_are_those_of_the_zone_and_add_up(tmp_path: Path) -> None:
    window = Window(local_ms(date(2026, 9, 15), time(), ZONE), local_ms(date(2026, 11, 2), time(), ZONE))
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        found = compute_availability(
            UncachedTotals(store), of_centre(), bucket_query(window, "1mo", ZONE), AvailabilityOptions(), LATER
        )
    assert [exact_local_month(w, ZONE) for w, _ in found.rows] == ["", "2026-10", ""]
    assert [a.open // 14_400 for _, a in found.rows] == [16, 31, 1]
    assert sum(a.open for _, a in found.rows) == found.overall.open


def test_too_long_a_window_is_refused() -> None:
    with pytest.raises(BadWindow, match="at most 3660 days at bucket=1mo"):
        bucket_query(Window(0, 4000 * 24 * HOUR), "1mo", ZONE)


def test_a_row_is_settled_when_it_ended_before_the_local_day_seven_days_ago() -> None:
    until = settled_until(LATER, ZONE)
    assert until == local_ms(date(2026, 11, 17), time(), ZONE)
    window = Window(until - 24 * HOUR, until + 24 * HOUR)
    found = compute_availability(Rows(), of_centre(), bucket_query(window, "1d", ZONE), AvailabilityOptions(), LATER)
    assert [note.stage for note in found.notes] == ["settled", "provisional"]
    assert found.settled_until == until
