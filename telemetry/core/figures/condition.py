"""The condition of a centre, a system and the whole network, each decided here once, with its reasons. Pure.

Page, summary, badge, status API, metrics and streams show this one value; none of them decides again.  The rules and
their defaults are in `docs/explanation/condition.md`.  It must not read stores, clocks or messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.figures.histograms import duration_histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.in_service import ServicePeriod

Condition = Literal[
    "down", "overloaded", "unknown", "degraded", "busy", "below_target", "operational", "closed", "planned",
    "retired", "imported",
]  # fmt: skip
CONDITIONS_WORST_FIRST: tuple[Condition, ...] = (
    "down", "overloaded", "unknown", "degraded", "busy", "below_target", "operational", "closed", "planned",
    "retired", "imported",
)  # fmt: skip
"""What needs attention first; `below_target` works now but has exhausted an error budget, `closed` is outside opening
hours, `planned` and `retired` outside its service, `imported` an old log without live data."""
ReasonCode = Literal[
    "awaiting_first_contact", "in_service_later", "service_ended", "no_contact", "out_of_service", "state_unknown",
    "devices_down", "devices_silent", "longest_wait", "within_target_low", "queue_growing", "objectives_exhausted",
    "data_unreadable",
]  # fmt: skip
StatusIndicator = Literal["none", "minor", "major", "critical"]
ComponentStatus = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]
IMPAIRED: frozenset[Condition] = frozenset({"overloaded", "unknown", "degraded", "below_target"})
"""The conditions of a place that works, but not as promised; `busy` is a full hall, not a fault."""

DEFAULT_THRESHOLD_S = 900
DEFAULT_GOAL = 0.8
"""A wait objective's threshold and goal where the inventory declares none."""
MIN_CALLS = 5
"""A share of fewer calls says nothing."""
GROWTH_TICKETS = 5
GROWTH_RATIO = 1.2
"""A queue grows when so many more tickets arrived than left in the last hour, and by this ratio."""
OVERLOAD_FACTOR = 2
"""A wait of this many thresholds, or a share below the goal divided by it, is an overload."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a condition is not better: the code with its values; `at` is Unix ms, `target_s` and `goal` are declared."""

    code: ReasonCode
    count: int | None = None
    at: int | None = None
    seconds: int | None = None
    target_s: int | None = None
    ratio: float | None = None
    goal: float | None = None
    left: int | None = None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A condition with its reasons, the gravest first; none when all is as it should be."""

    condition: Condition
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """How long people may wait: `goal` of them at most `threshold_s`."""

    threshold_s: int = DEFAULT_THRESHOLD_S
    goal: float = DEFAULT_GOAL


DEFAULT_TARGET = QueueTarget()


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """One service's queue now: `longest_s` of those who wait, and the sums of the last hour."""

    service: str
    waiting: int
    longest_s: int | None
    recent: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CentreFacts:
    """What a centre's condition is decided from; times are Unix ms.

    `state` is the centre's own (None: no live row), `devices_down` and `devices_silent` count critical devices
    in service.
    """

    now: int
    period: ServicePeriod
    state: AvailabilityState | None
    is_open: bool
    is_stale: bool
    is_imported: bool = False
    last_data: int | None = None
    devices_down: int = 0
    devices_silent: int = 0
    queues: Sequence[QueueFacts] = ()
    target: QueueTarget = DEFAULT_TARGET
    exhausted_objectives: int = 0
    set_aside_at: int | None = None
    """Since when some of its stored data cannot be read or folded; None when all can."""


def assess_centre(facts: CentreFacts) -> Assessment:
    """Decide a centre's condition."""
    budget = _budget_reasons(facts.exhausted_objectives)
    if facts.is_imported and facts.is_stale:
        return Assessment("imported")
    outside = _unreadable(facts.set_aside_at, facts.period, facts.now, budget) or _outside_service(
        facts.period, facts.now
    )
    if outside is not None:
        return outside
    if not facts.is_open:
        return Assessment("closed", budget)
    if facts.state is None or facts.is_stale:
        return Assessment("unknown", (Reason("no_contact", at=facts.last_data), *budget))
    return _assess_open_centre(facts, facts.state, budget)


