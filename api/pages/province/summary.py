"""Figures of the province's page that need past totals: indicators against their targets, this week against the last.

They are those of `/kpis` and `/compare`; nothing is computed from totals here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.comparison.page import compared_periods
from api.pages.comparison.tables import wait_comparison
from api.pages.latest_figures import LatestFigure
from api.pages.places import threshold_of
from telemetry.core.calendar.windows import MINUTE, SLOT, Window, day_window, floor
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.comparison import ComparedSubject
from telemetry.queries.trouble import faulty_since, reason_since

if TYPE_CHECKING:
    from api.pages.comparison.choices import PeriodPair
    from telemetry.core.figures.comparison import FigureComparison
    from telemetry.queries.comparison import ComparisonSide
    from telemetry.queries.service import Queries
    from telemetry.queries.views import CentreView

MAX_AGE_MS = MINUTE
FIRST_WAIT_S = 1.0
"""How long the first reader after a start waits for a figure; the page is shown without it then."""


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """How many indicators with a target keep up with its path, do not, or have no value to judge."""

    met: int
    missed: int
    unjudged: int


@dataclass(frozen=True, slots=True)
class WeekComparison:
    """The mean waits of this week and the last one as far, or of the two weeks before: those of `/compare`."""

    pair: PeriodPair
    first: ComparisonSide
    second: ComparisonSide
    wait: FigureComparison


class ProvinceSummary:
    """Keeps the figures of one app, each for a minute."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._targets: LatestFigure[TargetCounts] = LatestFigure(self._now, MAX_AGE_MS)
        self._weeks: LatestFigure[WeekComparison] = LatestFigure(self._now, MAX_AGE_MS)
        self.first_wait_s = FIRST_WAIT_S
        self._since: dict[tuple[str, str], int] = {}
        self._since_slot = 0

    def _now(self) -> int:
        return self._queries.now()

    def target_counts(self) -> TargetCounts | None:
        """Return how the indicators stand against their targets; None until that is computed after a start."""
        queries = self._queries
        key = (queries.inventory().version, local_date(queries.now(), queries.zone()))
        return self._targets.get(key, self._count_targets, self.first_wait_s)

    def _count_targets(self) -> TargetCounts:
        overview = self._queries.indicators.overview()
        tracks = [paths[0].on_track for paths in overview.trajectories.values()]
        return TargetCounts(tracks.count(True), tracks.count(False), tracks.count(None))

    def weeks(self) -> WeekComparison | None:
        """Return this week beside the same span of the week before; None until they are read."""
        queries = self._queries
        key = (queries.inventory().version, local_date(queries.now(), queries.zone()))
        return self._weeks.get(key, self._compare_weeks, self.first_wait_s)

    def _compare_weeks(self) -> WeekComparison:
        queries = self._queries
        periods = compared_periods(queries, {})
        windows = (periods.first or periods.second, periods.second)
        first, second = (queries.comparisons.side(ComparedSubject(None, window)) for window in windows)
        figures = queries.comparisons.compare(first, second, threshold_of(queries))
        return WeekComparison(periods.pair, first, second, wait_comparison(figures))

    def trouble_since(self, view: CentreView) -> int | None:
        """Return since when a centre is not in order, Unix ms, to five minutes; None when nothing says it."""
        since = reason_since(view.assessment, view.now)
        if since is not None or view.condition not in {"down", "unknown", "degraded"}:
            return since
        slot, key = floor(view.now, SLOT), (view.centre.id, view.condition)
        if slot != self._since_slot:
            self._since, self._since_slot = {}, slot
        if key not in self._since:
            self._since[key] = self._read_since(view, slot)
        return self._since[key]

    def _read_since(self, view: CentreView, slot: int) -> int:
        start = day_window(local_date(view.now, view.centre.zone), view.centre.zone).start
        if slot <= start:
            return slot
        return faulty_since(self._queries.timeline(Scope.centre(view.centre.id), Window(start, slot)), slot)
