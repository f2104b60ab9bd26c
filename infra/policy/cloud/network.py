"""Rules about zones and connections: declared, through the zones that are allowed, closed on the way out. Pure.

It must not decide what the matrix of zones allows; `infra.plan.cloud.zones` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import NETWORKS_VI, Sentence
from infra.plan.cloud.zones import zone_breach
from infra.policy.cloud.breach import CLOUD, CloudBreach, component_breach, shared_breach, system_breach, systems_under
from infra.policy.cloud.protection import protection_problem, protection_remedy
from infra.policy.rules import is_open_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint, SystemPlan
    from telemetry.core.cloud.values import CloudZone, Flow, FlowEnd, PeerKind

ADMINISTRATION_PORTS: Final = frozenset({
    22, 23, 2375, 2376, 2379, 3389, 5900, 6443, 8086, 9090, 9093, 9100, 9187, 10250, 15672,
})  # fmt: skip
"""Ports of remote shells, clusters and figures; a service that people use has another."""
HTTPS_PORT: Final = 443
_NETWORKS_BY_LEVEL: Final[tuple[tuple[int, tuple[CloudZone, ...], tuple[PeerKind, ...]], ...]] = (
    (2, ("edge", "dmz", "server"), ("office",)),
    (3, ("database", "manage"), ()),
    (4, (), ("wan",)),
)
"""(level, zones, kinds of outside networks) that are new with it; a wireless network counts only where there is one."""


def check_network(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about zones and connections."""
    yield from _zone_breaches(plan)
    yield from _flow_breaches(plan)
    yield from _undeclared_ends(plan)
    yield from _administration_breaches(plan)
    yield from _health_breaches(plan)
    yield from _unused_exposures(plan)
    if not plan.declaration.ground.network_policies_enforced:
        for system in systems_under(plan, "egress-closed"):
            problem = Sentence(
                "the cluster does not enforce network policies, so that every way out is open",
                "Cụm không thực thi chính sách mạng, nên mọi chiều ra đều mở",
            )
            remedy = Sentence(
                "use a plugin that does, then write network_policies_enforced = true in [ground] of cloud.toml",
                "Dùng thành phần mạng có thực thi, rồi ghi network_policies_enforced = true trong [ground] của "
                "cloud.toml",
            )
            yield shared_breach("egress-closed", system, problem, remedy, plan.declaration.ground.declared_at)


def _zone_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    declared = {(network.zone, network.site) for network in plan.declaration.zone_networks}
    kinds = {peer.kind for peer in plan.declaration.peers.values()}
    for system in systems_under(plan, "zone-present"):
        site, level = system.declared.site, system.declared.level
        for first, zones, peer_kinds in _NETWORKS_BY_LEVEL:
            if level < first:
                continue
            for zone in zones:
                if (zone, site) not in declared:
                    problem = Sentence(
                        f"site {site} has no network for zone {zone}, which level {level} asks for",
                        f"Địa điểm {site} không có mạng cho {NETWORKS_VI[zone]} mà cấp độ {level} yêu cầu",
                    )
                    remedy = Sentence(
                        f'write {zone} = "…" in [zones.{site}] of cloud.toml',
                        f'Ghi {zone} = "…" trong [zones.{site}] của cloud.toml',
                    )
                    yield shared_breach("zone-present", system, problem, remedy, "")
            for kind in peer_kinds:
                if kind not in kinds:
                    problem = Sentence(
                        f"no outside network of kind {kind} is declared, which level {level} asks for",
                        f"Chưa khai báo {NETWORKS_VI[kind]} mà cấp độ {level} yêu cầu",
                    )
                    remedy = Sentence(
                        f"declare a [[peer]] of kind {kind} in cloud.toml",
                        f"Khai báo một [[peer]] loại {kind} trong cloud.toml",
                    )
                    yield shared_breach("zone-present", system, problem, remedy, "")
        yield from _misplaced_databases(system)


