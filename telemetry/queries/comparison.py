"""Periods and places side by side, read once and remembered; it must not judge them nor read raw events.

A side is remembered until the past of one of its centres is written again (`reopened` of the live rows); then only this
centre is read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import HOUR, MINUTE, Window, day_window, days_in, floor, to_local
from telemetry.core.figures.comparison import ComparedPeriod, DaySums, compare_periods
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import add_sums, add_to_sums
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.scope import Scope
from telemetry.queries.buckets import bucket_query
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.queues import queue_history_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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
class _CentreSums:
    """A centre's share of a side; `written_at`: when its totals last were, None without a live row, 0 if unsaid."""

    days: tuple[DaySums, ...]
    dossiers: Mapping[str, int]
    written_at: int | None
    read_at: int

    def holds(self, written_at: int | None, now: int) -> bool:
        return self.written_at == written_at and (written_at != 0 or 0 <= now - self.read_at <= RECENT_TTL_MS)


@dataclass(frozen=True, slots=True)
class _CachedSide:
    """A side with the inventory that it depends on and the shares of its centres."""

    side: ComparisonSide
    inventory: str
    by_centre: Mapping[str, _CentreSums]


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
        declared = declared_centres(network.centres())
        centres = declared if subject.centre is None else [network.centre(subject.centre)]
        version, rows, now = network.inventory.version, network.snapshot.centres, self._clock()
        written_at = {c.id: network.snapshot.reopened_at(c.id) if c.id in rows else None for c in centres}
        with self._lock:
            cached = self._sides.get(subject)
        if cached is not None and cached.inventory != version:
            cached = None
        known = {} if cached is None else cached.by_centre
        outdated = [c for c in centres if c.id not in known or not known[c.id].holds(written_at[c.id], now)]
        if cached is None or outdated:
            by_centre = {**known, **self._read_centres(subject, outdated, written_at)}
            cached = _CachedSide(self._sum_up(subject, centres, by_centre), version, by_centre)
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

    def _read_centres(
        self, subject: ComparedSubject, centres: Sequence[Centre], written_at: Mapping[str, int | None]
    ) -> dict[str, _CentreSums]:
        """Read the shares of some centres."""
        if not centres:
            return {}
        query, now = bucket_query(subject.window, "1d", self._zone_of(subject)), self._clock()
        by_day: dict[str, dict[date, dict[str, int]]] = {c.id: defaultdict(dict) for c in centres}
        for row in queue_history_rows(self._store, centres, query, subject.service, now):
            add_to_sums(by_day[row.centre][to_local(row.window.start, query.zone).date()], row.sums)
        dossiers: dict[str, dict[str, int]] = {c.id: {} for c in centres}
        for width, run in query.runs_to_read() if subject.service is None else ():
            for total in self._store.totals(list(dossiers), width, run, "administration"):
                add_to_sums(dossiers[total.entity], total.sums)
        return {
            ident: _CentreSums(
                tuple(DaySums(day.toordinal(), ident, sums) for day, sums in sorted(days.items())),
                dossiers[ident], written_at[ident], now,
            )
            for ident, days in by_day.items()
        }  # fmt: skip

    def _sum_up(
        self, subject: ComparedSubject, centres: Sequence[Centre], by_centre: Mapping[str, _CentreSums]
    ) -> ComparisonSide:
        shares = [by_centre[c.id] for c in centres]
        sums = sorted((day for share in shares for day in share.days), key=lambda day: (day.place, day.day))
        days = _days(sums, centres, subject.window, self._zone_of(subject))
        dossiers = add_sums(share.dossiers for share in shares)
        open_days = sum(not day.closed for day in days)
        availability = None if any(c.imported for c in centres) else self._availability_of(subject)
        period = ComparedPeriod(tuple(sums), open_days, availability, dossiers)
        return ComparisonSide(subject, period, period.figures, days)

    def _zone_of(self, subject: ComparedSubject) -> ZoneInfo:
        network = self._network()
        return network.centre(subject.centre).zone if subject.centre else network.inventory.zone

    def _availability_of(self, subject: ComparedSubject) -> CoveredRatio | None:
        place = Scope.centre(subject.centre) if subject.centre else Scope.province(self._network().inventory.province)
        result = self._availability(place, subject.window)
        return result.ratio_of(result.overall) if result.overall.open else None


def _days(
    by_centre: Sequence[DaySums], centres: Sequence[Centre], window: Window, zone: ZoneInfo
) -> tuple[ComparedDay, ...]:
    """Return every local day of the window; one is closed when no centre opened on it and nothing happened."""
    opened: set[date] = set()
    for centre in {c.calendar.version: c for c in centres if c.hours != ALWAYS_OPEN}.values():
        opened.update(day for one in centre.open_windows(window) for day in days_in(one, zone))
    sums: dict[date, dict[str, int]] = defaultdict(dict)
    for share in by_centre:
        add_to_sums(sums[date.fromordinal(share.day)], share.sums)
    all_days = [day for day in days_in(window, zone) if day_window(day, zone).clip(window)]
    return tuple(ComparedDay(d, queue_figures(sums.get(d, {})), d not in opened and d not in sums) for d in all_days)
