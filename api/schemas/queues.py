"""Figures of queues: counts, seconds, ratios from 0 to 1 or null; they are computed in the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from pydantic import Field

from api.schemas.envelope import ApiModel, WindowMeta, window_fields
from api.times import rfc3339_or_none
from telemetry.core.figures.counter_figures import counter_figures
from telemetry.core.figures.suspect_services import suspect_services

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from telemetry.core.figures.histograms import DurationHistogram, QueueFigures
    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.core.figures.segment_figures import SegmentFigures
    from telemetry.core.fold.live_row_types import ExpectedWait
    from telemetry.queries.queues import CurrentQueue


class ServiceTimeFigures(ApiModel):
    """Service times that ended in the interval."""

    count: int
    sum_s: float
    mean_s: float | None


class ServicePercentiles(ServiceTimeFigures):
    """Durations that ended in the interval; percentiles are nearest-rank ones, within 2 %."""

    p50_s: float | None
    p90_s: float | None
    p95_s: float | None

    @classmethod
    def from_histogram(cls, histogram: DurationHistogram) -> Self:
        """Return the figures of durations."""
        return cls.build(histogram, **_percentiles(histogram))

    @classmethod
    def plain_histogram(cls, histogram: DurationHistogram) -> dict[str, object]:
        """Return the same as plain values."""
        return cls.plain_values(histogram, **_percentiles(histogram))


def _percentiles(histogram: DurationHistogram) -> dict[str, float | None]:
    p50, p90, p95 = (histogram.percentile_s(share) for share in (0.5, 0.9, 0.95))
    return {"p50_s": p50, "p90_s": p90, "p95_s": p95}


class WaitFigures(ServicePercentiles):
    """Waits that ended in the interval; percentiles are nearest-rank ones, within 2 %."""


class WithinThresholdFigures(ApiModel):
    """Waits at or under a threshold."""

    threshold_s: int
    count: int
    ratio: float | None


class ServiceLevelFigures(ApiModel):
    """Tickets decided at entry + threshold: called by then, or still waiting; tickets lost earlier are in no figure."""

    threshold_s: int
    good: int
    bad: int
    ratio: float | None


class FinalWaitFigures(ApiModel):
    """Waits until the last call of their ticket; `wait` has those until the first call."""

    count: int
    sum_s: float
    mean_s: float | None
    recalled_tickets: int


class SuspectServiceFigures(ApiModel):
    """Services longer than 3 × the 95th percentile of their service, and the mean of the others."""

    limit_s: float | None
    count: int
    usual_count: int
    usual_mean_s: float | None


class BookedVisitFigures(ApiModel):
    """Visits with an appointment; their waits begin at the later of arrival and booked time."""

    issued: int
    count: int
    sum_s: float
    mean_s: float | None


class NegativeCounts(ApiModel):
    """Durations that are negative because the clocks of two devices disagree: they are in no other figure."""

    wait: int
    way: int
    service: int


class ShareFigures(ApiModel):
    """A share with what it is made of."""

    numerator: int
    denominator: int
    ratio: float | None


class CounterTimeFigures(ApiModel):
    """The counters of the row's centres together; numerators and denominators in milliseconds of a counter."""

    utilisation: ShareFigures
    open_against_schedule: ShareFigures
    load: ShareFigures
    service_s: float
    online_only_s: float

    @classmethod
    def plain_sums(cls, sums: Mapping[str, int]) -> dict[str, object]:
        """Return the figures of counters as plain values."""
        figures = counter_figures(sums)
        return cls.plain_values(
            service_s=figures.service_ms / 1000,
            online_only_s=figures.online_only_ms / 1000,
            **{
                name: ShareFigures.plain_values(getattr(figures, name))
                for name in ("utilisation", "open_against_schedule", "load")
            },
        )


class QueueHistoryRowResponse(ApiModel):
    """One service at one centre over one bucket, or one group of them."""

    centre: str | None = Field(description="the centre; null in a row about several")
    service: str | None = Field(description="the service; null in a row about several")
    group: str | None = Field(description="the level or agency of `by=level|owner_agency`, else null")
    from_: str = Field(serialization_alias="from")
    to: str
    issued: int
    called: int
    served: int
    abandoned: int
    no_show: int
    transferred: int
    transferred_in: int
    closed_eod: int
    recalls: int
    wait: WaitFigures
    final_wait: FinalWaitFigures
    booked: BookedVisitFigures
    within: WithinThresholdFigures
    service_level: list[ServiceLevelFigures]
    service_time: ServicePercentiles
    suspect_services: SuspectServiceFigures
    way_time: ServicePercentiles
    abandonment: ShareFigures
    no_shows: ShareFigures
    negative: NegativeCounts
    forgotten_open: int
    double_closed: int
    data_quality: ShareFigures
    counters: CounterTimeFigures | None = Field(
        description="the counters of its centres, with `by=centre` and `by=level` over all services; else null"
    )
    promise: PromiseFigures = Field(description="expected waits shown to tickets called in the interval")

    @classmethod
    def plain_row(cls, row: QueueHistoryRow, threshold_s: int, now: int) -> dict[str, object]:
        """Return one row of history as plain values; `threshold_s` is what `within` compares waits with."""
        figures, segments = row.figures, row.segments(now)
        return cls.plain_values(
            row,
            figures,
            segments,
            **_plain_segments(segments),
            centre=row.centre or None,
            service=row.service or None,
            group=row.group or None,
            counters=None if row.counters is None else CounterTimeFigures.plain_sums(row.counters),
            wait=WaitFigures.plain_histogram(figures.wait),
            within=WithinThresholdFigures.plain_values(figures.wait.within_threshold(threshold_s)),
            service_level=[ServiceLevelFigures.plain_values(level) for level in figures.service_levels],
            service_time=ServicePercentiles.plain_histogram(figures.service_time),
            suspect_services=SuspectServiceFigures.plain_values(suspect_services(figures.service_time)),
            promise=PromiseFigures.plain_values(figures.promise),
            **window_fields(row.window, row.zone),
        )


