"""Which firing alarms are told, and which are told by a parent: device, site, province; it must word and send nothing.

A parent speaks for a child when it is at least as severe and, while the child burns, has itself burned of late:
a lingering alarm of the morning swallows no outage of the afternoon.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.slo.alarms import roots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.inventory import Sli
    from telemetry.core.slo.alarms import Alarms
    from telemetry.core.slo.burn_rate import Severity
    from telemetry.core.slo.evaluation import Judgement

LINGER_MS = 15 * MINUTE
"""How long after it last burned a parent still speaks for children that burn: devices come back one by one."""
LEAST_CENTRES = 3
"""So many centres, and more than half of those that count, make an outage one of the province."""

Key = tuple[str, str, str]
"""What an alert is of: SLI, scope, severity."""


@dataclass(frozen=True, slots=True)
class Firing:
    """An objective at one scope of which alarms fire; `alarms` are only those."""

    judged: Judgement
    alarms: Alarms

    @property
    def node(self) -> str:
        """Return what the tree of causes knows it by."""
        return node(self.judged.aimed.objective.sli, self.judged.aimed.scope)

    @property
    def severity(self) -> Severity:
        """Return the highest severity among its alarms."""
        return "page" if any(a.severity == "page" for a in self.alarms.values()) else "ticket"

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the rules that fire with the highest severity, in their order."""
        found = (r.rule.name for r in self.judged.status.readings)
        return tuple(name for name in found if name in self.alarms and self.alarms[name].severity == self.severity)

    @property
    def since(self) -> int:
        """Return when the first alarm of the highest severity fired, Unix ms."""
        own = (a for a in self.alarms.values() if a.severity == self.severity)
        return min(a.fired or 0 for a in own)

    @property
    def burning(self) -> bool:
        """Tell whether a rule of the highest severity is exceeded at this moment, with the clock running."""
        readings = self.judged.status.readings
        return self.judged.open and any(r.exceeded for r in readings if r.rule.name in self.rules)


