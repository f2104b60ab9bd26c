"""Judges one objective at one scope at one moment, from the book's cells and what is believed of the present.

It must not read stores nor keep anything; every ratio is made by `telemetry.core.slo`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE, SLOT, Window, floor, intersection, total_length
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.states import RecentState
from telemetry.core.slo.budget import error_budget_ratio
from telemetry.core.slo.burn_rate import (
    OPEN_CLOCK_RULES,
    WALL_CLOCK_RULES,
    BurnRateInput,
    MinimumEvidence,
    evaluate_rules,
    heartbeat_evidence,
)
from telemetry.core.slo.cells import TIME_SLIS
from telemetry.core.slo.evaluation import Evaluation
from telemetry.core.slo.periods import calendar_period as aligned, rolling_period
from telemetry.core.slo.sli import GoodBad, apply_unknown_policy
from telemetry.core.slo.status import ObjectiveGoal, StatusContext, ticket_status, time_status, weigh_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.opening_calendar import ReadinessCheck
    from telemetry.core.fold.states import StateSegment
    from telemetry.core.inventory import Objective
    from telemetry.core.slo.budget import SloState
    from telemetry.core.slo.burn_rate import BurnRate
    from telemetry.core.slo.evaluation import ScopedObjective
    from telemetry.core.slo.status import ObjectiveStatus
    from telemetry.slo.totals_table import ReadinessSums, TableEntry

MIN_EVENTS = 20
"""So many tickets or probes must have been decided in a rule's long window: one of two is no outage."""
MAX_MISSED_MS = 3 * MINUTE
"""However seldom a thing is heard, a full outage must page within five minutes of open time."""
READINESS_DELAY_MS = 10 * MINUTE
"""A day counts for readiness from so long after its opening: by then its mark is folded."""
_NO_RECENT_STATE = RecentState()


@dataclass(frozen=True)
class EvaluationContext:
    """When is judged, what is settled by then (Unix ms), and what is believed of the present, by scope.

    What many scopes share is reckoned once and kept for the moment.
    """

    now: int
    settled_until: int
    recent_states: Mapping[str, RecentState]
    is_ingest_silent: bool = False
    """Nothing comes in, our own beats neither: no clock runs, so that nobody's silence raises an alarm."""
    _periods: dict[tuple[str, str], BudgetPeriod] = field(default_factory=dict)
    _opening_days: dict[tuple[int, Window], tuple[int, ...]] = field(default_factory=dict)

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

    def opening_days(self, checks: tuple[ReadinessCheck, ...], window: Window) -> tuple[int, ...]:
        """Return the starts of the days in a window whose opening is ten minutes past."""
        key = (id(checks), window)
        if key not in self._opening_days:
            passed = self.now - READINESS_DELAY_MS + SLOT
            self._opening_days[key] = tuple(
                day for day, check_at in checks if window.start <= day < window.end and check_at <= passed
            )
        return self._opening_days[key]


@dataclass(frozen=True, slots=True)
class BudgetPeriod:
    """A period: as far as it has passed, and whole (the same for a rolling one)."""

    elapsed: Window
    whole: Window


def budget_period(objective: Objective, now: int, zone: ZoneInfo) -> BudgetPeriod:
    """Return the period at `now`."""
    if objective.period != "rolling":
        whole = aligned(objective.period, now, zone)
        return BudgetPeriod(Window(whole.start, max(whole.start, floor(now, SLOT))), whole)
    elapsed = rolling_period(objective.days, now, zone)
    return BudgetPeriod(elapsed, elapsed)


def evaluate_objective(
    scoped: ScopedObjective,
    entry: TableEntry,
    context: EvaluationContext,
    previous: SloState,
    readiness: Mapping[int, ReadinessSums],
) -> Evaluation:
    """Judge an objective at a scope; `ready` holds what the days of its centre said after opening."""
    objective, timeline = scoped.objective, entry.columns.frame.timeline
    period = context.period_of(objective, entry.calendar.zone)
    period_open_s = None
    burn_rates: list[BurnRate] = []
    if objective.alert and objective.sli != "readiness":
        burn_rates = _burn_rates(scoped, entry, context, period.whole)
    if objective.sli == "readiness":
        status = _readiness_status(scoped, entry, context, previous, readiness)
    elif objective.sli not in TIME_SLIS:
        status = ticket_status(objective.goal, _count_good_bad(entry, period.elapsed), burn_rates, previous)
    else:
        period_open_s = timeline.open_within(period.whole) // 1000 if period.whole != period.elapsed else None
        status_context = StatusContext(
            period_open_s, tuple(burn_rates), previous, _recent_error_ratio(scoped, burn_rates)
        )
        status = _time_status(scoped, entry, context, period.elapsed, status_context)
    return Evaluation(
        scoped,
        context.now,
        period.elapsed,
        not context.is_ingest_silent and timeline.open_window_at(context.now) is not None,
        status,
        period_open_s,
    )


