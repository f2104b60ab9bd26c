"""The state of burn-rate alarms: (state, readings, now) → (state, events); it must send nothing and keep no state.

Fires when a rule is exceeded, resolves on the long window, then keeps quiet for one long window of open time
(slo.md 2.4).  A closed centre never fires; a firing alarm stays as it is until its long window is at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.slo.burn_rate import BurnRate, Severity

TransitionKind = Literal["fired", "resolved"]


@dataclass(frozen=True, slots=True)
class AlarmState:
    """One rule's alarm; times are Unix ms, None when it never fired or never resolved."""

    severity: Severity
    is_firing: bool = False
    fired_at: int | None = None
    resolved_at: int | None = None


@dataclass(frozen=True, slots=True)
class AlarmTransition:
    """An alarm fired or was resolved at `at`; `fired` is when it had fired."""

    rule: str
    severity: Severity
    kind: TransitionKind
    at: int
    fired_at: int


AlarmStates = MappingProxyType[str, AlarmState]
"""Alarms by the name of their rule; those that never fired are left out."""
NO_ALARMS: AlarmStates = MappingProxyType({})


def advance(
    alarms: Mapping[str, AlarmState], burn_rates: Iterable[BurnRate], now: int
) -> tuple[AlarmStates, list[AlarmTransition]]:
    """Take one step with all readings of an objective; an alarm whose rule is gone is resolved and forgotten."""
    rate_by_rule = {r.rule.name: r for r in burn_rates}
    resolved = [
        _transition(name, a, "resolved", now) for name, a in alarms.items() if a.is_firing and name not in rate_by_rule
    ]
    next_alarms: dict[str, AlarmState] = {}
    transitions: list[AlarmTransition] = []
    for name, burn_rate in rate_by_rule.items():
        previous = alarms.get(name, AlarmState(burn_rate.rule.severity))
        alarm = _next_state(previous, burn_rate, now)
        if alarm != previous:
            transitions.append(_transition(name, alarm, "fired" if alarm.is_firing else "resolved", now))
        if alarm.fired_at is not None:
            next_alarms[name] = alarm
    return MappingProxyType(next_alarms), resolved + transitions


def _next_state(alarm: AlarmState, burn_rate: BurnRate, now: int) -> AlarmState:
    if alarm.is_firing:
        at_rest = burn_rate.long_rate is not None and burn_rate.long_rate <= burn_rate.threshold
        return (
            AlarmState(alarm.severity, is_firing=False, fired_at=alarm.fired_at, resolved_at=now) if at_rest else alarm
        )
    if burn_rate.is_exceeded and not _in_quiet_period(alarm, burn_rate):
        return AlarmState(burn_rate.rule.severity, is_firing=True, fired_at=now)
    return alarm


def _in_quiet_period(alarm: AlarmState, burn_rate: BurnRate) -> bool:
    """Less than one long window has passed since it was resolved: the window still holds that moment."""
    return alarm.resolved_at is not None and (burn_rate.long_start is None or burn_rate.long_start < alarm.resolved_at)


def _transition(name: str, alarm: AlarmState, kind: TransitionKind, now: int) -> AlarmTransition:
    return AlarmTransition(name, alarm.severity, kind, now, now if alarm.fired_at is None else alarm.fired_at)


def topmost_firing(firing: Iterable[str], parent_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the scopes to alert about, each with the scopes below it that it speaks for.

    The topmost ancestor that fires speaks for a scope: 700 devices behind one dead link are one alert.
    Raises ValueError when the parents form a ring.
    """
    firing_scopes = set(firing)
    children_by_top: dict[str, list[str]] = {}
    for scope in sorted(firing_scopes):
        top = _topmost_ancestor(scope, firing_scopes, parent_of)
        children = children_by_top.setdefault(top, [])
        if top != scope:
            children.append(scope)
    return children_by_top


def _topmost_ancestor(scope: str, firing: set[str], parent_of: Mapping[str, str]) -> str:
    top, visited, ancestor = scope, {scope}, parent_of.get(scope)
    while ancestor is not None:
        if ancestor in visited:
            msg = f"{ancestor} is its own ancestor: give each scope one parent, and the topmost none"
            raise ValueError(msg)
        visited.add(ancestor)
        top = ancestor if ancestor in firing else top
        ancestor = parent_of.get(ancestor)
    return top
