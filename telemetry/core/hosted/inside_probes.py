"""What is dialled from inside the province's cloud, from which zone: what must answer, and what must be closed. Pure.

Probes of devices and rules of networks both follow from it: it must not know a device, an address or a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from telemetry.core.cloud.values import CloudZone, ComponentZone, FlowEnd
from telemetry.core.cloud.zone_matrix import is_closed_across_systems
from telemetry.core.hosted.database_figures import METRICS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.cloud.values import CloudDeclaration, Component, Flow, Peer

VantageZone = Literal["manage", "dmz", "server"]
"""The zones that may have a vantage point: the first sees every component; in `database` nothing but data runs."""
VANTAGE_ZONE: Final = "manage"
_VANTAGE_ZONES: tuple[VantageZone, ...] = get_args(VantageZone)
_TO_COMPONENT, _TO_OUTSIDE, _PEER_PREFIX = "-to-", "-out-", "to-"


@dataclass(frozen=True, slots=True)
class InsideProbe:
    """A connection that is tried from a zone: `part` names it in its system; it must be made, or else `must_fail`.

    `tls` and `port` are those of what is dialled: a component, or an outside party.
    """

    zone: VantageZone
    part: str
    target: FlowEnd
    port: int
    tls: bool = True
    must_fail: bool = False


def is_probed(component: Component) -> bool:
    """Return whether a component can be probed: it has a port."""
    return component.port > 0


def component_probes(cloud: CloudDeclaration, system: str) -> tuple[InsideProbe, ...]:
    """Return the probes of a system's components, by id."""
    return tuple(
        InsideProbe(VANTAGE_ZONE, one.id, _end(one), one.probe_port)
        for one in cloud.components_of(system)
        if is_probed(one)
    )


def figure_reads(cloud: CloudDeclaration, system: str) -> tuple[InsideProbe, ...]:
    """Return from where the own figures of a system's databases are read: at the port of each instance, in plain."""
    return tuple(
        InsideProbe(VANTAGE_ZONE, one.id, _end(one), METRICS_PORT, tls=False)
        for one in cloud.components_of(system)
        if has_figures(one)
    )


def has_figures(component: Component) -> bool:
    """Return whether a component gives figures of its own: a database that is probed."""
    return component.kind == "database" and is_probed(component)


def figures_service(component: Component) -> str:
    """Return the name, in the component's namespace, of all instances of a database."""
    return f"{component.first_id}-figures"


def peer_probes(cloud: CloudDeclaration, system: str) -> tuple[InsideProbe, ...]:
    """Return the probes of the outside parties with a host that a system calls, each from its caller's zone."""
    probes: dict[str, InsideProbe] = {}
    for call in _outside_calls(cloud, system):
        flow, part = call.flow, f"{_PEER_PREFIX}{call.peer.id}"
        for zone in _VANTAGE_ZONES:
            if zone == call.caller.zone:
                probes.setdefault(part, InsideProbe(zone, part, flow.target, flow.port, flow.tls))
    return tuple(probes.values())


def closed_paths(cloud: CloudDeclaration, system: str) -> tuple[InsideProbe, ...]:
    """Return the connections to a system, and to the parties that it calls, that the zones forbid a party of no system.

    One for each pair of zones, to a component that is no gateway; to the zone `database` one for each component.
    What the edge offers is no such target: it is open to everybody.
    """
    return (*_closed_components(cloud, system), *_closed_parties(cloud, system))


def answering_part(closed_path: str) -> str:
    """Return the part that must answer somebody else before a closed path proves anything."""
    zone = closed_path.partition("-")[0]
    peer = closed_path.removeprefix(f"{zone}{_TO_OUTSIDE}")
    return closed_path.removeprefix(f"{zone}{_TO_COMPONENT}") if peer == closed_path else f"{_PEER_PREFIX}{peer}"


def _closed_components(cloud: CloudDeclaration, system: str) -> Iterator[InsideProbe]:
    level, own = cloud.systems[system].level, [one for one in cloud.components_of(system) if is_probed(one)]
    targets: tuple[ComponentZone, ...] = get_args(ComponentZone)
    for zone in _VANTAGE_ZONES:
        for target in targets:
            if zone == target or not is_closed_across_systems(zone, target, level):
                continue
            closed = [one for one in own if one.zone == target and one.kind != "gateway"]
            for one in closed if target == "database" else closed[:1]:
                yield InsideProbe(zone, f"{zone}{_TO_COMPONENT}{one.id}", _end(one), one.port, must_fail=True)


def _closed_parties(cloud: CloudDeclaration, system: str) -> Iterator[InsideProbe]:
    level, tried = cloud.systems[system].level, set[tuple[CloudZone, str]]()
    for call in _outside_calls(cloud, system):
        flow, peer = call.flow, call.peer
        for zone in _VANTAGE_ZONES:
            if (zone, peer.kind) not in tried and is_closed_across_systems(zone, peer.kind, level):
                tried.add((zone, peer.kind))
                yield InsideProbe(zone, f"{zone}{_TO_OUTSIDE}{peer.id}", flow.target, flow.port, must_fail=True)


@dataclass(frozen=True, slots=True)
class _OutsideCall:
    """A flow from a component to an outside party that has a host."""

    flow: Flow
    caller: Component
    peer: Peer


def _outside_calls(cloud: CloudDeclaration, system: str) -> Iterator[_OutsideCall]:
    """Yield a system's calls of outside parties with a host, by name of the party."""
    flows = [one for one in cloud.flows if one.target.kind == "outside" and one.source.system == system]
    for flow in sorted(flows, key=lambda one: (one.target.name, one.port, str(one.source))):
        peer, caller = cloud.peers.get(flow.target.name), cloud.component(flow.source)
        if peer is not None and peer.hosts and caller is not None:
            yield _OutsideCall(flow, caller, peer)


def _end(component: Component) -> FlowEnd:
    return FlowEnd("component", component.id, component.system)