def _burn_rates(
    scoped: ScopedObjective, entry: TableEntry, context: EvaluationContext, whole_period: Window
) -> list[BurnRate]:
    """Read the burn-rate rules; without open time in the period there is nothing to burn."""
    rules = OPEN_CLOCK_RULES if scoped.objective.clock == "open" else WALL_CLOCK_RULES
    burn_input = _burn_rate_input(scoped, entry, context, whole_period)
    return evaluate_rules(rules, burn_input, context.now) if burn_input.period else []


def _time_status(
    scoped: ScopedObjective,
    entry: TableEntry,
    context: EvaluationContext,
    elapsed: Window,
    status_context: StatusContext,
) -> ObjectiveStatus:
    objective, columns = scoped.objective, entry.columns
    first, last = columns.frame.index_at_or_after(elapsed.start), columns.frame.count_before(elapsed.end)
    settled_end = min(max(columns.frame.count_before(context.settled_until), first), last)
    result = weigh_time(
        [(columns.time_by_state(first, settled_end), True), (columns.time_by_state(settled_end, last), False)],
        objective.unknown,
    )
    return time_status(
        ObjectiveGoal(objective.goal, objective.unknown), result, status_context, columns.frame.timeline, context.now
    )


def _recent_error_ratio(scoped: ScopedObjective, burn_rates: list[BurnRate]) -> float | None:
    """Return the share that was bad in the rules' second window: half a day tells more than an hour."""
    if not burn_rates or burn_rates[1].long_rate is None:
        return None
    return burn_rates[1].long_rate * float(error_budget_ratio(scoped.objective.goal))


def _count_good_bad(entry: TableEntry, window: Window) -> GoodBad:
    grid = entry.columns.frame
    return entry.columns.good_bad(grid.index_at_or_after(window.start), grid.count_before(window.end))


def _burn_rate_input(
    scoped: ScopedObjective, entry: TableEntry, context: EvaluationContext, whole_period: Window
) -> BurnRateInput:
    grid, first_known = entry.columns.frame, entry.columns.first_known_index()
    timeline = grid.timeline
    history_start = context.now if first_known is None else grid.starts[first_known]
    counts_time = scoped.objective.sli in TIME_SLIS
    minimum_evidence = (
        heartbeat_evidence(min(scoped.every_ms, MAX_MISSED_MS // 3))
        if counts_time
        else MinimumEvidence(total=MIN_EVENTS)
    )
    running_time = _running_slot_time(scoped, entry, context) if counts_time else TimeByState()

    def good_bad_in(window: Window) -> GoodBad:
        if not counts_time:
            return _count_good_bad(entry, Window(window.start, max(window.start, floor(window.end, SLOT))))
        time = entry.columns.time_by_state(
            grid.index_at_or_after(window.start), grid.count_before(min(window.end, context.slot_start))
        )
        time += running_time if window.end > context.slot_start else TimeByState()
        return apply_unknown_policy(time, scoped.objective.unknown, settled=False)

    return BurnRateInput(
        scoped.objective.goal,
        timeline.open_within(whole_period),
        timeline,
        history_start,
        good_bad_in,
        minimum_evidence,
    )


def _running_slot_time(scoped: ScopedObjective, entry: TableEntry, context: EvaluationContext) -> TimeByState:
    """Return the running five minutes up to now, cut exactly from what is believed of the present."""
    window = Window(context.slot_start, context.now)
    open_ms = entry.columns.frame.timeline.open_within(window)
    if not open_ms:
        return TimeByState()
    recent_state = context.recent_states.get(scoped.scope, _NO_RECENT_STATE)
    segments = recent_state.service if scoped.objective.sli == "availability" else recent_state.contact
    up, down = (_time_in_state(segments, state, window) for state in ("up", "down"))
    unknown = max(0, open_ms - up - down)
    platform_outage = min(unknown, _platform_outage_ms(entry, context.slot_start))
    return TimeByState(up, down, unknown - platform_outage, platform_outage)


def _platform_outage_ms(entry: TableEntry, slot_start: int) -> int:
    """Return how long we were down ourselves in the running five minutes: else our restart would page everywhere."""
    index = entry.columns.frame.index_by_start["5m"].get(slot_start)
    return 0 if index is None else entry.columns.arrays[3][index]


def _time_in_state(segments: tuple[StateSegment, ...], state: str, window: Window) -> int:
    return total_length(intersection([window], (Window(s.start, s.end) for s in segments if s.state == state)))


def _readiness_status(
    scoped: ScopedObjective,
    entry: TableEntry,
    context: EvaluationContext,
    previous: SloState,
    readiness: Mapping[int, ReadinessSums],
) -> ObjectiveStatus:
    """Count opening days: up when every critical device was up five minutes after opening."""
    settled, provisional = TimeByState(), TimeByState()
    for start in context.opening_days(
        entry.readiness_checks, context.period_of(scoped.objective, entry.calendar.zone).elapsed
    ):
        up, down = readiness.get(start, (0, 0))
        day_time = TimeByState(up, down, 1 - up - down)
        if start < context.settled_until:
            settled += day_time
        else:
            provisional += day_time
    policy = scoped.objective.unknown
    good_bad = apply_unknown_policy(settled, policy, settled=True) + apply_unknown_policy(
        provisional, policy, settled=False
    )
    return ticket_status(scoped.objective.goal, good_bad, (), previous)
