"""Declarations of hosted systems for tests, as values: the electronic one-stop system of a province, and edits of it.

It must not read files: `telemetry.inventory` has its own tests.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from infra.plan.cloud import build_cloud_plan
from telemetry.core.cloud.values import (
    Agency,
    BackupStore,
    CloudDeclaration,
    Component,
    ComponentSize,
    Flow,
    FlowEnd,
    Ground,
    HostedSystem,
    LevelDecision,
    LockEntry,
    LogStore,
    Peer,
    PlatformService,
    Protection,
    RestoreDrill,
    Site,
    ZoneNetwork,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from infra.plan.cloud import CloudPlan

TODAY = date(2026, 11, 29)
ONESTOP = "vn83-onestop"
AGENCIES = {
    agency.id: agency
    for agency in (
        Agency("vn83-ubnd", "83", "Ủy ban nhân dân tỉnh", "Provincial People's Committee", valid_from=date(2020, 6, 1)),
        Agency("vn83-dit", "83", "Sở Thông tin và Truyền thông", "Department of Information", "vn83-ubnd"),
        Agency("vn83-police", "83", "Công an tỉnh", "Provincial police", "vn83-ubnd"),
    )
}
SITES = {
    site.id: site
    for site in (
        Site("main", "VN", 10.2415, 106.3759, "main"),
        Site("backup", "VN", 9.9347, 106.3453 + 0.45, "backup"),
    )
}
ZONE_NETWORKS = (
    ZoneNetwork("edge", "main", "10.83.0.0/18"),
    ZoneNetwork("dmz", "main", "10.83.64.0/18"),
    ZoneNetwork("server", "main", "10.83.128.0/18"),
    ZoneNetwork("database", "main", "10.83.192.0/18"),
    ZoneNetwork("manage", "main", "10.84.0.0/18"),
)
SIZES = {
    size.id: size
    for size in (
        ComponentSize("S", 500, 1024, "SCS-1V-2"),
        ComponentSize("M", 1000, 2048, "SCS-2V-4"),
        ComponentSize("L", 2000, 8192, "SCS-2V-8"),
    )
}
PEERS = {
    peer.id: peer
    for peer in (
        Peer("internet", "internet", ("0.0.0.0/0",)),
        Peer("office", "office", ("10.10.0.0/16",)),
        Peer("tslcd", "wan", ("10.255.0.0/16",), country="VN"),
        Peer("ngsp", "partner", ("203.0.113.0/24",), ("ngsp.example",), country="VN"),
    )
}
PLATFORM: Mapping[str, PlatformService] = {
    service.name: service
    for service in (
        PlatformService("dns", "kube-system", "10.84.0.53", port=53),
        PlatformService("time", address="10.84.0.10", port=123),
        PlatformService("logs", "platform-logs", "10.84.0.50", port=3100),
        PlatformService("identity", "platform-identity", "10.84.0.51", port=8443),
        PlatformService("registry", address="10.84.0.20", port=443),
        PlatformService("secrets", "platform-secrets", "10.84.0.52", port=8200),
        PlatformService("metrics", "platform-metrics", "10.84.0.54", port=9090),
        PlatformService("backup", address="10.84.0.30", port=443),
        PlatformService("objects", address="10.84.0.40", port=443),
        PlatformService("broker", "motcua", "10.84.0.60", port=8883),
    )
}
BACKUPS = (
    BackupStore("main-objects", "main", "objects", wal=True, locked=True, restore_mb_per_s=100),
    BackupStore("far-tape", "backup", "tape", locked=True, restore_mb_per_s=50),
)
DRILLS = (RestoreDrill(ONESTOP, date(2026, 6, 1), "minutes of the restore"),)
GROUND = Ground(
    network_policies_enforced=True, storage_encrypted=True, etcd_encrypted=True, control_planes=3,
    time_synchronised=True, stages_apart=True,
)  # fmt: skip
LOGS = LogStore(90, "manage", 2000, 500)
PROTECTIONS = {
    name: Protection(name, date(2025, 1, 1), f"document {name}", date(2026, 6, 1))
    for name in ("waf", "ddos", "ips", "dbf", "edr", "siem", "vpn", "pam")
}


def component_end(system: str, name: str) -> FlowEnd:
    """Return the end `system/name`."""
    return FlowEnd("component", name, system)


def outside(peer: str) -> FlowEnd:
    """Return the end `outside:peer`."""
    return FlowEnd("outside", peer)


def hosted_system(ident: str = ONESTOP, **changes: Any) -> HostedSystem:  # noqa: ANN401 - fields of the dataclass
    """Return the base system, with changed fields."""
    base = HostedSystem(
        id=ident, owner="vn83-ubnd", operator="vn83-dit", security="vn83-police",
        serves="public", data="personal",
        level=3, site="main", subjects=900_000, procedures=True,
        level_decision=LevelDecision("01/QĐ", date(2026, 9, 1)),
        rpo_s=300, rto_s=3600, exposure="internet", host=f"{ident.partition('-')[2]}.example",
    )  # fmt: skip
    return replace(base, **changes)


def base_components(system: str = ONESTOP) -> tuple[Component, ...]:
    """Return web, app and database of the base system."""
    return (
        Component(
            system, "web", "web", "dmz", "S", 2, 4, port=8080, health="/healthz", image="onestop-web", health_port=9080
        ),
        Component(system, "app", "app", "server", "M", 2, 2, port=8081, health="/healthz", image="onestop-app"),
        Component(system, "db", "database", "database", "L", 3, 3, 200, 5432, image="postgresql"),
    )


def base_flows(system: str = ONESTOP) -> tuple[Flow, ...]:
    """Return the base system's flows: internet → web → app → db."""
    return (
        Flow(outside("internet"), component_end(system, "web"), 8080, "people's pages"),
        Flow(component_end(system, "web"), component_end(system, "app"), 8081, "requests"),
        Flow(component_end(system, "app"), component_end(system, "db"), 5432, "data"),
    )


