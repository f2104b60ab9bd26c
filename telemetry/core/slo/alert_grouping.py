"""Which firing alarms become alerts and which a parent's alert covers; it sends nothing.

The parents are: of a device its site, of a site its province, of a system or component what it calls and has failed.

A parent covers a child when it is at least as severe and, while the child burns, has itself burned recently: an
unresolved alarm of the morning does not hide an outage of the afternoon.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.hosted.dependencies import root_causes
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from telemetry.core.inventory import SliKind
    from telemetry.core.slo.burn_rate import AlarmStates, Severity
    from telemetry.core.slo.evaluation import Evaluation

PARENT_LINGER_MS = 15 * MINUTE
"""How long after it last burned a parent still covers children that burn: devices reconnect one by one."""
MIN_CENTRES = 3
"""This many centres, and more than half of those that count, make an outage one of the province."""
_SEVERITIES: tuple[Severity, ...] = ("page", "ticket")
NO_CALLS: Mapping[str, Iterable[str]] = MappingProxyType({})

AlertKey = tuple[str, str, str]
"""What identifies an alert: SLI, scope, severity."""
NodeT = TypeVar("NodeT", str, tuple[str, str])
Node = tuple[str, str]
"""An SLI at a scope, as a node of the tree of causes."""


@dataclass(frozen=True, slots=True)
class FiringObjective:
    """An objective at one scope with its alarms that fire; `alarms` are only those."""

    evaluation: Evaluation
    alarms: AlarmStates

    @property
    def node(self) -> Node:
        """Return its node in the tree of causes."""
        return self.evaluation.scoped.objective.sli, self.evaluation.scoped.scope

    @property
    def severity(self) -> Severity:
        """Return the highest severity among its alarms."""
        return "page" if any(a.severity == "page" for a in self.alarms.values()) else "ticket"

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the rules that fire with the highest severity, in their order."""
        names = (r.rule.name for r in self.evaluation.status.burn_rates)
        return tuple(name for name in names if name in self.alarms and self.alarms[name].severity == self.severity)

    @property
    def firing_since(self) -> int:
        """Return when the first alarm of the highest severity fired, Unix ms."""
        return min(a.fired_at or 0 for a in self.alarms.values() if a.severity == self.severity)

    @property
    def is_burning(self) -> bool:
        """Return whether a rule of the highest severity is exceeded at this moment, with the clock running."""
        burn_rates = self.evaluation.status.burn_rates
        return self.evaluation.is_open and any(r.is_exceeded for r in burn_rates if r.rule.name in self.rules)


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """What one alert is about.

    `firings` are its own (a province's: those of its centres), `child_scopes` the scopes that it covers.
    """

    sli: SliKind
    scope: Scope
    severity: Severity
    firings: tuple[FiringObjective, ...]
    child_scopes: tuple[str, ...] = ()
    answers_inside: bool = False
    """A hosted system does not answer outside, but all that its requests reach first does inside the cloud."""

    @property
    def key(self) -> AlertKey:
        """Return the alert's identity."""
        return self.sli, self.scope, self.severity

    @property
    def firing_since(self) -> int:
        """Return when the first of its alarms fired, Unix ms."""
        return min(f.firing_since for f in self.firings)

    @property
    def is_burning(self) -> bool:
        """Return whether it burns at this moment."""
        return any(f.is_burning for f in self.firings if f.severity == self.severity)

    @property
    def is_open(self) -> bool:
        """Return whether the clock of any of its objectives runs."""
        return any(f.evaluation.is_open for f in self.firings)


def group_alerts(
    firings: Sequence[FiringObjective],
    open_centres: Mapping[str, int],
    last_burned: Mapping[AlertKey, int],
    now: int,
    calls: Mapping[str, Iterable[str]] = NO_CALLS,
) -> list[AlertGroup]:
    """Return the alerts to post, each with the scopes that it covers.

    `open_centres` counts, by province, the centres whose connectivity is evaluated and whose clock runs;
    `last_burned` holds the active alerts with the moment (Unix ms) at which each last burned; `calls` says what systems
    and components depend on, by id.
    """
    groups = {**_group_by_node(firings), **_province_groups(firings, open_centres, last_burned)}
    parent_of = _parent_by_node(firings, groups) | _causes_by_node(groups, calls)
    recently_burned = {
        node
        for node, group in groups.items()
        if group.is_burning or now - last_burned.get(group.key, now - PARENT_LINGER_MS) < PARENT_LINGER_MS
    }
    children_by_top: dict[Node, set[Node]] = defaultdict(set)
    for severity in _SEVERITIES:
        for is_burning in (True, False):
            candidates = {
                node
                for node, group in groups.items()
                if severity in (group.severity, "ticket") and (not is_burning or node in recently_burned)
            }
            for top, children in topmost_firing(candidates, parent_of).items():
                accepted = {
                    node
                    for node in (top, *children)
                    if groups[node].severity == severity and groups[node].is_burning == is_burning
                }
                if accepted:
                    children_by_top[top] |= accepted - {top}
    return [
        replace(groups[top], child_scopes=tuple(sorted({scope for _, scope in children} - {top[1]})))
        for top, children in sorted(children_by_top.items())
    ]


