"""Indicators of a window with their levels, targets and pace; it must not read raw events nor divide."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, SLOT, Window, day_window, floor
from telemetry.core.inventory import local_date
from telemetry.core.kpi.baseline import CountPeriod, baseline_of
from telemetry.core.kpi.catalogue import ADMINISTRATION_FIGURES, all_indicators
from telemetry.core.kpi.figures import FigureSet, PeriodFigures
from telemetry.core.kpi.stored_figures import encode_figures
from telemetry.core.kpi.target_paths import milestone_state, target_owner, targets_of
from telemetry.core.kpi.targets import Trajectory, target_paths
from telemetry.core.kpi.trajectory import Measurement
from telemetry.core.kpi.values import IndicatorValue, indicator_value
from telemetry.core.kpi.yearly_indices import index_figures, index_measurement, index_value
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.buckets import BucketQuery, QueryCost, bucket_query
from telemetry.queries.errors import NotFound
from telemetry.queries.indicator_figures import (
    FigureBuckets,
    add_declared_figures,
    add_live_figures,
    read_administration,
    read_availability,
    read_connectors,
    read_declared_modes,
    read_queues,
)
from telemetry.queries.indicator_pieces import (
    ALL_GROUPS,
    FigureGroup,
    FigurePiece,
    PieceCache,
    declaration_of,
    document_name,
    months_to_store,
    pieces_of,
    stored_piece,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.inventory import IndexFigure, Inventory
    from telemetry.core.kpi.baseline import Baseline
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.target_paths import MilestoneState
    from telemetry.queries.buckets import BucketSize
    from telemetry.queries.indicator_figures import IndicatorInputs, PartOfProvince

CACHED_FOR_MS = 60_000
"""How long the figures of a window are answered again."""
STALE_FOR_MS = 5 * CACHED_FOR_MS
"""How old an answer may be that is given while another thread renews it."""
MAX_CACHED_SERIES = 32
KINDS_OF_TOTALS = 4
"""A centre has totals of its desks, its counters, its administrative levels and its procedures."""
MONTHS_OF_PACE = 12
_MILESTONE_VALUES = (IndicatorValue("ok", 0, None, 0.0), IndicatorValue("ok", 1, None, 1.0))
_OF_PIECES: frozenset[BucketSize] = frozenset({"total", "1mo"})
"""The buckets that are added up from months."""
PRESENT_ONLY = frozenset({"A-13", "A-14"})
"""Indicators that are known as of now alone, beside those of live rows."""


@dataclass(frozen=True, slots=True)
class IndicatorReading:
    """An indicator's value over a window, over all and by level; `newest` is when its figures were last reported.

    `declared_period` is the period of the published counts that stand for figures that nobody reports.  `baseline` is
    the value that published counts alone give, for their own period whatever the window.  `imported` is the yearly
    index that is the value, `milestone` the state of one.
    """

    indicator: Indicator
    value: IndicatorValue
    by_level: Mapping[str, IndicatorValue]
    newest: int | None
    declared_period: CountPeriod | None = None
    baseline: Baseline | None = None
    imported: IndexFigure | None = None
    milestone: MilestoneState | None = None

    @property
    def is_declared(self) -> bool:
        """Return whether declared counts stand for figures that nobody reports."""
        return self.declared_period is not None

    def at_level(self, level: str) -> IndicatorValue:
        """Return the value of a level, over all when it is empty; no source where the level reports nothing."""
        return self.by_level.get(level, IndicatorValue("no_source")) if level else self.value


@dataclass(frozen=True, slots=True)
class IndicatorFigures:
    """The figures of a window; `declared` has the periods of those that come from the inventory alone."""

    window: Window
    as_of: int
    figures: FigureSet
    declared: Mapping[str, CountPeriod]
    inventory: Inventory

    @property
    def last_day(self) -> date:
        """Return the local day on which the window ends."""
        return local_date(self.window.end - 1, self.inventory.zone)

    def reading(self, indicator: Indicator) -> IndicatorReading:
        """Return an indicator's value with its levels; what is known as of now has none in a past window."""
        is_present = indicator.source == "live" or indicator.id in PRESENT_ONLY
        if is_present and not self.window.start <= self.as_of < self.window.end:
            return IndicatorReading(indicator, IndicatorValue("no_data"), {}, None)
        if indicator.source == "import":
            return self._imported_reading(indicator)
        if indicator.unit == "milestone":
            return self._milestone_reading(indicator)
        levels = self.figures.by_level if indicator.by_level else {}
        names = {*indicator.numerator, *indicator.denominator}
        return IndicatorReading(
            indicator,
            indicator_value(indicator, self.figures.overall),
            {level: indicator_value(indicator, figures) for level, figures in sorted(levels.items())},
            self.figures.newest(indicator.evidence_figures),
            declared_period=min((self.declared[name] for name in names if name in self.declared), default=None),
            baseline=baseline_of(indicator.id, self.inventory.procedures, self.last_day),
        )

    def _imported_reading(self, indicator: Indicator) -> IndicatorReading:
        """Return the newest published year until the window's end; it is as fresh as the end of that year."""
        years = index_figures(self.inventory.indices, indicator.id, self.last_day)
        if not years:
            return IndicatorReading(indicator, IndicatorValue("no_source"), {}, None)
        newest = day_window(index_measurement(years[-1]).day, self.inventory.zone).start
        return IndicatorReading(indicator, index_value(years[-1]), {}, newest, imported=years[-1])

    def _milestone_reading(self, indicator: Indicator) -> IndicatorReading:
        """Return 1 for a milestone that is done by the window's end and 0 for one that is not, if it is declared."""
        targets = targets_of(self.inventory.targets, indicator)
        if not targets:
            return IndicatorReading(indicator, IndicatorValue("no_source"), {}, None)
        state = milestone_state(targets[-1], self.last_day)
        return IndicatorReading(indicator, _MILESTONE_VALUES[state == "done"], {}, None, milestone=state)

    def readings(self) -> Iterator[IndicatorReading]:
        """Yield every indicator of the catalogue in its order."""
        return map(self.reading, all_indicators(self.inventory.own_indicators).values())


