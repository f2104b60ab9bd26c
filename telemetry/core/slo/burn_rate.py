"""Burn rates over two windows of the open timeline, their rules and alarms; it stores and sends nothing.

Source: slo.md 2.4: BR(w) = e(w) ÷ (1 − T); a rule that may spend the share X of the budget of the period P in its
long window L has the threshold BR* = X·P ÷ L, with L and P on one clock.  All lengths are ms.

An alarm fires when its rule is exceeded, resolves on the long window, then does not fire for one long window of open
time.  A closed centre never fires; a firing alarm stays until its long window no longer burns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window, merge
from telemetry.core.slo.budget import error_budget_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.slo.sli import GoodBad

Severity = Literal["page", "ticket"]
TransitionKind = Literal["fired", "resolved"]


@dataclass(frozen=True, slots=True)
class BurnRateRule:
    """Fires when more than `budget_share` of the budget is used in the long window, and the short one still burns."""

    name: str
    severity: Severity
    budget_share: float
    long_ms: int
    short_ms: int


OPEN_CLOCK_RULES = (
    BurnRateRule("page-fast", "page", 0.05, HOUR, 5 * MINUTE),
    BurnRateRule("page-slow", "page", 0.10, 4 * HOUR, 20 * MINUTE),
    BurnRateRule("ticket-day", "ticket", 0.15, 450 * MINUTE, 40 * MINUTE),
    BurnRateRule("ticket-week", "ticket", 0.25, 2490 * MINUTE, 210 * MINUTE),
)
"""For the open clock: an hour, half a day, a day and a week of opening."""
WALL_CLOCK_RULES = (
    BurnRateRule("page-fast", "page", 0.02, HOUR, 5 * MINUTE),
    BurnRateRule("page-slow", "page", 0.05, 6 * HOUR, 30 * MINUTE),
    BurnRateRule("ticket-day", "ticket", 0.10, 24 * HOUR, 2 * HOUR),
    BurnRateRule("ticket-week", "ticket", 0.10, 72 * HOUR, 6 * HOUR),
)
"""For the wall clock."""


@dataclass(frozen=True, slots=True)
class MinimumEvidence:
    """The minimum that must be bad (ms, or tickets) and counted in the long window before a rule may fire."""

    bad: int = 0
    total: int = 0


def heartbeat_evidence(every_ms: int) -> MinimumEvidence:
    """Return the minimum that one or two missed heartbeats never reach: three intervals of bad time."""
    return MinimumEvidence(bad=3 * every_ms)


@dataclass(frozen=True, slots=True)
class BurnRateInput:
    """What the burn rates of one objective at one scope are computed from.

    `period` is the open length of the budget's period; `history_start` is when its history begins; `good_bad_in`
    returns the good and bad amounts in a window of wall time (closed time has neither).
    """

    goal: float
    period: int
    timeline: OpenTimeline
    history_start: int
    good_bad_in: Callable[[Window], GoodBad]
    minimum_evidence: MinimumEvidence = MinimumEvidence()


@dataclass(frozen=True, slots=True)
class BurnRate:
    """A rule's burn rates at one moment.

    `long_rate` and `short_rate` are None when nothing counted; `short_rate` also when closed or open for less than
    five minutes.  `long_start` is where the long window begins, None when the timeline does not reach so far.
    """

    rule: BurnRateRule
    threshold: float
    long_rate: float | None
    short_rate: float | None
    long_start: int | None
    has_full_history: bool
    is_exceeded: bool


def burn_rate_threshold(rule: BurnRateRule, period: int) -> float:
    """Return BR* = X·P ÷ L."""
    return rule.budget_share * period / rule.long_ms


def can_fire(rule: BurnRateRule, period: int, goal: float) -> bool:
    """Return whether even a full outage passes the threshold: BR* < 1 ÷ (1 − T); never for a goal of 1."""
    return bool(error_budget_ratio(goal)) and burn_rate_threshold(rule, period) < 1 / float(error_budget_ratio(goal))


def compute_burn_rate(good_bad: GoodBad, goal: float) -> float | None:
    """Return (bad ÷ counted) ÷ (1 − goal); None when nothing counted, or without a budget (goal 1)."""
    allowed = float(error_budget_ratio(goal))
    return good_bad.error_ratio / allowed if good_bad.error_ratio is not None and allowed else None


def evaluate_rule(rule: BurnRateRule, burn_input: BurnRateInput, now: int) -> BurnRate:
    """Evaluate one rule.

    It is exceeded only while open, when the long window is full of history, both windows burn above the threshold
    and the minimum evidence is reached.
    """
    threshold, evidence = burn_rate_threshold(rule, burn_input.period), burn_input.minimum_evidence
    start = burn_input.timeline.subtract_open(now, rule.long_ms)
    good_bad = burn_input.good_bad_in(Window(min(burn_input.history_start, now) if start is None else start, now))
    rates = compute_burn_rate(good_bad, burn_input.goal), _short_burn_rate(rule, burn_input, now)
    has_full_history = start is not None and start >= burn_input.history_start
    has_evidence = good_bad.bad >= evidence.bad and good_bad.total >= evidence.total
    is_burning = all(rate is not None and rate > threshold for rate in rates)
    return BurnRate(rule, threshold, *rates, start, has_full_history, has_full_history and has_evidence and is_burning)


def long_window_starts(rules: Iterable[BurnRateRule], timeline: OpenTimeline, evaluated: Window) -> list[Window]:
    """Return within which times the long windows begin, when rules are evaluated anywhere in `evaluated`.

    What they count there must be known slot by slot.  A window that the timeline does not reach back to is left out.
    """
    starts: list[Window] = []
    for rule in rules:
        last = timeline.subtract_open(evaluated.end - 1, rule.long_ms)
        first = timeline.subtract_open(evaluated.start, rule.long_ms)
        if last is not None:
            starts.append(Window(timeline.starts[0] if first is None else first, last + 1))
    return merge(starts)


def _short_burn_rate(rule: BurnRateRule, burn_input: BurnRateInput, now: int) -> float | None:
    """Clip the short window to the running session, of which at least five minutes must have passed."""
    session = burn_input.timeline.open_window_at(now)
    if session is None or now - session.start < min(SLOT, rule.short_ms):
        return None
    start = max(now - rule.short_ms, session.start)
    return compute_burn_rate(burn_input.good_bad_in(Window(start, now)), burn_input.goal)


def evaluate_rules(rules: Sequence[BurnRateRule], burn_input: BurnRateInput, now: int) -> list[BurnRate]:
    """Evaluate all rules at one moment."""
    return [evaluate_rule(rule, burn_input, now) for rule in rules]


# --- alarms ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One rule's alarm; times are Unix ms, None when it never fired or was never resolved."""

    severity: Severity
    is_firing: bool = False
    fired_at: int | None = None
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    """An alarm fired or was resolved at `at`; it had fired at `fired_at`."""

    rule: str
    severity: Severity
    kind: TransitionKind
    at: int
    fired_at: int


