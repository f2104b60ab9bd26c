from __future__ import annotations

import random
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry.core.queueing.anomalies import MAX_FLAGS_A_DAY, FlaggedHalfHour, flag_day
from telemetry.core.queueing.arrivals import SLOTS, ArrivalDay, ArrivalsModel, DayTraits
from telemetry.core.queueing.half_hours import add_half_hours, arrival_days
from tests.bank_log import BANK, bank_totals

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.queueing.half_hours import HalfHourKey

FIRST = date(2026, 10, 5)
OPEN = range(14, 22)
JUDGED = 20
Sums = dict["HalfHourKey", dict[str, int]]


def history(seed: int = 1) -> tuple[list[ArrivalDay], Sums]:
    """Return four weeks of even days: 20 tickets a half hour, waits of 5 min, 10 % abandonment, services of 4 min."""
    rng = random.Random(seed)
    days, sums = [], {}
    for n in range(28):
        day = FIRST + timedelta(days=n)
        if day.weekday() > 4:
            continue
        counts: list[int | None] = [None] * SLOTS
        for slot in OPEN:
            counts[slot] = issued = rng.randint(16, 24)
            sums[day, slot] = {
                "issued": issued, "called": issued, "wait_sum_ms": issued * rng.randint(240_000, 360_000),
                "abandoned": rng.randint(1, 3), "service_count": issued,
                "service_sum_ms": issued * rng.randint(220_000, 260_000),
            }  # fmt: skip
        days.append(ArrivalDay(day, DayTraits(day.weekday()), tuple(counts)))
    return days, sums


def judge(changes: dict[int, dict[str, int]], before: int = 19) -> tuple[FlaggedHalfHour, ...]:
    """Return the flags of the last day with half hours changed, judged by the days before it."""
    days, sums = history()
    last = days[-1]
    counts = list(last.counts)
    for slot, change in changes.items():
        sums[last.day, slot] = {**sums[last.day, slot], **change}
        counts[slot] = sums[last.day, slot]["issued"]
    changed = ArrivalDay(last.day, last.traits, tuple(counts))
    return flag_day(changed, ArrivalsModel(tuple(days[-1 - before : -1])), sums)


def test_a_usual_day_has_no_flag() -> None:
    assert judge({}) == ()


def test_a_day_of_which_nothing_was_reported_is_not_judged() -> None:
    assert judge({slot: {"issued": 0} for slot in OPEN}) == ()


def test_a_rush_is_flagged_with_its_size_and_cause() -> None:
    (flag,) = judge({16: {"issued": 90}})
    (deviation,) = flag.deviations
    assert (flag.slot, flag.cause, deviation.measure) == (16, "arrivals", "arrivals")
    assert deviation.actual == 90
    assert deviation.expected == pytest.approx(20, abs=2)
    assert 0 < deviation.low < 5
    assert deviation.expected < deviation.high < 90
    assert deviation.deviations > 5


def test_a_half_hour_that_nobody_came_in_is_flagged_where_many_were_expected() -> None:
    (flag,) = judge({16: {"issued": 0}})
    (deviation,) = flag.deviations
    assert (flag.slot, deviation.actual, deviation.measure) == (16, 0, "arrivals")
    assert deviation.deviations < -5
    assert 0 < deviation.low < 5


@pytest.mark.parametrize(
    ("change", "measure", "cause"),
    [
        ({"wait_sum_ms": 20 * 3_600_000}, "wait", "counters_short"),
        ({"abandoned": 19}, "abandonment", "counters_short"),
        ({"service_sum_ms": 20 * 2_400_000}, "service_time", "service_time"),
        ({"service_sum_ms": 20 * 500_000, "wait_sum_ms": 20 * 5_400_000}, "wait", "service_time"),
        ({"issued": 40, "wait_sum_ms": 40 * 3_600_000, "called": 40}, "wait", "arrivals"),
    ],
)
def test_the_likely_cause_is_told_from_the_other_measures(change: dict[str, int], measure: str, cause: str) -> None:
    (flag,) = judge({17: change})
    assert (flag.deviations[0].measure, flag.cause) == (measure, cause)
    assert flag.deviations[0].actual > flag.deviations[0].high


def test_at_most_three_half_hours_of_a_day_are_flagged_the_farthest() -> None:
    flags = judge({15: {"issued": 90}, 16: {"issued": 200}, 18: {"issued": 300}, 20: {"issued": 150}})
    assert [flag.slot for flag in flags] == [16, 18, 20]
    assert len(flags) == MAX_FLAGS_A_DAY


def test_means_of_a_few_tickets_are_not_judged() -> None:
    few = {
        "issued": 4,
        "called": 4,
        "wait_sum_ms": 4 * 7_200_000,
        "abandoned": 4,
        "service_count": 4,
        "service_sum_ms": 1,
    }
    assert judge({17: few}) == ()


def test_too_few_other_days_judge_nothing_and_few_references_judge_arrivals_alone() -> None:
    assert judge({16: {"issued": 900}}, before=4) == ()
    days, sums = history()
    only_counts = {key: {"issued": value["issued"]} for key, value in sums.items()}
    struck = {**only_counts[days[-1].day, 16], "issued": 900, "called": 900, "wait_sum_ms": 1}
    only_counts[days[-1].day, 16] = struck
    (flag,) = flag_day(days[-1], ArrivalsModel(tuple(days[:-1])), only_counts)
    assert [d.measure for d in flag.deviations] == ["arrivals"]
    alone = {key: value for key, value in only_counts.items() if key[0] == days[-1].day}
    assert [f.slot for f in flag_day(days[-1], ArrivalsModel(tuple(days[:-1])), alone)] == [16]


def test_both_incidents_of_the_real_log_are_flagged_and_at_most_three_further_half_hours_a_week(data_dir: Path) -> None:
    """3 February 13:00–14:00 and 14 February 21:00–23:00, each day judged by the others; the later one also live."""
    half_hours = add_half_hours(BANK, bank_totals(data_dir))
    days = arrival_days(BANK, half_hours, date(1999, 2, 15))
    found = [
        f for n, d in enumerate(days) for f in flag_day(d, ArrivalsModel((*days[:n], *days[n + 1 :])), half_hours.sums)
    ]
    incidents = {date(1999, 2, 3): {26, 27}, date(1999, 2, 14): {42, 43, 44, 45}}
    for day, slots in incidents.items():
        inside = [f for f in found if f.day == day and f.slot in slots]
        assert inside
        assert all(f.deviations[0].measure in {"arrivals", "abandonment"} for f in inside)
        assert inside[0].cause == "arrivals"
    further = [f.day for f in found if f.slot not in incidents.get(f.day, set())]
    for week in ((1, 7), (8, 14)):
        assert sum(week[0] <= day.day <= week[1] for day in further) <= 3
    live = flag_day(days[-1], ArrivalsModel(days[:-1]), half_hours.sums)
    assert {f.slot for f in live} <= incidents[date(1999, 2, 14)]
    assert len(live) == 3