@dataclass(frozen=True, slots=True)
class Root:
    """What one alert is about.

    `firings` are its own (a province's: those of its centres), `children` the scopes it speaks for.
    """

    sli: Sli
    scope: str
    severity: Severity
    firings: tuple[Firing, ...]
    children: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Return what the alert is of."""
        return self.sli, self.scope, self.severity

    @property
    def since(self) -> int:
        """Return when the first of its alarms fired, Unix ms."""
        return min(f.since for f in self.firings)

    @property
    def burning(self) -> bool:
        """Tell whether it burns at this moment."""
        return any(f.burning for f in self.firings if f.severity == self.severity)

    @property
    def open(self) -> bool:
        """Tell whether the clock of any of its objectives runs."""
        return any(f.judged.open for f in self.firings)


def node(sli: str, scope: str) -> str:
    """Return the name of an SLI at a scope."""
    return f"{sli} {scope}"


def grouped(
    firings: Sequence[Firing], open_centres: Mapping[str, int], burned: Mapping[Key, int], now: int
) -> list[Root]:
    """Return the alerts to tell, each with the scopes it speaks for.

    `open_centres` counts, by province, the centres whose connectivity is judged and whose clock runs; `burned` holds
    the alerts told now with the moment (Unix ms) at which each last burned.
    """
    found = {**_own(firings), **_provinces(firings, open_centres, burned)}
    parent_of = _parents(firings, found)
    fresh = {n for n, r in found.items() if r.burning or now - burned.get(r.key, now - LINGER_MS) < LINGER_MS}
    spoken: dict[str, set[str]] = defaultdict(set)
    for severe in (True, False):
        for burning in (True, False):
            _speak(found, _Pass(severe, burning, fresh), parent_of, spoken)
    return [_with(found[n], [found[c] for c in children]) for n, children in sorted(spoken.items())]


@dataclass(frozen=True, slots=True)
class _Pass:
    """Which children are taken up, and who may speak for them."""

    severe: bool
    burning: bool
    fresh: set[str]

    def takes(self, root: Root) -> bool:
        return (root.severity == "page") == self.severe and root.burning == self.burning

    def may_speak(self, name: str, root: Root) -> bool:
        return (not self.severe or root.severity == "page") and (not self.burning or name in self.fresh)


def _speak(found: Mapping[str, Root], one: _Pass, parent_of: Mapping[str, str], spoken: dict[str, set[str]]) -> None:
    for top, children in roots([n for n, r in found.items() if one.may_speak(n, r)], parent_of).items():
        taken = {n for n in (top, *children) if one.takes(found[n])}
        if taken:
            spoken[top] |= taken - {top}


def _with(root: Root, children: Iterable[Root]) -> Root:
    """Name the scopes below: centres before devices."""
    scopes = sorted({c.scope for c in children} - {root.scope})
    return Root(root.sli, root.scope, root.severity, root.firings, tuple(scopes))


def _own(firings: Iterable[Firing]) -> dict[str, Root]:
    """Join objectives of one SLI at one scope: the most severe first, then by name."""
    joined: dict[str, list[Firing]] = defaultdict(list)
    for f in sorted(firings, key=lambda f: (f.severity != "page", f.judged.aimed.objective.id)):
        joined[f.node].append(f)
    return {n: _root(f[0].judged.aimed.scope, f[0].severity, f) for n, f in joined.items()}


def _root(scope: str, severity: Severity, firings: Sequence[Firing]) -> Root:
    return Root(firings[0].judged.aimed.objective.sli, scope, severity, tuple(firings))


def _provinces(firings: Iterable[Firing], open_centres: Mapping[str, int], told: Mapping[Key, int]) -> dict[str, Root]:
    """Return the provinces of which more than half of the centres have lost contact."""
    lost: dict[str, list[Firing]] = defaultdict(list)
    for f in firings:
        aimed = f.judged.aimed
        if aimed.centre and aimed.objective.sli == "connectivity" and aimed.scope.startswith("centre:"):
            lost[f"province:{aimed.centre.province}"].append(f)
    found = (_province(scope, members, open_centres, told) for scope, members in sorted(lost.items()))
    return {node(r.sli, r.scope): r for r in found if r}


def _province(
    scope: str, members: list[Firing], open_centres: Mapping[str, int], told: Mapping[Key, int]
) -> Root | None:
    counted = open_centres.get(scope.removeprefix("province:"), 0)
    tests: tuple[tuple[Severity, Callable[[Firing], bool]], ...] = (
        ("page", lambda f: f.severity == "page"),
        ("ticket", lambda _: True),
    )
    for severity, belongs in tests:
        own = [f for f in members if belongs(f)]
        running = own if ("connectivity", scope, severity) in told else [f for f in own if f.judged.open]
        lost = {f.judged.aimed.scope for f in running}
        # One that is told stays over lunch: then only those that fire are left to be counted.
        closed = {f.judged.aimed.scope for f in running if not f.judged.open}
        if len(lost) >= LEAST_CENTRES and len(lost) * 2 > counted + len(closed):
            return _root(scope, severity, running)
    return None


def _parents(firings: Iterable[Firing], found: Mapping[str, Root]) -> dict[str, str]:
    """Return each node's parent; a province speaks only for centres that have lost contact, and what is below them."""
    pairs = dict(pair for f in firings for pair in pairwise(_line(f)))
    return {n: top for n, top in pairs.items() if n in found or " province:" not in top}


def _line(firing: Firing) -> list[str]:
    """Return a node and its ancestors: what is behind a dead link or in a place that serves nobody follows from it."""
    aimed, own = firing.judged.aimed, firing.node
    places = [aimed.scope] if aimed.centre is None else [f"centre:{aimed.centre.id}"]
    line = [node(sli, scope) for scope in places for sli in ("availability", "connectivity")]
    if aimed.scope not in places:
        line.insert(0, node("connectivity", aimed.scope))
    if aimed.centre is not None:
        line.append(node("connectivity", f"province:{aimed.centre.province}"))
    return line[line.index(own) :] if own in line else [own, *line]
