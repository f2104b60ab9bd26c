"""An objective's budget at one scope, by bucket and by run of bad time, from totals; it must not read raw events."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window, day_window, floor, intersection, merge, to_local
from telemetry.core.figures.accounting import TimeByState, to_time_by_state
from telemetry.core.fold.totals import add_sums
from telemetry.core.in_service import ALWAYS_IN_SERVICE, is_checked
from telemetry.core.inventory import DEFAULT_COVERAGE_FLOOR
from telemetry.core.slo.history import HistoryStep, bad_amount, build_history, rank_spending
from telemetry.core.slo.periods import calendar_period, rolling_period
from telemetry.core.slo.sli import TIME_SLIS, apply_unknown_policy, good_bad_counts, time_sums
from telemetry.core.slo.timeseries import TimeBucket, TimeSeries, build_time_series
from telemetry.queries.buckets import bucket_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.opening_calendar import Calendar
    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.inventory import Objective
    from telemetry.core.scope import Scope
    from telemetry.core.slo.history import BudgetSpend, HistoryPoint
    from telemetry.queries.buckets import BucketSize
    from telemetry.store import Store

COUNT_SCALE = 1000
"""A ticket, probe or day counts as 1000 ms in TimeByState, so that counts are rounded as exactly as seconds."""


@dataclass(frozen=True, slots=True)
class ScopedSloQuery:
    """An objective at one scope, with the entity of its totals, its calendar and zone."""

    objective: Objective
    scope: Scope
    entity: str
    calendar: Calendar
    zone: ZoneInfo
    settled_until: int
    in_service: Window = ALWAYS_IN_SERVICE
    coverage_floor: float = DEFAULT_COVERAGE_FLOOR

    @property
    def by_calendar(self) -> bool:
        """Return whether closed time and maintenance are excluded; a system is closed only for maintenance."""
        return self.objective.clock == "open" or self.objective.sli == "readiness" or self.scope.kind == "system"

    @property
    def totals_kind(self) -> str:
        """Return the kind of totals that the objective counts."""
        return "desk" if self.objective.sli == "wait" else self.scope.kind


def current_period(slo_query: ScopedSloQuery, now: int) -> Window:
    """Return the objective's current period as far as it has passed."""
    objective = slo_query.objective
    if objective.period == "rolling":
        return rolling_period(objective.days, now, slo_query.zone)
    full_period = calendar_period(objective.period, now, slo_query.zone)
    return Window(full_period.start, max(full_period.start + SLOT, floor(now, SLOT)))


def slo_history(
    store: Store, slo_query: ScopedSloQuery, window: Window, bucket: BucketSize, now: int
) -> list[HistoryPoint]:
    """Return one point per bucket that has begun."""
    query = bucket_query(window, bucket, slo_query.zone)
    last_slot = floor(now, SLOT)
    steps = [_history_step(slo_query, part) for b in query.buckets() if (part := b.clip(Window(0, last_slot)))]
    if not steps:
        return []
    full_window = Window(min(s.period.start for s in steps), steps[-1].bucket.end)
    cuts = sorted({t for s in steps for t in (s.bucket.start, s.bucket.end, s.period.start)})
    series = _read_series(store, slo_query, _runs_to_read(full_window, cuts))
    return build_history(series, steps, slo_query.objective, slo_query.settled_until)


def _history_step(slo_query: ScopedSloQuery, bucket: Window) -> HistoryStep:
    objective = slo_query.objective
    if objective.period == "rolling":
        start = rolling_period(objective.days, bucket.end, slo_query.zone).start
        return HistoryStep(bucket, Window(min(start, bucket.start), bucket.end))
    period = calendar_period(objective.period, bucket.end - 1, slo_query.zone)
    period_open_s = _open_time(slo_query, period).open_within(period) // 1000 if objective.sli in TIME_SLIS else None
    return HistoryStep(bucket, Window(period.start, bucket.end), period_open_s)


def budget_spending(store: Store, slo_query: ScopedSloQuery, window: Window) -> list[BudgetSpend]:
    """Return the runs of bad time of a window, the greatest first; hours with bad time are read by five minutes."""
    series = _read_series(store, slo_query, _runs_to_read(window, [window.start, window.end]))
    if slo_query.objective.sli != "readiness":
        bad_windows = [b.window for b in series.buckets if bad_amount(b, slo_query.objective, slo_query.settled_until)]
        series = _read_series(store, slo_query, [("5m", w) for w in merge(bad_windows)])
    timeline = _open_time(slo_query, window)
    return rank_spending(series, window, timeline, slo_query.objective, slo_query.settled_until)


def spend_cause(spend: BudgetSpend, slo_query: ScopedSloQuery) -> str:
    """Return the cause: the centre's link, the device, the queue or the system."""
    if slo_query.objective.sli not in TIME_SLIS:
        return {"wait": "queue", "latency": "system", "readiness": "device"}[slo_query.objective.sli]
    if slo_query.scope.kind == "system":
        return "system"
    time = spend.time_by_state
    is_silent_centre = slo_query.objective.sli == "connectivity" and slo_query.scope.kind == "centre"
    return "link" if is_silent_centre or 2 * time.charged_elsewhere > time.down + time.unknown else "device"


