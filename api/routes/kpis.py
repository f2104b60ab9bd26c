"""Indicators with their targets, their values bucket by bucket, and the score of Decision 766."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.exceptions import RequestValidationError

from api.deps import QueriesDep
from api.heavy_queries import HeavyQueryDep
from api.paging import PageParam
from api.schemas.commitments import CommitmentEnvelope, CommitmentRow
from api.schemas.kpis import (
    ApiLevel,
    IndicatorBucket,
    IndicatorEnvelope,
    IndicatorMeta,
    IndicatorRow,
    IndicatorValuesEnvelope,
    IndicatorValuesMeta,
    ScoreEnvelope,
    ScoreResponse,
)
from api.times import WindowParam, parse_time
from telemetry.core.calendar.windows import align_to_slots
from telemetry.core.kpi.indicators import IndicatorSource, Strand
from telemetry.core.kpi.values import ValueState
from telemetry.queries.commitments import commitments_cost, read_commitments
from telemetry.queries.decision_766 import ScorePeriod, score_cost, score_period, score_windows

if TYPE_CHECKING:
    from api.paging import PageRequest
    from telemetry.core.calendar.windows import Window
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.queries.service import Queries

router = APIRouter(tags=["kpis"])
IndicatorBucketSize = Literal["total", "1d", "1mo"]


class IndicatorFilter:
    """Which indicators are listed."""

    def __init__(
        self,
        strand: Annotated[Strand | None, Query(description="only indicators of this strand of the programme")] = None,
        source: Annotated[IndicatorSource | None, Query(description="only indicators of this kind of source")] = None,
        state: Annotated[ValueState | None, Query(description="only indicators in this state")] = None,
    ) -> None:
        self.strand = strand
        self.source = source
        self.state = state


IndicatorFilterParam = Annotated[IndicatorFilter, Depends()]


@router.get("/kpis", operation_id="kpis", response_model=IndicatorEnvelope)
def list_indicators(
    queries: QueriesDep, indicator_filter: IndicatorFilterParam, span: WindowParam, page: PageParam,
    gate: HeavyQueryDep,
) -> Response:  # fmt: skip
    """List all indicators with value, targets and pace; by default over the local year so far."""
    window = align_to_slots(span.resolve(queries.zone(), queries.indicators.default_window))
    cost = queries.indicators.overview_cost(window)
    return gate.answer(cost, lambda: _indicators(queries, indicator_filter, window, page))


def _indicators(queries: Queries, wanted: IndicatorFilter, window: Window, page: PageRequest) -> IndicatorEnvelope:
    overview, zone = queries.indicators.overview(window), queries.zone()
    rows = [
        (order, reading)
        for order, reading in enumerate(overview.readings)
        if wanted.strand in (None, reading.indicator.strand)
        and wanted.source in (None, reading.indicator.source)
        and wanted.state in (None, reading.value.state)
    ]
    part, following = page.slice_rows(rows, lambda row: (row[0],))
    data = [IndicatorRow.from_reading(reading, overview, zone) for _, reading in part]
    return IndicatorEnvelope(data=data, meta=IndicatorMeta.for_period(queries, window), next=following)


@router.get("/kpis/score-766", operation_id="kpi_score_766", response_model=ScoreEnvelope)
def get_score_766(
    queries: QueriesDep,
    gate: HeavyQueryDep,
    period: Annotated[ScorePeriod, Query(description="the length of the period")] = "month",
    at: Annotated[str | None, Query(description="a time in the period, RFC 3339; by default now")] = None,
) -> Response:
    """Return the score of Decision 766 over the local period that contains `at`, and its change."""
    zone = queries.zone()
    t = queries.now() if at is None else parse_time(at, "at", zone)
    cost = score_cost(queries.indicators, period, t, zone)
    return gate.answer(cost, lambda: _score(queries, period, t))


def _score(queries: Queries, period: ScorePeriod, t: int) -> ScoreEnvelope:
    scored = score_period(queries.indicators, period, t, queries.zone())
    window, _ = score_windows(period, t, queries.zone())
    data = ScoreResponse.from_period(scored, queries.zone())
    return ScoreEnvelope(data=data, meta=IndicatorMeta.for_period(queries, window))


@router.get("/kpis/commitments", operation_id="kpi_commitments", response_model=CommitmentEnvelope)
def list_commitments(queries: QueriesDep, page: PageParam, gate: HeavyQueryDep) -> Response:
    """List the signed commitments with what their unit or agency measured in the last twelve months."""
    return gate.answer(commitments_cost(queries.inventory()), lambda: _commitments(queries, page))


def _commitments(queries: Queries, page: PageRequest) -> CommitmentEnvelope:
    readings = list(enumerate(read_commitments(queries.indicators, queries.inventory(), queries.now())))
    part, following = page.slice_rows(readings, lambda row: (row[0],))
    data = [CommitmentRow.from_reading(reading, queries.zone()) for _, reading in part]
    meta = IndicatorMeta.for_period(queries, queries.indicators.months_of_pace())
    return CommitmentEnvelope(data=data, meta=meta, next=following)


class IndicatorValuesParams:
    """The buckets and the level of an indicator's values."""

    def __init__(
        self,
        bucket: IndicatorBucketSize = "total",
        level: Annotated[ApiLevel | None, Query(description="one level; without it over all levels")] = None,
    ) -> None:
        self.bucket = bucket
        self.level = level


@router.get("/kpis/{kpi}/values", operation_id="kpi_values", response_model=IndicatorValuesEnvelope)
def list_indicator_values(
    kpi: str, queries: QueriesDep, span: WindowParam, params: Annotated[IndicatorValuesParams, Depends()],
    page: PageParam, gate: HeavyQueryDep,
) -> Response:  # fmt: skip
    """List an indicator's values bucket by bucket; by default over the local year so far."""
    indicator = queries.indicators.indicator(kpi)
    if params.level is not None and not indicator.by_level:
        fault = {"loc": ("query", "level"), "msg": f"{kpi} has no levels: leave it out", "type": "value_error"}
        raise RequestValidationError([fault])
    window = align_to_slots(span.resolve(queries.zone(), queries.indicators.default_window))
    cost = queries.indicators.values_cost(indicator, window, params.bucket)
    return gate.answer(cost, lambda: _values(queries, indicator, window, params, page))


def _values(
    queries: Queries, indicator: Indicator, window: Window, params: IndicatorValuesParams, page: PageRequest
) -> IndicatorValuesEnvelope:
    series, zone = queries.indicators.values(indicator, window, params.bucket), queries.zone()
    part, following = page.slice_rows(series.buckets, lambda bucket: (bucket.window.start,))
    data = [IndicatorBucket.from_figures(b, b.reading(indicator), params.level, zone) for b in part]
    meta = IndicatorValuesMeta.for_indicator(queries, window, indicator)
    return IndicatorValuesEnvelope(data=data, meta=meta, next=following)