def _plain_segments(segments: SegmentFigures) -> dict[str, object]:
    return {
        "final_wait": FinalWaitFigures.plain_values(segments.final_wait),
        "booked": BookedVisitFigures.plain_values(segments.booked),
        "way_time": ServicePercentiles.plain_histogram(segments.way_time),
        "negative": NegativeCounts.plain_values(segments.negative),
        **{
            name: ShareFigures.plain_values(getattr(segments, name))
            for name in ("abandonment", "no_shows", "data_quality")
        },
    }


WindowChoice = Literal["requested", "today", "newest"]


class QueueHistoryMeta(WindowMeta):
    """The window used, and who chose it."""

    window_choice: WindowChoice = Field(
        description="`requested`: by the request; `today`: the local day so far, because the request names no time; "
        "`newest`: the newest local day with tickets, because there are none today"
    )


class QueueHistoryEnvelope(ApiModel):
    """The history of queues; `encode` writes it from plain rows, because 500 models take 0.15 s to build."""

    data: list[QueueHistoryRowResponse]
    meta: QueueHistoryMeta
    next: str | None = None

    @classmethod
    def encode(cls, rows: Sequence[msgspec.Raw], meta: QueueHistoryMeta, following: str | None) -> bytes:
        """Return the JSON of an answer, UTF-8; `rows` are JSON of `QueueHistoryRowResponse.plain_row`."""
        return msgspec.json.encode(cls.plain_values(data=rows, meta=meta.model_dump(by_alias=True), next=following))


class TodayFigures(ApiModel):
    """Figures of the local day so far."""

    issued: int
    called: int
    served: int
    abandoned: int
    no_show: int
    wait: WaitFigures
    service_time: ServiceTimeFigures

    @classmethod
    def from_figures(cls, figures: QueueFigures) -> Self:
        """Return the figures of a day."""
        wait, service_time = WaitFigures.from_histogram(figures.wait), ServiceTimeFigures.build(figures.service_time)
        return cls.build(figures, wait=wait, service_time=service_time)


class ExpectedWaitFigures(ApiModel):
    """A newcomer's wait, if the ticket has no priority and has to queue."""

    p50_s: float = Field(description="half of such tickets are called within this time", ge=0)
    p90_s: float = Field(description="nine of ten such tickets are called within this time", ge=0)
    method: Literal["learned", "drain", "head_of_line"] = Field(
        description="`learned`: the centre's fitted model; `drain`: the simulated line, where a learned model does not "
        "win; `head_of_line`: the longest present wait, scaled by the last hour's calls, where there is no model"
    )
    model: str | None = Field(description="the first 12 digits of the SHA-256 of the model's file; null without one")


class PromiseFigures(ApiModel):
    """Expected waits shown to tickets that were called in the interval, and how many of the waits were within them."""

    count: int = Field(description="called tickets to which a wait was shown when they entered", ge=0)
    within: int = Field(description="of these, waits of at most the 90 % bound shown", ge=0)
    ratio: float | None = Field(description="within ÷ count: the promise kept; about 0.9 is right", ge=0, le=1)
    mean_error_s: float | None = Field(description="mean distance of the waits from the median shown, seconds", ge=0)


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
    expected_wait: ExpectedWaitFigures | None = Field(description="null: none is given, for `expected_wait_reason`")
    expected_wait_reason: Literal["too_few_calls", "no_counter", "not_computed"] | None = Field(
        description="`too_few_calls`: fewer than five calls in the last hour; `no_counter`: no counter has served "
        "anybody lately; `not_computed`: an imported log, or rollup has not computed any yet"
    )
    today: TodayFigures

    @classmethod
    def from_queue(cls, queue: CurrentQueue) -> Self:
        """Return one queue of the last live row."""
        view, oldest, expected = queue.view, queue.service.oldest, queue.service.expected
        reason = "not_computed" if expected is None else expected.reason
        return cls.build(
            queue.service,
            view,
            centre=view.centre.id,
            as_of=rfc3339_or_none(view.row.at if view.row else None, view.centre.zone),
            oldest=rfc3339_or_none(oldest, view.centre.zone),
            oldest_wait_s=None if oldest is None else max(0, view.now - oldest) // 1000,
            expected_wait=_expected_wait(expected),
            expected_wait_reason=reason,
            today=TodayFigures.from_figures(queue.today),
        )


def _expected_wait(expected: ExpectedWait | None) -> ExpectedWaitFigures | None:
    if expected is None or expected.p50_ms is None or expected.p90_ms is None or expected.method is None:
        return None
    return ExpectedWaitFigures(
        p50_s=expected.p50_ms / 1000, p90_s=expected.p90_ms / 1000, method=expected.method, model=expected.model or None
    )