@dataclass(frozen=True, slots=True)
class IndicatorSeries:
    """The figures of a query's buckets, in order."""

    query: BucketQuery
    as_of: int
    buckets: tuple[IndicatorFigures, ...]

    def measurements(self, indicator: Indicator, level: str = "") -> list[Measurement]:
        """Return the values of the buckets that have one, each on its last day so far."""
        collected = []
        for bucket in self.buckets:
            value = bucket.reading(indicator).at_level(level).value
            if value is not None:
                last = min(bucket.window.end - 1, max(self.as_of, bucket.window.start))
                collected.append(Measurement(local_date(last, self.query.zone), value))
        return collected


@dataclass(frozen=True)
class IndicatorOverview:
    """Every indicator over a window, with its targets and the values of the last months."""

    figures: IndicatorFigures
    months: IndicatorSeries
    inventory: Inventory
    day: date

    @cached_property
    def readings(self) -> tuple[IndicatorReading, ...]:
        """Return the readings in the catalogue's order."""
        return tuple(self.figures.readings())

    @cached_property
    def trajectories(self) -> Mapping[str, tuple[Trajectory, ...]]:
        """Return the paths of each indicator that has targets, over all levels first."""
        readings = {reading.indicator.id: reading for reading in self.readings}
        collected: dict[str, tuple[Trajectory, ...]] = {}
        paths = target_paths(self.inventory.targets, all_indicators(self.inventory.own_indicators))
        for subject, path in sorted(paths.items(), key=lambda item: item[0].order):
            reading = readings[subject.indicator.id]
            measured = reading.at_level(subject.level).value
            history = self._history(subject.indicator, subject.level)
            trajectory = Trajectory(subject, path, self.day, measured, history)
            collected[subject.indicator.id] = (*collected.get(subject.indicator.id, ()), trajectory)
        return collected

    def _history(self, indicator: Indicator, level: str) -> list[Measurement]:
        """Return the values of the last months, or of all published years."""
        if indicator.source == "import":
            return [index_measurement(f) for f in index_figures(self.inventory.indices, indicator.id, self.day)]
        return self.months.measurements(indicator, level)

    def owner(self, indicator: Indicator) -> str:
        """Return who answers for an indicator."""
        return target_owner(self.inventory.targets, indicator)


@dataclass(frozen=True, slots=True)
class _SeriesKey:
    query: tuple[Window, BucketSize]
    groups: frozenset[FigureGroup]
    inventory_version: str
    part: str = ""


class IndicatorCache:
    """The figures of recent windows; one thread computes at a time, others get the last answer or wait for it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: dict[_SeriesKey, IndicatorSeries] = {}

    def age_ms(self, key: _SeriesKey) -> int | None:
        """Return how old the cached answer is, None without one."""
        cached = self._cached.get(key)
        return None if cached is None else max(0, self._clock() - cached.as_of)

    def get(self, key: _SeriesKey, compute: Callable[[], IndicatorSeries]) -> IndicatorSeries:
        """Return a window's figures, at most CACHED_FOR_MS old; a little older while another thread renews them."""
        cached = self._cached.get(key)
        age_ms = self.age_ms(key)
        if cached is not None and age_ms is not None and age_ms < CACHED_FOR_MS:
            return cached
        if cached is not None and age_ms is not None and age_ms < STALE_FOR_MS:
            if not self._lock.acquire(blocking=False):
                return cached
        else:
            self._lock.acquire()
        try:
            renewed = self._cached.get(key)
            if renewed is None or renewed is cached:
                renewed = compute()
                self._cached.pop(key, None)
                self._cached[key] = renewed
                while len(self._cached) > MAX_CACHED_SERIES:
                    self._cached.pop(next(iter(self._cached)))
            return renewed
        finally:
            self._lock.release()