def _runs_to_read(window: Window, cuts: Sequence[int]) -> list[tuple[BucketWidth, Window]]:
    """Return runs to read: whole hours; by five minutes the hours that a cut divides or that are not whole."""
    divided_hours = {floor(t, HOUR) for t in cuts if t % HOUR}
    hours = range(floor(window.start, HOUR), window.end, HOUR)
    runs = groupby(
        hours, key=lambda h: "5m" if h in divided_hours or h < window.start or h + HOUR > window.end else "1h"
    )
    reads: list[tuple[BucketWidth, Window]] = []
    for width, run in runs:
        starts = list(run)
        clipped = Window(starts[0], starts[-1] + HOUR).clip(window)
        if clipped:
            reads.append(("1h" if width == "1h" else "5m", clipped))
    return reads


def _read_series(store: Store, slo_query: ScopedSloQuery, runs: list[tuple[BucketWidth, Window]]) -> TimeSeries:
    if slo_query.objective.sli == "readiness":
        return build_time_series(_readiness_days(store, slo_query, runs))
    return build_time_series(
        bucket for width, window in runs for bucket in _read_buckets(store, slo_query, width, window)
    )


def _read_buckets(store: Store, slo_query: ScopedSloQuery, width: BucketWidth, window: Window) -> Iterable[TimeBucket]:
    objective, step = slo_query.objective, SLOT if width == "5m" else HOUR
    sums: dict[int, list[Mapping[str, int]]] = {}
    for total in store.totals([slo_query.entity], width, window, slo_query.totals_kind):
        # A wait objective adds the desks of the centre, which the entity's totals of that kind are.
        if objective.sli == "wait" or total.scope == slo_query.scope:
            sums.setdefault(total.start, []).append(total.sums)
    hours, open_time = _calendar_time(slo_query, window), _open_time(slo_query, window)
    excluded_time = _excluded_time(slo_query, window)
    for start in range(window.start, window.end, step):
        part = Window(start, start + step)
        part_sums = add_sums(sums.get(start, ())) if part.clip(slo_query.in_service) else {}
        open_ms = open_time.open_within(part)
        if objective.sli not in TIME_SLIS:
            good, bad = good_bad_counts(
                part_sums, objective.sli, objective.threshold_ms, width,
                by_calendar=slo_query.by_calendar, is_open=open_ms > 0,
            )  # fmt: skip
            yield TimeBucket(part, TimeByState(up=COUNT_SCALE * good, down=COUNT_SCALE * bad))
            continue
        unserved_ms = hours.open_within(part) - open_ms
        up, down, elsewhere_ms, outage_ms = time_sums(
            part_sums, width, objective.sli, by_calendar=slo_query.by_calendar, is_open=open_ms > 0
        )
        excluded_ms = excluded_time.open_within(part) + outage_ms + unserved_ms
        time = to_time_by_state(max(0, open_ms - outage_ms), up, down, excluded_ms, elsewhere_ms, unserved_ms)
        yield TimeBucket(part, time)


def _readiness_days(
    store: Store, slo_query: ScopedSloQuery, runs: list[tuple[BucketWidth, Window]]
) -> Iterable[TimeBucket]:
    """Yield the opening days that begin in the runs and are decided, or that count by the policy for unknown time."""
    for window in merge(part for _, part in runs):
        rows = {
            t.start: t.sums
            for t in store.totals([slo_query.entity], "1d", window, "centre")
            if t.scope == slo_query.scope
        }
        for start, decided_at in slo_query.calendar.readiness_checks(window):
            is_within = start >= window.start and decided_at + SLOT <= window.end
            if not is_within or not is_checked(decided_at, slo_query.in_service):
                continue
            day = day_window(to_local(start, slo_query.zone).date(), slo_query.zone)
            up, down = (rows.get(start, {}).get(name, 0) for name in ("ready_up", "ready_down"))
            unknown = COUNT_SCALE * (not up and not down)
            bucket = TimeBucket(day, TimeByState(COUNT_SCALE * up, COUNT_SCALE * down, unknown))
            weighed = apply_unknown_policy(
                bucket.time_by_state, slo_query.objective.unknown, settled=start < slo_query.settled_until
            )
            if weighed.total:
                yield bucket


def _open_time(slo_query: ScopedSloQuery, window: Window) -> OpenTimeline:
    """Return when the objective's clock runs, in service, in the window and the day after it."""
    return build_open_timeline(intersection(_calendar_time(slo_query, window).open_windows, [slo_query.in_service]))


def _calendar_time(slo_query: ScopedSloQuery, window: Window) -> OpenTimeline:
    """Return when its clock would run, in service or not."""
    extended = Window(window.start, window.end + DAY)
    return build_open_timeline(slo_query.calendar.open_windows(extended) if slo_query.by_calendar else [extended])


def _excluded_time(slo_query: ScopedSloQuery, window: Window) -> OpenTimeline:
    return build_open_timeline(slo_query.calendar.excluded_windows(window) if slo_query.by_calendar else [])
