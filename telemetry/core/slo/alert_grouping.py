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
from telemetry.core.slo.alarms import topmost_firing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.inventory import SliKind
    from telemetry.core.slo.alarms import AlarmStates
    from telemetry.core.slo.burn_rate import Severity
    from telemetry.core.slo.evaluation import Evaluation

PARENT_LINGER_MS = 15 * MINUTE
"""How long after it last burned a parent still speaks for children that burn: devices come back one by one."""
MIN_CENTRES = 3
"""So many centres, and more than half of those that count, make an outage one of the province."""

AlertKey = tuple[str, str, str]
"""What an alert is of: SLI, scope, severity."""


@dataclass(frozen=True, slots=True)
class FiringObjective:
    """An objective at one scope of which alarms fire; `alarms` are only those."""

    evaluation: Evaluation
    alarms: AlarmStates

    @property
    def node(self) -> str:
        """Return what the tree of causes knows it by."""
        return node_name(self.evaluation.scoped.objective.sli, self.evaluation.scoped.scope)

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
        severest = (a for a in self.alarms.values() if a.severity == self.severity)
        return min(a.fired_at or 0 for a in severest)

    @property
    def is_burning(self) -> bool:
        """Tell whether a rule of the highest severity is exceeded at this moment, with the clock running."""
        burn_rates = self.evaluation.status.burn_rates
        return self.evaluation.is_open and any(r.is_exceeded for r in burn_rates if r.rule.name in self.rules)


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """What one alert is about.

    `firings` are its own (a province's: those of its centres), `children` the scopes it speaks for.
    """

    sli: SliKind
    scope: str
    severity: Severity
    firings: tuple[FiringObjective, ...]
    child_scopes: tuple[str, ...] = ()

    @property
    def key(self) -> AlertKey:
        """Return what the alert is of."""
        return self.sli, self.scope, self.severity

    @property
    def firing_since(self) -> int:
        """Return when the first of its alarms fired, Unix ms."""
        return min(f.firing_since for f in self.firings)

    @property
    def is_burning(self) -> bool:
        """Tell whether it burns at this moment."""
        return any(f.is_burning for f in self.firings if f.severity == self.severity)

    @property
    def is_open(self) -> bool:
        """Tell whether the clock of any of its objectives runs."""
        return any(f.evaluation.is_open for f in self.firings)


def node_name(sli: str, scope: str) -> str:
    """Return the name of an SLI at a scope."""
    return f"{sli} {scope}"


def group_alerts(
    firings: Sequence[FiringObjective], open_centres: Mapping[str, int], last_burned: Mapping[AlertKey, int], now: int
) -> list[AlertGroup]:
    """Return the alerts to tell, each with the scopes it speaks for.

    `open_centres` counts, by province, the centres whose connectivity is judged and whose clock runs; `burned` holds
    the alerts told now with the moment (Unix ms) at which each last burned.
    """
    groups = {**_group_by_node(firings), **_province_groups(firings, open_centres, last_burned)}
    parent_of = _parent_by_node(firings, groups)
    recently_burned = {
        n
        for n, r in groups.items()
        if r.is_burning or now - last_burned.get(r.key, now - PARENT_LINGER_MS) < PARENT_LINGER_MS
    }
    children_by_parent: dict[str, set[str]] = defaultdict(set)
    for is_page in (True, False):
        for is_burning in (True, False):
            _assign_children(groups, _GroupingPass(is_page, is_burning, recently_burned), parent_of, children_by_parent)
    return [
        _with_children(groups[n], [groups[c] for c in children]) for n, children in sorted(children_by_parent.items())
    ]


@dataclass(frozen=True, slots=True)
class _GroupingPass:
    """Which children are taken up, and who may speak for them."""

    is_page: bool
    is_burning: bool
    recently_burned: set[str]

    def accepts(self, group: AlertGroup) -> bool:
        return (group.severity == "page") == self.is_page and group.is_burning == self.is_burning

    def may_be_parent(self, name: str, group: AlertGroup) -> bool:
        return (not self.is_page or group.severity == "page") and (not self.is_burning or name in self.recently_burned)


