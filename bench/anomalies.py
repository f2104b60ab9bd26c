"""Flagged half hours of the real call log, where it is there ($MOTCUA_DATA): its two incidents, and how many others.

Every day is judged by the other days; `live` by the days before it alone.

Run: python -m bench.anomalies
"""

from __future__ import annotations

import json
import time
from datetime import date
from typing import TYPE_CHECKING, Any

from bench.call_log import read_call_log
from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.summary import round_figures
from telemetry.core.queueing.anomalies import flag_day
from telemetry.core.queueing.arrivals import ArrivalsModel
from telemetry.core.queueing.half_hours import add_half_hours, arrival_days

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.queueing.anomalies import FlaggedHalfHour

INCIDENTS = {date(1999, 2, 3): range(26, 28), date(1999, 2, 14): range(42, 46)}
"""3 February 13:00–14:00 and 14 February 21:00–23:00, local time, as half hours of the day."""


def measure() -> dict[str, Any]:
    """Return how many half hours are flagged in the incidents and beside them, by week."""
    log = read_call_log()
    if log is None:
        return {}
    others = OtherWork()
    began = time.perf_counter()
    half_hours = add_half_hours(log.centre, log.totals)
    days = arrival_days(log.centre, half_hours, date.max)
    flags = [
        flag
        for n, day in enumerate(days)
        for flag in flag_day(day, ArrivalsModel((*days[:n], *days[n + 1 :])), half_hours.sums)
    ]
    seconds = time.perf_counter() - began
    live = [flag for n, day in enumerate(days) for flag in flag_day(day, ArrivalsModel(days[:n]), half_hours.sums)]
    found = {
        "days": len(days),
        "incidents": {day.isoformat(): _inside(flags, day) for day in INCIDENTS},
        "incidents_live": {day.isoformat(): _inside(live, day) for day in INCIDENTS},
        "further_by_week": _further_by_week(flags, days[0].day),
        "further_live": sum(_further_by_week(live, days[0].day)),
        "seconds": seconds,
        "others_pct": others.share_pct(),
    }
    print_message(f"flagged in the incidents {found['incidents']}, further by week {found['further_by_week']}")
    return found


def _inside(flags: Iterable[FlaggedHalfHour], day: date) -> int:
    return sum(flag.day == day and flag.slot in INCIDENTS[day] for flag in flags)


def _further_by_week(flags: Iterable[FlaggedHalfHour], first: date) -> list[int]:
    weeks = [0, 0]
    for flag in flags:
        if flag.slot not in INCIDENTS.get(flag.day, ()):
            weeks[(flag.day - first).days // 7] += 1
    return weeks


if __name__ == "__main__":
    print(json.dumps(round_figures({"machine": describe(), "anomalies": measure()}), indent=2))
