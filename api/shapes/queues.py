"""Turns queue figures into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import rfc3339, rfc3339_or_none

if TYPE_CHECKING:
    from telemetry.core.figures.histograms import DurationHistogram, QueueFigures, ServiceLevel
    from telemetry.queries import CurrentQueue, QueueHistoryRow


def wait_figures(histogram: DurationHistogram) -> s.WaitFigures:
    """Shape waits."""
    return s.WaitFigures(
        count=histogram.count,
        sum_s=histogram.sum_s,
        mean_s=histogram.mean_s,
        p50_s=histogram.percentile_s(0.5),
        p90_s=histogram.percentile_s(0.9),
        p95_s=histogram.percentile_s(0.95),
    )


def service_time_figures(histogram: DurationHistogram) -> s.ServiceTimeFigures:
    """Shape service times."""
    return s.ServiceTimeFigures(count=histogram.count, sum_s=histogram.sum_s, mean_s=histogram.mean_s)


def today_figures(q: QueueFigures) -> s.TodayFigures:
    """Shape a day's figures."""
    return s.TodayFigures(
        issued=q.issued,
        called=q.called,
        served=q.served,
        abandoned=q.abandoned,
        no_show=q.no_show,
        wait=wait_figures(q.wait),
        service_time=service_time_figures(q.service_time),
    )


def queue_history_row(row: QueueHistoryRow, threshold_s: int) -> s.QueueHistoryRowResponse:
    """Shape one row of history."""
    q, within = row.figures, row.figures.wait.within_threshold(threshold_s)
    return s.QueueHistoryRowResponse(
        centre=row.centre,
        service=row.service,
        from_=rfc3339(row.window.start, row.zone),
        to=rfc3339(row.window.end, row.zone),
        issued=q.issued,
        served=q.served,
        abandoned=q.abandoned,
        no_show=q.no_show,
        wait=wait_figures(q.wait),
        within=s.WithinThresholdFigures(threshold_s=threshold_s, count=within.count, ratio=within.ratio),
        service_level=[service_level_figures(x) for x in q.service_levels],
        service_time=service_time_figures(q.service_time),
    )


def service_level_figures(service_level: ServiceLevel) -> s.ServiceLevelFigures:
    """Shape a service level."""
    return s.ServiceLevelFigures(
        threshold_s=service_level.threshold_s, good=service_level.good, bad=service_level.bad, ratio=service_level.ratio
    )


def current_queue(row: CurrentQueue) -> s.CurrentQueueResponse:
    """Shape one queue."""
    zone, oldest = row.view.centre.zone, row.service.oldest
    return s.CurrentQueueResponse(
        centre=row.view.centre.id,
        service=row.service.service,
        as_of=rfc3339_or_none(row.view.row.at if row.view.row else None, zone),
        waiting=row.service.waiting,
        serving=row.service.serving,
        oldest=rfc3339_or_none(oldest, zone),
        oldest_wait_s=None if oldest is None else max(0, row.view.now - oldest) // 1000,
        counters_open=row.view.counters_open,
        today=today_figures(row.today),
    )
