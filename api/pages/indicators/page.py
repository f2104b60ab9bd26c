"""The page of indicators: rows by strand with value, target, gap and path in words; it must not compute figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from api.pages.charts.plots import ChartPoint, path_chart
from api.pages.frame.freshness import Freshness
from api.pages.frame.periods import parse_period
from api.times import rfc3339
from telemetry.core.calendar.windows import Window, align_to_slots
from telemetry.core.inventory import local_date
from telemetry.core.kpi.indicators import Strand
from telemetry.core.kpi.needed_sources import needed_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import QueryParams

    from api.pages.charts.plots import PathChart
    from api.pages.frame.language import PageLocale
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.targets import Trajectory
    from telemetry.core.kpi.values import IndicatorValue
    from telemetry.core.report.values import ReportedCommitment, ReportedIndicator
    from telemetry.queries.indicators import IndicatorOverview, IndicatorReading
    from telemetry.queries.service import Queries

    _WithUnit = Indicator | ReportedIndicator | ReportedCommitment

MAX_DAYS = 3660
MINUS = "−"
STRANDS: tuple[Strand, ...] = get_args(Strand)


@dataclass(frozen=True, slots=True)
class ValueText:
    """A value in words: the value, or why there is none; what it was made of; its interval; each may be empty."""

    state: str
    value: str
    parts: str = ""
    interval: str = ""


@dataclass(frozen=True, slots=True)
class TargetText:
    """A target in words, with the gap, whether the value keeps up with the path, where the pace leads, and a chart."""

    level: str
    value: ValueText
    target: str
    gap: str
    verdict: str
    pace: str
    least: str
    chart: PathChart | None
    chart_title: str


@dataclass(frozen=True, slots=True)
class IndicatorLine:
    """One indicator of the page: what it is, its value over all, at each level, and its targets."""

    indicator: Indicator
    name: str
    value: ValueText
    levels: tuple[tuple[str, ValueText], ...]
    targets: tuple[TargetText, ...]
    source: str
    newest: int | None
    declared: bool
    note: str
    owner: str
    published: str
    needs: str
    """What would give a value that nobody reports; empty when somebody does."""

    @property
    def overall_target(self) -> TargetText | None:
        """Return the target over all levels, None without one."""
        return next((target for target in self.targets if not target.level), None)


@dataclass(frozen=True, slots=True)
class StrandSection:
    """The indicators of one strand."""

    strand: Strand
    lines: tuple[IndicatorLine, ...]


class LineCache:
    """The lines of the newest overview by language: figures change once a minute, pages are asked for more often."""

    def __init__(self) -> None:
        self._cached: dict[str, tuple[IndicatorOverview, list[IndicatorLine]]] = {}

    def lines(self, overview: IndicatorOverview, locale: PageLocale) -> list[IndicatorLine]:
        """Return the lines of an overview."""
        cached = self._cached.get(locale.lang)
        if cached is None or cached[0] is not overview:
            lines = [indicator_line(reading, overview, locale) for reading in overview.readings]
            cached = self._cached[locale.lang] = (overview, lines)
        return cached[1]


def build_context(
    queries: Queries, locale: PageLocale, overview: IndicatorOverview, cache: LineCache
) -> dict[str, Any]:
    """Gather what the template shows of all indicators, by strand."""
    lines = cache.lines(overview, locale)
    sections = [
        StrandSection(strand, tuple(line for line in lines if line.indicator.strand == strand)) for strand in STRANDS
    ]
    counts = {state: sum(line.value.state == state for line in lines) for state in ("ok", "no_data", "no_source")}
    window, now, zone = overview.figures.window, queries.now(), queries.zone()
    newest = max((line.newest for line in lines if line.newest is not None), default=None)
    inventory = queries.inventory()
    return {
        "title": locale.t("kpi_title"),
        "sections": [section for section in sections if section.lines],
        "counts": counts,
        "period": locale.t(
            "kpi_period",
            first=locale.plain_date(local_date(window.start, zone)),
            last=locale.plain_date(local_date(window.end - 1, zone)),
        ),
        "window": window,
        "first": local_date(window.start, zone).isoformat(),
        "last": local_date(window.end - 1, zone).isoformat(),
        "api_href": f"/api/v1/kpis?from={rfc3339(window.start, zone)}&to={rfc3339(window.end, zone)}&limit=500".replace(
            "+", "%2B"
        ),
        "baseline_notes": baseline_notes(queries, locale),
        "simulated": queries.network_status().has_simulated_data,
        "freshness": Freshness(newest, now, follows=False),
        "now": now,
        "inventory": inventory,
        "health": queries.store_stats(),
    }


def page_window(params: QueryParams, queries: Queries) -> Window:
    """Return the days that the page was asked for, else the local year so far; raises BadPeriod."""
    days = parse_period(params, queries.zone(), MAX_DAYS)
    return queries.indicators.default_window() if days is None else align_to_slots(days.window)


def indicator_line(reading: IndicatorReading, overview: IndicatorOverview, locale: PageLocale) -> IndicatorLine:
    """Return one indicator in words."""
    indicator = reading.indicator
    levels = tuple(
        (locale.t(f"level_{level}"), value_text(indicator, value, locale)) for level, value in reading.by_level.items()
    )
    trajectories = overview.trajectories.get(indicator.id, ())
    return IndicatorLine(
        indicator,
        locale.name(indicator),
        value_text(indicator, reading.value, locale),
        levels,
        tuple(target_text(indicator, reading, trajectory, locale) for trajectory in trajectories),
        locale.t(f"kpi_source_{indicator.source}"),
        reading.newest,
        reading.is_declared,
        str(getattr(indicator, f"note_{locale.lang}")),
        overview.owner(indicator),
        published_text(reading, locale),
        locale.t(f"kpi_needs_{needed_source(indicator)}") if reading.value.state == "no_source" else "",
    )


def published_text(reading: IndicatorReading, locale: PageLocale) -> str:
    """Return what was published: the year of an index, or the value of published counts; empty without."""
    if reading.imported is not None:
        year = reading.imported
        rank = locale.t("kpi_rank", rank=year.rank, units=year.units_ranked) if year.rank else ""
        return locale.t("kpi_year", year=str(year.year), rank=rank, source=year.source)
    if reading.baseline is None:
        return ""
    value, period = value_text(reading.indicator, reading.baseline.value, locale), reading.baseline.period
    return locale.t(
        "kpi_published",
        value=value.value,
        parts=f" ({value.parts})" if value.parts else "",
        first=locale.plain_date(period.first),
        last=locale.plain_date(period.last),
    )


def value_text(indicator: Indicator, value: IndicatorValue, locale: PageLocale) -> ValueText:
    """Return a value in words: without a source it says so, and is never 0."""
    if value.value is None:
        return ValueText(value.state, locale.t(f"kpi_{value.state}"), _parts(indicator, value, locale))
    interval = value.interval
    bounds = "" if interval is None else f"{locale.share(interval.low)}–{locale.share(interval.high)}"
    return ValueText(value.state, amount(indicator, value.value, locale), _parts(indicator, value, locale), bounds)


def _parts(indicator: Indicator, value: IndicatorValue, locale: PageLocale) -> str:
    if value.numerator is None or value.denominator is None:
        return ""
    return " / ".join(side_texts(indicator, value, locale))


def side_texts(indicator: Indicator, value: IndicatorValue, locale: PageLocale) -> tuple[str, str]:
    """Return numerator and denominator in words, times in hours; empty for one that there is not."""
    sides = ((indicator.numerator, value.numerator), (indicator.denominator, value.denominator))
    over, under = (
        ""
        if amount is None
        else locale.t("kpi_hours", h=locale.decimal(amount / 3_600_000))
        if names and all(name.endswith("_ms") for name in names)
        else locale.number(amount)
        for names, amount in sides
    )
    return over, under


def amount(indicator: _WithUnit, value: float, locale: PageLocale) -> str:
    """Return a value in the indicator's unit, in words."""
    match indicator.unit:
        case "ratio":
            return locale.share(value)
        case "s":
            return locale.minutes(value)
        case "milestone":
            return locale.t("kpi_done" if value else "kpi_not_done")
        case "score":
            return locale.number(value, 2)
        case _:
            return locale.number(round(value))


