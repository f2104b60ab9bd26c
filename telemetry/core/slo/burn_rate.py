"""Burn rates over two windows of the open-time axis, and the rules that judge them; it must remember nothing.

Source: slo.md 2.4: BR(w) = e(w) ÷ (1 − T); a rule that may spend the share X of the budget of the period P in its
long window L has the threshold BR* = X·P ÷ L, with L and P on one clock.  All lengths are ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window
from telemetry.core.slo.budget import error_budget_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry.core.calendar.open_time import OpenTimeline
    from telemetry.core.slo.sli import GoodBad

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class BurnRateRule:
    """Fires when more than `share` of the budget would go in the `long` window, and the `short` one still burns."""

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
    """The least that must be bad (ms, or tickets) and counted in the long window before a rule may fire."""

    bad: int = 0
    total: int = 0


def heartbeat_evidence(every_ms: int) -> MinimumEvidence:
    """Return the guard that one or two missed heartbeats never pass: three intervals of bad time."""
    return MinimumEvidence(bad=3 * every_ms)


@dataclass(frozen=True, slots=True)
class BurnRateInput:
    """What one objective of one scope burns by.

    `period` is the length of the budget's period on the axis; `since` the moment its history begins; `measured`
    returns what was good and bad in a window of wall time (closed time in it holds nothing).
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

    `long` and `short` are None when nothing counted; `short` also when closed or open for less than five minutes.
    `long_from` is where the long window begins, None when the axis does not reach so far.
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
    """Tell whether even a full outage passes the threshold: BR* < 1 ÷ (1 − T); never for a goal of 1."""
    return bool(error_budget_ratio(goal)) and burn_rate_threshold(rule, period) < 1 / float(error_budget_ratio(goal))


def compute_burn_rate(good_bad: GoodBad, goal: float) -> float | None:
    """Return (bad ÷ counted) ÷ (1 − goal); None when nothing counted, or without a budget (goal 1)."""
    allowed = float(error_budget_ratio(goal))
    return good_bad.error_ratio / allowed if good_bad.error_ratio is not None and allowed else None


def time_until_firing(rule: BurnRateRule, period: int, goal: float, error_ratio: float = 1.0) -> float | None:
    """Return how much open time (ms) at a constant error share passes until the rule fires: X·B ÷ e.

    None when it never fires at that share: the time would be longer than the long window.
    """
    needed = rule.budget_share * float(error_budget_ratio(goal) * period) / error_ratio
    return needed if needed <= rule.long_ms else None


def evaluate_rule(rule: BurnRateRule, burn_input: BurnRateInput, now: int) -> BurnRate:
    """Read one rule.

    It is armed only when the long window is full of history; it is exceeded only while open, when both windows
    burn above the threshold and the guard is passed.
    """
    limit = burn_rate_threshold(rule, burn_input.period)
    start = burn_input.timeline.subtract_open(now, rule.long_ms)
    good_bad = burn_input.good_bad_in(Window(min(burn_input.history_start, now) if start is None else start, now))
    long_rate, short_rate = compute_burn_rate(good_bad, burn_input.goal), _short_burn_rate(rule, burn_input, now)
    has_full_history = start is not None and start >= burn_input.history_start
    has_evidence = (
        good_bad.bad >= burn_input.minimum_evidence.bad and good_bad.total >= burn_input.minimum_evidence.total
    )
    is_exceeded = has_full_history and has_evidence and _exceeds(long_rate, limit) and _exceeds(short_rate, limit)
    return BurnRate(rule, limit, long_rate, short_rate, start, has_full_history, is_exceeded)


def _short_burn_rate(rule: BurnRateRule, burn_input: BurnRateInput, now: int) -> float | None:
    """Clip the short window to the running session, of which at least five minutes must have passed."""
    session = burn_input.timeline.open_window_at(now)
    if session is None or now - session.start < min(SLOT, rule.short_ms):
        return None
    start = max(now - rule.short_ms, session.start)
    return compute_burn_rate(burn_input.good_bad_in(Window(start, now)), burn_input.goal)


def _exceeds(rate: float | None, limit: float) -> bool:
    return rate is not None and rate > limit


def evaluate_rules(rules: Sequence[BurnRateRule], burn_input: BurnRateInput, now: int) -> list[BurnRate]:
    """Read all rules at one moment."""
    return [evaluate_rule(rule, burn_input, now) for rule in rules]