def _assess_open_centre(facts: CentreFacts, state: AvailabilityState, budget: tuple[Reason, ...]) -> Assessment:
    """Return the first condition that applies; its own reasons come before the others."""
    devices = _device_reasons(facts)
    queue, queue_reasons = assess_queues(facts.queues, facts.target)
    candidates: tuple[tuple[bool, Condition, tuple[Reason, ...]], ...] = (
        (state == "down", "down", devices or (Reason("out_of_service"),)),
        (queue == "overloaded", "overloaded", queue_reasons),
        (state == "unknown", "unknown", devices or (Reason("state_unknown"),)),
        (facts.devices_down > 0, "degraded", devices),
        (queue == "busy", "busy", queue_reasons),
        (bool(budget), "below_target", budget),
        (True, "operational", ()),
    )
    condition, own = next((name, reasons) for applies, name, reasons in candidates if applies)
    others = (r for r in (*devices, *queue_reasons, *budget) if r not in own)
    return Assessment(condition, (*own, *others))


def assess_system(
    state: AvailabilityState, period: ServicePeriod, now: int, last_data: int | None, exhausted_objectives: int,
    set_aside_at: int | None = None,
) -> Assessment:  # fmt: skip
    """Decide a digital system's condition from its state by quorum (unknown when its probes are old)."""
    budget = _budget_reasons(exhausted_objectives)
    outside = _unreadable(set_aside_at, period, now, budget) or _outside_service(period, now)
    if outside is not None:
        return outside
    if state == "unknown":
        return Assessment("unknown", (Reason("no_contact", at=last_data), *budget))
    if state == "down":
        return Assessment("down", (Reason("out_of_service"), *budget))
    return Assessment("below_target" if budget else "operational", budget)


def _unreadable(since: int | None, period: ServicePeriod, now: int, budget: tuple[Reason, ...]) -> Assessment | None:
    """A first contact that cannot be read is none; a date that is declared holds whatever is stored."""
    if since is None or period.phase_at(now) not in {"awaiting", "in_service"}:
        return None
    return Assessment("unknown", (Reason("data_unreadable", at=since), *budget))


def _outside_service(period: ServicePeriod, now: int) -> Assessment | None:
    match period.phase_at(now):
        case "awaiting":
            return Assessment("planned", (Reason("awaiting_first_contact"),))
        case "planned":
            return Assessment("planned", (Reason("in_service_later", at=period.start),))
        case "retired":
            return Assessment("retired", (Reason("service_ended", at=period.end),))
        case _:
            return None


def _budget_reasons(exhausted: int) -> tuple[Reason, ...]:
    return (Reason("objectives_exhausted", count=exhausted),) if exhausted else ()


def _device_reasons(facts: CentreFacts) -> tuple[Reason, ...]:
    down, silent = facts.devices_down, facts.devices_silent
    reasons = (Reason("devices_down", count=down), Reason("devices_silent", count=silent))
    return tuple(reason for reason in reasons if reason.count)


def assess_queues(
    queues: Iterable[QueueFacts], target: QueueTarget
) -> tuple[Literal["calm", "busy", "overloaded"], tuple[Reason, ...]]:
    """Decide from a centre's worst queue: the longest wait now, the share within target and the growth of an hour."""
    levels: list[tuple[int, tuple[Reason, ...]]] = [_assess_queue(queue, target) for queue in queues]
    level, reasons = max(levels, key=lambda pair: (pair[0], len(pair[1])), default=(0, ()))
    return ("calm", "busy", "overloaded")[level], reasons