def base_lock(*systems: str) -> tuple[LockEntry, ...]:
    """Return the lock of systems with the three zones, slots in order."""
    return tuple(
        LockEntry(system, zone, slot, f"{system}-{zone}")
        for slot, system in enumerate(systems or (ONESTOP,), 1)
        for zone in ("dmz", "server", "database")
    )


def base_declaration() -> CloudDeclaration:
    """Return the declaration of the base system alone: no rule is broken by it."""
    return CloudDeclaration(
        agencies=AGENCIES, systems={ONESTOP: hosted_system()}, components=base_components(), flows=base_flows(),
        sites=SITES, zone_networks=ZONE_NETWORKS, sizes=SIZES, peers=PEERS, platform=PLATFORM, logs=LOGS,
        backups=BACKUPS, drills=DRILLS, protections=PROTECTIONS, ground=GROUND, lock=base_lock(),
    )  # fmt: skip


def with_system(declaration: CloudDeclaration, system: HostedSystem) -> CloudDeclaration:
    """Return the declaration with a system added or replaced."""
    return replace(declaration, systems={**declaration.systems, system.id: system})


def changed_components(
    components: Iterable[Component],
    chosen: Callable[[Component], bool],
    **changes: Any,  # noqa: ANN401
) -> tuple[Component, ...]:
    """Return the components with fields of the chosen ones changed."""
    return tuple(replace(one, **changes) if chosen(one) else one for one in components)


def gateway_system(level: int = 3) -> CloudDeclaration:
    """Return the base with the LGSP, whose gateway the one-stop system and the state's network call."""
    lgsp = "vn83-lgsp"
    base = with_system(
        base_declaration(),
        hosted_system(lgsp, serves="infrastructure", exposure="wan", host="lgsp.example", level=level),
    )
    return replace(
        base,
        components=(*base.components, Component(lgsp, "gw", "gateway", "dmz", "M", 2, 2, port=5500, image="gw")),
        flows=(
            *base.flows,
            Flow(outside("tslcd"), component_end(lgsp, "gw"), 5500, "exchange"),
            Flow(component_end(ONESTOP, "app"), component_end(lgsp, "gw"), 5500, "exchange"),
        ),
        lock=base_lock(ONESTOP, lgsp),
    )


def with_components(declaration: CloudDeclaration, path: str, **changes: Any) -> CloudDeclaration:  # noqa: ANN401
    """Return the declaration with fields of the component `system/id` changed."""
    changed = changed_components(declaration.components, lambda one: one.path == path, **changes)
    return replace(declaration, components=changed)


def with_flows(declaration: CloudDeclaration, *flows: Flow) -> CloudDeclaration:
    """Return the declaration with flows added."""
    return replace(declaration, flows=(*declaration.flows, *flows))


def renamed_system(declaration: CloudDeclaration, ident: str, *was: str) -> CloudDeclaration:
    """Return a declaration whose one system, that of the base, has another id; `was`: the earlier ids it names."""
    return replace(
        declaration,
        systems={ident: hosted_system(ident, was=was, host="onestop.example")},
        components=base_components(ident),
        flows=base_flows(ident),
        drills=tuple(replace(one, system=ident) for one in declaration.drills),
    )


def second_system(ident: str, **changes: Any) -> CloudDeclaration:  # noqa: ANN401
    """Return the base declaration with a second system of the same components and flows."""
    base = base_declaration()
    return with_system(
        replace(
            base,
            components=(*base.components, *base_components(ident)),
            flows=(*base.flows, *base_flows(ident)),
            drills=(*base.drills, RestoreDrill(ident, date(2026, 6, 1), "minutes of the restore")),
            lock=base_lock(ONESTOP, ident),
        ),
        hosted_system(ident, **changes),
    )


def planned(declaration: CloudDeclaration, stage: str = "prod") -> CloudPlan:
    """Return the plan of a declaration on the day of the examples."""
    return build_cloud_plan(declaration, province="vn83", stage=stage, today=TODAY)
