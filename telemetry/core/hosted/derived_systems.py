"""Derives from the declared cloud what monitors it: vantage points inside, a probe per component, objectives. Pure.

It must not check a declaration and must not observe anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from telemetry.core.cloud.encryption import speaks_tls
from telemetry.core.cloud.physical_names import zone_namespace
from telemetry.core.hosted.database_figures import METRICS_PORT
from telemetry.core.hosted.inside_probes import (
    VANTAGE_ZONE,
    closed_paths,
    component_probes,
    figures_service,
    has_figures,
    is_probed,
    peer_probes,
)
from telemetry.core.inventory import Device, Objective, System

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry.core.cloud.values import CloudDeclaration, CloudZone, Component, ComponentKind, HostedSystem
    from telemetry.core.hosted.inside_probes import InsideProbe
    from telemetry.core.inventory import Inventory

PartKind = Literal["component", "peer", "closed-path"]
"""Kinds of derived systems: a component; an outside party that it calls; a connection that must fail."""
COMPONENT: Final = "component"
PEER: Final = "peer"
CLOSED_PATH: Final = "closed-path"
INSIDE_EVERY_MS = 60_000
MAX_ID_LENGTH = 63
CLOSED_PATHS_OBJECTIVE = "closed-paths"
CLOSED_PATHS_GOAL = 0.99999
"""So little may be open that one success of a negative probe exceeds every burn-rate rule at once."""
OBJECTIVE_DAYS = 28
DEFAULT_GOALS: Mapping[int, float] = MappingProxyType({1: 0.99, 2: 0.99, 3: 0.995, 4: 0.999})
"""The goal of a hosted system and its components by level; this product's own, of no regulation."""
_KIND_NAMES: Mapping[ComponentKind, tuple[str, str]] = MappingProxyType(
    {
        "web": ("máy chủ web", "web server"),
        "app": ("ứng dụng", "application"),
        "job": ("tác vụ nền", "job"),
        "database": ("cơ sở dữ liệu", "database"),
        "objects": ("kho tệp", "object store"),
        "queue": ("hàng đợi thông điệp", "message queue"),
        "cache": ("bộ nhớ đệm", "cache"),
        "gateway": ("cổng kết nối", "gateway"),
    }
)
_ZONE_NAMES: Mapping[str, str] = MappingProxyType({"dmz": "DMZ"})
"""What a zone is called where its id is no word."""
_ENTRY_ORDER: tuple[ComponentKind, ...] = ("gateway", "web", "app")


def cloud_place(province: str) -> str:
    """Return the id of the place of the inside vantage points: it is no centre, and pages list it nowhere."""
    return f"{province}-cloud"


def vantage_device(province: str, zone: CloudZone) -> str:
    """Return the device that probes from a zone of the cloud."""
    return f"{cloud_place(province)}-{zone}1"


def part_id(system: str, part: str) -> str:
    """Return the id under which a part of a system is probed; two parts never have the same."""
    plain = f"{system}--{part}"
    if len(plain) <= MAX_ID_LENGTH:
        return plain
    digest = blake2b(plain.encode(), digest_size=5).hexdigest()
    return f"{plain[: MAX_ID_LENGTH - len(digest) - 1]}-{digest}"


def component_id(component: Component) -> str:
    """Return the id under which a component is probed."""
    return part_id(component.system, component.id)


def entry_components(cloud: CloudDeclaration, system: str) -> tuple[Component, ...]:
    """Return the components at which requests arrive, by id: the targets of flows from outside or from other systems.

    Without such a flow: the gateways, or else the web servers, or else the applications.
    """
    own = {c.id: c for c in cloud.components_of(system) if is_probed(c)}
    called = {f.target.name for f in cloud.flows if f.target.system == system and f.source.system != system}
    entries = tuple(c for ident, c in own.items() if ident in called)
    if entries:
        return entries
    by_kind = (tuple(c for c in own.values() if c.kind == kind) for kind in _ENTRY_ORDER)
    return next((same for same in by_kind if same), ())