def target_text(
    indicator: Indicator, reading: IndicatorReading, trajectory: Trajectory, locale: PageLocale
) -> TargetText:
    """Return one target in words."""
    point, level = trajectory.in_force, trajectory.subject.level
    value = value_text(indicator, reading.at_level(level), locale)
    target = locale.t("kpi_target", value=amount(indicator, point.value, locale), by=locale.plain_date(point.by))
    verdict = {True: "target_met", False: "target_missed", None: "target_none"}[trajectory.on_track]
    shown = value.value if trajectory.measured is not None else locale.t("kpi_no_value")
    return TargetText(
        locale.t(f"level_{level}") if level else "",
        value,
        target,
        gap_text(indicator, trajectory.gap, locale),
        verdict,
        pace_text(indicator, trajectory, locale),
        least_text(trajectory, locale),
        None if indicator.unit == "milestone" else trajectory_chart(trajectory),
        locale.t("kpi_chart", name=locale.name(indicator), value=shown, target=target),
    )


def gap_text(indicator: _WithUnit, gap: float | None, locale: PageLocale) -> str:
    """Return measured − path with its sign: percentage points of a ratio, else in the unit; a dash without a value."""
    if gap is None:
        return "–"
    sign = "+" if gap > 0 else MINUS if gap < 0 else ""
    if indicator.unit == "ratio":
        return sign + locale.t("kpi_points", points=locale.decimal(abs(100 * gap)))
    unit = {"rank": "kpi_places", "score": "kpi_score_points"}.get(indicator.unit)
    text = amount(indicator, abs(gap), locale)
    return "–" if indicator.unit == "milestone" else sign + (locale.t(unit, n=text) if unit else text)