def _assess_queue(queue: QueueFacts, target: QueueTarget) -> tuple[int, tuple[Reason, ...]]:
    """Return 0 calm, 1 busy or 2 overloaded, and why."""
    level, reasons = 0, []
    longest_s, limit_s = queue.longest_s or 0, target.threshold_s
    if longest_s > limit_s:
        level = 2 if longest_s > OVERLOAD_FACTOR * limit_s else 1
        reasons.append(Reason("longest_wait", seconds=longest_s, target_s=limit_s, service=queue.service))
    wait = duration_histogram(queue.recent, "wait")
    share = wait.within_threshold(limit_s).ratio if wait.count >= MIN_CALLS else None
    if share is not None and share < target.goal:
        level = max(level, 2 if share < target.goal / OVERLOAD_FACTOR else 1)
        reasons.append(
            Reason("within_target_low", ratio=share, goal=target.goal, target_s=limit_s, service=queue.service)
        )
    issued, left = queue.recent.get("issued", 0), _count_departures(queue.recent)
    if queue.waiting and issued - left >= GROWTH_TICKETS and issued >= GROWTH_RATIO * left and longest_s > limit_s / 2:
        level = 2 if level else 1
        reasons.append(Reason("queue_growing", count=issued, left=left, service=queue.service))
    return level, tuple(reasons)


def _count_departures(recent: Mapping[str, int]) -> int:
    return sum(recent.get(name, 0) for name in ("called", "abandoned", "closed_eod"))


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """The assessments of all centres that are not imported, and of the systems with whether they are critical."""

    centres: Sequence[Assessment]
    systems: Sequence[tuple[Assessment, bool]]
    is_stale: bool


@dataclass(frozen=True, slots=True)
class NetworkAssessment:
    """The network's condition and its word in the vocabulary of status pages; `exhausted` counts objectives."""

    condition: Condition
    indicator: StatusIndicator
    exhausted: int = 0


def assess_network(facts: NetworkFacts) -> NetworkAssessment:
    """Decide the network's condition: that of most of its open centres, or that something of it is impaired."""
    conditions = [assessment.condition for assessment in facts.centres]
    open_count = sum(c not in {"closed", "planned", "retired"} for c in conditions)
    systems = [assessment.condition for assessment, _ in facts.systems]
    everything = [*facts.centres, *(assessment for assessment, _ in facts.systems)]
    exhausted = sum(r.count or 0 for a in everything for r in a.reasons if r.code == "objectives_exhausted")
    critical_down = any(a.condition == "down" and critical for a, critical in facts.systems)
    indicator: StatusIndicator = "none"
    if open_count and 2 * (conditions.count("down") + conditions.count("unknown")) > open_count:
        indicator = "critical"
    elif "down" in conditions or critical_down:
        indicator = "major"
    elif exhausted or "down" in systems or IMPAIRED.intersection((*conditions, *systems)):
        indicator = "minor"
    return NetworkAssessment(_network_condition(facts, indicator, open_count), indicator, exhausted)


def _network_condition(facts: NetworkFacts, indicator: StatusIndicator, open_count: int) -> Condition:
    conditions = {assessment.condition for assessment in facts.centres}
    if conditions and conditions <= {"planned", "retired"}:
        return "planned"
    if facts.is_stale:
        return "unknown"
    if indicator in {"major", "critical"}:
        return "down"
    if not open_count:
        return "closed"
    return "degraded" if indicator == "minor" else "operational"


_COMPONENT_STATUS: Mapping[Condition, ComponentStatus] = {
    "down": "major_outage", "unknown": "partial_outage", "overloaded": "degraded_performance",
    "degraded": "degraded_performance", "below_target": "degraded_performance",
}  # fmt: skip


def component_status(assessment: Assessment) -> ComponentStatus:
    """Return the word for a component in the vocabulary of status pages; a closed one may have exhausted a budget."""
    if assessment.condition == "closed" and assessment.reasons:
        return "degraded_performance"
    return _COMPONENT_STATUS.get(assessment.condition, "operational")


def attention_key(assessment: Assessment, waiting: int, ident: str) -> tuple[int, int, int, str]:
    """Return the sort key of "worst first": the condition, then more reasons, then more people who wait."""
    return CONDITIONS_WORST_FIRST.index(assessment.condition), -len(assessment.reasons), -waiting, ident