class IndicatorQueries:
    """Answers questions about indicators; `inputs` gathers what they are made of at the moment of the question."""

    def __init__(
        self, inventory: Callable[[], Inventory], inputs: Callable[[], IndicatorInputs], clock: Callable[[], int]
    ) -> None:
        self._inventory = inventory
        self._inputs = inputs
        self._clock = clock
        self._cache = IndicatorCache(clock)
        self._pieces = PieceCache()
        self._overview: IndicatorOverview | None = None

    def indicator(self, ident: str) -> Indicator:
        """Return an indicator of the catalogue; raises NotFound."""
        indicators = all_indicators(self._inventory().own_indicators)
        if ident not in indicators:
            raise NotFound(ident, "indicator")
        return indicators[ident]

    def default_window(self) -> Window:
        """Return the local calendar year so far; it ends with the local day, so that it is cached."""
        zone = self._inventory().zone
        today = local_date(self._clock(), zone)
        start = day_window(today.replace(month=1, day=1), zone).start
        return Window(start, floor(day_window(today, zone).start + DAY, SLOT))

    def months_of_pace(self) -> Window:
        """Return the present month and the eleven before it."""
        zone, month = self._inventory().zone, calendar_period("month", self._clock(), self._inventory().zone)
        end = month.end
        for _ in range(MONTHS_OF_PACE - 1):
            month = calendar_period("month", month.start - 1, zone)
        return Window(month.start, end)

    def cost(
        self, window: Window, bucket: BucketSize = "total", groups: Iterable[FigureGroup] = ALL_GROUPS
    ) -> QueryCost:
        """Return what a question costs: nothing that a recent answer serves. Raises BadWindow.

        Since the oldest stored month nothing is refused: it is read month by month, and pages show it by themselves.
        """
        query = bucket_query(window, bucket, self._inventory().zone)
        is_stored = bucket in _OF_PIECES and window.start >= months_to_store(self._clock(), query.zone)[-1].start
        cost = (query.unlimited_cost if is_stored else query.cost)(
            KINDS_OF_TOTALS * max(1, len(self._inventory().centres))
        )
        age_ms = self._cache.age_ms(self._key(query, groups))
        return cost if age_ms is None or age_ms >= CACHED_FOR_MS else QueryCost(0, cost.buckets)

    def values_cost(self, indicator: Indicator, window: Window, bucket: BucketSize) -> QueryCost:
        """Return what `values` costs. Raises BadWindow."""
        return self.cost(window, bucket, groups_of(indicator))

    def overview_cost(self, window: Window) -> QueryCost:
        """Return what `overview` costs. Raises BadWindow."""
        parts = (self.cost(window), self.cost(self.months_of_pace(), "1mo"))
        return QueryCost(sum(part.rows for part in parts), max(part.buckets for part in parts))

    def series(
        self, window: Window, bucket: BucketSize = "total", groups: Iterable[FigureGroup] = ALL_GROUPS
    ) -> IndicatorSeries:
        """Return the figures of a window bucket by bucket, at most a minute old. Raises BadWindow."""
        query = bucket_query(window, bucket, self._inventory().zone)
        return self._cache.get(
            self._key(query, groups),
            lambda: compute_indicator_series(self._inputs(), query, frozenset(groups), self._pieces),
        )

    def months_of(self, part: PartOfProvince, groups: Iterable[FigureGroup]) -> IndicatorSeries:
        """Return the figures of a part of the province in the present month and the eleven before it."""
        query = bucket_query(self.months_of_pace(), "1mo", self._inventory().zone)
        key = replace(self._key(query, groups), part=part.name)
        return self._cache.get(
            key,
            lambda: compute_indicator_series(
                replace(self._inputs(), part=part), query, frozenset(groups), self._pieces
            ),
        )

    def values(self, indicator: Indicator, window: Window, bucket: BucketSize) -> IndicatorSeries:
        """Return the figures that one indicator needs. Raises BadWindow."""
        return self.series(window, bucket, groups_of(indicator))

    def overview(self, window: Window | None = None) -> IndicatorOverview:
        """Return every indicator over a window, by default the local year so far. Raises BadWindow.

        The overview of the same figures is the same object, so that what is made of it can be used again.
        """
        inventory = self._inventory()
        figures = self.series(window or self.default_window()).buckets[0]
        months = self.series(self.months_of_pace(), "1mo")
        cached = self._overview
        if cached is None or cached.figures is not figures or cached.months is not months:
            day = local_date(min(self._clock(), figures.window.end - 1), inventory.zone)
            cached = self._overview = IndicatorOverview(figures, months, inventory, day)
        return cached

    def month_documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and body of the document of each past month and group of figures, read from totals."""
        zone, now = self._inventory().zone, self._clock()
        for window in months_to_store(now, zone):
            for group in sorted(ALL_GROUPS):
                inputs = self._inputs()
                declaration = declaration_of(inputs.inventory)
                period = read_piece(inputs, FigurePiece(group, window, declaration), zone)
                yield (
                    document_name(group, window, zone),
                    encode_figures(period, window.start, window.end, inputs.now, declaration),
                )

    def _key(self, query: BucketQuery, groups: Iterable[FigureGroup]) -> _SeriesKey:
        return _SeriesKey((query.window, query.bucket), frozenset(groups), self._inventory().version)


def groups_of(indicator: Indicator) -> frozenset[FigureGroup]:
    """Return which figures an indicator is made of."""
    names = {*indicator.numerator, *indicator.denominator}
    groups: dict[FigureGroup, bool] = {
        "administration": bool(names & ADMINISTRATION_FIGURES),
        "operation": not names or not names <= ADMINISTRATION_FIGURES,
    }
    return frozenset(group for group, is_needed in groups.items() if is_needed)


def compute_indicator_series(
    inputs: IndicatorInputs, query: BucketQuery, groups: frozenset[FigureGroup], cache: PieceCache | None = None
) -> IndicatorSeries:
    """Return the figures of a query's buckets; declared counts stand where nobody reports a figure."""
    if query.bucket in _OF_PIECES:
        periods = _periods_of_pieces(inputs, query, groups, cache or PieceCache())
    else:
        periods = read_periods(inputs, query, groups)
    collected = []
    for window, period in zip(query.buckets(), periods, strict=True):
        figures, declared = period.figures(), dict[str, CountPeriod]()
        if "administration" in groups and inputs.part is None:
            declared = add_declared_figures(figures, inputs.inventory, window)
        if "operation" in groups and inputs.part is None and window.start <= inputs.now < window.end:
            add_live_figures(figures, inputs)
        collected.append(IndicatorFigures(window, inputs.now, figures, declared, inputs.inventory))
    return IndicatorSeries(query, inputs.now, tuple(collected))


