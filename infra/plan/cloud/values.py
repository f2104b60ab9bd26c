"""The plan of the hosted systems as frozen values: zones, physical names, sizes, allowed connections.

It must not decide anything; `infra.plan.cloud` builds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry.core.cloud.values import (
        CloudDeclaration,
        CloudZone,
        Component,
        ComponentSize,
        ComponentZone,
        HostedSystem,
        PeerKind,
    )

EndpointKind = Literal["component", "edge", "outside", "platform", "operator", "vantage"]
ConnectionOrigin = Literal["declared", "exposure", "platform"]
"""A row of flows.csv; what an exposure adds between edge and component; what every zone needs of the platform."""


@dataclass(frozen=True, slots=True)
class LevelReason:
    """A criterion by which a system has at least a level, with the clause that says so."""

    level: int
    clause: str
    reason_vi: str
    reason_en: str


@dataclass(frozen=True, slots=True)
class ZoneQuota:
    """What one zone of a system may use: the sum of `most` × size, and one roll-out."""

    cpu_millicores: int
    memory_mb: int
    disk_gb: int
    instances: int


@dataclass(frozen=True, slots=True)
class ComponentPlan:
    """A component with its size, its physical zone name and the labels of its objects."""

    declared: Component
    size: ComponentSize
    namespace: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """One zone of one system: the namespace or network that never changes its name, its address slot and network.

    Without an entry in `cloud.lock` the slot is 0, which is the platform's own, and the network is empty.
    """

    system: str
    zone: ComponentZone
    namespace: str
    slot: int
    cidr: str
    quota: ZoneQuota
    components: tuple[ComponentPlan, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """One hosted system in one stage; `reasons` give its least level, the highest first."""

    declared: HostedSystem
    project: str
    zones: tuple[ZonePlan, ...]
    reasons: tuple[LevelReason, ...]
    labels: Mapping[str, str]
    aliases: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the system's id."""
        return self.declared.id

    @property
    def least_level(self) -> int:
        """Return the least level by the criteria."""
        return max((reason.level for reason in self.reasons), default=1)

    @property
    def components(self) -> tuple[ComponentPlan, ...]:
        """Return the components of all zones."""
        return tuple(component for zone in self.zones for component in zone.components)


QUEUE_OPERATOR: Final = "rabbitmq-cluster-operator"
"""The name of the queues' operator among the ground's engines."""
QUEUE_OPERATOR_NAMESPACE: Final = "rabbitmq-system"
"""Where its published manifest installs it."""


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One end of an allowed connection.

    `component`: `system` and `name`, with `zone` and `namespace`. `edge`: the gateway of the exposure `name`.
    `outside`: the peer `name`, of kind `peer`. `platform`: the service `name`. `operator`: who runs databases, `name`
    its engine. `vantage`: the agent that probes from the zone `name`.
    """

    kind: EndpointKind
    name: str
    system: str = ""
    zone: CloudZone | Literal[""] = ""
    namespace: str = ""
    peer: PeerKind | Literal[""] = ""

    def __str__(self) -> str:
        """Return the end for messages and charts."""
        return f"{self.system}/{self.name}" if self.kind == "component" else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class AllowedConnection:
    """A TCP (or UDP) connection that is allowed; everything else is denied."""

    source: Endpoint
    target: Endpoint
    port: int
    protocol: Literal["TCP", "UDP"] = "TCP"
    tls: bool = True
    origin: ConnectionOrigin = "declared"
    why: str = ""
    declared_at: str = ""


@dataclass(frozen=True)
class CloudPlan:
    """The desired state of all hosted systems of a province in one stage; the same declaration gives the same plan.

    It has no slots, so that its indexes stay with it.
    """

    province: str
    stage: str
    declaration: CloudDeclaration
    systems: tuple[SystemPlan, ...]
    connections: tuple[AllowedConnection, ...]
    """Declared and exposure connections, sorted; what the platform needs is in `platform_connections`."""
    platform_connections: tuple[AllowedConnection, ...]
    today: date
    """The day on which its rules are checked."""
    closed_dials: tuple[AllowedConnection, ...] = ()
    """What vantage points dial and must not reach: nothing allows it at the other end."""
    refused: tuple[SystemPlan, ...] = ()
    """Systems that no shared cloud may host (level 5, state secrets): nothing of them is rendered or connected."""

    def system(self, ident: str) -> SystemPlan:
        """Return a system's plan; raises KeyError."""
        return self._systems_by_id[ident]

    def connections_of(self, system: str, component: str) -> tuple[AllowedConnection, ...]:
        """Return the connections with a component at an end, the declared ones first, each in the plan's order."""
        return self._connections_by_end.get((system, component), ())

    @cached_property
    def components_by_path(self) -> Mapping[str, ComponentPlan]:
        """Return the components of all systems by `system/component`."""
        return {one.declared.path: one for system in self.systems for one in system.components}

    @cached_property
    def _systems_by_id(self) -> Mapping[str, SystemPlan]:
        return {system.id: system for system in self.systems}

    @cached_property
    def _connections_by_end(self) -> Mapping[tuple[str, str], tuple[AllowedConnection, ...]]:
        by_end: dict[tuple[str, str], list[AllowedConnection]] = {}
        for one in (*self.connections, *self.platform_connections):
            for system, name in {(end.system, end.name) for end in (one.source, one.target) if end.kind == "component"}:
                by_end.setdefault((system, name), []).append(one)
        return {end: tuple(own) for end, own in by_end.items()}