def system_calls(cloud: CloudDeclaration) -> dict[str, tuple[str, ...]]:
    """Return who calls whom, by id: components by the declared flows, and each system its entries."""
    calls: dict[str, dict[str, None]] = {}
    for flow in cloud.flows:
        source, target = cloud.component(flow.source), cloud.component(flow.target)
        if source is not None and target is not None and is_probed(target):
            calls.setdefault(component_id(source), {})[component_id(target)] = None
    for ident in cloud.systems:
        calls[ident] = dict.fromkeys(component_id(c) for c in entry_components(cloud, ident))
    return {ident: tuple(sorted(called)) for ident, called in calls.items()}


def inside_target(cloud: CloudDeclaration, component: Component) -> tuple[str, str]:
    """Return the kind and the target of the probe of a component from inside the cloud.

    The host is its service in the namespace of its zone; both keep their names when component or system are renamed.
    CloudNativePG's own is `NAME-rw`. With a health path the probe asks for it, by TLS unless a flow to the component
    has none, or it has a port of its own for health, which speaks plain HTTP; otherwise it opens a connection.
    """
    namespace = zone_namespace(cloud, cloud.systems[component.system], component.zone)
    service = f"{component.first_id}-rw" if component.kind == "database" else component.first_id
    address = f"{service}.{namespace}.svc:{component.probe_port}"
    if not component.health:
        return "tcp", address
    scheme = "https" if speaks_tls(cloud, component) and not component.health_port else "http"
    return "http", f"{scheme}://{address}{component.health}"


def figures_target(cloud: CloudDeclaration, component: Component) -> str:
    """Return where a database's own figures are read, HOST:PORT; the host has an address for each instance."""
    namespace = zone_namespace(cloud, cloud.systems[component.system], component.zone)
    return f"{figures_service(component)}.{namespace}.svc:{METRICS_PORT}"


@dataclass(frozen=True, slots=True)
class _Derivation:
    """The inventory whose cloud is derived from, with the two that are asked again and again."""

    inventory: Inventory

    @property
    def cloud(self) -> CloudDeclaration:
        return self.inventory.cloud

    def vantage(self, zone: CloudZone) -> tuple[str, ...]:
        return (vantage_device(self.inventory.province, zone),)

    def own_system(self, hosted: HostedSystem, declared: System) -> System:
        """Return the declared system with its level; without exposure it is probed inside only."""
        agency = self.cloud.agencies.get(hosted.owner)
        owner = declared.owner_agency or (agency.name_vi if agency else "")
        system = replace(declared, level=hosted.level, owner_agency=owner)
        entries = entry_components(self.cloud, hosted.id)
        if hosted.exposure != "none" or not entries:
            return system
        probe, target = inside_target(self.cloud, entries[0])
        return replace(system, probe=probe, target=target, quorum=1, vantage=self.vantage(VANTAGE_ZONE))

    def component_system(self, probe: InsideProbe, whole: System) -> System:
        component = self._component(probe)
        name_vi, name_en = _KIND_NAMES[component.kind]
        kind, target = inside_target(self.cloud, component)
        return self._part(
            whole, COMPONENT, probe,
            name_vi=f"{whole.name_vi}: {name_vi} {component.id}", name_en=f"{whole.name_en}: {name_en} {component.id}",
            probe=kind, target=target, level=whole.level,
            figures_target=figures_target(self.cloud, component) if has_figures(component) else "",
        )  # fmt: skip

    def peer_system(self, probe: InsideProbe, whole: System) -> System:
        name = probe.target.name
        return self._part(
            whole, PEER, probe,
            name_vi=f"{whole.name_vi}: bên ngoài {name}", name_en=f"{whole.name_en}: peer {name}",
            probe="tls" if probe.tls else "tcp", target=self._party_target(probe), critical=False,
        )  # fmt: skip

    def closed_path(self, probe: InsideProbe, whole: System) -> System:
        """Return the probe from a zone that must not reach a component or an outside party."""
        zone, name = _ZONE_NAMES.get(probe.zone, probe.zone), probe.target.name
        if probe.target.kind == "component":
            _, target = inside_target(self.cloud, replace(self._component(probe), health="", health_port=0))
        else:
            target = self._party_target(probe)
        return self._part(
            whole, CLOSED_PATH, probe,
            name_vi=f"{whole.name_vi}: {zone} không được đến {name}",
            name_en=f"{whole.name_en}: {zone} must not reach {name}", probe="closed", target=target,
        )  # fmt: skip

    def parts(self, whole: System) -> Iterator[System]:
        """Yield what is probed of a hosted system beside itself."""
        yield from (self.component_system(probe, whole) for probe in component_probes(self.cloud, whole.id))
        yield from (self.closed_path(probe, whole) for probe in closed_paths(self.cloud, whole.id))
        yield from (self.peer_system(probe, whole) for probe in peer_probes(self.cloud, whole.id))

    def _component(self, probe: InsideProbe) -> Component:
        return next(c for c in self.cloud.components_of(probe.target.system) if c.id == probe.target.name)

    def _party_target(self, probe: InsideProbe) -> str:
        return f"{self.cloud.peers[probe.target.name].hosts[0]}:{probe.port}"

    def _part(self, whole: System, kind: PartKind, seen: InsideProbe, **own: object) -> System:
        values = {"every_ms": INSIDE_EVERY_MS, "critical": whole.critical, "maintenance": whole.maintenance,
                  "declared_period": whole.declared_period, "owner_agency": whole.owner_agency} | own  # fmt: skip
        return System(
            id=part_id(whole.id, seen.part), kind=kind, part_of=whole.id, part=seen.part,
            vantage=self.vantage(seen.zone), **values,  # type: ignore[arg-type]
        )  # fmt: skip


