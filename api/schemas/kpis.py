"""Indicators: values with numerator and denominator, targets with paths, Decision 766's score; it computes nothing.

Numbers of an indicator are in its unit: a ratio from 0 to 1, seconds, a count, a rank or a score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel, ResponseMeta, window_fields
from api.times import rfc3339_or_none
from telemetry.core.kpi.indicators import Direction, IndicatorSource, IndicatorUnit, Strand
from telemetry.core.kpi.needed_sources import NeededSource, needed_source
from telemetry.core.kpi.target_paths import MilestoneState
from telemetry.core.kpi.trajectory import ProjectionReason
from telemetry.core.kpi.values import ValueState

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.kpi.baseline import Baseline
    from telemetry.core.kpi.decision_766 import ScoredComponent
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.targets import Trajectory
    from telemetry.core.kpi.trajectory import TargetPoint
    from telemetry.core.kpi.values import IndicatorValue
    from telemetry.queries.decision_766 import ScoredPeriod
    from telemetry.queries.indicators import IndicatorFigures, IndicatorOverview, IndicatorReading
    from telemetry.queries.service import Queries

PERCENTAGE_POINTS = 100
ApiLevel = Literal["province", "district", "commune"]
LEGAL_STATUS = "reconstructed from the national portal's published answers (error ≤ 0.015 point), not the legal text"


class IntervalBounds(ApiModel):
    """Wilson's 95 % interval of a share."""

    low: float = Field(description="lower bound, from 0 to 1", ge=0, le=1)
    high: float = Field(description="upper bound, from 0 to 1", ge=0, le=1)


class MeasuredValue(ApiModel):
    """A value with what it was made of; without a source there is none, which is not 0."""

    state: ValueState = Field(
        description="ok; no_source: nobody reports it, which is not 0; no_data: there was nothing to divide by"
    )
    numerator: int | None = Field(
        description="sum of the figures above the line; durations in ms; null without source", ge=0
    )
    denominator: int | None = Field(
        description="sum of the figures below the line; null without source, and where the value is the numerator", ge=0
    )
    value: float | None
    interval: IntervalBounds | None = Field(
        description="Wilson's 95 % interval, for shares of a sample such as satisfaction; null of others"
    )

    @classmethod
    def from_value(cls, value: IndicatorValue, **own: object) -> Self:
        """Return a value; `own` are the fields that a subclass adds."""
        interval = None if value.interval is None else IntervalBounds.build(value.interval)
        return cls.build(value, interval=interval, **own)


class TargetPointResponse(ApiModel):
    """A value that must be reached by the end of a day."""

    by: str
    value: float

    @classmethod
    def from_point(cls, point: TargetPoint) -> Self:
        """Return a target."""
        return cls(by=point.by.isoformat(), value=point.value)


class MinimumPaceResponse(ApiModel):
    """Where the least yearly gain that the programme asks for leads."""

    points_a_year: float = Field(description="the least gain a year, percentage points", ge=0)
    goal: float = Field(description="the value that the programme wants in the end", ge=0)
    final_value: float = Field(description="the value on the day of the last target at exactly this gain", ge=0)
    reaches_goal: bool = Field(description="whether the least gain reaches the goal by then")


class TargetProjection(ApiModel):
    """When the present pace reaches the last target."""

    on: str | None = Field(description="the day, YYYY-MM-DD; null when not foreseeable")
    reason: ProjectionReason = Field(
        description="reached; at_present_pace: `on` is foreseen; no_value: nothing was measured; too_few_values: there "
        "are no two months with a value; no_progress: the value stands or moves away; too_slow: more than 100 years"
    )


class TrajectoryResponse(ApiModel):
    """The targets of an indicator at one level, and how the measured value relates to them."""

    level: ApiLevel | None = Field(description="the level that the targets are for; null: over all levels")
    target: TargetPointResponse = Field(
        description="the target in force: the first whose date has not passed, else the last"
    )
    points: list[TargetPointResponse] = Field(description="all targets by date; the path between two is straight")
    path_value: float = Field(description="what the path asks for today, or on the last day of a past window", ge=0)
    measured: float | None = Field(description="the value over the window; null without one", ge=0)
    gap: float | None = Field(description="measured − path, in the indicator's unit; may be negative; null without one")
    gap_points: float | None = Field(
        description="the gap of a ratio in percentage points; may be negative; null of others"
    )
    on_track: bool | None = Field(description="whether the value fulfils the path; null without a value")
    projection: TargetProjection = Field(
        description="where the pace between the first and last month with a value leads, of the last twelve"
    )
    minimum_pace: MinimumPaceResponse | None = Field(description="null where the programme names no least gain")

    @classmethod
    def from_trajectory(cls, trajectory: Trajectory, unit: IndicatorUnit) -> Self:
        """Return a trajectory."""
        gap, pace, projection = trajectory.gap, trajectory.minimum_pace, trajectory.projection
        return cls.build(
            trajectory,
            level=trajectory.subject.level or None,
            target=TargetPointResponse.from_point(trajectory.in_force),
            points=[TargetPointResponse.from_point(point) for point in trajectory.path.points],
            gap_points=None if gap is None or unit != "ratio" else round(gap * PERCENTAGE_POINTS, 6),
            projection=TargetProjection(
                on=None if projection.on is None else projection.on.isoformat(), reason=projection.reason
            ),
            minimum_pace=None
            if pace is None
            else MinimumPaceResponse.build(pace, points_a_year=round(pace.points_a_year * PERCENTAGE_POINTS, 6)),
        )


