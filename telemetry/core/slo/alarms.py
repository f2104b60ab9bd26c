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

    from telemetry.core.slo.burn_rate import Reading, Severity

Change = Literal["fired", "resolved"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One rule's alarm; times are Unix ms, None when it never fired or never resolved."""

    severity: Severity
    firing: bool = False
    fired: int | None = None
    resolved: int | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """An alarm fired or was resolved at `at`; `fired` is when it had fired."""

    rule: str
    severity: Severity
    change: Change
    at: int
    fired: int


Alarms = MappingProxyType[str, Alarm]
"""Alarms by the name of their rule; those that never fired are left out."""
NONE: Alarms = MappingProxyType({})


def advance(alarms: Mapping[str, Alarm], readings: Iterable[Reading], now: int) -> tuple[Alarms, list[Changed]]:
    """Take one step with all readings of an objective; an alarm whose rule is gone is resolved and forgotten."""
    found = {r.rule.name: r for r in readings}
    gone = [_changed(name, a, "resolved", now) for name, a in alarms.items() if a.firing and name not in found]
    after: dict[str, Alarm] = {}
    changes: list[Changed] = []
    for name, reading in found.items():
        before = alarms.get(name, Alarm(reading.rule.severity))
        alarm = _step(before, reading, now)
        if alarm != before:
            changes.append(_changed(name, alarm, "fired" if alarm.firing else "resolved", now))
        if alarm.fired is not None:
            after[name] = alarm
    return MappingProxyType(after), gone + changes


def _step(alarm: Alarm, reading: Reading, now: int) -> Alarm:
    if alarm.firing:
        at_rest = reading.long is not None and reading.long <= reading.threshold
        return Alarm(alarm.severity, firing=False, fired=alarm.fired, resolved=now) if at_rest else alarm
    if reading.exceeded and not _quiet(alarm, reading):
        return Alarm(reading.rule.severity, firing=True, fired=now)
    return alarm


def _quiet(alarm: Alarm, reading: Reading) -> bool:
    """Less than one long window has passed since it was resolved: the window still holds that moment."""
    return alarm.resolved is not None and (reading.long_from is None or reading.long_from < alarm.resolved)


def _changed(name: str, alarm: Alarm, change: Change, now: int) -> Changed:
    return Changed(name, alarm.severity, change, now, now if alarm.fired is None else alarm.fired)


def roots(firing: Iterable[str], parent_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the scopes to alert about, each with the scopes below it that it speaks for.

    The topmost ancestor that fires speaks for a scope: 700 devices behind one dead link are one alert.
    Raises ValueError when the parents form a ring.
    """
    known = set(firing)
    out: dict[str, list[str]] = {}
    for scope in sorted(known):
        top = _topmost(scope, known, parent_of)
        children = out.setdefault(top, [])
        if top != scope:
            children.append(scope)
    return out


def _topmost(scope: str, firing: set[str], parent_of: Mapping[str, str]) -> str:
    top, passed, at = scope, {scope}, parent_of.get(scope)
    while at is not None:
        if at in passed:
            msg = f"{at} is its own ancestor: give each scope one parent, and the topmost none"
            raise ValueError(msg)
        passed.add(at)
        top = at if at in firing else top
        at = parent_of.get(at)
    return top
