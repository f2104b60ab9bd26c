"""The matrix of zones: which connection may be declared between which networks, and by which clause. Pure.

The matrix forbids, it never opens: what it allows still needs a row in flows.csv. Each cell is at least as strict for
a higher level.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from infra.plan.cloud.connections import EDGE_PORT
from infra.plan.cloud.names import CLUSTER_API
from telemetry.core.cloud.zone_matrix import MATRIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint
    from telemetry.core.cloud.values import Component
    from telemetry.core.cloud.zone_matrix import CellRule, Network

ZoneRule = Literal["flow-zone", "system-apart", "egress-closed"]
CELL_TITLES: Mapping[CellRule, str] = MappingProxyType({
    "https": "443",
    "https-or-gateway-port": "443, a gateway's own port",
    "gateway-called": "to a gateway",
    "gateway-calls": "from a gateway",
    "declared": "declared",
    "own-system": "own system",
    "own-system-to-level-2": "own system, to level 2",
    "own-system-or-gateway": "own system; others: gateway from level 3",
    "services": "services of the platform",
    "named-hosts": "named hosts, to level 3",
    "administration": "figures, administration",
})  # fmt: skip
_EVERYWHERE = frozenset({"dns", "time", "logs", "metrics", CLUSTER_API})
SERVICES_BY_ZONE: Mapping[Network, frozenset[str]] = MappingProxyType({
    "edge": frozenset({"dns", "time", "logs", "metrics"}),
    "dmz": _EVERYWHERE | {"identity", "broker"},
    "server": _EVERYWHERE | {"identity", "registry", "secrets", "backup", "proxy", "broker"},
    "database": _EVERYWHERE | {"backup"},
})  # fmt: skip
"""The platform's services that a zone may call; the generated connections use fewer."""


@dataclass(frozen=True, slots=True)
class ZoneBreach:
    """Why the matrix forbids a connection: the rule, its clause, problem and remedy."""

    rule: ZoneRule
    clause: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Pass:
    """A connection with what the cells' rules look at; `level` is the higher one of both systems."""

    plan: CloudPlan
    connection: AllowedConnection
    source: Component | None
    target: Component | None
    level: int

    @property
    def is_within_system(self) -> bool:
        ends = self.connection.source, self.connection.target
        return all(end.kind == "component" for end in ends) and ends[0].system == ends[1].system


def network_of(end: Endpoint) -> Network:
    """Return the zone or the outside network that an end is in."""
    if end.kind == "outside" and end.peer:
        return end.peer
    return end.zone or "manage"


def zone_breach(plan: CloudPlan, connection: AllowedConnection) -> ZoneBreach | None:
    """Return why the zones forbid a connection, None when the matrix allows it."""
    cell = MATRIX.get((network_of(connection.source), network_of(connection.target)))
    levels = [plan.system(end.system).declared.level for end in _component_ends(connection)]
    level = max(levels, default=1)
    seen = _Pass(plan, connection, *_components(plan, connection), level)
    if cell is not None and _CELL_CHECKS[cell](seen):
        return None
    return _breach_of(seen, cell)


def _component_ends(connection: AllowedConnection) -> list[Endpoint]:
    return [end for end in (connection.source, connection.target) if end.kind == "component"]


def _components(plan: CloudPlan, connection: AllowedConnection) -> tuple[Component | None, Component | None]:
    return _component(plan, connection.source), _component(plan, connection.target)


def _component(plan: CloudPlan, end: Endpoint) -> Component | None:
    if end.kind != "component":
        return None
    return next(one.declared for one in plan.system(end.system).components if one.declared.id == end.name)


def _breach_of(seen: _Pass, cell: CellRule | None) -> ZoneBreach:
    """Return the breach with the rule that fits it best."""
    source, target = network_of(seen.connection.source), network_of(seen.connection.target)
    clause = f"TCVN 14423:2026 {seen.level + 2}.12.2.4"
    ends = f"{seen.connection.source} ({source}) → {seen.connection.target} ({target})"
    if cell == "named-hosts":
        if seen.level >= 4:
            problem = f"{ends} leaves the cloud directly, which ends at level 4"
            return ZoneBreach("egress-closed", f"{clause} g", problem, "declare the flow to platform:proxy instead")
        problem = f"{ends} leaves the cloud for no named host"
        return ZoneBreach("egress-closed", f"{clause} d", problem, "declare the peer's hosts in cloud.toml")
    if cell and len(_component_ends(seen.connection)) == 2 and not seen.is_within_system and seen.level >= 3:
        problem = f"{ends} passes from one system to another, at level {seen.level}"
        remedy = "call a component of kind gateway in the other system's zone server"
        return ZoneBreach("system-apart", "331 Art. 30.8.a", problem, remedy)
    allowed = f"allows only: {CELL_TITLES[cell]}" if cell else "is closed"
    problem = f"{ends} port {seen.connection.port}: the way {source} → {target} {allowed}"
    return ZoneBreach("flow-zone", clause, problem, _remedy(seen))


def _remedy(seen: _Pass) -> str:
    if seen.connection.source.kind == "outside" and seen.target is not None:
        return "give the system an exposure that the party is in, and let it call a component in zone dmz"
    if seen.connection.target.kind == "outside":
        return "let a component of kind gateway call the party"
    return "let the flow pass a component in a zone between them, or remove it"


def _is_https_or_gateway_port(seen: _Pass) -> bool:
    """Return whether the edge is called at 443, or at the own port of a gateway that it passes through to."""
    port = seen.connection.port
    return port == EDGE_PORT or any(
        one.source == seen.connection.target and one.port == port and _kind_of(seen.plan, one.target) == "gateway"
        for one in seen.plan.connections
    )


def _kind_of(plan: CloudPlan, end: Endpoint) -> str:
    component = _component(plan, end)
    return component.kind if component else ""


def _is_own_or_gateway(seen: _Pass) -> bool:
    if seen.is_within_system or seen.level <= 2:
        return True
    return seen.target is not None and seen.target.kind == "gateway"


def _calls_service(seen: _Pass) -> bool:
    zone, end = network_of(seen.connection.source), seen.connection.target
    return end.kind == "platform" and end.name in SERVICES_BY_ZONE.get(zone, frozenset())


def _is_gateways_way(seen: _Pass) -> bool:
    """Return whether a gateway calls, or the vantage point of its zone, which probes what gateways call."""
    if seen.source is not None:
        return seen.source.kind == "gateway"
    return seen.connection.source.kind == "vantage"


def _has_named_hosts(seen: _Pass) -> bool:
    peer = seen.plan.declaration.peers.get(seen.connection.target.name)
    return seen.level <= 3 and peer is not None and bool(peer.hosts)


_CELL_CHECKS: Mapping[CellRule, Callable[[_Pass], bool]] = MappingProxyType({
    "https": lambda seen: seen.connection.port == EDGE_PORT,
    "https-or-gateway-port": _is_https_or_gateway_port,
    "gateway-called": lambda seen: seen.target is not None and seen.target.kind == "gateway",
    "gateway-calls": _is_gateways_way,
    "declared": lambda _seen: True,
    "own-system": lambda seen: seen.is_within_system,
    "own-system-to-level-2": lambda seen: seen.is_within_system and seen.level <= 2,
    "own-system-or-gateway": _is_own_or_gateway,
    "services": _calls_service,
    "named-hosts": _has_named_hosts,
    "administration": lambda seen: seen.connection.origin == "platform" or seen.connection.source.kind != "component",
})  # fmt: skip