AlarmStates = MappingProxyType[str, AlarmState]
"""Alarms by the name of their rule, without those that never fired."""
NO_ALARMS: AlarmStates = MappingProxyType({})


def advance(
    alarms: Mapping[str, AlarmState], burn_rates: Iterable[BurnRate], now: int
) -> tuple[AlarmStates, list[AlarmTransition]]:
    """Take one step with all burn rates of an objective; an alarm without a rule is resolved and dropped."""
    rate_by_rule = {r.rule.name: r for r in burn_rates}
    transitions = [
        _transition(name, alarm, now, is_firing=False)
        for name, alarm in alarms.items()
        if alarm.is_firing and name not in rate_by_rule
    ]
    next_alarms: dict[str, AlarmState] = {}
    for name, burn_rate in rate_by_rule.items():
        previous = alarms.get(name, AlarmState(burn_rate.rule.severity))
        alarm = _next_state(previous, burn_rate, now)
        if alarm != previous:
            transitions.append(_transition(name, alarm, now, is_firing=alarm.is_firing))
        if alarm.fired_at is not None:
            next_alarms[name] = alarm
    return MappingProxyType(next_alarms), transitions


def _next_state(alarm: AlarmState, burn_rate: BurnRate, now: int) -> AlarmState:
    if alarm.is_firing:
        has_recovered = burn_rate.long_rate is not None and burn_rate.long_rate <= burn_rate.threshold
        return replace(alarm, is_firing=False, resolved_at=now) if has_recovered else alarm
    # Less than one long window has passed since it was resolved: the window still contains that moment.
    is_quiet = alarm.resolved_at is not None and (
        burn_rate.long_start is None or burn_rate.long_start < alarm.resolved_at
    )
    if burn_rate.is_exceeded and not is_quiet:
        return AlarmState(burn_rate.rule.severity, is_firing=True, fired_at=now)
    return alarm


def _transition(name: str, alarm: AlarmState, now: int, *, is_firing: bool) -> AlarmTransition:
    fired_at = now if alarm.fired_at is None else alarm.fired_at
    return AlarmTransition(name, alarm.severity, "fired" if is_firing else "resolved", now, fired_at)
