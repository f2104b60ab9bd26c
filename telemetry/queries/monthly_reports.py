"""The monthly report of the province: as it was published, else computed from totals; it must not read raw events.

A published month is answered from its document in the inventory and never computed anew; what later data have changed
stands beside it.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING, Final

import msgspec

from telemetry.core.calendar.windows import MINUTE, Window, local_ms, to_local
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.histogram_buckets import HISTOGRAM_BOUNDS_S
from telemetry.core.fold.totals import add_sums
from telemetry.core.inventory import UNDECLARED_SERVICE, local_date
from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.report.changes import report_changes
from telemetry.core.report.values import (
    MonthlyReport,
    ReportedCentre,
    ReportedCommitment,
    ReportedDay,
    ReportedIndicator,
    ReportedObjective,
    ReportedRows,
    ReportedService,
    ReportedSystem,
    ReportedTickets,
    ReportedTime,
    parse_report,
)
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import calendar_period, settled_until
from telemetry.queries.buckets import QueryCost
from telemetry.queries.commitments import read_commitments
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.errors import BadWindow, NotFound
from telemetry.queries.indicators import IndicatorOverview
from telemetry.queries.period_history import DayRange, PeriodRows, history_of_centres
from telemetry.queries.reported_incidents import read_month_incidents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.queue_periods import QueueHistoryRow, TimeFigures
    from telemetry.core.inventory import Centre, Inventory, PublishedFigures
    from telemetry.core.kpi.targets import Trajectory
    from telemetry.core.report.values import ReportChange
    from telemetry.queries.commitments import CommitmentReading
    from telemetry.queries.indicators import IndicatorReading
    from telemetry.queries.publication import PublicationStage
    from telemetry.queries.reported_incidents import MonthIncidents
    from telemetry.queries.service import Queries

MONTH_PATTERN: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
DEFAULT_THRESHOLD_S: Final = 900
LISTED_MONTHS: Final = 12
MAX_CACHED_REPORTS: Final = 6
FRESH_FOR_MS: Final = 5 * MINUTE
"""How long a computed report is answered again whatever comes in: it sums a month."""


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """A month's report, whether it may still change, and what data since its publication have changed."""

    report: MonthlyReport
    stage: PublicationStage
    changes: tuple[ReportChange, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedMonth:
    """A month of which a report can be had; `revision` is 0 and `published_at` None before it is published."""

    month: str
    stage: PublicationStage
    revision: int = 0
    published_at: int | None = None


@dataclass(frozen=True, slots=True)
class _CachedReport:
    inventory_version: str
    reopened: int
    report: MonthlyReport


def report_window(month: str, zone: ZoneInfo) -> Window:
    """Return the local month `2026-10` as a window. Raises BadWindow."""
    if not MONTH_PATTERN.fullmatch(month):
        msg = f"{month!r} is not a month: write it like 2026-10"
        raise BadWindow(msg)
    return calendar_period("month", local_ms(date(int(month[:4]), int(month[5:]), 1), time(), zone), zone)


def month_before(month: str, zone: ZoneInfo) -> str:
    """Return the month before one, as `2026-09`. Raises BadWindow."""
    start = calendar_period("month", report_window(month, zone).start - 1, zone).start
    return f"{to_local(start, zone):%Y-%m}"


def find_published_report(inventory: Inventory, month: str) -> MonthlyReport | None:
    """Return the report of a month as it was published, None when it was not."""
    text = inventory.published_reports.get(month)
    return None if text is None else parse_report(month, text)


class MonthlyReports:
    """Answers questions about months; safe to call from many threads, which compute one report at a time."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._lock = threading.Lock()
        self._cached: OrderedDict[str, _CachedReport] = OrderedDict()

    def months(self) -> list[ListedMonth]:
        """Return the last LISTED_MONTHS months in which something was in service, all published ones, newest first."""
        queries = self._queries
        zone, names = queries.zone(), set(queries.inventory().published_reports)
        window = calendar_period("month", queries.now(), zone)
        first = min((one.window.start for one in queries.service_periods().by_scope.values()), default=0)
        for _ in range(LISTED_MONTHS):
            if window.end <= first and names:
                break
            names.add(f"{to_local(window.start, zone):%Y-%m}")
            window = calendar_period("month", window.start - 1, zone)
        return [self._list_month(name) for name in sorted(names, reverse=True)]

    def _list_month(self, month: str) -> ListedMonth:
        published = find_published_report(self._queries.inventory(), month)
        if published is None:
            return ListedMonth(month, self._stage(month))
        newest = published.revisions[-1]
        return ListedMonth(month, "published", newest.number, newest.published_at)

    def _stage(self, month: str) -> PublicationStage:
        queries = self._queries
        if month in queries.inventory().published_reports:
            return "published"
        is_settled = report_window(month, queries.zone()).end <= settled_until(queries.now(), queries.zone())
        return "settled" if is_settled else "provisional"

    def cost(self, month: str) -> QueryCost:
        """Return what `answer` costs: nothing that a recent answer serves. Raises BadWindow, NotFound."""
        window = self._past_window(month)
        if self._fresh(month) is not None:
            return QueryCost(0, 0)
        queries = self._queries
        incidents = queries.incidents.query(Scope.province(queries.inventory().province), window).cost
        parts = queries.queue_history_cost(None, window, "1d"), queries.indicators.overview_cost(window), incidents
        return QueryCost(sum(part.rows for part in parts), max(part.buckets for part in parts))

    def answer(self, month: str) -> ReportAnswer:
        """Return a month's report. Raises BadWindow, and NotFound for a month that has not begun."""
        self._past_window(month)
        published = find_published_report(self._queries.inventory(), month)
        if published is None:
            return ReportAnswer(self.current(month), self._stage(month))
        return ReportAnswer(published, "published", report_changes(published, self.current(month)))

    def centre_before(self, month: str, centre: str) -> ReportedCentre | None:
        """Return a centre in the report of the month before, as published if it was; None when it is not in it."""
        queries = self._queries
        before, zone = month_before(month, queries.zone()), queries.zone()
        published = find_published_report(queries.inventory(), before)
        if published is not None:
            return published.centre(centre)
        declared = queries.inventory().centres.get(centre)
        if declared is None or declared.imported:
            return None
        window = report_window(before, zone)
        rows = queries.period_rows(centre, _days_of(window, zone))
        goals = _goals(queries.inventory(), local_date(window.end - 1, zone))
        return _centre(queries, declared, window, rows, goals.threshold_s)

    def _past_window(self, month: str) -> Window:
        window = report_window(month, self._queries.zone())
        if window.start > self._queries.now():
            raise NotFound(month, "report")
        return window

    def current(self, month: str) -> MonthlyReport:
        """Return the report that the totals give now; at most FRESH_FOR_MS old, or of totals that have not changed."""
        with self._lock:
            cached = self._fresh(month)
            if cached is not None:
                return cached
            version, reopened = self._queries.inventory().version, self._newest_reopening()
            report = build_report(self._queries, month)
            self._cached[month] = _CachedReport(version, reopened, report)
            self._cached.move_to_end(month)
            while len(self._cached) > MAX_CACHED_REPORTS:
                self._cached.popitem(last=False)
            return report

    def _fresh(self, month: str) -> MonthlyReport | None:
        cached, queries = self._cached.get(month), self._queries
        if cached is None or cached.inventory_version != queries.inventory().version:
            return None
        if 0 <= queries.now() - cached.report.computed_at < FRESH_FOR_MS:
            return cached.report
        is_past = report_window(month, queries.zone()).end <= cached.report.computed_at
        return cached.report if is_past and cached.reopened == self._newest_reopening() else None

    def _newest_reopening(self) -> int:
        """Return when totals of the past were last written, at any centre or system."""
        snapshot = self._queries.snapshot()
        return max(map(snapshot.reopened_at, (*snapshot.centres, *snapshot.systems)), default=0)


def build_report(queries: Queries, month: str, published: Sequence[PublishedFigures] = ()) -> MonthlyReport:
    """Compute a month's report from totals; `published` are the rows that are published with it. Raises BadWindow."""
    inventory, window, zone = queries.inventory(), report_window(month, queries.zone()), queries.zone()
    before = calendar_period("month", window.start - 1, zone)
    declared = declared_centres(inventory.centres.values())
    rows = queries.period_rows(None, days := _days_of(window, zone))
    history = history_of_centres(declared, days, None, PeriodRows(rows, rows, rows), queries.now())
    earlier = queries.period_history(None, _days_of(before, zone))
    goals = _goals(inventory, local_date(window.end - 1, zone))
    province, threshold_s = Scope.province(inventory.province), goals.threshold_s
    incidents = read_month_incidents(queries, window)
    return MonthlyReport(
        month=month,
        province=inventory.province,
        name_vi=inventory.name_vi,
        name_en=inventory.name_en,
        computed_at=queries.now(),
        inventory_version=inventory.version,
        threshold_s=threshold_s,
        coverage_floor=inventory.coverage_floor,
        wait_target_s=goals.wait_target_s,
        availability_goal=goals.availability,
        simulated=queries.network_status().has_simulated_data,
        time=_time(queries, province, window),
        tickets=ReportedTickets.from_figures(history.overall, threshold_s),
        previous_time=_time(queries, province, before),
        previous_tickets=ReportedTickets.from_figures(earlier.overall, threshold_s),
        services=_services(rows, inventory, (), threshold_s),
        days=tuple(_day(one, zone) for one in history.by_time),
        centres=_centres(queries, declared, rows, window, threshold_s, incidents),
        systems=_systems(queries, window),
        objectives=_objectives(inventory, published),
        indicators=tuple(_indicators(queries, window, before)),
        commitments=tuple(_commitments(queries, min(queries.now(), window.end - 1))),
        incidents=incidents.province,
        rows=_received_rows(queries),
    )


@dataclass(frozen=True, slots=True)
class _ReportGoals:
    """What centres are held against: waits (s), the exact bound that shares are about, availability."""

    threshold_s: int
    wait_target_s: float | None
    availability: float | None


def _goals(inventory: Inventory, day: date) -> _ReportGoals:
    target = inventory.target_in_force("wait_mean", day)
    threshold_s = int(target.value) if target and target.value in HISTOGRAM_BOUNDS_S else DEFAULT_THRESHOLD_S
    return _ReportGoals(threshold_s, target.value if target else None, _availability_goal(inventory))


def _day(one: TimeFigures, zone: ZoneInfo) -> ReportedDay:
    wait = one.figures.wait
    day = local_date(one.window.start, zone).isoformat()
    return ReportedDay(day=day, issued=one.figures.issued, waits=wait.count, wait_sum_ms=wait.sum_ms)


def _centres(
    queries: Queries, declared: Sequence[Centre], rows: Iterable[QueueHistoryRow], window: Window,
    threshold_s: int, incidents: MonthIncidents,
) -> tuple[ReportedCentre, ...]:  # fmt: skip
    by_centre = _rows_by_centre(rows)
    return tuple(
        msgspec.structs.replace(
            _centre(queries, centre, window, by_centre.get(centre.id, ()), threshold_s),
            incidents=incidents.of_centre(centre.id),
        )
        for centre in declared
    )


def _systems(queries: Queries, window: Window) -> tuple[ReportedSystem, ...]:
    return tuple(
        ReportedSystem(
            id=ident,
            name_vi=system.name_vi,
            name_en=system.name_en,
            time=_time(queries, Scope.system(ident), window),
        )
        for ident, system in sorted(queries.inventory().whole_systems.items())
    )


def _received_rows(queries: Queries) -> ReportedRows:
    counts = queries.store_stats().completeness.overall
    return ReportedRows(
        stored=counts.stored, refused=counts.refused, dropped=counts.dropped, highest=counts.highest
    )  # fmt: skip


def _days_of(window: Window, zone: ZoneInfo) -> DayRange:
    return DayRange(local_date(window.start, zone), local_date(window.end - 1, zone), zone)


def _time(queries: Queries, scope: str, window: Window) -> ReportedTime:
    return ReportedTime.from_account(queries.availability(scope, window).overall)


def _rows_by_centre(rows: Iterable[QueueHistoryRow]) -> Mapping[str, list[QueueHistoryRow]]:
    grouped: dict[str, list[QueueHistoryRow]] = defaultdict(list)
    for row in rows:
        grouped[row.centre].append(row)
    return grouped


def _centre(
    queries: Queries, centre: Centre, window: Window, rows: Sequence[QueueHistoryRow], threshold_s: int
) -> ReportedCentre:  # fmt: skip
    figures = queue_figures(add_sums(row.sums for row in rows))
    return ReportedCentre(
        id=centre.id,
        name_vi=centre.name_vi,
        name_en=centre.name_en,
        level=centre.level,
        time=_time(queries, Scope.centre(centre.id), window),
        tickets=ReportedTickets.from_figures(figures, threshold_s),
        services=_services(rows, queries.inventory(), centre.services, threshold_s),
    )


def _services(
    rows: Iterable[QueueHistoryRow], inventory: Inventory, order: Sequence[str], threshold_s: int
) -> tuple[ReportedService, ...]:
    """Return the services with anything counted, declared ones first; all undeclared ones are one row already."""
    grouped: dict[str, list[Mapping[str, int]]] = {ident: [] for ident in order or inventory.services}
    for row in rows:
        grouped.setdefault(row.service, []).append(row.sums)
    reported = []
    for ident, sums in grouped.items():
        declared = inventory.services.get(ident)
        if sums:
            reported.append(
                ReportedService(
                    id=ident,
                    name_vi=declared.name_vi if declared else "" if ident == UNDECLARED_SERVICE else ident,
                    name_en=declared.name_en if declared else "" if ident == UNDECLARED_SERVICE else ident,
                    tickets=ReportedTickets.from_figures(queue_figures(add_sums(sums)), threshold_s),
                )
            )
    return tuple(reported)


def _availability_goal(inventory: Inventory) -> float | None:
    """Return the highest goal that all centres are held against in opening hours, None without one."""
    goals = [o.goal for o in inventory.objectives if (o.sli, o.scope, o.clock) == ("availability", "centre", "open")]
    return max(goals, default=None)


def _objectives(inventory: Inventory, published: Sequence[PublishedFigures]) -> tuple[ReportedObjective, ...]:
    """Return the objectives over their scopes from the rows that are published; none before that."""
    rows: dict[str, list[PublishedFigures]] = defaultdict(list)
    for row in published:
        if row.objective and row.good + row.bad:
            rows[row.objective].append(row)
    return tuple(
        ReportedObjective(
            id=one.id, name_vi=one.name_vi, name_en=one.name_en, sli=one.sli, goal=one.goal,
            good=sum(row.good for row in rows[one.id]), bad=sum(row.bad for row in rows[one.id]),
            judged=len(rows[one.id]),
            met=sum(row.good >= one.goal * (row.good + row.bad) for row in rows[one.id]),
        )
        for one in inventory.objectives
        if one.id in rows
    )  # fmt: skip


def _indicators(queries: Queries, window: Window, before: Window) -> Iterator[ReportedIndicator]:
    """Yield every indicator that has a value or a target: over all, then each level that has a target."""
    inventory, indicators = queries.inventory(), queries.indicators
    figures, earlier = (indicators.series(w).buckets[0] for w in (window, before))
    months = indicators.series(indicators.months_of_pace(), "1mo")
    day = local_date(min(queries.now(), window.end - 1), inventory.zone)
    overview = IndicatorOverview(figures, months, inventory, day)
    for reading in overview.readings:
        paths = overview.trajectories.get(reading.indicator.id, ())
        previous = earlier.reading(reading.indicator)
        if reading.value.value is not None and all(path.subject.level for path in paths):
            yield _indicator(reading, previous, None)
        for path in paths:
            yield _indicator(reading, previous, path)


def _indicator(reading: IndicatorReading, previous: IndicatorReading, path: Trajectory | None) -> ReportedIndicator:
    indicator, level = reading.indicator, path.subject.level if path else ""
    value = reading.at_level(level)
    goal = path.in_force if path else None
    return ReportedIndicator(
        id=indicator.id,
        name_vi=indicator.name_vi,
        name_en=indicator.name_en,
        unit=indicator.unit,
        state=value.state,
        level=level,
        numerator=value.numerator,
        denominator=value.denominator,
        value=value.value,
        previous=previous.at_level(level).value,
        target=goal.value if goal else None,
        target_by=goal.by.isoformat() if goal else "",
        path=path.path_value if path else None,
        gap=path.gap if path else None,
        on_track=path.on_track if path else None,
        declared=reading.is_declared,
    )


def _commitments(queries: Queries, at: int) -> Iterator[ReportedCommitment]:
    known = all_indicators(queries.inventory().own_indicators)
    for reading in read_commitments(queries.indicators, queries.inventory(), at):
        yield _commitment(reading, known[reading.status.commitment.indicator].unit)


def _commitment(reading: CommitmentReading, unit: str) -> ReportedCommitment:
    status, one = reading.status, reading.status.commitment
    return ReportedCommitment(
        committer=reading.committer,
        indicator=one.indicator,
        name_vi=reading.indicator.name_vi,
        name_en=reading.indicator.name_en,
        unit=unit,
        value=one.value,
        by=one.by.isoformat(),
        state=status.state,
        level=one.level,
        measured=None if status.measured is None else status.measured.value,
        gap=status.gap,
        sample=one.sample,
    )
