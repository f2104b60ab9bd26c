"""Random valid declarations of hosted systems for property tests; it must not read nor write files.

What is drawn passes the loader's checks and the flow matrix (`lawful_flows`), and has the instances that its levels
need; other rules of the policy may find something.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from hypothesis import strategies as st

from telemetry.core.cloud.values import (
    DATA_ZONE_KINDS,
    BackupMedium,
    BackupStore,
    CloudDeclaration,
    Component,
    ComponentKind,
    ComponentZone,
    DataKind,
    Exposure,
    Flow,
    FlowEnd,
    Ground,
    HostedSystem,
    LevelDecision,
    LockEntry,
    LogStore,
    PolicyException,
    Prices,
    Protection,
    ProtectionName,
    RestoreDrill,
    ServedParty,
)
from tests.cloud_examples import AGENCIES, PEERS, PLATFORM, SITES, SIZES, ZONE_NETWORKS, component_end, outside

if TYPE_CHECKING:
    from collections.abc import Mapping


def _single_dashes(ident: str) -> str:
    return "".join(sign for sign, before in zip(ident, f" {ident}", strict=False) if sign + before != "--")


DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
TEXTS = st.sampled_from(
    ("Hồ sơ một cửa", 'có "ngoặc", phẩy', "a; b | c", "100 %", "# no comment", "it's \\ here", "01/QĐ-UBND", "x")
)
"""Texts that a careless reader or writer of CSV and TOML changes."""
_SHORT = st.text("abz09-", max_size=5).map(lambda text: _single_dashes(f"n{text}x"))
_LONG = st.text("a0-", min_size=44, max_size=55).map(lambda text: _single_dashes(f"{'n' * 20}{text}x"[-58:]))
_TRICKY = st.sampled_from(("a", "a-dmz", "a-dmz-server", "a-server", "a-prod", "a-database"))
NAMES = st.one_of(_SHORT, _TRICKY)
GONE = "vn83-gone"
"""A system that the lock names and nobody declares any more."""
SYSTEM_IDS = st.one_of(_SHORT, _TRICKY, _LONG).map("vn83-{}".format).filter(lambda ident: ident != GONE)
"""Ids that end like a zone or a stage, and some that are too long to append one."""
ZONES_OF_KIND: Mapping[ComponentKind, tuple[ComponentZone, ...]] = {
    "web": ("dmz",),
    "gateway": ("dmz", "server"),
    "app": ("server",),
    "job": ("server",),
    "cache": ("server",),
    "queue": ("server",),
    "database": ("database",),
    "objects": ("database",),
}
LISTENING: frozenset[ComponentKind] = frozenset(set(ZONES_OF_KIND) - {"job", "objects"})


@st.composite
def hosted_systems(draw: st.DrawFn, ident: str) -> HostedSystem:
    """Draw the table `[system.hosted]` of a system with that id."""
    exposure: Exposure = draw(st.sampled_from(get_args(Exposure)))
    owner, operator, security = draw(st.permutations(sorted(AGENCIES)))
    return HostedSystem(
        id=ident, owner=owner, operator=operator, security=security,
        serves=draw(st.sampled_from(get_args(ServedParty))),
        data=draw(st.sampled_from([kind for kind in get_args(DataKind) if kind != "secret"])),
        level=draw(st.integers(1, 4)), site="main",
        subjects=draw(st.sampled_from((0, 9_999, 10_000, 99_999, 100_000, 5_000_000))), procedures=draw(st.booleans()),
        level_decision=draw(st.none() | st.builds(LevelDecision, TEXTS, DAYS)),
        rpo_s=draw(st.sampled_from((0, 300, 86_400))), rto_s=draw(st.sampled_from((60, 3_600, 604_800))),
        exposure=exposure, host="" if exposure == "none" else f"{ident}.example",
        log_events_per_s=draw(st.integers(0, 10_000)),
    )  # fmt: skip


@st.composite
def components_of(draw: st.DrawFn, system: HostedSystem) -> tuple[Component, ...]:
    """Draw one to five components of a system."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    return tuple(draw(_components(system, name)) for name in sorted(names))


