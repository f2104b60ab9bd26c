"""Periods and places side by side, read once and remembered; it must not judge them nor read raw events.

A side is remembered until the past of one of its centres is written again (`reopened` of the live rows).
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, MINUTE, Window, day_window, days_in, floor, to_local
from telemetry.core.figures.comparison import ComparedPeriod, DaySums, compare_periods
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import add_sums, add_to_sums
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query
from telemetry.queries.queues import queue_history_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.core.figures.comparison import FigureComparison
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.inventory import Centre
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.network import CachedNetworkView
    from telemetry.queries.totals_cache import TotalsReader

SETTLING_MS = 4 * MINUTE
"""An hour is compared so long after its end, when rollup has folded it and says so when it is written again."""
RECENT_TTL_MS = 1_000
MAX_SIDES = 64
"""Sides remembered at most (of a province and a month about 3 MB each)."""


@dataclass(frozen=True, slots=True)
class ComparedSubject:
    """A centre (None: the declared centres of the province) over a window of whole hours."""

    centre: str | None
    window: Window
    service: str | None = None


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """The figures of one local day of a side; `closed` when no centre was open."""

    day: date
    figures: QueueFigures
    closed: bool


@dataclass(frozen=True, slots=True)
class ComparisonSide:
    """A subject with what is compared and its days in order, empty ones too."""

    subject: ComparedSubject
    period: ComparedPeriod
    figures: QueueFigures
    days: tuple[ComparedDay, ...]


@dataclass(frozen=True, slots=True)
class _CachedSide:
    """A side with what it depends on: inventory, and when each centre was written; `expires_at` if one does not say."""

    side: ComparisonSide
    depends_on: tuple[object, ...]
    expires_at: int | None

    def holds(self, depends_on: tuple[object, ...], now: int) -> bool:
        return self.depends_on == depends_on and (
            self.expires_at is None or 0 <= self.expires_at - now <= RECENT_TTL_MS
        )


@dataclass(frozen=True, slots=True)
class _CachedComparison:
    first: ComparisonSide
    second: ComparisonSide
    figures: tuple[FigureComparison, ...]


class Comparisons:
    """Reads and compares sides; safe to call from many threads."""

    def __init__(
        self, store: TotalsReader, network: Callable[[], CachedNetworkView],
        availability: Callable[[str, Window], AvailabilityResult], clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self._store, self._network, self._availability, self._clock = store, network, availability, clock
        self._sides: OrderedDict[ComparedSubject, _CachedSide] = OrderedDict()
        self._compared: OrderedDict[tuple[ComparedSubject, ComparedSubject, int], _CachedComparison] = OrderedDict()
        self._lock = threading.Lock()

    def settled_hour(self) -> int:
        """Return the end of the newest hour that can be compared, Unix ms."""
        return floor(self._clock() - SETTLING_MS, HOUR)

    def side(self, subject: ComparedSubject) -> ComparisonSide:
        """Return one side; raises NotFound or BadWindow."""
        network = self._network()
        declared = [c for c in network.centres() if not c.imported]
        centres = declared if subject.centre is None else [network.centre(subject.centre)]
        reported = [c.id for c in centres if c.id in network.snapshot.centres]
        written_at = [network.snapshot.reopened_at(ident) for ident in reported]
        depends_on, now = (network.inventory.version, *reported, *written_at), self._clock()
        with self._lock:
            cached = self._sides.get(subject)
        if cached is None or not cached.holds(depends_on, now):
            expires_at = None if all(written_at) else now + RECENT_TTL_MS
            cached = _CachedSide(self._read(subject, centres), depends_on, expires_at)
            with self._lock:
                self._sides[subject] = cached
                while len(self._sides) > MAX_SIDES:
                    self._sides.popitem(last=False)
        return cached.side

    def compare(self, first: ComparisonSide, second: ComparisonSide, threshold_s: int) -> tuple[FigureComparison, ...]:
        """Compare two sides, figure by figure."""
        key = (first.subject, second.subject, threshold_s)
        with self._lock:
            cached = self._compared.get(key)
        if cached is None or cached.first is not first or cached.second is not second:
            cached = _CachedComparison(first, second, compare_periods(first.period, second.period, threshold_s))
            with self._lock:
                self._compared[key] = cached
                while len(self._compared) > MAX_SIDES:
                    self._compared.popitem(last=False)
        return cached.figures

    def _read(self, subject: ComparedSubject, centres: Sequence[Centre]) -> ComparisonSide:
        zone = centres[0].zone if subject.centre else self._network().inventory.zone
        query, now = bucket_query(subject.window, "1d", zone), self._clock()
        by_day: dict[tuple[str, date], dict[str, int]] = defaultdict(dict)
        for row in queue_history_rows(self._store, centres, query, subject.service, now):
            add_to_sums(by_day[row.centre, to_local(row.window.start, zone).date()], row.sums)
        days = _days(by_day, centres, subject.window, zone)
        sums = tuple(DaySums(day.toordinal(), centre, row) for (centre, day), row in sorted(by_day.items()))
        dossiers = add_sums(
            total.sums
            for width, run in (query.runs_to_read() if subject.service is None else ())
            for total in self._store.totals([c.id for c in centres], width, run, "administration")
        )
        open_days = sum(not day.closed for day in days)
        availability = None if any(c.imported for c in centres) else self._availability_of(subject)
        period = ComparedPeriod(sums, open_days, availability, dossiers)
        return ComparisonSide(subject, period, period.figures, days)

    def _availability_of(self, subject: ComparedSubject) -> CoveredRatio | None:
        place = Scope.centre(subject.centre) if subject.centre else Scope.province(self._network().inventory.province)
        result = self._availability(place, subject.window)
        return result.ratio_of(result.overall) if result.overall.open else None


def _days(
    by_day: dict[tuple[str, date], dict[str, int]], centres: Sequence[Centre], window: Window, zone: ZoneInfo
) -> tuple[ComparedDay, ...]:
    """Return every local day of the window; one is closed when no centre opened on it and nothing happened."""
    opened: set[date] = set()
    for centre in {c.calendar.version: c for c in centres if c.hours != ALWAYS_OPEN}.values():
        opened.update(day for one in centre.open_windows(window) for day in days_in(one, zone))
    sums: dict[date, dict[str, int]] = defaultdict(dict)
    for (_, day), row in by_day.items():
        add_to_sums(sums[day], row)
    all_days = [day for day in days_in(window, zone) if day_window(day, zone).clip(window)]
    return tuple(ComparedDay(d, queue_figures(sums.get(d, {})), d not in opened and d not in sums) for d in all_days)
