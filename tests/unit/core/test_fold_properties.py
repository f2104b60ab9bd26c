"""The same totals whatever the order, the repetition or the division of the work, for every field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, Window, floor
from telemetry.core.fold import aggregation, fold
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.totals import CAPACITY_FIELDS, STATE_FIELDS
from tests.unit.days import (
    CENTRE,
    LONGER,
    SITE,
    SYSTEM,
    WHOLE,
    as_statuses_arrive,
    five,
    hours,
    outages,
    probe_sets,
    read,
    streams,
)

if TYPE_CHECKING:
    from random import Random

    from telemetry.core.fold.sourced_event import SourcedEvent
    from telemetry.core.fold.totals import Total

WIDER = Window(LONGER.start - HOUR, LONGER.end + HOUR)
"""The hours that the events may speak about: a call also about the wait before it, and what is decided later."""


@given(streams, outages, st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_total(
    found: list[SourcedEvent], lost: tuple[Window, ...], chance: Random
) -> None:
    again = [*found, *chance.choices(found, k=5)] if found else []
    chance.shuffle(again)
    assert five(again, LONGER, SITE, lost) == five(found, LONGER, SITE, lost)


@given(streams, outages)
def test_folding_hour_by_hour_equals_folding_the_whole_window(
    found: list[SourcedEvent], lost: tuple[Window, ...]
) -> None:
    parts = [t for hour in hours(LONGER) for t in five(read(found, hour), hour, SITE, lost)]
    assert sorted(parts, key=lambda t: (t.scope, t.start)) == five(read(found, LONGER), LONGER, SITE, lost)


@given(streams, outages)
def test_folding_only_the_hours_each_arrival_makes_dirty_equals_folding_them_at_the_end(
    found: list[SourcedEvent], lost: tuple[Window, ...]
) -> None:
    """An hour that nobody speaks about is never folded and has no totals."""
    found = as_statuses_arrive(found)
    kept: dict[tuple[str, int], Total] = {}
    touched: set[int] = set()
    for i, arrival in enumerate(found, 1):
        for _, start, end in dirty_hours([(CENTRE.id, arrival.event)]):
            touched |= {hour.start for hour in hours(Window(start, end))}
            kept = {key: t for key, t in kept.items() if not start <= t.start < end}
            fresh = five(read(found[:i], Window(start, end)), Window(start, end), SITE, lost)
            kept |= {(t.scope, t.start): t for t in fresh}
    wanted = [t for t in five(read(found, WIDER), WIDER, SITE, lost) if floor(t.start, HOUR) in touched]
    assert [t for _, t in sorted(kept.items())] == wanted


@given(streams)
def test_hours_and_days_hold_the_sum_of_their_five_minutes(found: list[SourcedEvent]) -> None:
    rows = five(found, LONGER, SITE)
    by_hour, by_day = (
        aggregation.hourly_totals(rows, CENTRE.calendar),
        aggregation.daily_totals(rows, WHOLE, CENTRE.calendar),
    )
    for field in (*STATE_FIELDS, *CAPACITY_FIELDS, "called", "wait_sum_ms"):
        assert added(by_hour, field) == added(by_day, field) == added(rows, field)
        assert added(by_hour, f"open_{field}") == added(by_day, f"open_{field}")


def added(rows: list[Total], field: str) -> int:
    return sum(t.sums.get(field, 0) for t in rows)


@given(probe_sets, outages, st.randoms(use_true_random=False))
def test_a_system_folds_alike_in_any_order_and_hour_by_hour(
    found: list[SourcedEvent], lost: tuple[Window, ...], chance: Random
) -> None:
    whole = fold.fold_system(SYSTEM, "83", found, LONGER, lost)
    shuffled = [*found, *found]
    chance.shuffle(shuffled)
    parts = [t for hour in hours(LONGER) for t in fold.fold_system(SYSTEM, "83", read(found, hour), hour, lost)]
    assert fold.fold_system(SYSTEM, "83", shuffled, LONGER, lost) == whole == parts