def _periods_of_pieces(
    inputs: IndicatorInputs, query: BucketQuery, groups: frozenset[FigureGroup], cache: PieceCache
) -> list[PeriodFigures]:
    """Return the figures of each bucket, added up from pieces that other windows have too."""
    by_bucket = [pieces_of(bucket, inputs.now, query.zone) for bucket in query.buckets()]
    declaration = declaration_of(inputs.inventory)
    pieces = [
        FigurePiece(group, window, declaration, inputs.part.name if inputs.part else "")
        for windows in by_bucket
        for window in windows
        for group in sorted(groups)
    ]
    read = iter(
        cache.periods(
            pieces,
            inputs.now,
            lambda piece: read_piece(inputs, piece, query.zone),
            lambda piece: stored_piece(inputs.document, piece, query.zone),
        )
    )
    periods = []
    for windows in by_bucket:
        period = PeriodFigures()
        for part in islice(read, len(windows) * len(groups)):
            period.add(part)
        periods.append(period)
    return periods


def read_piece(inputs: IndicatorInputs, piece: FigurePiece, zone: ZoneInfo) -> PeriodFigures:
    """Return the figures of a piece from totals."""
    return read_periods(inputs, BucketQuery(piece.window, "total", zone), {piece.group})[0]


def read_periods(inputs: IndicatorInputs, query: BucketQuery, groups: Collection[FigureGroup]) -> list[PeriodFigures]:
    """Return the figures of each bucket from totals."""
    buckets = FigureBuckets(query)
    if "administration" in groups and not (inputs.part and inputs.part.services):
        read_administration(buckets, inputs)
    if "operation" in groups:
        read_queues(buckets, inputs)
        read_declared_modes(buckets, inputs)
    if "operation" in groups and inputs.part is None:
        read_availability(buckets, inputs)
        read_connectors(buckets, inputs)
    return buckets.periods
