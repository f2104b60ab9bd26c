"""Evaluates one objective at one scope at one moment, from the table's series and the present state.

It must not read stores nor keep state; every ratio is computed by `telemetry.core.slo`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE, SLOT, Window, floor, intersection, total_length
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.states import RecentState
from telemetry.core.in_service import ALL_IN_SERVICE, is_checked
from telemetry.core.slo.budget import error_budget_ratio
from telemetry.core.slo.burn_rate import (
    OPEN_CLOCK_RULES,
    WALL_CLOCK_RULES,
    BurnRateInput,
    MinimumEvidence,
    evaluate_rules,
    heartbeat_evidence,
)
from telemetry.core.slo.evaluation import Evaluation, StatusContext, ticket_status, time_status
from telemetry.core.slo.periods import calendar_period, rolling_period
from telemetry.core.slo.sli import TIME_SLIS, GoodBad, apply_unknown_policy, weigh_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.calendar.opening_calendar import ReadinessCheck
    from telemetry.core.fold.live_row_types import SloState
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Objective
    from telemetry.core.slo.burn_rate import BurnRate
    from telemetry.core.slo.evaluation import ScopedObjective
    from telemetry.slo.totals_table import ReadinessSums, TableEntry

MIN_EVENTS = 20
"""This many tickets or probes must have been decided in a rule's long window: one of two is no outage."""
MAX_MISSED_MS = 3 * MINUTE
"""However long the interval of a device's reports is, a full outage must page within five minutes of open time."""
READINESS_DELAY_MS = 10 * MINUTE
"""A day counts for readiness this long after its opening: by then the slot that it reads is folded."""
_NO_RECENT_STATE = RecentState()


@dataclass(frozen=True, slots=True)
class BudgetPeriod:
    """A period: as far as it has passed, and whole (the same for a rolling one)."""

    elapsed: Window
    whole: Window


def budget_period(objective: Objective, now: int, zone: ZoneInfo) -> BudgetPeriod:
    """Return the period at `now`."""
    if objective.period != "rolling":
        whole = calendar_period(objective.period, now, zone)
        return BudgetPeriod(Window(whole.start, max(whole.start, floor(now, SLOT))), whole)
    elapsed = rolling_period(objective.days, now, zone)
    return BudgetPeriod(elapsed, elapsed)


@dataclass(frozen=True)
class EvaluationContext:
    """The moment of the evaluation, until when time is settled (Unix ms), and the present state by scope.

    What many scopes share is computed once per moment.
    """

    now: int
    settled_until: int
    recent_states: Mapping[str, RecentState]
    periods: ServicePeriods = ALL_IN_SERVICE
    is_ingest_silent: bool = False
    """Ingest writes nothing, not even its own heartbeat: no clock runs, so that lost contact raises no alarm."""
    _periods: dict[tuple[str, str], BudgetPeriod] = field(default_factory=dict)
    _opening_days: dict[tuple[int, Window], tuple[ReadinessCheck, ...]] = field(default_factory=dict)

    @property
    def slot_start(self) -> int:
        """Return the end of the last whole five minutes."""
        return floor(self.now, SLOT)

    def period_of(self, objective: Objective, zone: ZoneInfo) -> BudgetPeriod:
        """Return an objective's period at this moment in a zone."""
        key = (objective.id, zone.key)
        if key not in self._periods:
            self._periods[key] = budget_period(objective, self.now, zone)
        return self._periods[key]

    def opening_days(self, checks: tuple[ReadinessCheck, ...], window: Window, in_service: Window) -> tuple[int, ...]:
        """Return the starts of the days in a window that opened, in service, ten minutes ago or earlier."""
        key = (id(checks), window)
        if key not in self._opening_days:
            passed = self.now - READINESS_DELAY_MS + SLOT
            self._opening_days[key] = tuple(
                (day, check_at) for day, check_at in checks if window.start <= day < window.end and check_at <= passed
            )
        return tuple(day for day, check_at in self._opening_days[key] if is_checked(check_at, in_service))


