"""A published month stays as it was published; what late data change of it is said beside it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.windows import HOUR, Window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre, PublishedFigures
from telemetry.queries.availability import (
    AvailabilityDimension,
    AvailabilityOptions,
    AvailabilityResult,
    ClockKind,
    compute_availability,
)
from telemetry.queries.buckets import BucketSize, bucket_query
from telemetry.queries.network import QueryScope
from telemetry.queries.publication import exact_local_month
from telemetry.store.sqlite import SqliteStore
from tests.uncached_totals import UncachedTotals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
WEEK = tuple(((time(7, 30), time(11, 30)),) for _ in range(7))
CENTRE = Centre("vn83-1", "83", "commune", "Một", "One", "83", "", 2, WEEK, (), ZONE)
LABEL = "centre:vn83-1"
OPEN = 31 * 4 * 3600
PUBLISHED = PublishedFigures("2026-10", LABEL, "", OPEN, OPEN - 3600, 3600, 0, 0, OPEN - 3600, 3600)
KNOWN = {("2026-10", LABEL, ""): PUBLISHED}
OCTOBER = Window(local_ms(date(2026, 10, 1), time(), ZONE), local_ms(date(2026, 11, 1), time(), ZONE))
NOW = OCTOBER.end + 40 * 24 * HOUR
SCOPE = QueryScope(LABEL, "centre", frozenset({LABEL}), {"vn83-1": CENTRE}, ZONE)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqliteStore(tmp_path / "store.db")) as found:
        yield found


def put(store: Store, first: int = 3 * HOUR, down: int = HOUR) -> None:
    """Write October as it was published, but for what the first day says."""
    days = [OCTOBER.start + i * 24 * HOUR for i in range(31)]
    sums = [{"open_up_ms": first, "open_down_ms": down}, *[{"open_up_ms": 4 * HOUR}] * 30]
    totals = [Total("vn83-1", LABEL, "1d", day, "83", s) for day, s in zip(days, sums, strict=True)]
    store.replace_totals("vn83-1", "1d", OCTOBER, totals)


def asked(
    store: Store,
    window: Window = OCTOBER,
    bucket: BucketSize = "total",
    clock: ClockKind = "open",
    sli: AvailabilityDimension = "service",
) -> AvailabilityResult:
    return compute_availability(
        UncachedTotals(store), SCOPE, bucket_query(window, bucket, ZONE), AvailabilityOptions(clock, sli, KNOWN), NOW
    )


def test_a_month_that_is_as_it_was_published_needs_no_correction(store: Store) -> None:
    put(store)
    (note,) = asked(store).notes
    assert (note.stage, note.published, note.correction) == ("published", PUBLISHED, None)


def test_late_data_change_the_figure_of_now_and_never_the_published_one(store: Store) -> None:
    put(store, first=4 * HOUR, down=0)
    found = asked(store)
    (note,) = found.notes
    assert (found.overall.up, found.overall.down) == (OPEN, 0)
    assert note.published == PUBLISHED
    assert note.correction is not None
    change = note.correction.difference
    assert (change.open, change.up, change.down, change.unknown, change.excluded) == (0, 3600, -3600, 0, 0)


def test_the_month_is_found_among_many(store: Store) -> None:
    put(store)
    window = Window(OCTOBER.start - 24 * HOUR, OCTOBER.end + 24 * HOUR)
    assert [note.stage for note in asked(store, window, "1mo").notes] == ["settled", "published", "settled"]
    assert asked(store, window).notes[0].published is None


@pytest.mark.parametrize(("clock", "sli"), [("wall", "service"), ("open", "connectivity")])
def test_only_service_on_the_open_clock_was_published(
    store: Store, clock: ClockKind, sli: AvailabilityDimension
) -> None:
    put(store)
    assert asked(store, clock=clock, sli=sli).notes[0].published is None


def test_only_exact_local_months_have_a_name() -> None:
    assert exact_local_month(OCTOBER, ZONE) == "2026-10"
    assert exact_local_month(OCTOBER, ZoneInfo("UTC")) == ""
    assert exact_local_month(Window(OCTOBER.start, OCTOBER.end + 30 * 24 * HOUR), ZONE) == ""
    assert exact_local_month(Window(OCTOBER.start - 31 * 24 * HOUR, OCTOBER.start), ZONE) == ""
    december = Window(local_ms(date(2026, 12, 1), time(), ZONE), local_ms(date(2027, 1, 1), time(), ZONE))
    assert exact_local_month(december, ZONE) == "2026-12"


def test_another_scope_was_not_published(store: Store) -> None:
    put(store)
    other = replace(SCOPE, label="province:83")
    found = compute_availability(
        UncachedTotals(store), other, bucket_query(OCTOBER, "total", ZONE), AvailabilityOptions(published=KNOWN), NOW
    )
    assert found.notes[0].stage == "settled"
