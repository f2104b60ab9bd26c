"""Counters of a window from additive sums: utilisation, open against schedule, load; it must not read stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.segment_figures import Share

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CounterFigures:
    """A window's counters, ms: busy ÷ open, open ÷ scheduled within the schedule, offered work ÷ open.

    A load of 1 or more is an overload.  `service_ms` is all busy time, also of counters whose state nobody reports.
    """

    utilisation: Share
    open_against_schedule: Share
    load: Share
    service_ms: int
    online_only_ms: int


def counter_figures(sums: Mapping[str, int]) -> CounterFigures:
    """Read a window's sums, those of `schedule_sums` included; missing fields count as zero."""
    get = sums.get
    return CounterFigures(
        utilisation=Share(get("counter_busy_ms", 0), get("counter_open_ms", 0)),
        open_against_schedule=Share(get("counter_open_scheduled_ms", 0), get("counter_scheduled_ms", 0)),
        load=Share(get("offered_work_ms", 0), get("counter_open_ms", 0)),
        service_ms=get("counter_service_ms", 0),
        online_only_ms=get("online_only_ms", 0),
    )


def schedule_sums(
    sums: Mapping[str, int], counters: int, open_ms: int, *, has_roster: bool
) -> dict[str, int]:  # fmt: skip
    """Return what was scheduled and how much of that was open: the published roster, or else every declared counter.

    Declared `counters` are due in the opening hours (`open_ms`), but not in a reported online-only mode.
    """
    if has_roster:
        scheduled, opened = sums.get("counter_rostered_ms", 0), sums.get("counter_open_rostered_ms", 0)
    else:
        scheduled = counters * max(0, open_ms - sums.get("open_online_only_ms", 0))
        opened = min(scheduled, sums.get("open_counter_open_ms", 0))
    return {"counter_scheduled_ms": scheduled, "counter_open_scheduled_ms": opened}


def offered_work_ms(sums: Mapping[str, int], mean_service: tuple[int, int]) -> int:
    """Return the work that arrivals bring: segments that began × mean service time, given as (sum ms, count)."""
    sum_ms, count = mean_service
    begins = sums.get("issued", 0) + sums.get("transferred_in", 0)
    return round(begins * sum_ms / count) if count else 0
