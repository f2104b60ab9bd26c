"""The score of Decision 766 of a month, quarter or year and of the period before; it must not read raw events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.kpi.decision_766 import Score, score_766
from telemetry.core.kpi.values import is_reported
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.indicator_pieces import ALL_GROUPS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.queries.buckets import QueryCost
    from telemetry.queries.indicators import IndicatorQueries

ScorePeriod = Literal["month", "quarter", "year"]
REPORTED_WITHIN_DAYS = 366
"""A component is reported when any of its figures was, this long before the end of the period."""


@dataclass(frozen=True, slots=True)
class ScoredPeriod:
    """The score of a period and that of the one before."""

    period: ScorePeriod
    window: Window
    score: Score
    previous: Score

    @property
    def delta(self) -> float | None:
        """Return the change of points over the components that both periods have; None when there are none."""
        return self.score.change_since(self.previous)


def score_windows(period: ScorePeriod, at: int, zone: ZoneInfo) -> tuple[Window, Window]:
    """Return the whole local period that contains a time, and the one before."""
    window = calendar_period(period, at, zone)
    return window, calendar_period(period, window.start - 1, zone)


def score_cost(indicators: IndicatorQueries, period: ScorePeriod, at: int, zone: ZoneInfo) -> QueryCost:
    """Return what `score_period` costs at most."""
    window, _ = score_windows(period, at, zone)
    return indicators.cost(_reported_window(window))


def _reported_window(window: Window) -> Window:
    return Window(min(window.start, window.end - REPORTED_WITHIN_DAYS * DAY), window.end)


def score_period(indicators: IndicatorQueries, period: ScorePeriod, at: int, zone: ZoneInfo) -> ScoredPeriod:
    """Return the score of the local period that contains `at`, Unix ms; declared counts are part of it."""
    scores = []
    for window in score_windows(period, at, zone):
        figures, longer = (
            indicators.series(w, groups=ALL_GROUPS).buckets[0].figures.overall
            for w in (window, _reported_window(window))
        )
        scores.append(score_766(figures, frozenset(name for name in longer if is_reported(name, longer))))
    return ScoredPeriod(period, score_windows(period, at, zone)[0], scores[0], scores[1])
