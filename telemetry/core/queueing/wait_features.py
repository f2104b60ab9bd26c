"""The numbers that a learned wait model sees of a waiting line and a newcomer; it must not look at later events.

A feature is never missing: where nothing is known it has the value that `FEATURES` documents.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from telemetry.core.queueing.estimators import (
    count_ahead,
    estimate_head_of_line,
    estimate_last_to_enter_service,
)
from telemetry.core.queueing.waiting_line import FLOW_MS, SHORT_FLOW_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.queueing.drain import DrainedWaits, Newcomer
    from telemetry.core.queueing.queue_profile import QueueProfile
    from telemetry.core.queueing.waiting_line import EndedWait, LineState

UNKNOWN_S = -1.0
"""The value of a delay that is not known, s."""
LONG_AGO_S = 3_600.0
"""The greatest age of a wait, s; also that of none."""
SHORT_IDLE_S, LONG_IDLE_S = 120.0, 900.0
FEATURES = (
    "drain_p20", "drain_p50", "drain_p80", "drain_p90", "drain_mean",
    "ahead", "waiting", "waiting_same_service", "waiting_preferred",
    "busy", "busy_able", "idle_shortly", "idle_long",
    "head_of_line_s", "longest_wait_s", "last_wait_s", "last_wait_age_s", "last_wait_any_s", "last_wait_any_age_s",
    "mean_of_5_waits_s", "mean_of_20_waits_s", "median_wait_same_service_s",
    "arrivals_5m", "arrivals_30m", "calls_5m", "calls_30m", "lost_30m", "preferred_30m",
    "busy_same_service", "calls_30m_same_service", "queued_30m_same_service",
    "mean_elapsed_s", "head_start_s", "typical_wait_s", "counters_at_work", "mean_service_30m_s", "work_ahead_s",
)  # fmt: skip
"""Names of the features in order; counts and seconds. Delays without a value are `UNKNOWN_S`."""


def wait_features(line: LineState, newcomer: Newcomer, profile: QueueProfile, waits: DrainedWaits) -> tuple[float, ...]:
    """Return the features in the order of `FEATURES`; `waits` are the newcomer's simulated ones, at least one."""
    return (
        waits.quantile(0.2), waits.quantile(0.5), waits.quantile(0.8), waits.quantile(0.9), waits.mean,
        *_line_features(line, newcomer, profile),
        *_counter_features(line, newcomer, profile),
        *_delay_features(line, newcomer, profile),
        *_flow_features(line, newcomer),
        *_work_features(line, newcomer, profile),
    )  # fmt: skip


def _line_features(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> tuple[float, ...]:
    same = sum(ticket.kind.service == newcomer.kind.service for ticket in line.waiting)
    preferred = sum(ticket.kind.priority != "normal" for ticket in line.waiting)
    return float(count_ahead(line, newcomer, profile)), float(len(line.waiting)), float(same), float(preferred)


def _counter_features(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> tuple[float, ...]:
    able = _count_able(line, newcomer, profile)
    serving = {busy.counter for busy in line.busy}
    idle_s = [
        (newcomer.at - idle.since) / 1000
        for idle in line.idle
        if idle.counter not in serving and _is_able(idle.counter, line, newcomer, profile)
    ]
    shortly = sum(idle < SHORT_IDLE_S for idle in idle_s)
    return (
        float(len(line.busy)),
        float(able),
        float(shortly),
        float(sum(idle < LONG_IDLE_S for idle in idle_s) - shortly),
    )


def _delay_features(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> tuple[float, ...]:
    own = [wait for wait in line.last_waits if wait.kind.service == newcomer.kind.service]
    last = [wait.wait_s for wait in line.last_waits[-20:]]
    last_wait = estimate_last_to_enter_service(line, newcomer, profile)
    return (
        estimate_head_of_line(line, newcomer, profile) or 0.0,
        max(((newcomer.at - ticket.entered) / 1000 for ticket in line.waiting), default=0.0),
        UNKNOWN_S if last_wait is None else last_wait,
        _age_s(own, newcomer.at),
        last[-1] if last else UNKNOWN_S,
        _age_s(line.last_waits, newcomer.at),
        _mean(last[-5:]),
        _mean(last),
        median(wait.wait_s for wait in own[-8:]) if own else UNKNOWN_S,
    )


def _age_s(waits: Sequence[EndedWait], at: int) -> float:
    return min((at - waits[-1].ended) / 1000, LONG_AGO_S) if waits else LONG_AGO_S


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else UNKNOWN_S


def _flow_features(line: LineState, newcomer: Newcomer) -> tuple[float, ...]:
    recent, flow = newcomer.at - SHORT_FLOW_MS, newcomer.at - FLOW_MS
    served = [wait.ended for wait in line.ended_waits if wait.is_served]
    preferred = sum(wait.is_queued and wait.kind.priority != "normal" for wait in line.ended_waits)
    return (
        float(sum(at > recent for at in line.arrivals)),
        float(sum(at > flow for at in line.arrivals)),
        float(sum(at > recent for at in served)),
        float(len(served)),
        float(len(line.ended_waits) - len(served)),
        float(preferred),
        float(sum(busy.service == newcomer.kind.service for busy in line.busy)),
        float(sum(wait.is_served and wait.kind.service == newcomer.kind.service for wait in line.ended_waits)),
        float(sum(wait.is_queued and wait.kind.service == newcomer.kind.service for wait in line.ended_waits)),
    )


def _work_features(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> tuple[float, ...]:
    elapsed = [(newcomer.at - busy.since) / 1000 for busy in line.busy]
    at_work = {busy.counter for busy in line.busy} | {ended.counter for ended in line.ended_services}
    able = _count_able(line, newcomer, profile)
    order = newcomer.at - 1000 * profile.head_start_s(newcomer.kind)
    ahead_s = sum(
        profile.mean_service_s(ticket.kind.service) or 0.0
        for ticket in line.waiting
        if ticket.entered - 1000 * profile.head_start_s(ticket.kind) <= order
    )
    return (
        _mean(elapsed),
        profile.head_start_s(newcomer.kind),
        profile.typical_wait_s(newcomer.kind),
        float(len(at_work)),
        _mean([ended.service_s for ended in line.ended_services]),
        ahead_s / max(able, 1),
    )


def _count_able(line: LineState, newcomer: Newcomer, profile: QueueProfile) -> int:
    return sum(_is_able(busy.counter, line, newcomer, profile) for busy in line.busy)


def _is_able(counter: str, line: LineState, newcomer: Newcomer, profile: QueueProfile) -> bool:
    services = profile.skills_of(counter, line)
    return services is None or newcomer.kind.service in services
