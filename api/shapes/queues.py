"""Turns queue figures into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import stamp, stamp_or_none

if TYPE_CHECKING:
    from telemetry.core.figures.histograms import Durations, Level, Queueing
    from telemetry.queries import QueueNow, QueueRow


def wait(found: Durations) -> s.Wait:
    """Shape waits."""
    return s.Wait(
        count=found.count,
        sum_s=found.sum_s,
        mean_s=found.mean_s,
        p50_s=found.percentile_s(0.5),
        p90_s=found.percentile_s(0.9),
        p95_s=found.percentile_s(0.95),
    )


def service_time(found: Durations) -> s.ServiceTime:
    """Shape service times."""
    return s.ServiceTime(count=found.count, sum_s=found.sum_s, mean_s=found.mean_s)


def today(q: Queueing) -> s.Today:
    """Shape a day's figures."""
    return s.Today(
        issued=q.issued,
        called=q.called,
        served=q.served,
        abandoned=q.abandoned,
        no_show=q.no_show,
        wait=wait(q.wait),
        service_time=service_time(q.service_time),
    )


def queue_row(row: QueueRow, threshold_s: int) -> s.QueueRowOut:
    """Shape one row of history."""
    q, within = row.figures, row.figures.wait.within(threshold_s)
    return s.QueueRowOut(
        centre=row.centre,
        service=row.service,
        from_=stamp(row.window.start, row.zone),
        to=stamp(row.window.end, row.zone),
        issued=q.issued,
        served=q.served,
        abandoned=q.abandoned,
        no_show=q.no_show,
        wait=wait(q.wait),
        within=s.WithinOut(threshold_s=threshold_s, count=within.count, ratio=within.ratio),
        service_level=[level(x) for x in q.levels],
        service_time=service_time(q.service_time),
    )


def level(found: Level) -> s.LevelOut:
    """Shape a service level."""
    return s.LevelOut(threshold_s=found.threshold_s, good=found.good, bad=found.bad, ratio=found.ratio)


def queue_now(row: QueueNow) -> s.QueueNowOut:
    """Shape one queue."""
    zone, oldest = row.view.centre.zone, row.service.oldest
    return s.QueueNowOut(
        centre=row.view.centre.id,
        service=row.service.service,
        as_of=stamp_or_none(row.view.row.at if row.view.row else None, zone),
        waiting=row.service.waiting,
        serving=row.service.serving,
        oldest=stamp_or_none(oldest, zone),
        oldest_wait_s=None if oldest is None else max(0, row.view.now - oldest) // 1000,
        counters_open=row.view.counters_open,
        today=today(row.today),
    )