def evaluate_objective(
    scoped: ScopedObjective,
    entry: TableEntry,
    context: EvaluationContext,
    previous: SloState,
    readiness: Mapping[int, ReadinessSums],
) -> Evaluation:
    """Evaluate an objective at a scope; `readiness` holds, by day, whether its centre was ready after opening."""
    objective, series, timeline = scoped.objective, entry.series, entry.series.grid.timeline
    period, periods = context.period_of(objective, entry.calendar.zone), context.periods
    window_of = periods.connectivity_window_of if objective.sli == "connectivity" else periods.window_of
    in_service = window_of(scoped.scope)
    burn_rates: list[BurnRate] = []
    period_open_s = None
    if objective.sli == "readiness":
        days = context.opening_days(entry.readiness_checks, period.elapsed, in_service)
        good_bad = _ready_days(days, readiness, objective, context.settled_until)
        status = ticket_status(objective.goal, good_bad, (), previous)
    else:
        if objective.alert:
            burn_rates = _burn_rates(scoped, entry, context, period.whole, in_service)
        if objective.sli in TIME_SLIS:
            result = weigh_time(
                series.split_settled(period.elapsed, context.settled_until, in_service), objective.unknown
            )
            if period.whole != period.elapsed:
                period_open_s = _open_in_service(timeline, period.whole, in_service) // 1000
            recent = _recent_error_ratio(objective, burn_rates)
            status_context = StatusContext(period_open_s, tuple(burn_rates), previous, recent)
            status = time_status(objective.goal, result, status_context, timeline, context.now)
        else:
            good_bad = series.good_bad(*series.range_touching(_clip(period.elapsed, in_service)))
            status = ticket_status(objective.goal, good_bad, burn_rates, previous)
    is_open = not context.is_ingest_silent and timeline.open_window_at(context.now) is not None
    is_open = is_open and in_service.start <= context.now < in_service.end
    return Evaluation(scoped, context.now, period.elapsed, is_open, status, period_open_s)


def _clip(window: Window, in_service: Window) -> Window:
    return window.clip(in_service) or Window(window.end, window.end)


def _open_in_service(timeline: OpenTimeline, window: Window, in_service: Window) -> int:
    return timeline.open_within(_clip(window, in_service))


def _recent_error_ratio(objective: Objective, burn_rates: list[BurnRate]) -> float | None:
    """Return the share that was bad in the second rule's long window: half a day predicts better than an hour."""
    if not burn_rates or burn_rates[1].long_rate is None:
        return None
    return burn_rates[1].long_rate * float(error_budget_ratio(objective.goal))


def _burn_rates(
    scoped: ScopedObjective, entry: TableEntry, context: EvaluationContext, whole_period: Window, in_service: Window
) -> list[BurnRate]:
    """Evaluate the burn-rate rules; without open time in the period there is no budget."""
    objective, series = scoped.objective, entry.series
    period_ms = series.grid.timeline.open_within(whole_period)
    if not period_ms:
        return []
    counts_time, first_known = objective.sli in TIME_SLIS, series.first_known_index()
    running_time = _running_slot_time(scoped, entry, context, in_service) if counts_time else TimeByState()

    def good_bad_in(window: Window) -> GoodBad:
        complete = Window(window.start, max(window.start, min(window.end, context.slot_start)))
        if not counts_time:
            return series.good_bad(*series.range_touching(_clip(complete, in_service)))
        time = series.time_touching(complete, in_service)
        time += running_time if window.end > context.slot_start else TimeByState()
        return apply_unknown_policy(time, objective.unknown, settled=False)

    burn_input = BurnRateInput(
        objective.goal,
        period_ms,
        series.grid.timeline,
        context.now if first_known is None else series.grid.starts[first_known],
        good_bad_in,
        heartbeat_evidence(min(scoped.every_ms, MAX_MISSED_MS // 3))
        if counts_time
        else MinimumEvidence(total=MIN_EVENTS),
    )
    rules = OPEN_CLOCK_RULES if objective.clock == "open" else WALL_CLOCK_RULES
    return evaluate_rules(rules, burn_input, context.now)


def _running_slot_time(
    scoped: ScopedObjective, entry: TableEntry, context: EvaluationContext, in_service: Window
) -> TimeByState:
    """Return the running five minutes up to now, cut exactly from the present state."""
    grid, window = entry.series.grid, _clip(Window(context.slot_start, context.now), in_service)
    open_ms = grid.timeline.open_within(window)
    if not open_ms:
        return TimeByState()
    recent_state = context.recent_states.get(scoped.scope, _NO_RECENT_STATE)
    segments = recent_state.service if scoped.objective.sli == "availability" else recent_state.contact
    up, down = (
        total_length(intersection([window], (Window(s.start, s.end) for s in segments if s.state == state)))
        for state in ("up", "down")
    )
    unknown = max(0, open_ms - up - down)
    # Without the platform's own outage in the running five minutes, its restart would page everywhere.
    index = grid.index_by_start["5m"].get(context.slot_start)
    platform_outage = 0 if index is None else min(unknown, entry.series.columns[3][index])
    return TimeByState(up, down, unknown - platform_outage, platform_outage)


def _ready_days(
    days: tuple[int, ...], readiness: Mapping[int, ReadinessSums], objective: Objective, settled_until: int
) -> GoodBad:
    """Count opening days: up when every critical device was up five minutes after opening."""
    good_bad = GoodBad()
    for start in days:
        up, down = readiness.get(start, (0, 0))
        day_time = TimeByState(up, down, 1 - up - down)
        good_bad += apply_unknown_policy(day_time, objective.unknown, settled=start < settled_until)
    return good_bad