def _misplaced_databases(system: SystemPlan) -> Iterator[CloudBreach]:
    for planned in system.components:
        component = planned.declared
        if system.declared.level >= 3 and component.kind == "database" and component.zone != "database":
            problem = Sentence(
                f"a database is in zone {component.zone}", f"Cơ sở dữ liệu đặt trong {NETWORKS_VI[component.zone]}"
            )
            remedy = Sentence("move it to zone database", "Chuyển sang vùng cơ sở dữ liệu")
            yield component_breach("zone-present", system, component, problem, remedy)


def _flow_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield what the matrix forbids, and connections with a party that is the whole Internet."""
    for connection in plan.connections:
        level = _level_of(plan, connection)
        breach = zone_breach(plan, connection)
        if breach is not None:
            yield CloudBreach(
                breach.rule, _place_of(connection), breach.problem, breach.remedy, level, connection.declared_at,
                breach.clause,
            )  # fmt: skip
        for end in (connection.source, connection.target):
            if _is_open(plan, end) and not _enters_edge(connection):
                yield CloudBreach(
                    "flow-declared",
                    _place_of(connection),
                    Sentence(
                        f"{connection.source} → {connection.target} port {connection.port}: {end} is every network",
                        f"Kết nối {connection.source} → {connection.target} cổng {connection.port}: {end} là mọi mạng",
                    ),
                    Sentence(
                        "name the networks that are meant: cidrs of the peer",
                        "Nêu rõ các mạng (cidrs) của bên ngoài đó",
                    ),
                    level,
                    connection.declared_at,
                )


def _unused_exposures(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield a hint for each exposure through which no declared flow from outside comes."""
    called = {one.target.system for one in plan.declaration.flows if one.source.kind == "outside"}
    for system in plan.systems:
        exposure = system.declared.exposure
        if exposure != "none" and system.id not in called:
            problem = Sentence(
                f"is exposed to {exposure}, and no flow from outside reaches it",
                f"Mở ra {NETWORKS_VI[exposure]}, nhưng không có kết nối nào từ bên ngoài đi vào",
            )
            remedy = Sentence(
                'write a row from outside:PEER in flows.csv, or exposure = "none" without a host',
                'Ghi một dòng từ outside:PEER trong flows.csv, hoặc exposure = "none" và bỏ tên miền (host)',
            )
            yield system_breach("flow-declared", system, problem, remedy, is_hint=True)


def _is_open(plan: CloudPlan, end: Endpoint) -> bool:
    peer = plan.declaration.peers.get(end.name) if end.kind == "outside" else None
    return peer is not None and (not peer.cidrs or any(is_open_network(cidr) for cidr in peer.cidrs))


def _enters_edge(connection: AllowedConnection) -> bool:
    return connection.target.kind == "edge" and connection.port == HTTPS_PORT


def _place_of(connection: AllowedConnection) -> str:
    """Return the component that a connection begins at, or else the one that it ends at."""
    ends = [end for end in (connection.source, connection.target) if end.kind == "component"]
    return str(ends[0]) if ends else CLOUD


def _level_of(plan: CloudPlan, connection: AllowedConnection) -> int:
    levels = {system.id: system.declared.level for system in plan.systems}
    return max((levels.get(end.system, 1) for end in (connection.source, connection.target)), default=1)


