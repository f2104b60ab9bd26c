"""Burn rates over two windows of the open-time axis, and the rules that judge them; it must remember nothing.

Source: slo.md 2.4: BR(w) = e(w) ÷ (1 − T); a rule that may spend the share X of the budget of the period P in its
long window L has the threshold BR* = X·P ÷ L, with L and P on one clock.  All lengths are ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import FIVE, HOUR, MINUTE, Window
from telemetry.core.slo.budget import slack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry.core.calendar.open_time import Axis
    from telemetry.core.slo.measures import Measure

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when more than `share` of the budget would go in the `long` window, and the `short` one still burns."""

    name: str
    severity: Severity
    share: float
    long: int
    short: int


OPEN_RULES = (
    Rule("page-fast", "page", 0.05, HOUR, 5 * MINUTE),
    Rule("page-slow", "page", 0.10, 4 * HOUR, 20 * MINUTE),
    Rule("ticket-day", "ticket", 0.15, 450 * MINUTE, 40 * MINUTE),
    Rule("ticket-week", "ticket", 0.25, 2490 * MINUTE, 210 * MINUTE),
)
"""For the open clock: an hour, half a day, a day and a week of opening."""
WALL_RULES = (
    Rule("page-fast", "page", 0.02, HOUR, 5 * MINUTE),
    Rule("page-slow", "page", 0.05, 6 * HOUR, 30 * MINUTE),
    Rule("ticket-day", "ticket", 0.10, 24 * HOUR, 2 * HOUR),
    Rule("ticket-week", "ticket", 0.10, 72 * HOUR, 6 * HOUR),
)
"""For the wall clock."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The least that must be bad (ms, or tickets) and counted in the long window before a rule may fire."""

    bad: int = 0
    counted: int = 0


def missed_heartbeats(every_ms: int) -> Guard:
    """Return the guard that one or two missed heartbeats never pass: three intervals of bad time."""
    return Guard(bad=3 * every_ms)


@dataclass(frozen=True, slots=True)
class Burning:
    """What one objective of one scope burns by.

    `period` is the length of the budget's period on the axis; `since` the moment its history begins; `measured`
    returns what was good and bad in a window of wall time (closed time in it holds nothing).
    """

    goal: float
    period: int
    axis: Axis
    since: int
    measured: Callable[[Window], Measure]
    guard: Guard = Guard()


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule's burn rates at one moment.

    `long` and `short` are None when nothing counted; `short` also when closed or open for less than five minutes.
    `long_from` is where the long window begins, None when the axis does not reach so far.
    """

    rule: Rule
    threshold: float
    long: float | None
    short: float | None
    long_from: int | None
    armed: bool
    exceeded: bool


def threshold(rule: Rule, period: int) -> float:
    """Return BR* = X·P ÷ L."""
    return rule.share * period / rule.long


def can_fire(rule: Rule, period: int, goal: float) -> bool:
    """Tell whether even a full outage passes the threshold: BR* < 1 ÷ (1 − T); never for a goal of 1."""
    return bool(slack(goal)) and threshold(rule, period) < 1 / float(slack(goal))


def burn_rate(found: Measure, goal: float) -> float | None:
    """Return (bad ÷ counted) ÷ (1 − goal); None when nothing counted, or without a budget (goal 1)."""
    allowed = float(slack(goal))
    return found.error / allowed if found.error is not None and allowed else None


def fires_after(rule: Rule, period: int, goal: float, error: float = 1.0) -> float | None:
    """Return how much open time (ms) at a constant error share passes until the rule fires: X·B ÷ e.

    None when it never fires at that share: the time would be longer than the long window.
    """
    needed = rule.share * float(slack(goal) * period) / error
    return needed if needed <= rule.long else None


def read(rule: Rule, burning: Burning, now: int) -> Reading:
    """Read one rule.

    It is armed only when the long window is full of history; it is exceeded only while open, when both windows
    burn above the threshold and the guard is passed.
    """
    limit = threshold(rule, burning.period)
    start = burning.axis.back(now, rule.long)
    found = burning.measured(Window(min(burning.since, now) if start is None else start, now))
    long, short = burn_rate(found, burning.goal), _short(rule, burning, now)
    armed = start is not None and start >= burning.since
    guarded = found.bad >= burning.guard.bad and found.counted >= burning.guard.counted
    exceeded = armed and guarded and _above(long, limit) and _above(short, limit)
    return Reading(rule, limit, long, short, start, armed, exceeded)


def _short(rule: Rule, burning: Burning, now: int) -> float | None:
    """Clip the short window to the running session, of which at least five minutes must have passed."""
    session = burning.axis.session(now)
    if session is None or now - session.start < min(FIVE, rule.short):
        return None
    start = max(now - rule.short, session.start)
    return burn_rate(burning.measured(Window(start, now)), burning.goal)


def _above(rate: float | None, limit: float) -> bool:
    return rate is not None and rate > limit


def readings(rules: Sequence[Rule], burning: Burning, now: int) -> list[Reading]:
    """Read all rules at one moment."""
    return [read(rule, burning, now) for rule in rules]