def pace_text(indicator: Indicator, trajectory: Trajectory, locale: PageLocale) -> str:
    """Return when the present pace reaches the last target, or why it does not."""
    projection, last = trajectory.projection, trajectory.path.points[-1]
    values: dict[str, object] = {"target": amount(indicator, last.value, locale)}
    if projection.on is not None:
        values["day"] = locale.plain_date(projection.on)
    return locale.t(f"kpi_pace_{projection.reason}", **values)


def least_text(trajectory: Trajectory, locale: PageLocale) -> str:
    """Return where the programme's least gain leads when it misses the goal; empty when it does not."""
    pace = trajectory.minimum_pace
    if pace is None or pace.reaches_goal:
        return ""
    return locale.t(
        "kpi_least",
        points=locale.decimal(100 * pace.points_a_year),
        final=locale.share(pace.final_value),
        by=locale.plain_date(trajectory.path.points[-1].by),
        goal=locale.share(pace.goal),
        short=locale.decimal(100 * (pace.goal - pace.final_value)),
    )


def trajectory_chart(trajectory: Trajectory) -> PathChart:
    """Lay out the path and the measured values."""
    path = [ChartPoint(point.by, point.value) for point in trajectory.path.corners]
    measured = [ChartPoint(one.day, one.value) for one in trajectory.history]
    return path_chart(path, measured, trajectory.day)


def baseline_notes(queries: Queries, locale: PageLocale) -> Sequence[str]:
    """Return where the published figures of the sample's baseline disagree with their own counts."""
    counts = {(c.online_level, c.measure): c.count for c in queries.inventory().procedures}
    total = counts.get(("all", "procedures"))
    online = sum(counts.get((level, "procedures"), 0) for level in ("L3", "L4"))
    active = sum(counts.get((level, "with_dossiers"), 0) for level in ("L3", "L4"))
    integrated = counts.get(("L3-L4", "on_national_portal"))
    if not total or not online or not active or not integrated:
        return ()
    return (
        locale.t("kpi_baseline_online", part=online, whole=total, share=locale.percent(online / total)),
        locale.t("kpi_baseline_active", part=active, whole=total, share=locale.percent(active / total)),
        locale.t("kpi_baseline_portal", part=integrated, whole=online, share=locale.percent(integrated / online)),
    )