def _assign_children(
    groups: Mapping[str, AlertGroup],
    grouping_pass: _GroupingPass,
    parent_of: Mapping[str, str],
    children_by_parent: dict[str, set[str]],
) -> None:
    for top, children in topmost_firing(
        [n for n, r in groups.items() if grouping_pass.may_be_parent(n, r)], parent_of
    ).items():
        accepted = {n for n in (top, *children) if grouping_pass.accepts(groups[n])}
        if accepted:
            children_by_parent[top] |= accepted - {top}


def _with_children(group: AlertGroup, children: Iterable[AlertGroup]) -> AlertGroup:
    """Name the scopes below: centres before devices."""
    scopes = sorted({c.scope for c in children} - {group.scope})
    return AlertGroup(group.sli, group.scope, group.severity, group.firings, tuple(scopes))


def _group_by_node(firings: Iterable[FiringObjective]) -> dict[str, AlertGroup]:
    """Join objectives of one SLI at one scope: the most severe first, then by name."""
    firings_by_node: dict[str, list[FiringObjective]] = defaultdict(list)
    for f in sorted(firings, key=lambda f: (f.severity != "page", f.evaluation.scoped.objective.id)):
        firings_by_node[f.node].append(f)
    return {n: _build_group(f[0].evaluation.scoped.scope, f[0].severity, f) for n, f in firings_by_node.items()}


def _build_group(scope: str, severity: Severity, firings: Sequence[FiringObjective]) -> AlertGroup:
    return AlertGroup(firings[0].evaluation.scoped.objective.sli, scope, severity, tuple(firings))


def _province_groups(
    firings: Iterable[FiringObjective], open_centres: Mapping[str, int], last_burned: Mapping[AlertKey, int]
) -> dict[str, AlertGroup]:
    """Return the provinces of which more than half of the centres have lost contact."""
    firings_by_province: dict[str, list[FiringObjective]] = defaultdict(list)
    for f in firings:
        scoped = f.evaluation.scoped
        if scoped.centre and scoped.objective.sli == "connectivity" and scoped.scope.startswith("centre:"):
            firings_by_province[f"province:{scoped.centre.province}"].append(f)
    groups = (
        _province_group(scope, members, open_centres, last_burned)
        for scope, members in sorted(firings_by_province.items())
    )
    return {node_name(r.sli, r.scope): r for r in groups if r}


def _province_group(
    scope: str, members: list[FiringObjective], open_centres: Mapping[str, int], last_burned: Mapping[AlertKey, int]
) -> AlertGroup | None:
    open_count = open_centres.get(scope.removeprefix("province:"), 0)
    severity_tests: tuple[tuple[Severity, Callable[[FiringObjective], bool]], ...] = (
        ("page", lambda f: f.severity == "page"),
        ("ticket", lambda _: True),
    )
    for severity, belongs in severity_tests:
        matching = [f for f in members if belongs(f)]
        affected = (
            matching
            if ("connectivity", scope, severity) in last_burned
            else [f for f in matching if f.evaluation.is_open]
        )
        affected_scopes = {f.evaluation.scoped.scope for f in affected}
        # One that is told stays over lunch: then only those that fire are left to be counted.
        closed_scopes = {f.evaluation.scoped.scope for f in affected if not f.evaluation.is_open}
        if len(affected_scopes) >= MIN_CENTRES and len(affected_scopes) * 2 > open_count + len(closed_scopes):
            return _build_group(scope, severity, affected)
    return None


def _parent_by_node(firings: Iterable[FiringObjective], groups: Mapping[str, AlertGroup]) -> dict[str, str]:
    """Return each node's parent; a province speaks only for centres that have lost contact, and what is below them."""
    pairs = dict(pair for f in firings for pair in pairwise(_ancestors(f)))
    return {n: top for n, top in pairs.items() if n in groups or " province:" not in top}


def _ancestors(firing: FiringObjective) -> list[str]:
    """Return a node and its ancestors: what is behind a dead link or in a place that serves nobody follows from it."""
    scoped, own_node = firing.evaluation.scoped, firing.node
    place_scopes = [scoped.scope] if scoped.centre is None else [f"centre:{scoped.centre.id}"]
    lineage = [node_name(sli, scope) for scope in place_scopes for sli in ("availability", "connectivity")]
    if scoped.scope not in place_scopes:
        lineage.insert(0, node_name("connectivity", scoped.scope))
    if scoped.centre is not None:
        lineage.append(node_name("connectivity", f"province:{scoped.centre.province}"))
    return lineage[lineage.index(own_node) :] if own_node in lineage else [own_node, *lineage]
