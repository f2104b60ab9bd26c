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
from infra.plan.cloud.sentences import NETWORKS_VI, Sentence
from telemetry.core.cloud.zone_matrix import MATRIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint
    from telemetry.core.cloud.values import Component
    from telemetry.core.cloud.zone_matrix import CellRule, Network

ZoneRule = Literal["flow-zone", "system-apart", "egress-closed"]
CELL_TITLES: Mapping[CellRule, Sentence] = MappingProxyType(
    {
        "https": Sentence("443", "cổng 443"),
        "https-or-gateway-port": Sentence("443, a gateway's own port", "cổng 443, hoặc cổng riêng của cổng kết nối"),
        "gateway-called": Sentence("to a gateway", "đến cổng kết nối"),
        "gateway-calls": Sentence("from a gateway", "từ cổng kết nối"),
        "declared": Sentence("declared", "kết nối đã khai báo"),
        "own-system": Sentence("own system", "trong cùng hệ thống"),
        "own-system-to-level-2": Sentence("own system, to level 2", "trong cùng hệ thống, đến cấp độ 2"),
        "own-system-or-gateway": Sentence(
            "own system; others: gateway from level 3",
            "trong cùng hệ thống; từ cấp độ 3 đến hệ thống khác qua cổng kết nối",
        ),
        "services": Sentence("services of the platform", "dịch vụ nền tảng"),
        "named-hosts": Sentence("named hosts, to level 3", "máy chủ có tên cụ thể, đến cấp độ 3"),
        "administration": Sentence("figures, administration", "số liệu giám sát, quản trị"),
    }
)
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
    problem: Sentence
    remedy: Sentence


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
    from_vi, to_vi = NETWORKS_VI[source], NETWORKS_VI[target]
    ends_vi = f"Kết nối {seen.connection.source} ({from_vi}) → {seen.connection.target} ({to_vi})"
    if cell == "named-hosts":
        if seen.level >= 4:
            problem = Sentence(
                f"{ends} leaves the cloud directly, which ends at level 4",
                f"{ends_vi} đi thẳng ra ngoài đám mây, không được phép từ cấp độ 4",
            )
            remedy = Sentence("declare the flow to platform:proxy instead", "Khai báo kết nối qua platform:proxy")
            return ZoneBreach("egress-closed", f"{clause} g", problem, remedy)
        problem = Sentence(
            f"{ends} leaves the cloud for no named host", f"{ends_vi} đi ra ngoài đám mây mà không nêu tên máy chủ"
        )
        remedy = Sentence(
            "declare the peer's hosts in cloud.toml", "Khai báo máy chủ (hosts) của bên ngoài trong cloud.toml"
        )
        return ZoneBreach("egress-closed", f"{clause} d", problem, remedy)
    if cell and len(_component_ends(seen.connection)) == 2 and not seen.is_within_system and seen.level >= 3:
        problem = Sentence(
            f"{ends} passes from one system to another, at level {seen.level}",
            f"{ends_vi} đi từ hệ thống này sang hệ thống khác, ở cấp độ {seen.level}",
        )
        remedy = Sentence(
            "call a component of kind gateway in the other system's zone server",
            "Kết nối đến thành phần loại cổng kết nối (gateway) trong vùng máy chủ nội bộ của hệ thống kia",
        )
        return ZoneBreach("system-apart", "331 Art. 30.8.a", problem, remedy)
    allowed = f"allows only: {CELL_TITLES[cell].en}" if cell else "is closed"
    allowed_vi = f"chỉ cho phép: {CELL_TITLES[cell].vi}" if cell else "bị chặn"
    problem = Sentence(
        f"{ends} port {seen.connection.port}: the way {source} → {target} {allowed}",
        f"{ends_vi} cổng {seen.connection.port}: chiều từ {from_vi} đến {to_vi} {allowed_vi}",
    )
    return ZoneBreach("flow-zone", clause, problem, _remedy(seen))


def _remedy(seen: _Pass) -> Sentence:
    if seen.connection.source.kind == "outside" and seen.target is not None:
        return Sentence(
            "give the system an exposure that the party is in, and let it call a component in zone dmz",
            "Mở hệ thống ra mạng của bên gọi (exposure), và để bên đó kết nối đến thành phần trong vùng DMZ",
        )
    if seen.connection.target.kind == "outside":
        return Sentence(
            "let a component of kind gateway call the party",
            "Để thành phần loại cổng kết nối (gateway) kết nối đến bên ngoài",
        )
    return Sentence(
        "let the flow pass a component in a zone between them, or remove it",
        "Cho kết nối đi qua thành phần trong một vùng trung gian, hoặc bỏ kết nối",
    )


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