def _undeclared_ends(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield each flow with an end that nobody declared: no object is made of it."""
    for flow in plan.declaration.flows:
        for end in (flow.source, flow.target):
            if not _is_declared(plan, end):
                yield CloudBreach(
                    "flow-declared",
                    _flow_place(flow),
                    Sentence(
                        f"{flow.source} → {flow.target} port {flow.port}: {end} is not declared",
                        f"Kết nối {flow.source} → {flow.target} cổng {flow.port}: {end} chưa được khai báo",
                    ),
                    Sentence("declare it, or remove the flow", "Khai báo đầu kết nối này, hoặc bỏ kết nối"),
                    declared_at=flow.declared_at,
                )


def _is_declared(plan: CloudPlan, end: FlowEnd) -> bool:
    declaration = plan.declaration
    if end.kind == "outside":
        return end.name in declaration.peers
    if end.kind == "platform":
        return end.name in declaration.platform
    return declaration.component(end) is not None


def _flow_place(flow: Flow) -> str:
    return next((str(end) for end in (flow.source, flow.target) if end.kind == "component"), CLOUD)


def _administration_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield flows from outside to administration ports, and a way to administration that is not named or protected."""
    for rule in ("admin-port", "admin-source"):
        systems = {system.id: system.declared.level for system in systems_under(plan, rule)}
        for flow in plan.declaration.flows:
            opened = flow.source.kind == "outside" and flow.port in ADMINISTRATION_PORTS
            if opened and flow.target.system in systems:
                yield CloudBreach(
                    rule,
                    str(flow.target),
                    Sentence(
                        f"port {flow.port}, one of administration, is opened to {flow.source}",
                        f"Cổng quản trị {flow.port} được mở cho {flow.source}",
                    ),
                    Sentence(
                        "administer from zone manage, and give people the service's own port",
                        "Quản trị từ vùng quản trị, và chỉ mở cho người dùng cổng của dịch vụ",
                    ),
                    systems[flow.target.system],
                    flow.declared_at,
                )
    for system in systems_under(plan, "admin-source"):
        yield from _source_breaches(plan, system)


def _health_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield health that is answered where people call, and a port of health that others than the system reach."""
    reached: dict[tuple[str, str], list[AllowedConnection]] = {}
    for connection in plan.connections:
        reached.setdefault((connection.target.system, connection.target.name), []).append(connection)
    for system in systems_under(plan, "admin-port"):
        for planned in system.components:
            component = planned.declared
            callers = [one for one in reached.get((system.id, component.id), ()) if one.source.system != system.id]
            for one in callers:
                if component.health_port == one.port:
                    problem = Sentence(
                        f"port {one.port} is for health and administration, and {one.source} may call it",
                        f"Cổng {one.port} dành cho kiểm tra hoạt động và quản trị, nhưng {one.source} được kết nối đến",
                    )
                    remedy = Sentence("let it call the port of the service", "Chỉ cho kết nối đến cổng của dịch vụ")
                    yield component_breach("admin-port", system, component, problem, remedy)
            public = {one.port for one in callers if one.source.kind in {"edge", "outside"}}
            if component.health and component.port in public and not component.health_port:
                problem = Sentence(
                    f"answers its health at port {component.port}, the port of the service that people call",
                    f"Kiểm tra hoạt động dùng cổng {component.port}, là cổng dịch vụ mở cho người dùng",
                )
                remedy = Sentence(
                    "give health and administration a port of their own: health_port",
                    "Dành cổng riêng cho kiểm tra hoạt động và quản trị (health_port)",
                )
                yield component_breach("admin-port", system, component, problem, remedy)


def _source_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    offices = [peer for peer in plan.declaration.peers.values() if peer.kind == "office"]
    for peer in offices:
        if not peer.cidrs or any(is_open_network(cidr) for cidr in peer.cidrs):
            problem = Sentence(
                f"administration from office network {peer.id} is from everywhere",
                f"Quản trị từ mạng nội bộ {peer.id} thực tế là từ mọi nơi",
            )
            remedy = Sentence(
                f"write its networks as cidrs of the [[peer]] {peer.id} of cloud.toml",
                f"Ghi các dải mạng (cidrs) của [[peer]] {peer.id} trong cloud.toml",
            )
            yield shared_breach("admin-source", system, problem, remedy, peer.declared_at)
    missing = Sentence("remote administration passes no declared VPN", "Quản trị từ xa chưa qua VPN đã khai báo")
    vpn = plan.declaration.protections.get("vpn")
    unproven = protection_problem(vpn, plan.today) if vpn else missing
    if unproven is not None:
        remedy = protection_remedy("vpn")
        yield shared_breach("admin-source", system, unproven, remedy, vpn.declared_at if vpn else "")
