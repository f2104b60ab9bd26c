"""The sums of hours and days as plain integers that other tools read from the store: chart points. Pure.

They are additive like the totals that they are made of: no ratio, no percentile.  A centre, device or system has a
point for every hour and day in which it is in service, also when nothing was reported: its time is unknown then.
It must not read stores nor clocks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import HOUR, SLOT, Window, day_window, days_in, floor
from telemetry.core.figures.accounting import time_in_scope
from telemetry.core.figures.histograms import duration_histogram, latency_histogram
from telemetry.core.fold.histogram_buckets import LATENCY_BOUNDS_MS
from telemetry.core.fold.totals import (
    CALENDAR_FIELD,
    FORMER_QUEUE_FIELDS,
    HISTOGRAM_FIELDS,
    READY_FIELDS,
    STATE_FIELDS,
    add_to_sums,
    former_bucket_fields,
)
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.totals import Total
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.scope import ScopeKind

ChartKind = Literal["centre", "device", "desk", "counters", "administration", "system"]
CHART_VERSION: Final = 1
"""Raised when the same totals give other chart points; rollup then writes those of the past again."""
_KINDS_OF_CENTRES: Final[tuple[ChartKind, ...]] = ("centre", "device", "desk", "counters", "administration")
_NO_COUNTS: Final = frozenset((
    CALENDAR_FIELD, *HISTOGRAM_FIELDS, *FORMER_QUEUE_FIELDS,
    *former_bucket_fields("latency", LATENCY_BOUNDS_MS), *former_bucket_fields("open_latency", LATENCY_BOUNDS_MS),
))  # fmt: skip
_NO_COUNTS_OF_SYSTEMS: Final = frozenset((*STATE_FIELDS, *(f"open_{name}" for name in STATE_FIELDS)))
SeriesTags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StoredChartPoint:
    """The sums of one series over the hour or day that begins at `start`, Unix ms; `tags` name the series."""

    kind: ChartKind
    tags: SeriesTags
    start: int
    fields: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ChartedEntity:
    """A declared centre or system: `timed` are its scopes whose time counts, with the periods in which it does."""

    id: str
    province: str
    calendar: Calendar
    timed: tuple[Scope, ...]
    periods: ServicePeriods
    shown_service: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class EntityChart:
    """All points of a declared centre or system in a window: a point that is stored and not among them has vanished.

    `kinds` are all that it may have; each of its series has the tags `province` and `entity_tag`.
    """

    entity: str
    entity_tag: Literal["centre", "system"]
    province: str
    kinds: tuple[ChartKind, ...]
    points: Sequence[StoredChartPoint]


def entity_chart(
    entity: ChartedEntity, width: BucketWidth, window: Window, totals: Iterable[Total], now: int
) -> EntityChart:
    """Return the points of the hours or local days that begin in the window and before `now`.

    Time counts up to the last slot boundary before `now`; services that are not declared are one.
    """
    listed = list(totals)
    points = [*_count_points(entity, listed), *_time_points(entity, _past_buckets(entity, width, window, now), listed)]
    if any(scope.kind == "system" for scope in entity.timed):
        return EntityChart(entity.id, "system", entity.province, ("system",), points)
    return EntityChart(entity.id, "centre", entity.province, _KINDS_OF_CENTRES, points)


def _past_buckets(entity: ChartedEntity, width: BucketWidth, window: Window, now: int) -> list[Window]:
    """Return the buckets that begin in the window, up to the last slot boundary before `now`."""
    past, zone = floor(now, SLOT), entity.calendar.zone
    if width == "1d":
        buckets = [day_window(day, zone) for day in days_in(window, zone)]
    else:
        buckets = [Window(start, start + HOUR) for start in range(window.start, window.end, HOUR)]
    return [Window(b.start, min(b.end, past)) for b in buckets if window.start <= b.start < min(past, window.end)]


def _tags(entity: ChartedEntity, scope: Scope) -> SeriesTags:
    province = ("province", entity.province)
    match scope.kind:
        case "system":
            return province, ("system", scope.id)
        case "device":
            return province, ("centre", entity.id), ("device", scope.id)
        case "desk":
            return province, ("centre", entity.id), ("service", entity.shown_service(scope.service))
        case "administration":
            return province, ("centre", entity.id), ("level", scope.name)
        case _:
            return province, ("centre", entity.id)


# --- counts -----------------------------------------------------------------------------------


def _count_points(entity: ChartedEntity, totals: Iterable[Total]) -> Iterator[StoredChartPoint]:
    sums: dict[tuple[ChartKind, SeriesTags, int], dict[str, int]] = defaultdict(dict)
    for total in totals:
        scope = Scope(total.scope)
        if scope.kind in {"desk", "counters", "administration"}:
            add_to_sums(sums[scope.kind, _tags(entity, scope), total.start], _count_fields(scope.kind, total.sums))
    return (StoredChartPoint(kind, tags, start, fields) for (kind, tags, start), fields in sums.items())


def _count_fields(kind: ScopeKind, sums: Mapping[str, int]) -> dict[str, int]:
    fields = {name: value for name, value in sums.items() if name not in _NO_COUNTS}
    if kind == "desk":
        for name in ("wait", "service"):
            durations = duration_histogram(sums, name)
            fields[f"{name}_count"] = durations.count
            fields |= {f"{name}_within_{bound}_s": count for bound, count in durations.counts_within()}
    if kind == "administration":
        fields |= {f"{name}_count": duration_histogram(sums, name).count for name in ("processing", "fill")}
    return fields


def _system_counts(sums: Mapping[str, int]) -> dict[str, int]:
    latency = latency_histogram(sums)
    fields = {k: v for k, v in sums.items() if k not in _NO_COUNTS and k not in _NO_COUNTS_OF_SYSTEMS}
    fields["latency_count"] = latency.count
    return fields | {f"latency_within_{bound}_ms": latency.count_within(bound) for bound in LATENCY_BOUNDS_MS}


# --- time -------------------------------------------------------------------------------------


def _time_points(
    entity: ChartedEntity, buckets: Sequence[Window], totals: Iterable[Total]
) -> Iterator[StoredChartPoint]:
    if not buckets or not entity.timed:
        return
    clocks = _Clocks(entity.calendar, Window(buckets[0].start, buckets[-1].end))
    sums_of = {(total.scope, total.start): total.sums for total in totals}
    for scope in entity.timed:
        kind: ChartKind = "system" if scope.kind == "system" else "device" if scope.kind == "device" else "centre"
        for bucket in buckets:
            fields = _time_fields(entity, scope, bucket, clocks, sums_of.get((scope, bucket.start), {}))
            if fields:
                yield StoredChartPoint(kind, _tags(entity, scope), bucket.start, fields)


class _Clocks:
    """The open and the excluded time of a window by clock: its prefix in the names of sums and fields."""

    def __init__(self, calendar: Calendar, window: Window) -> None:
        self.by_prefix: dict[str, tuple[OpenTimeline, OpenTimeline]] = {
            "": (build_open_timeline([window]), build_open_timeline(())),
            "open_": (
                build_open_timeline(calendar.open_windows(window)),
                build_open_timeline(calendar.excluded_windows(window)),
            ),
        }


def _time_fields(
    entity: ChartedEntity, scope: Scope, past: Window, clocks: _Clocks, sums: Mapping[str, int]
) -> dict[str, int]:
    """Return one bucket's time by state; nothing when the scope was not in service in any of it."""
    in_service = past.clip(entity.periods.window_of(scope))
    if in_service is None:
        return {}
    connected = past.clip(entity.periods.connectivity_window_of(scope))
    dimensions = [("", in_service)] if scope.kind == "system" else [("", in_service), ("conn_", connected)]
    fields: dict[str, int] = {}
    for clock, (open_time, excluded) in clocks.by_prefix.items():
        for dimension, counted in dimensions:
            prefix, open_ms = f"{clock}{dimension}", open_time.open_within(past)
            time = time_in_scope(
                open_ms, sums.get(f"{prefix}up_ms", 0), sums.get(f"{prefix}down_ms", 0),
                excluded_ms=excluded.open_within(past), platform_outage_ms=sums.get(f"{prefix}platform_ms", 0),
                not_in_service_ms=open_ms - (open_time.open_within(counted) if counted else 0),
            )  # fmt: skip
            states = (("up", time.up), ("down", time.down), ("unknown", time.unknown), ("excluded", time.excluded))
            fields |= {f"{prefix}{name}_ms": ms for name, ms in states}
    if scope.kind == "system":
        return fields | _system_counts(sums)
    return fields | {name: sums[name] for name in READY_FIELDS if name in sums}