def derive_monitoring(inventory: Inventory) -> Inventory:
    """Return the inventory with the vantage points inside its cloud and the systems that they probe.

    Without hosted systems it is returned as it is.
    """
    derivation, systems = _Derivation(inventory), dict(inventory.systems)
    for ident, hosted in sorted(inventory.cloud.systems.items()):
        if ident in systems:
            whole = systems[ident] = derivation.own_system(hosted, systems[ident])
            systems |= {part.id: part for part in derivation.parts(whole)}
    return replace(inventory, systems=systems, devices={**inventory.devices, **_vantage_devices(inventory, systems)})


def _vantage_devices(inventory: Inventory, systems: Mapping[str, System]) -> dict[str, Device]:
    names = {name for system in systems.values() for name in system.vantage} - set(inventory.devices)
    place = cloud_place(inventory.province)
    own = sorted(name for name in names if name.startswith(f"{place}-"))
    return {name: Device(name, place, "gateway", INSIDE_EVERY_MS, simulated=inventory.simulated) for name in own}


def complete_objectives(inventory: Inventory) -> tuple[Objective, ...]:
    """Return the declared objectives, then the derived ones that none of them replaces.

    A declared one with the scope `system` that replaces a derived one counts what that counts, not all systems.
    """
    derived = {objective.id: objective for objective in _derivable_objectives()}
    declared = tuple(
        replace(own, level=replaced.level, part_kind=replaced.part_kind)
        if own.scope == "system" and (replaced := derived.get(own.id))
        else own
        for own in inventory.objectives
    )
    return (*declared, *default_objectives(inventory))


def default_objectives(inventory: Inventory) -> tuple[Objective, ...]:
    """Return the objectives of hosted systems that objectives.toml does not declare: by level, and of closed paths.

    An objective of the same id replaces one; one for `system:ID` takes its place there.
    """
    declared = {objective.id for objective in inventory.objectives}
    levels = {system.level for system in inventory.systems.values()}
    kinds = {system.kind for system in inventory.systems.values()}
    return tuple(
        objective
        for objective in _derivable_objectives()
        if objective.id not in declared and (objective.level in levels if objective.level else CLOSED_PATH in kinds)
    )


def _derivable_objectives() -> Iterator[Objective]:
    """Yield the objective of each level and that of closed paths."""
    for level, goal in DEFAULT_GOALS.items():
        yield Objective(
            f"hosted-level-{level}", f"Hệ thống cấp độ {level} hoạt động", f"Hosted systems of level {level} available",
            "system", "availability", goal, OBJECTIVE_DAYS, "wall", level=level,
        )  # fmt: skip
    yield Objective(
        CLOSED_PATHS_OBJECTIVE, "Đường kết nối bị cấm luôn đóng", "Forbidden connections stay closed",
        "system", "availability", CLOSED_PATHS_GOAL, OBJECTIVE_DAYS, "wall", part_kind=CLOSED_PATH,
    )  # fmt: skip