def mark_answering_inside(
    groups: Iterable[AlertGroup], entries: Mapping[str, Iterable[str]], answering: Collection[str]
) -> list[AlertGroup]:
    """Return the groups, those of systems that fail only outside marked.

    `entries` are the components that requests to each hosted system reach first, `answering` the systems and components
    that answer at this moment, by id; what is not known does not answer.
    """
    return [
        replace(group, answers_inside=all(entry in answering for entry in first))
        if group.sli == "availability" and (first := tuple(entries.get(_system_id(group.scope), ())))
        else group
        for group in groups
    ]


def _system_id(scope: Scope) -> str:
    return scope.id if scope.kind == "system" else ""


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


def _group_by_node(firings: Iterable[FiringObjective]) -> dict[Node, AlertGroup]:
    """Join objectives of one SLI at one scope: the most severe first, then by name."""
    firings_by_node: dict[Node, list[FiringObjective]] = defaultdict(list)
    for f in sorted(firings, key=lambda f: (f.severity != "page", f.evaluation.scoped.objective.id)):
        firings_by_node[f.node].append(f)
    return {node: _build_group(f[0].evaluation.scoped.scope, f[0].severity, f) for node, f in firings_by_node.items()}


def _build_group(scope: Scope, severity: Severity, firings: Sequence[FiringObjective]) -> AlertGroup:
    return AlertGroup(firings[0].evaluation.scoped.objective.sli, scope, severity, tuple(firings))


def _province_groups(
    firings: Iterable[FiringObjective], open_centres: Mapping[str, int], last_burned: Mapping[AlertKey, int]
) -> dict[Node, AlertGroup]:
    """Return the provinces of which more than half of the centres have lost contact."""
    firings_by_province: dict[str, list[FiringObjective]] = defaultdict(list)
    for f in firings:
        scoped = f.evaluation.scoped
        if scoped.centre and scoped.objective.sli == "connectivity" and scoped.scope.kind == "centre":
            firings_by_province[scoped.centre.province].append(f)
    groups = (
        _province_group(Scope.province(province), members, open_centres.get(province, 0), last_burned)
        for province, members in sorted(firings_by_province.items())
    )
    return {(g.sli, g.scope): g for g in groups if g}


def _province_group(
    scope: Scope, members: list[FiringObjective], open_count: int, last_burned: Mapping[AlertKey, int]
) -> AlertGroup | None:
    for severity in _SEVERITIES:
        affected = [f for f in members if severity in (f.severity, "ticket")]
        # An active alert persists over lunch, when only the firing centres can be counted.
        if ("connectivity", scope, severity) not in last_burned:
            affected = [f for f in affected if f.evaluation.is_open]
        affected_scopes = {f.evaluation.scoped.scope for f in affected}
        closed_scopes = {f.evaluation.scoped.scope for f in affected if not f.evaluation.is_open}
        if len(affected_scopes) >= MIN_CENTRES and len(affected_scopes) * 2 > open_count + len(closed_scopes):
            return _build_group(scope, severity, affected)
    return None


def _parent_by_node(firings: Iterable[FiringObjective], groups: Mapping[Node, AlertGroup]) -> dict[Node, Node]:
    """Return each node's parent; a province covers only centres that have lost contact, and what is below them."""
    pairs = dict(pair for f in firings for pair in pairwise(_lineage(f)))
    return {node: parent for node, parent in pairs.items() if node in groups or Scope(parent[1]).kind != "province"}


def _causes_by_node(groups: Iterable[Node], calls: Mapping[str, Iterable[str]]) -> dict[Node, Node]:
    """Return, of each system or component that is down, the one whose failure explains it; of a cause nothing."""
    failed = [Scope(scope).id for sli, scope in groups if sli == "availability" and Scope(scope).kind == "system"]
    return {
        ("availability", Scope.system(node)): ("availability", Scope.system(cause))
        for node, cause in root_causes(failed, calls).items()
        if node != cause
    }


def _lineage(firing: FiringObjective) -> list[Node]:
    """Return a node and its ancestors: a failed link or closed place is the cause of the alarms below it."""
    scoped, own = firing.evaluation.scoped, firing.node
    place = Scope.centre(scoped.centre.id) if scoped.centre else scoped.scope
    lineage: list[Node] = [("availability", place), ("connectivity", place)]
    if scoped.scope != place:
        lineage.insert(0, ("connectivity", scoped.scope))
    if scoped.centre:
        lineage.append(("connectivity", Scope.province(scoped.centre.province)))
    return lineage[lineage.index(own) :] if own in lineage else [own, *lineage]
