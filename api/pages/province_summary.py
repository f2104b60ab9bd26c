"""Figures of the province's page that need past totals: indicators against their targets, this week against the last.

They are those of `/kpis` and of the history of queues; nothing is computed from totals here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from api.pages.latest_figures import LatestFigure
from telemetry.core.calendar.windows import MINUTE, SLOT, Window, day_window, floor
from telemetry.core.figures.queue_periods import figures_of_all
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.period_history import DayRange
from telemetry.queries.trouble import faulty_since, reason_since

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.figures.queue_periods import QueueHistoryRow
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
    """The ended days of this week and the same weekdays of the last one; on a Monday the two weeks before."""

    days: DayRange
    former_days: DayRange
    figures: QueueFigures
    former: QueueFigures


def compared_days(today: date) -> tuple[date, date]:
    """Return the first and last ended day of the week from Monday that is compared with the week before it."""
    last = today - timedelta(days=1)
    return last - timedelta(days=last.weekday()), last


class ProvinceSummary:
    """Keeps the figures of one app, each for a minute."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._targets: LatestFigure[TargetCounts] = LatestFigure(self._now, MAX_AGE_MS)
        self._weeks: LatestFigure[WeekComparison] = LatestFigure(self._now, MAX_AGE_MS)
        self.first_wait_s = FIRST_WAIT_S
        self._since: dict[tuple[str, str], int] = {}
        self._since_slot = 0

    def zone(self) -> ZoneInfo:
        """Return the province's zone."""
        return self._queries.zone()

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
        """Return this week's ended days beside the same days of the week before; None until they are read."""
        queries = self._queries
        today = local_date(queries.now(), queries.zone())
        key = (queries.inventory().version, today)
        return self._weeks.get(key, lambda: self._compare_weeks(today), self.first_wait_s)

    def _compare_weeks(self, today: date) -> WeekComparison:
        zone, (first, last) = self._queries.zone(), compared_days(today)
        week = timedelta(days=7)
        days, former = DayRange(first, last, zone), DayRange(first - week, last - week, zone)
        rows = self._queries.period_history(None, DayRange(former.first, last, zone)).rows
        return WeekComparison(days, former, _figures_within(rows, days), _figures_within(rows, former))

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


def _figures_within(rows: tuple[QueueHistoryRow, ...], days: DayRange) -> QueueFigures:
    return figures_of_all([row for row in rows if days.window.start <= row.window.start < days.window.end])
