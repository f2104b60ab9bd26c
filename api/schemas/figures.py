"""Figures of queues and of time: counts, whole seconds, ratios from 0 to 1 or null."""

from __future__ import annotations

from pydantic import Field

from api.schemas.envelope import ApiModel


class StateCounts(ApiModel):
    """Counts by state."""

    total: int
    up: int
    down: int
    unknown: int


class WaitFigures(ApiModel):
    """Waits that ended in the interval; percentiles are interpolated between exact bounds."""

    count: int
    sum_s: float
    mean_s: float | None
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None


class WithinThresholdFigures(ApiModel):
    """Waits at or under a threshold."""

    threshold_s: int
    count: int
    ratio: float | None


class ServiceLevelFigures(ApiModel):
    """Tickets decided at entry + threshold: called by then, or still waiting; those lost before are in no figure."""

    threshold_s: int
    good: int
    bad: int
    ratio: float | None


class ServiceTimeFigures(ApiModel):
    """Service times that ended in the interval."""

    count: int
    sum_s: float
    mean_s: float | None


class QueueHistoryRowResponse(ApiModel):
    """One service at one centre over one bucket."""

    centre: str
    service: str
    from_: str = Field(serialization_alias="from")
    to: str
    issued: int
    served: int
    abandoned: int
    no_show: int
    wait: WaitFigures
    within: WithinThresholdFigures
    service_level: list[ServiceLevelFigures]
    service_time: ServiceTimeFigures


class TodayFigures(ApiModel):
    """Figures of the local day so far."""

    issued: int
    called: int
    served: int
    abandoned: int
    no_show: int
    wait: WaitFigures
    service_time: ServiceTimeFigures


class CurrentQueueResponse(ApiModel):
    """One queue now."""

    centre: str
    service: str
    as_of: str | None
    waiting: int
    serving: int
    oldest: str | None
    oldest_wait_s: int | None
    counters_open: int
    today: TodayFigures


class SecondsByState(ApiModel):
    """open = up + down + unknown; `open` is the time in scope on the clock asked for."""

    open: int
    up: int
    down: int
    unknown: int
    excluded: int