class BaselineValue(MeasuredValue):
    """An indicator's value from published counts alone."""

    first: str = Field(description="first day of the counts' period, YYYY-MM-DD")
    last: str = Field(description="last day of the counts' period, YYYY-MM-DD")

    @classmethod
    def from_baseline(cls, baseline: Baseline) -> Self:
        """Return a baseline."""
        period = baseline.period
        return cls.from_value(baseline.value, first=period.first.isoformat(), last=period.last.isoformat())


class ImportedYear(ApiModel):
    """A yearly index as it was published."""

    year: int = Field(description="the year that it is for", ge=1900)
    rank: int = Field(description="the place among the units; 0 when none was published", ge=0)
    units_ranked: int = Field(description="how many units were ranked; 0 when not published", ge=0)
    source: str = Field(description="where it was published")


class IndicatorRow(MeasuredValue):
    """One indicator over the window."""

    id: str
    name_vi: str
    name_en: str
    strand: Strand = Field(description="the strand of the administrative reform programme that it belongs to")
    owner: str = Field(description="the body that answers for it")
    unit: IndicatorUnit = Field(description="ratio: from 0 to 1; s: seconds; count; rank; score; milestone: done is 1")
    direction: Direction = Field(description="up: larger is better; down: smaller is better")
    formula: str = Field(description="how the value is computed")
    numerator_figures: list[str] = Field(description="names of the figures that are added above the line")
    denominator_figures: list[str] = Field(description="names of the figures that are added below the line; or none")
    by_level: dict[ApiLevel, MeasuredValue] = Field(
        description="the same for each administrative level that reports it; empty for indicators of no level"
    )
    source: IndicatorSource = Field(
        description="events of digital administration, catalogue snapshots, totals of queues, systems and centres, the "
        "live state, a yearly import, or declared alone"
    )
    needs: NeededSource | None = Field(
        description="what would give the value: dossiers: a list of dossiers; catalogue, statistics, connectors: the "
        "source statistics_http; ratings: tablets; tickets: a queue system; counters: their states; promises: shown "
        "waits; forecast: enough days with tickets; devices: agents; probes: a system of its kind with a probe; index: "
        "indices.csv; declaration: nothing measures it. Null unless the state is no_source"
    )
    declared_counts: bool = Field(description="whether published counts stand for figures that nobody reports")
    baseline: BaselineValue | None = Field(
        description="what published counts alone give, for their own period; null without such counts"
    )
    imported: ImportedYear | None = Field(description="the published year that is the value; null of others")
    milestone: MilestoneState | None = Field(description="done, open or late; null of other indicators")
    freshness: str | None = Field(
        description="beginning of the newest total, or time of the newest live data, with any of its figures; RFC 3339 "
        "with offset; null without a source"
    )
    note_vi: str = Field(description="remark in Vietnamese; may be empty")
    note_en: str = Field(description="remark in English; may be empty")
    trajectories: list[TrajectoryResponse] = Field(description="its targets, by level; empty without a target")

    @classmethod
    def from_reading(cls, reading: IndicatorReading, overview: IndicatorOverview, zone: ZoneInfo) -> Self:
        """Return an indicator's row."""
        indicator = reading.indicator
        trajectories = overview.trajectories.get(indicator.id, ())
        names = cls.model_fields.keys() - MeasuredValue.model_fields.keys()
        own: dict[str, object] = {name: getattr(indicator, name) for name in names if hasattr(indicator, name)}
        own |= {
            "numerator_figures": list(indicator.numerator),
            "denominator_figures": list(indicator.denominator),
            "by_level": {level: MeasuredValue.from_value(value) for level, value in reading.by_level.items()},
            "owner": overview.owner(indicator),
            "needs": needed_source(indicator) if reading.value.state == "no_source" else None,
            "declared_counts": reading.is_declared,
            "baseline": None if reading.baseline is None else BaselineValue.from_baseline(reading.baseline),
            "imported": None if reading.imported is None else ImportedYear.build(reading.imported),
            "milestone": reading.milestone,
            "freshness": rfc3339_or_none(reading.newest, zone),
            "trajectories": [TrajectoryResponse.from_trajectory(t, indicator.unit) for t in trajectories],
        }
        return cls.from_value(reading.value, **own)