def _images_of(kind: ComponentKind) -> tuple[str, ...]:
    """Return the images of a kind: only those of databases have a version beside their digest."""
    if kind == "objects":
        return ("",)
    return ("lib/postgresql",) if kind == "database" else ("onestop-web", "vn83/app")


@st.composite
def _components(draw: st.DrawFn, system: HostedSystem, ident: str) -> Component:
    kind: ComponentKind = draw(st.sampled_from(get_args(ComponentKind)))
    zone = draw(st.sampled_from(ZONES_OF_KIND[kind]))
    if system.level <= 2 and kind in DATA_ZONE_KINDS:
        zone = draw(st.sampled_from(("server", "database")))
    needed = 1 if system.level <= 2 else 3 if kind == "database" else 2
    least = draw(st.integers(needed, needed + 2))
    listens, is_ours = kind in LISTENING, kind not in {"database", "queue"}
    port = draw(st.integers(1024, 65_535)) if listens else 0
    if kind == "database":
        port = 5432
    return Component(
        system.id, ident, kind, zone, draw(st.sampled_from(sorted(SIZES))),
        least, draw(st.integers(least, least + 4)),
        disk_gb=draw(st.integers(1, 20_000)) if kind in DATA_ZONE_KINDS else 0,
        port=port,
        health=draw(st.sampled_from(("", "/healthz", "/api/v1/health"))) if listens else "",
        image=draw(st.sampled_from(_images_of(kind))),
        health_port=draw(st.sampled_from((0, 1023))) if listens and is_ours else 0,
    )  # fmt: skip


def lawful_flows(declaration: CloudDeclaration) -> list[Flow]:
    """Return every flow that the matrix allows between what is declared, to the port of the component called."""
    flows = [
        Flow(component_end(one.system, one.id), component_end(other.system, other.id), other.port, "data")
        for one in declaration.components
        for other in declaration.components
        if one is not other and one.kind != "objects" and other.port and _is_allowed(declaration, one, other)
    ]
    for one in declaration.components:
        end, exposure = component_end(one.system, one.id), declaration.systems[one.system].exposure
        if one.kind == "web" and exposure != "none":
            peers = {"internet": "internet", "wan": "tslcd", "office": "office"}
            flows.append(Flow(outside(peers[exposure]), end, one.port, "pages"))
        if one.kind == "gateway":
            if one.zone == "dmz":
                flows += [Flow(outside(peer), end, one.port, "exchange") for peer in ("tslcd", "ngsp")]
            flows += [Flow(end, outside(peer), 443, "exchange") for peer in ("tslcd", "ngsp")]
        if one.kind == "app":
            flows.append(Flow(end, FlowEnd("platform", "identity"), 8443, "log-in"))
    return flows


def _is_allowed(declaration: CloudDeclaration, one: Component, other: Component) -> bool:
    if one.system != other.system:
        return one.zone == "server" and other.kind == "gateway" and other.zone == "server"
    if one.zone == "dmz" and other.zone == "database":
        return declaration.systems[one.system].level <= 2
    return (one.zone, other.zone) in {
        ("dmz", "dmz"), ("dmz", "server"), ("server", "server"), ("server", "database"), ("database", "database"),
    }  # fmt: skip


@st.composite
def declarations(draw: st.DrawFn, min_systems: int = 1, max_systems: int = 4) -> CloudDeclaration:
    """Draw a whole valid declaration: agencies, sites, sizes, peers and platform are those of the examples."""
    idents = draw(st.lists(SYSTEM_IDS, min_size=min_systems, max_size=max_systems, unique=True))
    systems = {ident: draw(hosted_systems(ident)) for ident in sorted(idents)}
    components = tuple(one for system in systems.values() for one in draw(components_of(system)))
    drills = st.builds(
        RestoreDrill, system=st.sampled_from(sorted(systems)), day=DAYS, evidence=TEXTS, declared_at=st.just("")
    )
    protections = draw(st.lists(PROTECTIONS, unique_by=lambda one: one.name, max_size=3))
    declaration = CloudDeclaration(
        agencies=AGENCIES, systems=systems, components=components, sites=SITES, zone_networks=ZONE_NETWORKS,
        sizes=SIZES, peers=PEERS, platform=PLATFORM, logs=draw(st.none() | LOG_STORES),
        backups=tuple(draw(st.lists(BACKUP_STORES, unique_by=lambda one: one.id, max_size=3))),
        drills=tuple(draw(st.lists(drills, max_size=2))), protections={one.name: one for one in protections},
        exceptions=draw(_exceptions(components)), ground=draw(_grounds()), prices=draw(st.none() | PRICES),
        lock=draw(_locks(components)),
    )  # fmt: skip
    possible = lawful_flows(declaration)
    chosen = draw(st.lists(st.sampled_from(possible), unique=True, max_size=10)) if possible else []
    reasons = st.sampled_from(("", "", "sits behind the same wall"))
    flows = tuple(_with_reason(flow, draw(reasons)) for flow in chosen)
    return replace(declaration, flows=flows)


