"""The state of burn-rate alarms: (state, burn rates, now) → (state, transitions); it sends nothing, keeps no state.

An alarm fires when its rule is exceeded, resolves on the long window, then does not fire for one long window of open
time (slo.md 2.4).  A closed centre never fires; a firing alarm stays until its long window no longer burns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.slo.burn_rate import BurnRate, Severity

TransitionKind = Literal["fired", "resolved"]
NodeT = TypeVar("NodeT", str, tuple[str, str])
"""A scope, or an SLI at a scope."""


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
    """Take one step with all burn rates of an objective; an alarm whose rule is gone is resolved and dropped."""
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
    # Less than one long window has passed since it was resolved: the window still holds that moment.
    is_quiet = alarm.resolved_at is not None and (
        burn_rate.long_start is None or burn_rate.long_start < alarm.resolved_at
    )
    if burn_rate.is_exceeded and not is_quiet:
        return AlarmState(burn_rate.rule.severity, is_firing=True, fired_at=now)
    return alarm


def _transition(name: str, alarm: AlarmState, now: int, *, is_firing: bool) -> AlarmTransition:
    fired_at = now if alarm.fired_at is None else alarm.fired_at
    return AlarmTransition(name, alarm.severity, "fired" if is_firing else "resolved", now, fired_at)


def topmost_firing(firing: Iterable[NodeT], parent_of: Mapping[NodeT, NodeT]) -> dict[NodeT, list[NodeT]]:
    """Return the nodes to alert about, each with the firing nodes below it that its alert covers.

    The topmost ancestor that fires covers a node: 700 devices behind one dead link are one alert.
    Raises ValueError when the parents form a ring.
    """
    firing_nodes = set(firing)
    children_by_top: dict[NodeT, list[NodeT]] = {}
    for node in sorted(firing_nodes):
        top, visited, ancestor = node, {node}, parent_of.get(node)
        while ancestor is not None:
            if ancestor in visited:
                msg = f"{ancestor} is its own ancestor: give each scope one parent, and the topmost none"
                raise ValueError(msg)
            visited.add(ancestor)
            top = ancestor if ancestor in firing_nodes else top
            ancestor = parent_of.get(ancestor)
        children = children_by_top.setdefault(top, [])
        if top != node:
            children.append(node)
    return children_by_top