class IndicatorMeta(ResponseMeta):
    """The window over which flows were added: whole slots of 5 minutes."""

    from_: str = Field(serialization_alias="from")
    to: str

    @classmethod
    def for_period(cls, queries: Queries, window: Window) -> Self:
        """Return the meta of an answer about indicators."""
        zone = queries.zone()
        return cls.current(queries, zone, None, **window_fields(window, zone))


class IndicatorEnvelope(ApiModel):
    """Indicators over a window."""

    data: list[IndicatorRow]
    meta: IndicatorMeta
    next: str | None = None


class IndicatorBucket(MeasuredValue):
    """An indicator's value in one bucket."""

    from_: str = Field(serialization_alias="from")
    to: str
    level: ApiLevel | None = Field(description="the level; null: over all levels")
    declared_counts: bool = Field(description="whether published counts stand for figures that nobody reports")

    @classmethod
    def from_figures(
        cls, bucket: IndicatorFigures, reading: IndicatorReading, level: ApiLevel | None, zone: ZoneInfo
    ) -> Self:
        """Return one bucket of a series."""
        window = window_fields(bucket.window, zone)
        value = reading.at_level(level or "")
        return cls.from_value(value, level=level, declared_counts=reading.is_declared, **window)


class IndicatorValuesMeta(IndicatorMeta):
    """Which indicator, and how it is computed."""

    id: str
    unit: IndicatorUnit = Field(description="the unit of the values")
    formula: str = Field(description="how a value is computed")

    @classmethod
    def for_indicator(cls, queries: Queries, window: Window, indicator: Indicator) -> Self:
        """Return the meta of an indicator's values."""
        zone, own = queries.zone(), {"id": indicator.id, "unit": indicator.unit, "formula": indicator.formula}
        return cls.current(queries, zone, None, **own, **window_fields(window, zone))


class IndicatorValuesEnvelope(ApiModel):
    """An indicator bucket by bucket."""

    data: list[IndicatorBucket]
    meta: IndicatorValuesMeta
    next: str | None = None


class ScoreComponentResponse(ApiModel):
    """A component of the score."""

    code: str
    group: str = Field(description="transparency, progress, online, payment, digitisation or satisfaction")
    maximum: float = Field(description="the most points that it can have", ge=0)
    full_at: float = Field(description="the ratio that has all points", ge=0, le=1)
    numerator: int = Field(description="sum of the figures above the line", ge=0)
    denominator: int = Field(description="sum of the figures below the line", ge=0)
    points: float | None = Field(description="points; null when nobody reports it: it is then in `missing`", ge=0)

    @classmethod
    def from_component(cls, component: ScoredComponent) -> Self:
        """Return a component."""
        return cls.build(component, component.rule, maximum=component.rule.points, points=component.points)


class ScoreResponse(ApiModel):
    """The score of Decision 766 over one period."""

    period: Literal["month", "quarter", "year"] = Field(description="the length of the period")
    from_: str = Field(serialization_alias="from")
    to: str
    points: float = Field(description="the points of all components that are reported", ge=0, le=100)
    reported_maximum: float = Field(description="the most points that those components could have", ge=0, le=100)
    previous_points: float = Field(description="the points of the period before", ge=0, le=100)
    delta: float | None = Field(
        description="points − previous points over the components that both report; may be negative; null without one"
    )
    components: list[ScoreComponentResponse] = Field(description="all components in the order of the portal")
    missing: list[str] = Field(description="codes of the components that nobody reports")
    legal_status: str = Field(description="what this score is and is not")

    @classmethod
    def from_period(cls, scored: ScoredPeriod, zone: ZoneInfo) -> Self:
        """Return the score of a period."""
        return cls.build(
            scored,
            scored.score,
            **window_fields(scored.window, zone),
            points=scored.score.points,
            previous_points=scored.previous.points,
            components=[ScoreComponentResponse.from_component(c) for c in scored.score.components],
            missing=list(scored.score.missing),
            legal_status=LEGAL_STATUS,
        )


class ScoreEnvelope(ApiModel):
    """The score with its origin."""

    data: ScoreResponse
    meta: IndicatorMeta
    next: str | None = None