def _with_reason(flow: Flow, no_tls_reason: str) -> Flow:
    return replace(flow, tls=not no_tls_reason, no_tls_reason=no_tls_reason)


@st.composite
def _locks(draw: st.DrawFn, components: tuple[Component, ...]) -> tuple[LockEntry, ...]:
    """Draw the lock of some zones and of one of a system that is gone, with slots in any order."""
    zones = {(one.system, one.zone) for one in components}
    locked = (*draw(st.lists(st.sampled_from(sorted(zones)), unique=True)), (GONE, "server"))
    slots = draw(st.permutations(range(1, len(locked) + 1)))
    return tuple(
        LockEntry(system, zone, slot, f"locked-{at}")
        for at, ((system, zone), slot) in enumerate(zip(locked, slots, strict=True))
    )


LOG_STORES = st.builds(
    LogStore, keep_days=st.integers(1, 400), zone=st.sampled_from(("manage", "database")),
    disk_gb=st.integers(0, 10_000), event_bytes=st.integers(1, 5_000), locked=st.booleans(),
    declared_at=st.just(""),
)  # fmt: skip
BACKUP_STORES = st.builds(
    BackupStore, id=_SHORT, site=st.sampled_from(sorted(SITES)), medium=st.sampled_from(get_args(BackupMedium)),
    every_s=st.sampled_from((3_600, 86_400)), wal=st.booleans(), encrypted=st.booleans(), locked=st.booleans(),
    own_project=st.booleans(), restore_mb_per_s=st.integers(0, 1_000), declared_at=st.just(""),
)  # fmt: skip
PROTECTIONS = st.builds(
    Protection, name=st.sampled_from(get_args(ProtectionName)), since=st.just(date(2020, 1, 1)), evidence=TEXTS,
    evidence_day=DAYS, declared_at=st.just(""),
)  # fmt: skip
PRICES = st.builds(Prices, st.just("VND"), *[st.integers(0, 10**9)] * 4)


@st.composite
def _exceptions(draw: st.DrawFn, components: tuple[Component, ...]) -> tuple[PolicyException, ...]:
    places = ["cloud", *(one.path for one in components), *(one.system for one in components)]
    each = st.builds(
        PolicyException, rule=st.sampled_from(("pod-hardened", "replicas")), where=st.sampled_from(places), why=TEXTS,
        by=st.sampled_from(sorted(AGENCIES)), until=st.none() | DAYS, declared_at=st.just(""),
    )  # fmt: skip
    return tuple(draw(st.lists(each, max_size=2, unique_by=lambda one: (one.rule, one.where))))


@st.composite
def _grounds(draw: st.DrawFn) -> Ground:
    engines = draw(st.dictionaries(st.sampled_from(("kubernetes", "cloudnative-pg")), st.just("1.36"), max_size=2))
    ends = {name: draw(DAYS) for name in sorted(engines) if draw(st.booleans())}
    return draw(
        st.builds(
            Ground, network_policies_enforced=st.booleans(), storage_encrypted=st.booleans(),
            etcd_encrypted=st.booleans(), control_planes=st.integers(1, 5), time_synchronised=st.booleans(),
            stages_apart=st.booleans(), gateway_class=st.sampled_from(("envoy", "cilium")),
            gateway_namespace=st.just("gateway-system"), engines=st.just(MappingProxyType(engines)),
            engine_ends=st.just(MappingProxyType(ends)), declared_at=st.just(""),
        )
    )  # fmt: skip
