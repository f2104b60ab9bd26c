"""Queue histories by centre, level, service or agency, with the counters of centres; it must not read raw events.

Sums are merged and divided once: no figure of a group is a mean of means.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import SLOT, Window, floor
from telemetry.core.figures.counter_figures import offered_work_ms, schedule_sums
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.figures.queue_periods import QueueHistoryRow
from telemetry.core.fold.totals import COUNTER_FIELDS_BY_CLOCK, add_to_sums
from telemetry.core.in_service import ALWAYS_IN_SERVICE
from telemetry.core.scope import Scope
from telemetry.queries.buckets import BucketQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import Centre, Service
    from telemetry.queries.buckets import OpenWindowsCache
    from telemetry.queries.totals_cache import TotalsReader

QueueGroup = Literal["centre", "level", "service", "owner_agency"]
CounterKey = tuple[str, Window]
"""A centre and a bucket."""
GroupKey = tuple[str, str, str]
"""Centre, service and group of a row; those that it is not about are empty."""


def group_rows(
    rows: Iterable[QueueHistoryRow], key_of: Callable[[QueueHistoryRow], GroupKey],
    counters: Mapping[CounterKey, Mapping[str, int]],
) -> tuple[QueueHistoryRow, ...]:  # fmt: skip
    """Merge the rows of one group and bucket, and the counters of each centre once."""
    sums: dict[tuple[GroupKey, Window], dict[str, int]] = defaultdict(dict)
    centres: dict[tuple[GroupKey, Window], dict[str, None]] = defaultdict(dict)
    zones: dict[Window, ZoneInfo] = {}
    for row in rows:
        key = (key_of(row), row.window)
        add_to_sums(sums[key], row.sums)
        centres[key][row.centre] = None
        zones[row.window] = row.zone
    merged: list[QueueHistoryRow] = []
    for ((centre, service, group), window), row_sums in sums.items():
        counter_sums: dict[str, int] = {}
        for ident in centres[(centre, service, group), window]:
            add_to_sums(counter_sums, counters.get((ident, window), {}))
        merged.append(
            QueueHistoryRow(centre, service, window, zones[window], row_sums, group, counter_sums if counters else None)
        )
    return tuple(sorted(merged, key=lambda r: (r.centre, r.service, r.group, r.window.start)))


def group_key(
    by: QueueGroup, centres: Mapping[str, Centre], services: Mapping[str, Service]
) -> Callable[[QueueHistoryRow], GroupKey]:  # fmt: skip
    """Return the group of a row; a service without an agency belongs to its centre's."""
    match by:
        case "centre":
            return lambda row: (row.centre, "", "")
        case "service":
            return lambda row: ("", row.service, "")
        case "level":
            return lambda row: ("", "", centres[row.centre].level)
        case _:
            return lambda row: ("", "", _agency_of(services.get(row.service), centres[row.centre]))


def _agency_of(service: Service | None, centre: Centre) -> str:
    return (service.owner_agency if service else "") or centre.owner_agency


def counters_by_bucket(
    store: TotalsReader, centres: Sequence[Centre], query: BucketQuery, now: int, open_windows: OpenWindowsCache,
    in_service: Callable[[str], Window] = lambda _: ALWAYS_IN_SERVICE,
) -> dict[CounterKey, dict[str, int]]:  # fmt: skip
    """Return each centre's sums of its counters by bucket until now, with what was scheduled.

    `in_service` returns when a scope's time counts: before it nothing is scheduled.
    """
    out: dict[CounterKey, dict[str, int]] = {}
    past = Window(0, floor(now, SLOT)).clip(query.window)
    if past is None:
        return out
    for zone in sorted({c.zone for c in centres}, key=str):
        in_zone = [c for c in centres if c.zone == zone]
        buckets = replace(query, zone=zone).buckets()
        by_centre = _read_counters(store, in_zone, BucketQuery(past, query.bucket, zone), [b.start for b in buckets])
        for centre in in_zone:
            timeline = open_windows.open_windows(centre, query.window)
            rows = by_centre[centre.id].values()
            has_roster = any(row.get("counter_rostered_ms") for row in rows)
            if not has_roster and not any(row.get("counter_known_ms") for row in rows):
                timeline = build_open_timeline(())  # nobody reports what counters do: nothing is measured against hours
            for index, bucket in enumerate(buckets):
                sums = by_centre[centre.id].get(index, {})
                elapsed = past.clip(in_service(Scope.centre(centre.id)))
                elapsed = elapsed and bucket.clip(elapsed)
                open_ms = timeline.open_within(elapsed) if elapsed else 0
                schedule = schedule_sums(sums, centre.counters, open_ms, has_roster=has_roster)
                out[centre.id, bucket] = {**sums, **schedule}
    return out


def _read_counters(
    store: TotalsReader, centres: Sequence[Centre], query: BucketQuery, starts: list[int]
) -> dict[str, dict[int, dict[str, int]]]:
    by_id = {c.id: c for c in centres}
    out: dict[str, dict[int, dict[str, int]]] = {ident: {} for ident in by_id}
    for width, window in query.runs_to_read():
        for total in store.totals(list(by_id), width, window, "counters"):
            centre = by_id[Scope(total.scope).id]
            sums = dict(total.sums)
            if width == "5m" and centre.open_windows(Window(total.start, total.start + SLOT)):
                sums |= {f"open_{name}": sums[name] for name in COUNTER_FIELDS_BY_CLOCK if name in sums}
            add_to_sums(out[centre.id].setdefault(bisect_right(starts, total.start) - 1, {}), sums)
    return out


def add_offered_work(
    counters: Mapping[CounterKey, dict[str, int]], rows: Sequence[QueueHistoryRow]
) -> None:  # fmt: skip
    """Add each centre's offered work, in place: arrivals × the mean service time of their service in all the window."""
    means: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in rows:
        add_to_sums(means[row.centre, row.service], row.sums)
    figures = {key: queue_figures(sums).service_time for key, sums in means.items()}
    for row in rows:
        if (row.centre, row.window) in counters:
            service = figures[row.centre, row.service]
            work = offered_work_ms(row.sums, (service.sum_ms, service.count))
            add_to_sums(counters[row.centre, row.window], {"offered_work_ms": work})
